"""LeWM: encoder and predictor together, the predictor alone on stored latents, the whitened distance, the
action prior.

As `src/model/jepa/lewm.rs` and `src/train/recipes/lewm`. The encoder is rounded to the 16 bits that ship
before the second phase, so that the predictor learns on the latents it will meet.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .experience import Places
from .layers import BatchNorm, FrameEncoder, Linear, ResidualNet
from .world import ALONE

KNOTS = 17


class Inverse(nn.Module):
    """The mean action between two latents."""

    def __init__(self, width, hidden, actions):
        super().__init__()
        self.add_module("0", Linear(width, hidden))
        self.add_module("1", Linear(hidden, actions))

    def forward(self, x):
        return self._modules["1"](F.gelu(self._modules["0"](x)))


class Lewm(nn.Module):
    """Encoder, predictor and inverse model."""

    def __init__(self, c, world=ALONE):
        super().__init__()
        self.c, self.world, d = c, world, c["latent_dim"]
        self.encoder = FrameEncoder(
            c["encoder_channels"], c["head"], c["residual_blocks"], c["encoder_hidden"], d, c["image_size"]
        )
        for module in self.encoder.modules():
            if isinstance(module, BatchNorm):
                module.world = world
        actions = c["action_dim"] * (c["frameskip"] if c["action_block"] == "Concat" else 1)
        self.predictor = ResidualNet(
            c["history"] * d + actions, c["predictor_width"], c["predictor_blocks"], d, zero=True
        )
        self.inverse = Inverse(2 * d, c["inverse_width"], c["action_dim"])

    def predict(self, z, a, drop=0.0):
        """The next latents `[N, D]` from the last, `[N, H·D]`, and blocks of actions; `drop` in training."""
        if self.c["action_block"] == "Mean":
            a = a.reshape(len(a), self.c["frameskip"], -1).mean(1)
        return z[:, -self.c["latent_dim"] :] + self.predictor(torch.cat([z, a], -1), drop)

    def roll_out(self, z, a, drop=0.0):
        """Latents `[N, T, D]` that follow under blocks `[N, T, ·]`."""
        steps = []
        for t in range(a.shape[1]):
            following = self.predict(z, a[:, t], drop)
            z = torch.cat([z[:, self.c["latent_dim"] :], following], 1)
            steps.append(following)
        return torch.stack(steps, 1)

    def open_loop(self, z, actions, drop=0.0, planned=None):
        """Mean squared error of a rollout from the first latents of `z: [B, T+1, D]`. With `planned`, a
        weight and the matrix `[D, D]` of the planner's whitened distance, so much of the mean square in that
        distance is added."""
        h = self.c["history"]
        off = self.roll_out(z[:, :h].flatten(1), actions[:, h - 1 :], drop) - z[:, h:]
        plain = off.square().mean()
        return plain if planned is None else plain + planned[0] * (off @ planned[1].t()).square().mean()

    def joint(self, frames, actions, noise, weights):
        """The first phase's loss of frames `[B·T, H·W·3]` and actions `[B, T-1, ·]`, and its parts."""
        b, t, h, d = actions.shape[0], actions.shape[1] + 1, self.c["history"], self.c["latent_dim"]
        z = self.encoder(frames, True).reshape(b, t, d)
        now, following = z[:, :-1].reshape(-1, d), z[:, 1:].reshape(-1, d)
        steps = t - h
        known = torch.cat([z[:, i : i + steps] for i in range(h)], 2).reshape(b * steps, h * d)
        said = self.predict(known, actions[:, h - 1 :].reshape(b * steps, -1), self.c["dropout"])
        one = (said - z[:, h:].reshape(-1, d)).square().mean()
        opened = self.open_loop(z, actions, self.c["dropout"])
        taken = actions.reshape(b * (t - 1), self.c["frameskip"], -1).mean(1)
        inverse = (self.inverse(torch.cat([now, following], -1)) - taken).square().mean()
        spread = sigreg(z.transpose(0, 1), noise, weights["sigreg_factor"], self.world)
        total = (
            weights["one_step"] * one
            + weights["open_loop"] * opened
            + weights["sigreg"] * spread
            + weights["inverse"] * inverse
        )
        return total, dict(one_step=one, open_loop=opened, sigreg=spread, inverse=inverse)


def sigreg(z, noise, factor, world=ALONE):
    """Epps-Pulley over random directions, rows of normal `noise: [P, D]`: z `[T, B, D]`, means over all of
    B at each time."""
    directions = F.normalize(noise, dim=1)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    projected = z.float() @ directions.t()
    torch.set_float32_matmul_precision(before)
    spacing = 3.0 / (KNOTS - 1)
    t = torch.arange(KNOTS, device=z.device, dtype=torch.float32) * spacing
    target = torch.exp(-t.square() / 2)
    weight = 2 * spacing * target
    weight = weight - spacing * target * ((t == 0) | (t == (KNOTS - 1) * spacing))
    angle = projected.unsqueeze(-1) * t
    waves = world.mean(torch.stack([angle.cos().mean(1), angle.sin().mean(1)]))
    error = (waves[0] - target).square() + waves[1].square()
    return (error.mean((0, 1)) * weight).sum() * factor


