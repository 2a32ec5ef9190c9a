"""The two phases of a latent diffusion's training: autoencoder, then dynamics; the networks are in
`latent.py`."""

import copy

import torch

from . import start
from .colours import hue_motion
from .diffusion_phases import rolls_at
from .experience import Places
from .latent import Autoencoder, Dit, dynamics_loss
from .lewm import encode_all
from .loop import Phase
from .optim import AdamW, paced

MASKS = True
CAMP, ARCHITECTURE = "Generative", "latent_diffusion"
# Pixels of moving bodies that make a cell one that moves.
LEAST_PIXELS = 2
RESERVE = 12.0


def train(run, exp):
    """Trains both phases; returns the tensors and what the card says of them."""
    body, c = run.recipe.body, run.recipe.model
    run.recipe.set("hue_motion", hue_motion(exp))
    earlier = start.model(run.recipe, ARCHITECTURE)
    coder, net = Autoencoder(c).to(run.device), Dit(c).to(run.device)
    if earlier and not run.saved:
        for part, prefix in ((coder, "autoencoder."), (net, "dynamics.")):
            start.fill(part, earlier[1], prefix, f"{run.recipe.path}: start", complete=False)
    averages = [copy.deepcopy(m).requires_grad_(False) for m in (coder, net)]
    run.keep(coder=coder, net=net, coder_average=averages[0], net_average=averages[1])
    lengths = [body["autoencoder"]["pace"]["length"], body["dynamics"]["pace"]["length"]]
    run.plan(lengths[1:] if earlier else lengths)
    if not earlier:  # an autoencoder that was trained before stays as it is
        reconstruct(run, exp, coder, averages[0], body["autoencoder"], "autoencoder")
        with torch.no_grad():  # the autoencoder as it ships
            for p in averages[0].parameters():
                p.copy_(p.half().float())
        measure_scale(exp, averages[0])
    exp.freeze()
    stored = Stored(exp, averages[0], c)
    imagine(run, exp, net, averages[1], stored, c)
    tensors = {f"autoencoder.{k}": v.detach() for k, v in averages[0].state_dict().items()}
    tensors.update({f"dynamics.{k}": v.detach() for k, v in averages[1].state_dict().items()})
    return tensors, dict(
        parameters=sum(p.numel() for m in averages for p in m.parameters()),
        notes=notes(
            run,
            net,
            "Differs from GAIA-2 (arXiv 2503.20523): one camera, an autoencoder of single frames",
        ),
    )


def notes(run, net, differs):
    """What the card says, `differs` at its beginning."""
    how = (
        "the regression twin: one evaluation, mean squared error"
        if net.twin
        else "flow matching with x-prediction"
    )
    return (
        f"{run.frames_seen} frames trained on in both phases. {differs}, {net.side**2} tokens a frame, a "
        f"window of {net.c['context']} context frames that enters cell by cell in place of attention over "
        f"time, each with a noise level of its own; {how}; moving bodies weighted "
        f"{run.recipe.body['dynamics']['foreground_weight']:g}-fold, the last part of the training on the "
        "model's own latents."
    )


def reconstruct(run, exp, coder, average, p, name, stored=None):
    """Frames to latents and back, on single frames; of an eye that does not learn to see the latents are
    stored."""
    pace = p["pace"]
    opt = AdamW(coder.learned(), pace["adamw"], pace["clip"], run.world)
    opt.follow(average.learned(), pace["ema"])
    coder.dtype = torch.bfloat16 if run.device.type == "cuda" else torch.float32
    places, checks = Places(exp, held=False), Places(exp, held=True, before=1)
    b, s, c = pace["batch"], coder.side // 2, coder.c["autoencoder"]["channels"]
    uniform, fill = run.uniform(b)
    noise, fill_noise = run.normal(b, s, s, c)
    shown = run.shown("loss")

    def step():
        rows = run.world.share(places.at(uniform))
        weight = torch.where(exp.moving_at(rows), p["foreground_weight"], 1.0)
        loss = coder.loss(
            exp.bytes_at(rows),
            weight,
            p["latent_noise"] * run.world.share(noise),
            p.get("squared_weight", 0.0),
            stored and stored.of(rows),
        )
        shown["loss"].copy_(loss.detach())
        opt.step(loss)

    def draw():
        fill()
        fill_noise()

    def measure():
        rows = checks.spread(256)
        if not len(rows):
            return {}
        true, before = exp.bytes_at(rows), exp.bytes_at(rows - 1)
        z = average.encode(true).reshape(len(rows), s, s, c)
        # Where something moves or moved: there a copy of the frame before is wrong.
        heavy = exp.moving_at(rows) | exp.moving_at(rows - 1)
        found = {}
        for said, frames in (("reconstruction", average.decode(z)), ("copied", before)):
            error = (frames.float() - true.float()).square().reshape(len(rows), -1, 3).mean(2)
            own = (error * heavy).sum() / heavy.sum().clamp(min=1)
            for what, e in ((f"{said}_psnr", error.mean()), (f"{said}_psnr_of_bodies", own)):
                found[what] = (10 * torch.log10(255**2 / e.clamp(min=1e-6))).item()
        return found

    run.train(
        Phase(
            name,
            pace["length"],
            opt,
            draw,
            step,
            lambda k, x: paced(k, x, pace["warmup_steps"], pace["adamw"]["lr"]),
            b,
            shown,
            measure,
            places.refresh,
        )
    )


