"""Jumps of 1, 2, 4 or 8 steps in the frozen latents of a finished LeWM: the first goes far, shorter ones fill
in between.

As `src/model/jepa/jumps.rs`. What is known of a moment is its latent and its motion, the latent less the one
a step before; a jump says both of the moment where it lands, so that who jumps on knows how fast things are.
"""

import torch
import torch.nn.functional as F
from torch import nn

from .layers import Linear, Residual

WIDTH, BLOCKS = 256, 3
# Steps of a jump, and those of the longest.
JUMPS = (1, 2, 4, 8)
LONGEST = JUMPS[-1]
# Steps that are imagined from one look back.
STRETCH = 24


def jump_to(t):
    """Steps of the jump that lands at step `t` of a stretch, counted from 1."""
    return min(t & -t, LONGEST)


def calls(steps):
    """Jumps of a stretch in the order in which they are made, a list a network call: first from eight to
    eight, one after the other, then all of four, all of two and all of one, each from the nearest earlier
    moment of the coarser ones."""
    far = [[t] for t in range(LONGEST, steps + 1, LONGEST)]
    between = [[t for t in range(1, steps + 1) if jump_to(t) == d] for d in JUMPS[-2::-1]]
    return far + [landings for landings in between if landings]


class Block(Residual):
    """A residual block whose norm is moved by what jump it is (FiLM)."""

    def __init__(self, width):
        super().__init__(width)
        self.film = Linear(len(JUMPS), 2 * width, zero=True)

    def forward(self, x, jump):
        scale, shift = self.film(jump).chunk(2, -1)
        inner = self._modules["0"](self.norm(x) * (1 + scale) + shift)
        return x + self._modules["1"](F.gelu(inner))


class Jumps(nn.Module):
    """For `history` latents `dim` wide and actions of `actions` components."""

    def __init__(self, dim, history, actions):
        super().__init__()
        self.dim, self.history, self.actions = dim, history, actions
        self.context = Linear(history * dim, WIDTH)
        self.add_module("in", Linear(2 * dim + LONGEST * actions + len(JUMPS) + 1, WIDTH))
        self.blocks = nn.ModuleList(Block(WIDTH) for _ in range(BLOCKS))
        self.out = Linear(WIDTH, 2 * dim, zero=True)
        # The size of a step's motion, root of the mean square.
        self.register_buffer("motion", torch.ones(1))
        # Of each landing, which jump it is and where that begins: constants, no part of the file.
        told = [
            [*(float(jump_to(t) == j) for j in JUMPS), (t - jump_to(t)) / LONGEST]
            for t in range(1, STRETCH + 1)
        ]
        self.register_buffer("told", torch.tensor(told), persistent=False)

    def look_back(self, last):
        """What the jumps of a stretch are told of the latents before it, `last: [N, H·D]`, oldest first; and
        the newest latent and its motion `[N, D]`."""
        z = last.reshape(len(last), self.history, self.dim)
        steps = (z[:, 1:] - z[:, :-1]) / self.motion
        context = self.context(torch.cat([steps.flatten(1), z[:, -1]], 1))
        motion = z[:, -1] - z[:, -2] if self.history > 1 else torch.zeros_like(z[:, -1])
        return context, z[:, -1], motion

    def forward(self, context, z, motion, actions, landings):
        """Latents and motions `[N, K, D]` at the steps `landings` (K of them, counted from 1) of stretches,
        from latents and motions `[N, K, D]` where the jumps begin; `actions: [N, T, A]` of all steps."""
        ahead = []
        for t in landings:
            d = jump_to(t)
            ahead.append(F.pad(actions[:, t - d : t], (0, 0, 0, LONGEST - d)).flatten(1))
        told = torch.stack([self.told[t - 1] for t in landings]).expand(len(z), -1, -1)
        x = torch.cat([z, motion / self.motion, torch.stack(ahead, 1), told], -1)
        h = F.gelu(self._modules["in"](x) + context[:, None])
        for block in self.blocks:
            h = block(h, told[..., : len(JUMPS)])
        moved, motion = self.out(h).chunk(2, -1)
        return z + moved, self.motion * motion

    def stretch(self, last, actions):
        """Latents and motions `[N, T, D]` that follow `last: [N, H·D]` under `actions: [N, T, A]`, T of at
        most a stretch."""
        context, z, motion = self.look_back(last)
        known = {0: (z, motion)}
        for landings in calls(actions.shape[1]):
            begun = [known[t - jump_to(t)] for t in landings]
            zs, motions = (torch.stack(x, 1) for x in zip(*begun, strict=True))
            found = self(context, zs, motions, actions, landings)
            known.update({t: tuple(x[:, i] for x in found) for i, t in enumerate(landings)})
        steps = [known[t] for t in range(1, actions.shape[1] + 1)]
        return tuple(torch.stack(x, 1) for x in zip(*steps, strict=True))

    def film(self, last, actions):
        """Latents `[N, T, D]` of as many steps as there are actions."""
        found = []
        for some in actions.split(STRETCH, 1):
            found.append(self.stretch(last, some)[0])
            last = torch.cat([last, found[-1].flatten(1)], 1)[:, -self.history * self.dim :]
        return torch.cat(found, 1)
