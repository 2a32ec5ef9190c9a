"""How jumps in the latents of a finished LeWM are trained; the network is in `jumps.py`.

Every frame is encoded once. The model's folder is written as it was, with `jumps.safetensors` and `jumps.ron`
beside its weights: these, and all that was measured with them, stay what they are.
"""

import torch

from . import export, start
from .experience import Places
from .jumps import Jumps, jump_to
from .lewm import Lewm, encode_all
from .loop import Phase
from .optim import AdamW, cosine

CAMP, ARCHITECTURE = "Jepa", "lewm"
# Steps at which the curve tells errors.
TOLD = (5, 10, 20)
# A window has at least so many steps before its episode ends.
LEAST = 8


class Windows:
    """Latents before, at and after a moment, and the actions between."""

    def __init__(self, exp, z, history, ahead):
        self.exp, self.z, self.history = exp, z, history
        self.back = torch.arange(-history + 1, 1, device=z.device)
        self.ahead = torch.arange(1, ahead + 1, device=z.device)

    def of(self, now):
        """Of frames `[N]`: the last latents `[N, H·D]`, those that followed with that of now before them
        `[N, T+1, D]`, the actions `[N, T, A]`, and which of the steps lie within the episode `[N, T]`."""
        first, last = self.exp.first[now][:, None], self.exp.last[now][:, None]
        known = torch.maximum(now[:, None] + self.back, first)
        rows = now[:, None] + self.ahead
        inside = (rows <= last).float()
        rows = torch.minimum(rows, last)
        z = self.z[torch.cat([now[:, None], rows], 1)]
        led = torch.minimum(now[:, None] + self.ahead - 1, last)
        return self.z[known].flatten(1), z, self.exp.actions[led], inside


def train(run, exp):
    """Trains the jumps; returns their tensors and what the card says of them."""
    c, phase = run.recipe.model["lewm"], run.recipe.model["jumps"]
    if c["frameskip"] != 1:
        raise SystemExit(
            f"{run.recipe.path}: lewm: a step of {c['frameskip']} control steps, expected 1: jumps are "
            "counted in control steps"
        )
    lewm, (_, weights) = Lewm(c).to(run.device), start.model(run.recipe, "lewm")
    for part in ("encoder", "predictor"):
        start.fill(getattr(lewm, part), weights, f"{part}.", f"{run.recipe.path}: lewm")
    exp.freeze()
    everything = torch.arange(exp.used, device=exp.device)
    z = encode_all(lambda frames: lewm.encoder(frames, False), exp, everything, c["latent_dim"])
    model = Jumps(c["latent_dim"], c["history"], c["action_dim"]).to(run.device)
    of = Windows(exp, z, c["history"], phase["ahead"])
    places, checks = (Places(exp, held=held, after=LEAST) for held in (False, True))
    if not places.n:
        raise SystemExit(f"no episode is longer than {LEAST} steps")
    scales = scale(of, places)
    model.motion.copy_(scales[0].sqrt())
    run.keep(model=model)
    run.plan([phase["length"]])
    opt = AdamW(model.parameters(), phase["optimiser"], phase["clip"], run.world)
    uniform, fill = run.uniform(phase["batch"])
    shown = run.shown("loss", "single", "chained")

    def step():
        last, following, actions, inside = of.of(run.world.share(places.at(uniform)))
        single, chained = losses(model, last, following, actions, inside, scales, phase["motion_weight"])
        loss = single + phase["chained_weight"] * chained
        for name, value in dict(loss=loss, single=single, chained=chained).items():
            shown[name].copy_(value.detach())
        opt.step(loss)

    def measure():
        return scores(model, lewm, of, checks.spread(2048)) if checks.n else {}

    run.train(
        Phase(
            "jumps",
            phase["length"],
            opt,
            fill,
            step,
            lambda _, x: cosine(x, phase["warmup"], phase["optimiser"]["lr"]),
            phase["batch"],
            shown,
            measure,
        )
    )
    run.log(phase="jumps", **measure())
    tensors = {f"jumps.{k}": v.detach() for k, v in model.state_dict().items()}
    return tensors, dict(parameters=sum(p.numel() for p in model.parameters()), notes="")


def scale(of, places, most=20_000):
    """How far latents move in 1, 2, .. steps, mean squares `[T]`: what errors are measured in."""
    total = count = 0
    for some in places.spread(most).split(2048):
        _, z, _, inside = of.of(some)
        total = total + ((z[:, 1:] - z[:, :1]).square().mean(2) * inside).sum(0)
        count = count + inside.sum(0)
    moved = total / count.clamp(min=1)
    # No step counts more than the first, and what no episode is long enough for counts as the last that is.
    return torch.cummax(moved, 0).values.clamp(min=1e-6)


def losses(model, last, z, actions, inside, scales, motion_weight):
    """Errors of single jumps from what was observed, and of a whole film by jumps from what was imagined;
    each against how far latents move in as many steps."""
    wanted, moved = z[:, 1:], z[:, 1:] - z[:, :-1]

    def off(found, motions, over):
        error = (found - wanted).square().mean(2) / over
        error = error + motion_weight * (motions - moved).square().mean(2) / scales[0]
        return (error * inside).sum() / inside.sum().clamp(min=1)

    landings = list(range(1, actions.shape[1] + 1))

    def begun(known):
        return torch.stack([known[:, t - jump_to(t)] for t in landings], 1)

    context, _, motion = model.look_back(last)
    motions = torch.cat([motion[:, None], moved], 1)
    single = model(context, begun(z), begun(motions), actions, landings)
    over = torch.stack([scales[jump_to(t) - 1] for t in landings])
    return off(*single, over), off(*model.stretch(last, actions), scales)


@torch.no_grad()
def scores(model, lewm, of, rows):
    """Of windows that only validate: errors by jumps and of the LeWM step by step, against staying where
    one is."""
    sums = torch.zeros(3, len(TOLD), dtype=torch.float64)
    told = [t - 1 for t in TOLD if t <= len(of.ahead)]
    for some in rows.split(512):
        last, z, actions, inside = of.of(some)
        there = inside[:, told]
        for i, said in enumerate((model.film(last, actions), lewm.roll_out(last, actions), z[:, :1])):
            said = said[:, told] if i < 2 else said
            error = (said - z[:, 1:][:, told]).square().mean(2) * there
            sums[i, : len(told)] += error.sum(0).double().cpu()
    return {
        f"{name}_{t}": (sums[i, k] / sums[2, k].clamp(min=1e-12)).item()
        for i, name in enumerate(("jumps", "steps"))
        for k, t in enumerate(TOLD[: len(told)])
    }


def write(run, exp, tensors, about):
    """The LeWM's folder with the jumps in it."""
    start.write_beside(run, exp, tensors, about, export.JUMPS)
