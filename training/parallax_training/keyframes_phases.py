"""How a head of keyframes is trained on a finished LeWM; network and labels are in `keyframes.py`.

The model's folder is written as it was, with `keyframes.safetensors` and `keyframes.ron` beside its weights:
these, and all that was measured with them, stay what they are.
"""

import numpy as np
import torch

from . import export, start
from .keyframes import Keyframes, examples, hand_of, without_hand
from .lewm import Lewm, encode_all
from .loop import Phase
from .optim import AdamW, cosine

CAMP, ARCHITECTURE = "Jepa", "lewm"


class Examples:
    """Frames' latents, and which three of them make an example: now, goal, next station."""

    def __init__(self, exp, z, history, skip, phase):
        self.z, self.history, self.skip, self.first = z, history, skip, exp.first
        rows = {False: [], True: []}
        for e in sorted(exp.snapshot(), key=lambda e: e.first):
            draw = np.random.default_rng(e.seed)
            found = examples(
                e.states, exp.info[e.scene]["bodies"], phase["ahead_steps"], phase["examples"], draw
            )
            rows[exp.held(e)].append(found + e.first)
        empty = [np.zeros((0, 3), np.int64)]
        self.rows, self.checks = (
            torch.from_numpy(np.concatenate(rows[held] or empty)).to(z.device) for held in (False, True)
        )

    def of(self, rows):
        """Latents now `[N, H·D]`, of the goals and of the stations `[N, D]`, and steps `[N]`."""
        now, goal, station = rows.unbind(1)
        back = torch.arange(self.history - 1, -1, -1, device=rows.device) * self.skip
        known = torch.maximum(now[:, None] - back, self.first[now][:, None])
        return self.z[known].flatten(1), self.z[goal], self.z[station], (station - now).float()


def train(run, exp):
    """Trains the head; returns its tensors and what the card says of it."""
    c, phase = run.recipe.model["lewm"], run.recipe.model["keyframes"]
    lewm, (_, weights) = Lewm(c).to(run.device), start.model(run.recipe, "lewm")
    start.fill(lewm.encoder, weights, "encoder.", f"{run.recipe.path}: lewm")
    exp.freeze()
    everything = torch.arange(exp.used, device=exp.device)
    z = encode_all(lambda frames: lewm.encoder(frames, False), exp, everything, c["latent_dim"])
    model = Keyframes(c["latent_dim"], c["history"]).to(run.device)
    if "whitening" in weights:
        model.whitening.copy_(weights["whitening"])
    run.keep(model=model)
    of = Examples(exp, z, c["history"], c["frameskip"], phase)
    if not len(of.rows):
        raise SystemExit(
            f"{run.recipe.path}: no episode comes to a goal: record some in which bodies are moved"
        )
    erase(model, exp, z)
    run.plan([phase["length"]])
    opt = AdamW(model.parameters(), phase["optimiser"], phase["clip"], run.world)
    uniform, fill = run.uniform(phase["batch"])
    noise, fill_noise = run.normal(phase["batch"], c["latent_dim"] * c["history"])
    shown = run.shown("loss")

    def step():
        at = (run.world.share(uniform) * len(of.rows)).long()
        known, goal, station, steps = of.of(of.rows[at])
        loss = model.loss(known + phase["noise"] * run.world.share(noise), goal, station, steps)
        shown["loss"].copy_(loss.detach())
        opt.step(loss)

    def draw():
        fill()
        fill_noise()

    def measure():
        return scores(model, of) if len(of.checks) else {}

    run.train(
        Phase(
            "keyframes",
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
    run.log(phase="keyframes", **found)
    tensors = {f"keyframes.{k}": v.detach() for k, v in model.state_dict().items()}
    return tensors, dict(parameters=sum(p.numel() for p in model.parameters()), notes="")


def erase(model, exp, z):
    """What goals say of the hand is taken out: there it may stand anywhere."""
    hands, rests, rows = [], [], []
    for e in exp.snapshot():
        hand, rest = hand_of(e.states, exp.info[e.scene]["bodies"])
        if hand is None or (rests and rests[0].shape[1] != rest.shape[1]):
            continue
        hands.append(hand), rests.append(rest), rows.append(np.arange(e.first, e.first + e.frames))
    if hands:
        rows = torch.from_numpy(np.concatenate(rows))
        hand, rest = (torch.from_numpy(np.concatenate(x)) for x in (hands, rests))
        some = slice(None, None, max(1, len(rows) // 60000))
        model.without_hand.copy_(without_hand(z[rows[some].to(z.device)].cpu(), hand[some], rest[some]))


@torch.no_grad()
def scores(model, of, most=8192):
    """Of examples that only validate: the loss, and the squared error of the likeliest and of the best
    proposal against that of the goal itself, which is where a planner without stations aims."""
    known, goal, station, steps = of.of(of.checks[:: max(1, len(of.checks) // most)])
    loss = model.loss(known, goal, station, steps).item()
    probability, latents, times = model.proposals(known, goal)
    error = (latents - station[:, None]).square().mean(2)
    likeliest = probability.argmax(1, keepdim=True)
    off = (times.gather(1, likeliest)[:, 0] - steps).abs()
    return dict(
        validation=loss,
        likeliest=error.gather(1, likeliest).mean().item(),
        best=error.min(1).values.mean().item(),
        goal_itself=(goal - station).square().mean().item(),
        steps_off=off.median().item(),
    )


def write(run, exp, tensors, about):
    """The LeWM's folder with the head in it."""
    start.write_beside(run, exp, tensors, about, export.KEYFRAMES)