def mean_image(exp, most=8000):
    """The mean of the training frames, in [0, 1]."""
    rows = Places(exp, held=False).spread(most)
    total = torch.zeros(exp.words.shape[1] * 8, dtype=torch.float64, device=exp.device)
    for some in rows.split(1024):
        total += exp.bytes_at(some).double().sum(0)
    return (total / (255.0 * len(rows))).float()


@torch.no_grad()
def encode_all(encode, exp, rows, width, dtype=torch.float32, chunk=4096):
    """Vectors of the frames `rows`. Chunks of one size, the last filled up: a convolution is tuned to a
    size once."""
    chunk = chunk if exp.device.type == "cuda" else 512
    out = torch.empty((len(rows), width), device=exp.device, dtype=dtype)
    for at in range(0, len(rows), chunk):
        some = rows[at : at + chunk]
        full = torch.cat([some, some[-1:].expand(chunk - len(some))]) if exp.device.type == "cuda" else some
        out[at : at + chunk].copy_(encode(exp.bytes_at(full))[: len(some)])
    return out


def whitening(delta, share):
    """W with |W d|² = dᵀ (C + share · mean variance)⁻¹ d, C the second moments of differences `[N, D]`."""
    delta = delta.double()
    c = delta.t() @ delta / len(delta)
    c += share * c.diagonal().mean() * torch.eye(len(c), device=c.device, dtype=c.dtype)
    return torch.linalg.inv(torch.linalg.cholesky(c.cpu())).float()


def effective_rank(z):
    """The exponential of the entropy of the latents' spectrum."""
    values = torch.linalg.eigvalsh(torch.cov(z.double().t(), correction=0)).clamp(min=0)
    share = values / values.sum().clamp(min=1e-30)
    return math.exp(-(share[share > 0] * share[share > 0].log()).sum().item())


def probe_r(exp, z_of):
    """r of ridge probes of every moving body's place, fitted on training frames and tested on those that
    only validate."""
    sets = {}
    for held, most in ((False, 6000), (True, 3000)):
        places = Places(exp, held=held)
        if not places.n:
            return {}
        rows = places.spread(most)
        sets[held] = (z_of(rows).double(), rows.cpu().numpy())
    found = {}
    starts = np.array([e.first for e in exp.snapshot()])
    order, episodes = np.argsort(starts), exp.snapshot()
    owner = {h: order[np.searchsorted(starts[order], rows, "right") - 1] for h, (_, rows) in sets.items()}
    for scene, info in exp.info.items():
        for i, body in enumerate(info["bodies"]):
            if body["kind"] == "Fixed":
                continue
            part = {}
            for held, (z, rows) in sets.items():
                mine = [k for k, o in enumerate(owner[held]) if episodes[o].scene == scene]
                truth = [
                    episodes[owner[held][k]].states[rows[k] - episodes[owner[held][k]].first, i, :3:2]
                    for k in mine
                ]
                part[held] = (
                    z[mine],
                    torch.tensor(np.array(truth), dtype=torch.float64, device=z.device).reshape(-1, 2),
                )
            (x, y), (xt, yt) = part[False], part[True]
            if len(x) < 20 or len(xt) < 10:
                continue
            mx, my = x.mean(0), y.mean(0)
            gram = (x - mx).t() @ (x - mx) / len(x)
            gram += 1e-4 * gram.diagonal().mean() * torch.eye(len(gram), device=x.device, dtype=x.dtype)
            said = (xt - mx) @ torch.linalg.solve(gram, (x - mx).t() @ (y - my) / len(x))
            for q, name in enumerate("xz"):
                a, b = said[:, q] - said[:, q].mean(), yt[:, q] - yt[:, q].mean()
                spread = ((a @ a) * (b @ b)).sqrt().item()
                found[f"{scene}.{body['name']}.{name}"] = (a @ b).item() / spread if spread > 1e-9 else 0.0
    return found


class Latents:
    """The second phase's experience: all frames' latents, and the windows among them."""

    def __init__(self, exp, model):
        self.exp, self.c = exp, model.c
        episodes = exp.snapshot()
        rows = np.concatenate([np.arange(e.first, e.first + e.frames) for e in episodes]).astype(np.int64)
        rows = torch.from_numpy(rows).to(exp.device)
        self.z = encode_all(model.encoder, exp, rows, model.c["latent_dim"])
        self.row = torch.full((exp.capacity,), -1, dtype=torch.int64, device=exp.device)
        self.row[rows] = torch.arange(len(rows), device=exp.device)
        if not torch.isfinite(self.z.sum()).item():
            raise RuntimeError("the latents are not finite: the first phase diverged")

    def of(self, frames):
        """Latents of frames `[...]`, `[..., D]`."""
        z = self.z.index_select(0, self.row.index_select(0, frames.flatten()))
        return z.reshape(*frames.shape, -1)

    def windows(self, starts, tokens):
        skip = self.c["frameskip"]
        frames = starts[:, None] + torch.arange(tokens, device=starts.device) * skip
        return self.of(frames), self.exp.blocks_at(starts, tokens, skip)
