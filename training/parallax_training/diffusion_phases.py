"""How a pixel diffusion is trained; the network is in `diffusion.py`."""

import copy
import signal
import time

import torch

from . import start
from .colours import hue_motion
from .diffusion import Unet
from .experience import Places
from .loop import Phase
from .optim import AdamW, paced

MASKS = True
CAMP, ARCHITECTURE = "Generative", "pixel_diffusion"
COMPILE_SECONDS = 140


class Draw:
    """Contexts, targets and actions by the index of the frame to predict."""

    def __init__(self, run, exp, c, t):
        self.run, self.exp, self.c, self.t = run, exp, c, t
        self.back = torch.arange(c["context"], 0, -1, device=run.device)
        self.ago = torch.arange(c["actions"], 0, -1, device=run.device)

    def rand(self, *shape):
        return torch.rand(shape, device=self.run.device, generator=self.run.random)

    def normal(self, *shape):
        return torch.randn(shape, device=self.run.device, generator=self.run.random)

    def targets(self, n, places, rolls=1):
        """Frames to predict; so placed that `rolls` predictions in a row stay in the episode."""
        t = places.at(torch.rand(n, device=self.run.device, dtype=torch.float64, generator=self.run.random))
        if rolls > 1:
            t = torch.maximum(torch.minimum(t, self.exp.last[t] + 1 - rolls), self.exp.first[t] + 1)
        return t

    def context(self, t):
        """The frames before; the first stands in for what came before it."""
        rows = torch.maximum(t[:, None] - self.back, self.exp.first[t][:, None])
        return self.exp.bytes_at(rows).reshape(len(t), len(self.back), -1)

    def actions(self, t):
        rows = t[:, None] - self.ago
        known = rows >= self.exp.first[t][:, None]
        return (self.exp.actions[rows.clamp(min=0)] * known[:, :, None]).flatten(1)

    def batch(self, context, t):
        """The arguments of the loss; all draws are of the whole batch, then each process takes its share."""
        p, n, s, c = self.t, len(t), self.c["size"] // self.c["patch"], 3 * self.c["patch"] ** 2
        low, high = p["sigma_range"]
        sigma = (p["ln_sigma_mean"] + p["ln_sigma_std"] * self.normal(n)).exp().clamp(low, high)
        u = self.rand(2, n)
        level = torch.where(u[0] < p["context_noise_share"], p["context_noise_max"] * u[1], 0.0)
        if self.c["objective"] == "Regression":
            sigma, level = torch.full_like(sigma, self.c["sigma_max"]), torch.zeros_like(level)
        z, offset = self.normal(n, s, s, c), self.c["offset_noise"] * self.normal(n, 3)
        zc = self.normal(n, s, s, c * self.c["context"])
        heavy = self.exp.moving_at(t) | self.exp.moving_at(t - 1)
        heavy = torch.where(heavy, p["foreground_weight"], 1.0)
        return context, self.exp.bytes_at(t), heavy, sigma, z, offset, level, zc, self.actions(t)

    def imagined(self, imagine, context, t):
        s, c = self.c["size"] // self.c["patch"], 3 * self.c["patch"] ** 2
        n = len(t)
        return imagine(
            context, self.actions(t), self.normal(n, s, s, c), self.normal(n, s, s, c * self.c["context"])
        )


class Pool:
    """The tail on own frames at one batch size: rows of group d are predictions number d in a row."""

    def __init__(self, draw, places, batch, rolls):
        self.draw, self.places, self.rolls, self.batch = draw, places, max(rolls, 1), batch
        self.group = torch.arange(batch, device=draw.run.device) // max(batch // self.rolls, 1)
        self.now, self.next = 1, None

    def take(self):
        if self.now == 1 or self.next is None:
            t = self.draw.targets(self.batch, self.places, self.rolls if self.now > 1 else 1)
            return self.draw.context(t), t
        return self.next

    @torch.no_grad()
    def advance(self, imagine, context, t):
        """Contexts and targets of the next step: a group goes on from the one before, or begins anew."""
        if self.now == 1:
            return
        g = self.batch // self.rolls
        keep = self.batch - g
        own = self.draw.imagined(imagine, context[:keep], t[:keep])
        fresh = self.draw.targets(self.batch, self.places, self.rolls)
        went = torch.cat([fresh[:g], torch.minimum(t[:keep] + 1, self.draw.exp.last[t[:keep]])])
        real = self.draw.context(fresh)
        moved = torch.cat([real[:g], torch.cat([context[:keep, 1:], own[:, None]], 1)])
        begins = self.group % self.now == 0
        self.next = torch.where(begins[:, None, None], real, moved), torch.where(begins, fresh, went)


def rolls_at(progress, first, most):
    """Predictions in a row: from `first` on a growing number."""
    if progress < first or most < 2:
        return 1
    return int(min(2 + (progress - first) / max(1 - first, 1e-9) * (most - 1), most))


