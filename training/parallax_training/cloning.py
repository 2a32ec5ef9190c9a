"""Behaviour cloning, a baseline without a world model, and the learned distance in steps: one encoder for
both frames.

As `src/model/cloning.rs` and `src/train/recipes/cloning.rs`.
"""

import torch
from torch import nn

from .experience import Places
from .layers import BatchNorm, FrameEncoder, ResidualNet
from .lewm import mean_image
from .loop import Phase
from .optim import AdamW, cosine
from .world import ALONE

CAMP = "Reference"
# One in so many pairs is of frames of different episodes, where steps are learned.
APART = 4


class Cloning(nn.Module):
    """The encoder, and the layers that compare what is seen with what is wanted."""

    def __init__(self, c, world=ALONE):
        super().__init__()
        self.encoder = FrameEncoder(
            c["encoder_channels"],
            "Flatten",
            c["residual_blocks"],
            c["encoder_hidden"],
            c["features"],
            c["image_size"],
        )
        for module in self.encoder.modules():
            if isinstance(module, BatchNorm):
                module.world = world
        self.policy = ResidualNet(3 * c["features"], c["width"], c["blocks"], c["action_dim"])

    def decide(self, now, goal):
        """Actions `[N, A]` of features of what is seen and what is wanted."""
        return self.policy(torch.cat([now, goal, goal - now], -1))

    def forward(self, now, goals, train=False):
        """Actions of frames `[N, H·W·3]` as bytes."""
        features = self.encoder(torch.cat([now, goals]), train)
        return self.decide(*features.chunk(2))


def train(run, exp):
    """Trains a policy or a distance; returns its tensors and what the card says of it."""
    p, c, steps = run.recipe.body, run.recipe.model, run.recipe.kind == "StepsToGo"
    model = Cloning(c, run.world).to(run.device)
    model.encoder.amp = run.device.type == "cuda"
    if not run.saved:
        model.encoder.mean_image.copy_(mean_image(exp))
    run.keep(model=model)
    b, ahead = p["batch"], p["ahead"]
    places, checks = Places(exp, held=False, after=1), Places(exp, held=True, after=1)
    if not places.n or not checks.n:
        raise SystemExit("too few episodes: some must train and some validate")
    opt = AdamW(model.parameters(), p["optimiser"], p["clip"], run.world)
    uniform, fill = run.uniform(4, b)
    shown = run.shown("loss")

    def pairs(at, u):
        now = at.at(u[0])
        left = exp.last.index_select(0, now) - now
        if not steps:
            goal = now + 1 + (u[1] * left.clamp(max=ahead)).long()
            return now, goal, exp.actions.index_select(0, now)[:, : c["action_dim"]]
        between = (u[1] * (left.clamp(max=ahead) + 1)).long()
        apart = u[2] * APART < 1
        goal = torch.where(apart, at.at(u[3]), now + between)
        return now, goal, torch.where(apart, 1.0, between / ahead).float()[:, None]

    def error(at, u, train):
        now, goal, wanted = (run.world.share(x) if train else x for x in pairs(at, u))
        said = model(exp.bytes_at(now), exp.bytes_at(goal), train)
        return (said - wanted).square().mean(), wanted

    def step():
        loss, _ = error(places, uniform, True)
        shown["loss"].copy_(loss.detach())
        opt.step(loss)

    steady = torch.rand((4, 2048), dtype=torch.float64, generator=torch.Generator().manual_seed(7)).to(
        run.device
    )

    def measure():
        found, wanted = error(checks, steady, False)
        idle = wanted if not steps else wanted - wanted.mean()
        return dict(validation_error=found.item(), validation_idle=idle.square().mean().item())

    run.plan([p["length"]])
    run.train(
        Phase(
            "steps_to_go" if steps else "cloning",
            p["length"],
            opt,
            fill,
            step,
            lambda _, x: cosine(x, p["warmup"], p["optimiser"]["lr"]),
            b,
            shown,
            measure,
            places.refresh,
        )
    )
    with torch.no_grad():
        found = measure()
    what = (
        f"A policy, not a world model: goals up to {ahead} steps ahead in hindsight, mean squared error "
        "of one action. On validation episodes "
        f"{found['validation_error']:.3f}; doing nothing {found['validation_idle']:.3f}."
    )
    if steps:
        what = (
            "A distance, not a world model: control steps between two frames of an episode, as a share "
            f"of {ahead}; 1 for frames of different "
            f"episodes. Mean squared error on validation episodes {found['validation_error']:.4f}; of "
            f"their mean {found['validation_idle']:.4f}."
        )
    tensors = {k: v.detach() for k, v in model.state_dict().items()}
    return tensors, dict(parameters=sum(q.numel() for q in model.parameters()), notes=what)
