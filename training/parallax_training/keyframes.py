"""Sparse keyframes: a mixture over the next structured moment on the way to a goal, on the frozen latents of
a finished LeWM; and where such moments are in recorded episodes.

As `src/model/jepa/keyframes.rs`. The labels are made of the recorded physics, in training only: the model
sees latents.
"""

import math

import numpy as np
import torch
from torch import nn

from .layers import ResidualNet

WIDTH, BLOCKS, MODES, SCALARS = 256, 3, 8, 4
# Share of the loss that all modes bear.
SHARED = 0.05
# A station lies at least so many steps ahead: what is nearer needs no plan.
LEAD = 5
# Steps and metres by which moments are told apart.
GAP, TOUCH, MOVES, MOVED, TURN = 3, 0.006, 0.03, 0.02, math.radians(75)
# What a moment is, the least telling first.
KINDS = ("turn", "lost", "made", "rest")


class Keyframes(nn.Module):
    """The mixture `[N, M, 4 + D]` from latents `[N, H·D]` and goals `[N, D]`."""

    def __init__(self, dim, history):
        super().__init__()
        self.dim, self.history = dim, history
        net = ResidualNet((history + 2) * dim, WIDTH, BLOCKS, MODES * (dim + SCALARS))
        self.add_module("in", net._modules["in"])
        self.blocks, self.out = net.blocks, net.out
        self.net = [net]  # in a list: its parts have their names already
        self.register_buffer("without_hand", torch.eye(dim))
        # In which errors are measured, as the planner measures distances; no part of the file.
        self.register_buffer("whitening", torch.eye(dim), persistent=False)

    def forward(self, z, goal):
        goal = goal @ self.without_hand.t()
        way = goal - z[:, -self.dim :] @ self.without_hand.t()
        return self.net[0](torch.cat([z, goal, way], 1)).reshape(len(z), MODES, SCALARS + self.dim)

    def loss(self, z, goal, station, steps):
        """Negative log-likelihood of stations `[N, D]` and their times `[N]` by the mode that is nearest to
        each (hard EM: the sum over modes ends with one that is broad and means nothing), a little of it by
        all, so that none dies; and the likelihood of that mode. The latent counts as much as
        the 16 numbers that it has about room for; its errors are whitened, or where the hand will be, which
        is uncertain, would drown where bodies will be."""
        said = self(z, goal)
        log_weight = said[..., 0].log_softmax(1)
        spread = said[..., 2].clamp(-2, 1)
        time = (steps.log()[:, None] - said[..., 1]) * (-spread).exp()
        sigma = said[..., 3].clamp(-3, 2)
        way = (station - z[:, -self.dim :])[:, None] - said[..., SCALARS:]
        error = (way @ self.whitening.t()).square().mean(2)
        off = 0.5 * time.square() + spread + 16 * (0.5 * error * (-2 * sigma).exp() + sigma)
        with torch.no_grad():
            mine = (error + 0.5 * (steps.log()[:, None] - said[..., 1]).square()).argmin(1, keepdim=True)
        own = off.gather(1, mine).mean()
        return (1 - SHARED) * own + SHARED * off.mean() - log_weight.gather(1, mine).mean()

    @torch.no_grad()
    def proposals(self, z, goal):
        """Probabilities `[N, M]`, latents `[N, M, D]` and steps `[N, M]`."""
        said = self(z, goal)
        steps = said[..., 1].exp().clamp(1, 200)
        return said[..., 0].softmax(1), said[..., SCALARS:] + z[:, None, -self.dim :], steps


def turned(q, v):
    """Vectors `[.., 3]` seen from a body with quaternions `[.., 4]` (x, y, z, w)."""
    u, w = -q[..., :3], q[..., 3:]
    t = 2 * np.cross(u, v)
    return v + w * t + np.cross(u, t)


def outside(shape, p):
    """Distance of points `[.., 3]` in a body's frame to its surface, 0 inside; none for unknown shapes."""
    ((kind, about),) = shape.items()
    if kind == "Ball":
        return np.maximum(np.linalg.norm(p, axis=-1) - about["radius"], 0)
    if kind == "Cuboid":
        return np.linalg.norm(np.maximum(np.abs(p) - np.array(about["half"]), 0), axis=-1)
    if kind == "Compound":
        parts = about["parts"] if isinstance(about, dict) else about
        found = [outside(part["shape"], p - np.array(part.get("position", (0, 0, 0)))) for part in parts]
        return np.min([f for f in found if f is not None], axis=0) if found else None
    return None


def runs(flags):
    """Beginnings and ends of the stretches in which `flags: [T]` are set."""
    edge = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(edge == 1), np.flatnonzero(edge == -1), strict=True))


def bridged(flags):
    """The same without gaps of less than GAP steps."""
    flags = flags.copy()
    for a, b in runs(~flags):
        if a > 0 and b < len(flags) and b - a < GAP:
            flags[a:b] = True
    return flags


