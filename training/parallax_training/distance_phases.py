"""How a distance in steps is trained on a finished LeWM; the networks and the labels are in `distance.py`.

The model's folder is written as it was, with `distance.safetensors` and `distance.ron` beside its weights:
these, and all that was measured with them, stay what they are.
"""

import os
import re
import shutil

import numpy as np
import torch

from . import export, start
from .distance import COUNTED, Temporal, arrived
from .keyframes_phases import erase
from .lewm import Lewm, encode_all
from .loop import Phase
from .optim import AdamW, cosine

CAMP, ARCHITECTURE = "Jepa", "lewm"
WEIGHTS, RECIPE = export.DISTANCE
# Share of hidden values left out, and noise on latents: episodes are few, and heads learn them by heart.
DROP, NOISE = 0.1, 0.05


class Pairs:
    """Moments of episodes and what came of them: latents, actions, places of bodies."""

    def __init__(self, exp, z, lewm, phase):
        self.z, self.lewm, self.phase = z, lewm, phase
        self.skip, self.actions = lewm.c["frameskip"], exp.actions
        episodes = sorted(exp.snapshot(), key=lambda e: e.first)
        bodies = exp.info[episodes[0].scene]["bodies"]
        if len({e.scene for e in episodes}) > 1 or len({e.frames for e in episodes}) > 1:
            raise SystemExit("a distance in steps is learned of one scene, from episodes of one length")
        movable = [i for i, b in enumerate(bodies) if b["kind"] == "Dynamic"]
        at = np.stack([e.states[:, movable][..., [0, 2]] for e in episodes])
        self.at = torch.from_numpy(at.astype(np.float32)).to(z.device)
        self.first = torch.tensor([e.first for e in episodes], device=z.device)
        held = torch.tensor([exp.held(e) for e in episodes], device=z.device)
        self.train, self.checks = torch.where(~held)[0], torch.where(held)[0]
        self.bodies, self.length = len(movable), self.at.shape[1]

    @torch.no_grad()
    def draw(self, episodes, chance):
        """Latents and goals `[N, D]` and steps `[N, O]`; `chance: [4, N]` in [0, 1)."""
        phase, last = self.phase, self.length - 1
        e = episodes[(chance[0] * len(episodes)).long()]
        now = (chance[1] * last).long()
        ahead = torch.minimum((chance[2] * phase["ahead"]).long() + 1, (last - 1 - now) // self.skip)
        seen = len(now) - round(len(now) * phase["imagined"])
        ahead = torch.where(torch.arange(len(now), device=now.device) < seen, 0, ahead)
        then = now + ahead * self.skip
        goal = (then + 1 + (chance[3] * (last - then)).long()).clamp(max=last)
        # Shapes stand, whatever was drawn: the last rows are imagined as far as any may be, and kept as far
        # as each is to be.
        z = self.z[self.first[e] + now]
        rows, block = (self.first[e] + now)[seen:, None], torch.arange(self.skip, device=z.device)
        imagined = z[seen:]
        for t in range(phase["ahead"]):
            frames = (rows + t * self.skip + block).clamp(max=len(self.actions) - 1)
            following = self.lewm.predict(imagined, self.actions[frames].flatten(1))
            imagined = torch.where(ahead[seen:, None] > t, following, imagined)
        z = torch.cat([z[:seen], imagined])
        steps = arrived(self.at[e], then, goal, phase["within_m"], phase["counted"])
        return z, self.z[self.first[e] + goal], steps.float()


def train(run, exp):
    """Trains the networks; returns their tensors and what the card says of them."""
    c, phase = run.recipe.model["lewm"], run.recipe.model["distance"]
    if c["history"] != 1:
        raise SystemExit(f"{run.recipe.path}: the LeWM looks back; a distance in steps wants a history of 1")
    lewm, (_, weights) = Lewm(c).to(run.device), start.model(run.recipe, "lewm")
    start.fill(lewm.encoder, weights, "encoder.", f"{run.recipe.path}: lewm")
    start.fill(lewm.predictor, weights, "predictor.", f"{run.recipe.path}: lewm")
    exp.freeze()
    everything = torch.arange(exp.used, device=exp.device)
    z = encode_all(lambda frames: lewm.encoder(frames, False), exp, everything, c["latent_dim"])
    pairs = Pairs(exp, z, lewm, phase)
    quantities = COUNTED[phase["counted"]](pairs.bodies)
    model = Temporal(c["latent_dim"], phase["members"], quantities).to(run.device)
    run.keep(model=model)
    erase(model, exp, z)
    run.plan([phase["length"]])
    opt = AdamW(model.parameters(), phase["optimiser"], phase["clip"], run.world)
    chance = torch.zeros(4, phase["batch"], device=run.device)
    drawn = [run.uniform(phase["batch"]) for _ in range(4)]
    noise, fill_noise = run.normal(phase["batch"], c["latent_dim"])
    shown = run.shown("loss")

    def step():
        for row, (values, _) in zip(chance, drawn, strict=True):
            row.copy_(values)
        known, goal, steps = pairs.draw(pairs.train, run.world.share(chance.t()).t())
        loss = model.loss(known + NOISE * run.world.share(noise), goal, steps, DROP)
        shown["loss"].copy_(loss.detach())
        opt.step(loss)

    def draw():
        for _, fill in drawn:
            fill()
        fill_noise()

    def measure():
        return scores(model, pairs) if len(pairs.checks) else {}

    run.train(
        Phase(
            "distance",
            phase["length"],
            opt,
            draw,
            step,
            lambda _, x: cosine(x, phase["warmup"], phase["optimiser"]["lr"]),
            phase["batch"],
            shown,
            measure,
        )
    )
    found = measure()
    run.log(phase="distance", **found)
    tensors = {f"temporal.{k}": v.detach() for k, v in model.state_dict().items()}
    return tensors, dict(parameters=sum(p.numel() for p in model.parameters()), notes="")


def ranks(x):
    return x.argsort().argsort().double()


@torch.no_grad()
def scores(model, pairs, most=4096):
    """Of episodes that only validate: the loss, and the rank correlation of said and true steps."""
    chance = torch.rand(4, most, generator=torch.Generator().manual_seed(1)).to(pairs.z.device)
    z, goal, steps = pairs.draw(pairs.checks, chance)
    said, true = ranks(model.distance(z, goal)), ranks(steps.sum(1))
    return dict(
        validation=model.loss(z, goal, steps).item(),
        spearman=torch.corrcoef(torch.stack([said, true]))[0, 1].item(),
    )


def write(run, exp, tensors, about):
    """The LeWM's folder with the distance in it."""
    lewm, _ = start.named(run.recipe)
    folder, out = start.folder_of(lewm, f"{run.recipe.path}: lewm"), os.path.abspath(run.out)
    os.makedirs(out, exist_ok=True)
    if os.path.realpath(folder) != os.path.realpath(out):
        for name in (*export.FILES, *export.READOUTS, *export.KEYFRAMES):
            if name != "card.ron" and os.path.exists(folder / name):
                shutil.copyfile(folder / name, os.path.join(out, name))
    sha256 = export.write_weights(tensors, os.path.join(out, WEIGHTS))
    export.replace(os.path.join(out, RECIPE), run.recipe.text.encode())
    card = re.sub(r"\n *distance: Some\([^)]*\),", "", (folder / "card.ron").read_text(encoding="utf-8"))
    named = f"\n    distance: Some({export.quoted(sha256)}),"
    after = r"\n    keyframes: Some\([^)]*\)," if "keyframes: Some" in card else r"(?=\n    licence:)"
    card = re.sub(f"({after})", lambda m: m.group(1) + named, card, count=1)
    export.replace(os.path.join(out, "card.ron"), card.encode())
    run.say(f"written: {out}, {WEIGHTS}: {about['parameters']} parameters on {exp.about()}")
