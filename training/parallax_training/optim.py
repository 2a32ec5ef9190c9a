"""AdamW on one vector of all parameters, and the average of the weights. All of it is tensor operations, so
that a CUDA graph can hold it."""

import math

import torch

from .world import ALONE


class AdamW:
    """As `src/model/nn/optim.rs`: weight decay on matrices only, the whole gradient clipped, a step that is
    not finite left out.

    Parameters become views of one vector, and so do their gradients: processes exchange them in one message.
    """

    def __init__(self, parameters, settings, clip, world=ALONE):
        parameters = list(parameters)
        # Each begins at a multiple of 64 numbers: kernels want aligned tensors.
        device, n = parameters[0].device, sum(-(-p.numel() // 64) * 64 for p in parameters)
        self.clip, self.betas, self.eps = clip, settings["betas"], settings["eps"]
        self.w, self.g, self.m, self.v, self.decay = (torch.zeros(n, device=device) for _ in range(5))
        self.shapes, at = [], 0
        for p in parameters:
            k = p.numel()
            self.w[at : at + k].copy_(p.detach().reshape(-1))
            self.decay[at : at + k] = settings["weight_decay"] if p.dim() > 1 else 0.0
            p.data = self.w[at : at + k].view(p.shape)
            p.grad = self.g[at : at + k].view(p.shape)
            self.shapes.append((at, k, p.shape))
            at += -(-k // 64) * 64
        self.lr, self.t, self.norm, self.faults = (torch.zeros((), device=device) for _ in range(4))
        self.world = world
        self.average = None

    def follow(self, parameters, decay):
        """`parameters`, of a copy of the network, become views of the running average of the weights."""
        self.average, self.ema = self.w.clone(), decay
        for p, (at, k, shape) in zip(parameters, self.shapes, strict=True):
            own = self.average[at : at + k].view(shape)
            own.copy_(p.detach())
            p.data = own

    def step(self, loss):
        """One step down the gradient of `loss`."""
        self.g.zero_()
        loss.backward()
        with torch.no_grad():
            self.world.average(self.g)
            norm = self.g.norm()
            sound = torch.isfinite(norm)
            self.norm.copy_(norm)
            self.faults.add_((~sound).float())
            scale = (self.clip / (norm + 1e-6)).clamp(max=1.0)
            g = torch.where(sound, self.g * scale, torch.zeros_like(self.g))
            b1, b2 = self.betas
            self.t.add_(1.0)
            self.m.mul_(b1).add_(g, alpha=1 - b1)
            self.v.mul_(b2).addcmul_(g, g, value=1 - b2)
            c1, c2 = -torch.expm1(self.t * math.log(b1)), -torch.expm1(self.t * math.log(b2))
            lr = self.lr * sound
            change = (self.m / c1) / ((self.v / c2).sqrt() + self.eps)
            self.w.mul_(1 - lr * self.decay).sub_(lr * change)
            if self.average is not None:
                keep = torch.clamp((1 + self.t) / (10 + self.t), max=self.ema)
                self.average.lerp_(self.w, 1 - keep)

    def state(self):
        """What a resumed training needs."""
        return {
            k: getattr(self, k)
            for k in ("w", "m", "v", "t", "faults", "average")
            if getattr(self, k) is not None
        }

    def restore(self, state):
        for name, value in state.items():
            getattr(self, name).copy_(value)


def cosine(progress, warmup, peak):
    """Warm-up over a share of the phase, then a cosine to nothing."""
    if progress < warmup:
        return peak * max(progress, 1e-6) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warmup) / max(1 - warmup, 1e-9))))


def paced(step, progress, warmup_steps, peak):
    """Warm-up over a number of steps and a cosine to a fiftieth: the diffusion recipes' schedule."""
    warm = min((step + 1) / max(warmup_steps, 1), 1)
    return peak * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(progress, 1))))
