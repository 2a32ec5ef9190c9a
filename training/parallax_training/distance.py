"""A distance in steps: how many control steps it still takes from a latent to a goal, learned from time on
the frozen latents of a finished LeWM; and how they are counted in recorded episodes.

As `src/model/jepa/temporal.rs`. Any later moment of an episode was a goal that it reached (hindsight, over
whole episodes). When the bodies were there first is read from the recorded physics, in training only: the
model sees latents.
"""

import torch
from torch import nn

from .layers import ResidualNet

WIDTH, BLOCKS = 256, 1
# Logarithms of steps are no larger.
MOST = 8.0
# What is counted, and how many quantities that makes of so many bodies.
COUNTED = {"Together": lambda bodies: 1, "Each": lambda bodies: bodies}


class Temporal(nn.Module):
    """Steps `[N]` from latents and goals `[N, D]`: the mean of several networks."""

    def __init__(self, dim, members=2, quantities=1, width=WIDTH, blocks=BLOCKS):
        super().__init__()
        self.members = nn.ModuleList(ResidualNet(4 * dim, width, blocks, quantities) for _ in range(members))
        self.register_buffer("weights", torch.ones(quantities))
        # How much the model's own distance counts beside the steps.
        self.register_buffer("own", torch.zeros(1))
        self.register_buffer("without_hand", torch.eye(dim))

    def forward(self, z, goal, drop=0.0):
        """What each member says, `[M, N, O]`: logarithms of one more than the steps."""
        goal = goal @ self.without_hand.t()
        way = goal - z @ self.without_hand.t()
        x = torch.cat([z, goal, way, way.abs()], 1)
        return torch.stack([member(x, drop) for member in self.members])

    def distance(self, z, goal):
        return (self(z, goal).clamp(-MOST, MOST).exp() @ self.weights).mean(0)

    def loss(self, z, goal, steps, drop=0.0):
        """Mean squared error of the logarithms; steps `[N, O]`."""
        return (self(z, goal, drop) - (1 + steps).log()).square().mean()


def arrived(at, now, goal, within, counted):
    """Steps `[N, O]` after `now: [N]` until the bodies, which are `at: [N, T, B, 2]` metres, are where they
    are at `goal: [N]`."""
    rows = torch.arange(len(at), device=at.device)
    near = (at - at[rows, goal][:, None]).norm(dim=3) < within
    near = near.all(2, keepdim=True) if counted == "Together" else near
    after = torch.arange(at.shape[1], device=at.device)[None] >= now[:, None]
    return (near & after[..., None]).float().argmax(1) - now[:, None]