@torch.no_grad()
def measure_scale(exp, coder):
    """Mean and deviation of every channel of the latents."""
    coder.mean.zero_()
    coder.deviation.fill_(1)
    c = coder.c["autoencoder"]["channels"]
    rows = Places(exp, held=False).spread(4000)
    z = encode_all(coder.encode, exp, rows, (coder.side // 2) ** 2 * c).reshape(-1, c)
    coder.mean.copy_(z.mean(0).half())
    coder.deviation.copy_(z.std(0, correction=0).clamp(min=1e-3).half())


class Stored:
    """Every frame's latent in 16 bits, and which of its cells hold moving bodies."""

    def __init__(self, exp, coder, c):
        self.exp, self.c, self.side, self.channels = exp, c, coder.side // 2, c["autoencoder"]["channels"]
        self.cells = self.side**2
        rows = torch.arange(exp.used, device=exp.device)
        self.z = encode_all(coder.encode, exp, rows, self.cells * self.channels, torch.float16)
        p = c["size"] // self.side
        moves = [
            exp.moving_at(r).reshape(-1, self.side, p, self.side, p).sum((2, 4)) >= LEAST_PIXELS
            for r in rows.split(8192)
        ]
        self.moves = torch.cat(moves).flatten(1)

    def of(self, rows):
        return (
            self.z.index_select(0, rows.flatten())
            .float()
            .reshape(*rows.shape, self.side, self.side, self.channels)
        )


def imagine(run, exp, net, average, stored, c, export=None):
    """The dynamics, and its tail on own latents; `export` writes what there is on the way."""
    p, pace = run.recipe.body["dynamics"], run.recipe.body["dynamics"]["pace"]
    opt = AdamW(net.parameters(), pace["adamw"], pace["clip"], run.world)
    opt.follow(list(average.parameters()), pace["ema"])
    k, b, most = c["context"], pace["batch"], max(p["self_rolled_steps"], 1)
    places, checks = Places(exp, held=False, before=1), Places(exp, held=True, before=1)
    back, ago = (torch.arange(n, 0, -1, device=run.device) for n in (k, c["actions"]))
    shown, now = run.shown("loss"), dict(rolls=1, sequences=b)
    taken = {}

    def at(progress):
        now["rolls"] = rolls_at(progress, p["self_rolled_from"], most)
        now["sequences"] = max(b // now["rolls"] // run.world.size, 1) * run.world.size

    def rand(*shape):
        return torch.rand(shape, device=run.device, generator=run.random)

    def normal(*shape):
        return torch.randn(shape, device=run.device, generator=run.random)

    def stage(t, known):
        """One prediction: target, its noised form and level, levels and noise of the context, actions,
        weights."""
        n, shape = len(t), (len(t), stored.side, stored.side)
        target = stored.of(t)
        level = torch.sigmoid(p["level_mean"] + p["level_std"] * normal(n))
        level = torch.where(rand(n) < p["level_full_share"], 1.0, level)
        if net.twin:
            level = torch.ones_like(level)
        noisy = (1 - level[:, None, None, None]) * target + level[:, None, None, None] * normal(*target.shape)
        most = 0.0 if net.twin else p["context_level_max"]
        levels = torch.where(known, most * rand(n, k).square(), 1.0)
        by_channel = levels.repeat_interleave(stored.channels, 1)[:, None, None]
        rows = t[:, None] - ago
        actions = (exp.actions[rows.clamp(min=0)] * (rows >= exp.first[t][:, None])[:, :, None]).flatten(1)
        noise = by_channel * normal(*shape, k * stored.channels)
        if net.twin:  # it sees nothing where the noised latent would be, and no noise
            noisy, noise = torch.zeros_like(noisy), torch.zeros_like(noise)
        moves = stored.moves[t] | stored.moves[t - 1]
        weight = torch.where(moves, p["foreground_weight"], 1.0).reshape(shape)
        return (
            target,
            noisy,
            level,
            levels,
            1 - by_channel,
            noise,
            actions,
            weight,
        )

    def window(t):
        """Latents before `t` `[B, S, S, K·C]`, zeros before an episode's start, and which are known."""
        rows = t[:, None] - back
        known = rows >= exp.first[t][:, None]
        z = stored.of(rows.clamp(min=0)) * known[:, :, None, None, None]
        return z.permute(0, 2, 3, 1, 4).flatten(3), known

    def draw():
        with torch.no_grad():
            rolls, n = now["rolls"], now["sequences"]
            t = places.at(torch.rand(n, device=run.device, dtype=torch.float64, generator=run.random))
            t = torch.maximum(torch.minimum(t, exp.last[t] + 1 - rolls), exp.first[t] + 1)
            context, _ = window(t)
            taken["context"] = run.world.share(context)
            stages = [stage(t + r, window(t + r)[1]) for r in range(rolls)]
            taken["stages"] = [[run.world.share(x) for x in s] for s in stages]
            taken["starts"] = [
                run.world.share(normal(n, stored.side, stored.side, stored.channels))
                for _ in range(rolls - 1)
            ]

    @torch.no_grad()
    def own(context, r):
        _, _, _, levels, remains, noise, acted, _ = taken["stages"][r]
        seen = context * remains + noise
        return average.sample(taken["starts"][r], seen, levels, acted, p["self_rolled_nfe"])

    def step():
        loss = dynamics_loss(net, taken["context"], taken["stages"], own)
        shown["loss"].copy_(loss.detach())
        opt.step(loss)

    def measure(n=128, steps=10):
        rows = checks.spread(2048)
        rows = rows[exp.last[rows] >= rows + steps - 1][:n]
        if len(rows) < 4:
            return {}
        made = torch.Generator(device=run.device).manual_seed(3)
        context, found = window(rows)[0], {}
        newest = context[..., -stored.channels :]
        for i in range(steps):
            t = rows + i
            levels = torch.where(window(t)[1], 0.0 if net.twin else c["context_noise"], 1.0)
            by_channel = levels.repeat_interleave(stored.channels, 1)[:, None, None]
            noised = context * (1 - by_channel) + by_channel * torch.randn(
                context.shape, device=run.device, generator=made
            )
            acted = (
                exp.actions[(t[:, None] - ago).clamp(min=0)]
                * (t[:, None] - ago >= exp.first[t][:, None])[:, :, None]
            ).flatten(1)
            own = average.sample(
                torch.randn(newest.shape, device=run.device, generator=made), noised, levels, acted, c["nfe"]
            )
            context = torch.cat([context[..., stored.channels :], own], 3)
            if i + 1 in (1, 5, 10):
                true, heavy = (
                    stored.of(t),
                    (stored.moves[t] | stored.moves[rows - 1]).reshape(len(t), stored.side, stored.side),
                )
                errors = [
                    ((x - true).square().mean(3) * heavy).sum() / heavy.sum().clamp(min=1)
                    for x in (own, newest)
                ]
                found[f"gain_{i + 1}"] = (10 * torch.log10(errors[1] / errors[0].clamp(min=1e-9))).item()
        return found

    run.train(
        Phase(
            "dynamics",
            pace["length"],
            opt,
            draw,
            step,
            lambda s, x: paced(s, x, pace["warmup_steps"], pace["adamw"]["lr"]),
            b,
            shown,
            measure,
            at=at,
            graph=False,
            export=export,
        )
    )