def moments(states, bodies):
    """The structured moments of an episode of `states: [T, B, 13]`, in order: (frame, kind, body).

    Contact made or lost between the hand and a body, a body come to rest after it moved, and a turning
    point of the hand; of those that lie within GAP steps of each other, the most telling.
    """
    found, total = [], len(states)
    hand = next((i for i, b in enumerate(bodies) if b["kind"] == "Hand"), None)
    for i, body in enumerate(bodies):
        if body["kind"] != "Dynamic":
            continue
        if hand is not None:
            away = turned(states[:, i, 3:7], states[:, hand, :3] - states[:, i, :3])
            off = outside(body["shape"], away)
            ((kind, about),) = bodies[hand]["shape"].items()
            radius = about["radius"] if kind == "Ball" else min(about.get("half", [0]))
            if off is not None:
                for a, b in runs(bridged(off - radius < TOUCH)):
                    found += [(a, "made", i)] if a > 0 else []
                    found += [(b, "lost", i)] if b < total else []
        at, speed = states[:, i, :3], np.linalg.norm(states[:, i, 7:10], axis=-1)
        for a, b in runs(bridged(speed > MOVES)):
            if b < total and np.linalg.norm(at[b] - at[max(a - 1, 0)]) > MOVED:
                found.append((b, "rest", i))
    if hand is not None:
        at, span = states[:, hand, :3], 5
        before, after = at[span:-span] - at[: -2 * span], at[2 * span :] - at[span:-span]
        long = np.minimum(np.linalg.norm(before, axis=1), np.linalg.norm(after, axis=1)) > 0.06
        cosine = (before * after).sum(1) / np.maximum(
            np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1), 1e-9
        )
        angle = np.where(long, np.arccos(np.clip(cosine, -1, 1)), 0)
        for t in range(len(angle)):
            near = angle[max(t - span, 0) : t + span + 1]
            if angle[t] > TURN and angle[t] == near.max():
                found.append((t + span, "turn", hand))
    kept = []
    for moment in sorted(found):
        if kept and moment[0] - kept[-1][0] < GAP:
            if KINDS.index(moment[1]) >= KINDS.index(kept[-1][1]):
                kept[-1] = moment
        else:
            kept.append(moment)
    return kept


def examples(states, bodies, ahead, most, draw):
    """Up to `most` examples of an episode, `[n, 3]`: now, goal and the next station, as frames.

    Any later moment was a goal that the episode reached (hindsight), as long as the bodies went there
    without much of a detour; the station is the first structured moment before it that is not about to come,
    or the goal itself.
    """
    total = len(states)
    movable = [i for i, b in enumerate(bodies) if b["kind"] == "Dynamic"]
    stops = np.array([m[0] for m in moments(states, bodies)], np.int64)
    at = states[:, movable][..., [0, 2]]
    path = np.concatenate(
        [np.zeros((1, len(movable))), np.linalg.norm(np.diff(at, axis=0), axis=2).cumsum(0)]
    )
    still = (np.linalg.norm(states[:, movable, 7:10], axis=2) < MOVES).all(1)
    tries = 8 * most
    now = draw.integers(0, total - 1, tries)
    goal = now + 1 + (draw.random(tries) * np.minimum(total - 1 - now, ahead)).astype(np.int64)
    moved = np.linalg.norm(at[goal] - at[now], axis=2)
    walked = path[goal] - path[now]
    direct = (walked.sum(1) <= 1.6 * moved.sum(1) + 0.05) & (still[goal] | (draw.random(tries) < 0.3))
    # What asks for more work is rarer by chance, and is what planning is for.
    work = (moved > 0.06).sum(1)
    keep = direct & (draw.random(tries) < np.array([0.25, 0.6, 1.0])[np.minimum(work, 2)])
    now, goal = now[keep][:most], goal[keep][:most]
    after = np.searchsorted(stops, now + LEAD)
    station = np.where(after < len(stops), np.append(stops, total)[after], total)
    return np.stack([now, goal, np.minimum(station, goal)], 1)


def hand_of(states, bodies):
    """What is known of every frame: of the hand `[T, 5]`, and of all other bodies `[T, ·]`."""

    def about(i):
        s = states[:, i].astype(np.float64)
        x, z, (a, b, c, d) = s[:, 0], s[:, 2], s[:, 3:7].T
        yaw = np.arctan2(2 * (d * b + a * c), 1 - 2 * (b * b + c * c))
        return [x, z, x * x, x * z, z * z], [np.cos(yaw), np.sin(yaw), s[:, 1]]

    hand = next((i for i, b in enumerate(bodies) if b["kind"] == "Hand"), None)
    rest = [
        c for i, b in enumerate(bodies) if i != hand and b["kind"] != "Fixed" for p in about(i) for c in p
    ]
    mine = about(hand)[0] if hand is not None else []
    return np.stack(mine, 1) if mine else None, np.stack([np.ones(len(states)), *rest], 1)


def without_hand(z, hand, rest, ridge=1e-3):
    """The projection `[D, D]` that takes out of latents `z: [N, D]` what depends on the hand alone, and
    leaves all else as well as it can be told apart (generalised least squares)."""
    z, x = z.double(), torch.cat([hand, rest], 1).double()
    x = x / x.square().mean(0).sqrt().clamp(min=1e-9)
    gram = x.t() @ x / len(x) + 1e-6 * torch.eye(x.shape[1], dtype=x.dtype)
    effect = torch.linalg.solve(gram, x.t() @ z / len(x))[: hand.shape[1]]
    other = z - x[:, : hand.shape[1]] @ effect
    other = other - other.mean(0)
    cov = other.t() @ other / len(z)
    cov += ridge * cov.diagonal().mean() * torch.eye(len(cov), dtype=cov.dtype)
    weighed = torch.linalg.solve(cov, effect.t())
    inside = effect @ weighed
    inside += 1e-9 * inside.diagonal().mean() * torch.eye(len(inside), dtype=inside.dtype)
    return (
        torch.eye(len(cov), dtype=cov.dtype) - effect.t() @ torch.linalg.solve(inside, weighed.t())
    ).float()
