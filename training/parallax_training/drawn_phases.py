"""How the decoder of a finished LeWM is trained; the networks are in `drawn.py`."""

import copy

import torch

from . import start
from .colours import hue_motion
from .diffusion_phases import scale
from .drawn import Drawn
from .experience import Places
from .lewm import encode_all
from .loop import Phase
from .optim import AdamW, paced

MASKS = True
CAMP, ARCHITECTURE = "Hybrid", "drawn_lewm"


def train(run, exp):
    """Trains painter and decoder; returns all tensors and what the card says of them."""
    c, t = run.recipe.model, run.recipe.body["training"]
    pace, d = t["pace"], c["denoiser"]
    if d["sigma_data"] == 0:
        mean, sd = scale(exp)
        for field, value in (("mean", mean), ("sigma_data", sd), ("hue_motion", hue_motion(exp))):
            run.recipe.set(field, value)
    dtype = torch.bfloat16 if run.device.type == "cuda" else torch.float32
    model = Drawn(c, dtype).to(run.device)
    _, weights = start.model(run.recipe, "lewm")
    for part in ("encoder", "predictor", "inverse"):
        start.fill(getattr(model, part), weights, f"{part}.", f"{run.recipe.path}: lewm")
    rest = {k: v for k, v in weights.items() if k.split(".")[0] in ("whitening", "proposal")}
    average = copy.deepcopy(model).requires_grad_(False)
    opt = AdamW(model.learned(), pace["adamw"], pace["clip"], run.world)
    opt.follow(list(average.learned()), pace["ema"])
    run.keep(model=model, average=average)
    exp.freeze()
    # Every frame is encoded once: the LeWM stays as it is.
    z = encode_all(
        lambda frames: model.encoder(frames, False),
        exp,
        torch.arange(exp.used, device=exp.device),
        c["lewm"]["latent_dim"],
        torch.float16,
    )
    futures = Futures(run, exp, z, c, t)
    checks = Futures(run, exp, z, c, t, held=True)
    run.plan([pace["length"]])
    shown, taken = run.shown("loss"), {}

    def fill():
        with torch.no_grad():
            taken["args"] = [run.world.share(x) for x in futures.batch(model)]

    def step():
        loss = model.loss(*taken["args"])
        shown["loss"].copy_(loss.detach())
        opt.step(loss)

    def tensors():
        named = {k: v.detach() for k, v in average.state_dict().items()}
        return {**named, **rest}

    def about():
        parts = (average.encoder, average.predictor, average.painter, average.denoiser)
        return dict(
            parameters=sum(p.numel() for part in parts for p in part.parameters()),
            notes=f"{run.steps.get('drawing', 0) * pace['batch']} frames drawn. A finished LeWM (arXiv "
            "2603.19312), whose weights stayed as they were; a diffusion decoder (EDM, arXiv 2206.00364) "
            f"draws each latent that it imagines, up to {t['steps']} steps ahead, beside the last "
            f"observation; moving bodies weighted {t['foreground_weight']:g}-fold; no drawn frame is fed "
            "back.",
        )

    def measure():
        if checks.places.n < 8:
            return {}
        before = run.random.get_state()
        run.random.manual_seed(12345)
        args = checks.batch(average)
        found = dict(validation_loss=average.loss(*args).item())
        n, (s, ch) = len(args[0]), (average.denoiser.side, average.denoiser.channels)
        noise = torch.randn((n, s, s, ch), device=run.device, generator=run.random)
        drawn, true, heavy = average.draw(args[0], args[1], noise).float(), args[2].float(), args[3] > 1
        for name, x in (("drawn", drawn), ("copied", args[1].float())):
            error = ((x - true) ** 2).reshape(n, -1, 3).mean(2)
            error = (error * heavy).sum() / heavy.sum().clamp(min=1)
            found[f"{name}_psnr"] = (10 * torch.log10(255**2 / error.clamp(min=1e-6))).item()
        run.random.set_state(before)
        return found

    run.train(
        Phase(
            "drawing",
            pace["length"],
            opt,
            fill,
            step,
            lambda s, x: paced(s, x, pace["warmup_steps"], pace["adamw"]["lr"]),
            pace["batch"],
            shown,
            measure,
            graph=False,
            export=lambda: run.export(tensors(), about(), unfinished=True),
        )
    )
    return tensors(), about()


class Futures:
    """Last observations, what LeWM imagines after them, and the frames that really followed."""

    def __init__(self, run, exp, z, c, t, held=False):
        self.run, self.exp, self.z, self.c, self.t = run, exp, z, c, t
        self.places = Places(exp, held=held, before=1)

    @torch.no_grad()
    def batch(self, model):
        """The arguments of the loss; all draws are of the whole batch."""
        run, exp, t, d = self.run, self.exp, self.t, self.c["denoiser"]
        history, frames = self.c["lewm"]["history"], t["frames"]
        n = max(t["pace"]["batch"] // frames, 1)

        def rand(*shape, dtype=torch.float32):
            return torch.rand(shape, device=run.device, generator=run.random, dtype=dtype)

        def normal(*shape):
            return torch.randn(shape, device=run.device, generator=run.random)

        first = self.places.at(rand(n, dtype=torch.float64))
        last = first - 1
        back = torch.arange(history - 1, -1, -1, device=run.device)
        rows = torch.maximum(last[:, None] - back, exp.first[first][:, None])
        known = self.z[rows].float().flatten(1)
        ahead = last[:, None] + torch.arange(t["steps"], device=run.device)
        inside = ahead < exp.last[first][:, None]
        actions = exp.actions[torch.where(inside, ahead, 0)] * inside[:, :, None]
        imagined = model.imagine(known, actions)
        reach = (exp.last[first] - last).clamp(max=t["steps"])
        k = (rand(n, frames) * reach[:, None]).long()
        z = torch.gather(imagined, 1, k[:, :, None].expand(-1, -1, imagined.shape[2])).flatten(0, 1)
        at, before = (first[:, None] + k).flatten(), last[:, None].expand(-1, frames).flatten()
        heavy = exp.moving_at(at) | exp.moving_at(before)
        heavy = torch.where(heavy, t["foreground_weight"], 1.0)
        low, high = t["sigma_range"]
        m, s, channels = len(at), d["size"] // d["patch"], 3 * d["patch"] ** 2
        sigma = (t["ln_sigma_mean"] + t["ln_sigma_std"] * normal(m)).exp().clamp(low, high)
        noise, offset = normal(m, s, s, channels), d["offset_noise"] * normal(m, 3)
        return z, exp.bytes_at(before), exp.bytes_at(at), heavy, sigma, noise, offset