def scale(exp):
    """Mean colour and one deviation, as `src/train/data/measure.rs`."""
    rows = Places(exp, held=False).spread(4000)
    x = exp.bytes_at(rows).double().reshape(-1, 3) / 127.5 - 1
    mean = x.mean(0)
    sd = ((x * x).mean() - (mean * mean).mean()).clamp(min=1e-4).sqrt()
    return mean.float().tolist(), sd.float().item()


def compiled(run, net, average, batch, rolls):
    """(loss, imagine), compiled where that works in time and says the same; as they are elsewhere."""
    plain = (net.loss, average.imagine)
    if run.device.type != "cuda" or not run.accelerate:
        return plain
    c, s, channels = net.c, net.side, net.channels
    n, k, device = batch, batch - batch // max(rolls, 1), run.device
    made = torch.Generator(device=device).manual_seed(0)

    def normal(*shape):
        return torch.randn(shape, device=device, generator=made)

    def frames(*shape):
        return torch.randint(
            0, 256, (*shape, c["size"] ** 2 * 3), device=device, generator=made, dtype=torch.uint8
        )

    args = (
        frames(n, c["context"]),
        frames(n),
        torch.ones(n, c["size"] ** 2, device=device),
        normal(n).exp(),
        normal(n, s, s, channels),
        normal(n, 3) * 0.1,
        normal(n).abs() * 0.1,
        normal(n, s, s, channels * c["context"]),
        normal(n, c["actions"] * c["action_dim"]),
    )
    kept = [v.detach().clone() for v in net.parameters()]
    result, begun = list(plain), time.time()

    def ring(*_):
        raise TimeoutError(f"compiling took over {COMPILE_SECONDS} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, COMPILE_SECONDS)
    try:
        with torch.no_grad():  # a fresh network says nothing: compare another
            for v, w in zip(net.parameters(), average.parameters(), strict=True):
                v.add_(0.03 * normal(*v.shape))
                w.copy_(v)
        values = []
        fast = torch.compile(net.loss, dynamic=False, fullgraph=True)
        for loss in (fast, fast, net.loss):
            value = loss(*args)
            net.zero_grad(set_to_none=True)
            value.backward()
            values.append(value.item())
        run.say(
            f"compiled the loss in {time.time() - begun:.1f} s: {values[1]:.5f}, as it was {values[2]:.5f}"
        )
        if abs(values[1] - values[2]) > 0.02 * abs(values[2]) + 1e-3:
            raise ValueError("the compiled loss differs")
        result[0] = fast
        if k < n:
            quick = torch.compile(average.imagine, dynamic=False, fullgraph=True)
            inputs = (
                args[0][:k].contiguous(),
                args[8][:k].contiguous(),
                args[4][:k].contiguous(),
                args[7][:k].contiguous(),
            )
            with torch.no_grad():
                off = (quick(*inputs).float() - average.imagine(*inputs).float()).abs().mean().item()
            run.say(f"compiled the sampler too, {time.time() - begun:.1f} s in all: {off:.3f} levels apart")
            if off > 2:
                raise ValueError("the compiled sampler differs")
            result[1] = quick
    except Exception as e:
        run.say(f"not everything compiled, the rest runs as it is: {type(e).__name__}: {str(e)[:400]}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        net.zero_grad(set_to_none=True)
        with torch.no_grad():
            for v, w, was in zip(net.parameters(), average.parameters(), kept, strict=True):
                v.copy_(was)
                w.copy_(was)
    return tuple(result)


def prepare(run):
    """What needs no experience: the network, its average, and both compiled."""
    c, t = run.recipe.model, run.recipe.body["training"]
    rolls = max(t["self_rolled_steps"], 1)
    if t["batch"] % rolls:
        raise SystemExit(
            f"{run.recipe.path}: training.batch: found {t['batch']}, expected a multiple of "
            f"training.self_rolled_steps ({rolls})"
        )
    dtype = torch.bfloat16 if run.device.type == "cuda" else torch.float32
    net = Unet(c, dtype, t["self_rolled_nfe"]).to(run.device)
    average = copy.deepcopy(net).requires_grad_(False)
    # The flat vector first: compiled code keeps the tensors that it saw.
    opt = AdamW(net.parameters(), t["adamw"], t["clip"], run.world)
    opt.follow(list(average.parameters()), t["ema"])
    return (
        net,
        average,
        opt,
        compiled(run, net, average, t["batch"] // run.world.size, t["self_rolled_steps"]),
    )


def train(run, exp, ready):
    """Trains a pixel diffusion; returns its tensors and what the card says of it."""
    c, t = run.recipe.model, run.recipe.body["training"]
    net, average, opt, (loss_of, imagine) = ready
    earlier = start.model(run.recipe, ARCHITECTURE)
    if earlier and not run.saved:
        before, weights = earlier
        weights["embed_first.weight"] = start.widened(weights["embed_first.weight"], before, c)
        start.fill(net, weights, "", f"{run.recipe.path}: training.start")
    with torch.no_grad():
        opt.average.copy_(opt.w)
        for p, (at, k, shape) in zip(net.parameters(), opt.shapes, strict=True):
            p.grad = opt.g[at : at + k].view(shape)
    if c["sigma_data"] == 0:  # to be measured, or that of the model it goes on from
        mean, sd = (before[k] for k in ("mean", "sigma_data")) if earlier else scale(exp)
        run.recipe.set("mean", list(mean))
        run.recipe.set("sigma_data", sd)
        run.recipe.set("hue_motion", hue_motion(exp))
    for network in (net, average):
        network.mean.copy_(torch.tensor(c["mean"]))
        network.sd.fill_(c["sigma_data"])
    run.keep(net=net, average=average)
    places, checks = Places(exp, held=False, before=1), Places(exp, held=True, before=1)
    draw = Draw(run, exp, c, t)
    pool = Pool(draw, places, t["batch"], t["self_rolled_steps"])
    run.plan([t["length"]])
    shown = run.shown("loss")
    taken = {}

    def state():
        return {} if pool.next is None else dict(context=pool.next[0], t=pool.next[1])

    def restore(saved):
        pool.next = (saved["context"], saved["t"]) if saved else None

    def at(progress):
        pool.now = rolls_at(progress, t["self_rolled_from"], t["self_rolled_steps"])

    def fill():
        with torch.no_grad():
            taken["context"], taken["t"] = pool.take()
            taken["args"] = [run.world.share(x) for x in draw.batch(taken["context"], taken["t"])]

    def step():
        loss = loss_of(*taken["args"])
        shown["loss"].copy_(loss.detach())
        opt.step(loss)
        pool.advance(imagine, taken["context"], taken["t"])

    def about():
        steps = run.steps.get("training", 0)
        return dict(
            parameters=sum(p.numel() for p in net.parameters()),
            notes=f"{steps * t['batch']} frames trained on. Differs from DIAMOND (arXiv 2405.12399): "
            f"frames folded {c['patch']}x{c['patch']} "
            "into channels, two levels instead of four, self-attention at the inner one, moving bodies "
            f"weighted {t['foreground_weight']:g}-fold, "
            "context noised at a known level, the last part of the training on the model's own frames, "
            "no reward or termination head.",
        )

    def tensors():
        return {k: v.detach() for k, v in average.state_dict().items()}

    measured = [0.0]

    def measure():
        if time.time() - measured[0] < 4 * run.log_seconds or checks.n < 8:
            checks.refresh()
            return {}
        measured[0] = time.time()
        return validate(run, exp, average, checks, t)

    run.train(
        Phase(
            "training",
            t["length"],
            opt,
            fill,
            step,
            lambda s, x: paced(s, x, t["warmup_steps"], t["adamw"]["lr"]),
            t["batch"],
            shown,
            measure,
            places.refresh,
            at,
            graph=False,
            state=state,
            restore=restore,
            export=lambda: run.export(tensors(), about(), unfinished=True),
        )
    )
    measured[0] = 0.0
    run.log(phase="validation", **measure())
    return tensors(), about()


@torch.no_grad()
def validate(run, exp, average, checks, t, steps=10):
    """The loss on episodes that only validate, with the same noise each time, and the gain of rollouts over
    copying the last frame, in dB where things move, at steps 1, 5 and 10."""
    n, before = min(256, 4 * t["batch"]), run.random.get_state()
    run.random.manual_seed(12345)
    draw = Draw(run, exp, average.c, t)
    some = checks.spread(n)
    loss = average.loss(*draw.batch(draw.context(some), some)).item()
    some = some[exp.last[some] >= some + steps - 1][: n // 2]
    gains = {}
    if len(some) >= 4:
        context, moved = draw.context(some), exp.moving_at(some - 1)
        copied = context[:, -1].float()
        for i in range(steps):
            frame = draw.imagined(average.imagine, context, some + i)
            context = torch.cat([context[:, 1:], frame[:, None]], 1)
            if i + 1 in (1, 5, 10):
                true, heavy = exp.bytes_at(some + i).float(), (exp.moving_at(some + i) | moved).float()

                def psnr(x, true=true, heavy=heavy):
                    error = (((x - true) ** 2).reshape(len(x), -1, 3).mean(2) * heavy).sum(1) / heavy.sum(
                        1
                    ).clamp(min=1)
                    return 10 * torch.log10(255**2 / error.clamp(min=1e-6))

                gains[f"gain_{i + 1}"] = (psnr(frame.float()) - psnr(copied)).median().item()
    run.random.set_state(before)
    return dict(validation_loss=loss, **gains)
