"""How far each hue of the palette moves in ordinary experience: the scale of the distance by which models
that imagine pictures plan.

As `src/model/goal/colours.rs` and `src/train/data/measure.rs`.
"""

import math

import torch

# Okabe and Ito's hues that can carry an identity.
PALETTE = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 90, 200),
    (223, 72, 0),
    (204, 80, 180),
)
LEAST_PIXELS, SATURATED, GREYISH, LIKE, SHARPNESS = 5.0, 55.0, 20.0, 0.8, 80.0
# Motion of a hue that is never seen.
UNSEEN = 0.1
EPISODES, STEPS = 500, 5


def hue_of(rgb):
    """The direction in which colours `[..., 3]` differ from grey, and how far they do."""
    away = rgb - rgb.mean(-1, keepdim=True)
    length = away.square().sum(-1, keepdim=True).sqrt()
    return away / length.clamp(min=1e-6), length[..., 0]


def find(frames, size):
    """Soft number of pixels `[N, 7]` and centre `[N, 7, 2]` of each hue in frames `[N, H·W·3]` as bytes."""
    palette = hue_of(torch.tensor(PALETTE, dtype=torch.float32, device=frames.device))[0]
    hue, saturation = hue_of(frames.reshape(len(frames), -1, 3).float())
    likeness = hue @ palette.t()
    best = likeness.amax(-1)
    presence = ((saturation - GREYISH) / (SATURATED - GREYISH)).clamp(0, 1) * (best >= LIKE)
    chance = ((likeness - best[..., None]) * SHARPNESS).softmax(-1) * presence[..., None]
    mass = chance.sum(1)
    at = torch.arange(size, device=frames.device) + 0.5
    places = torch.stack([at.repeat(size), at.repeat_interleave(size)], 1)
    centre = torch.einsum("npk,pc->nkc", chance, places) / (mass * size).clamp(min=1e-9)[..., None]
    return mass, centre


@torch.no_grad()
def hue_motion(exp):
    """Root mean square displacement of every hue in five steps, in frame sides, from episodes with actions
    where there are any."""
    ordered = exp.snapshot()
    rows = torch.arange(exp.used, device=exp.device)
    acts = torch.cat([exp.actions[r].abs().amax(1) > 0 for r in rows.split(1_000_000)])
    totals = torch.cat([torch.zeros(1, device=exp.device, dtype=torch.int64), acts.long().cumsum(0)]).cpu()
    episodes = [e for e in ordered if totals[e.first + e.frames] > totals[e.first]] or ordered
    starts = [
        e.first + t
        for e in episodes[:: max(1, math.ceil(len(episodes) / EPISODES))]
        for t in range(0, max(0, e.frames - STEPS), 2 * STEPS)
    ]
    squares, counts = (torch.zeros(len(PALETTE), device=exp.device) for _ in range(2))
    for some in torch.tensor(starts, dtype=torch.int64, device=exp.device).split(256):
        (mass, before), (then, after) = (find(exp.bytes_at(some + d), exp.size) for d in (0, STEPS))
        seen = (mass >= LEAST_PIXELS) & (then >= LEAST_PIXELS)
        squares += ((after - before).square().sum(-1) * seen).sum(0)
        counts += seen.sum(0)
    moved = (squares / counts.clamp(min=1)).sqrt()
    return torch.where(counts > 0, moved, UNSEEN).tolist()
