"""V-JEPA 2-AC: a tubelet encoder pretrained by masking, and a predictor of its maps under actions.

As `src/model/jepa/vjepa`. Maps hold squares of `merge`² tokens side by side.
"""

import torch
import torch.nn.functional as F
from torch import nn

from .layers import Linear, PreNormBlock

TUBELET = 2
SHORT, LONG = (8, 0.15), (2, 0.7)


def positions(slots, grid, width):
    """Sinusoidal places of `slots · grid²` tokens: a third of the width each for row, column and time."""
    space = width // 6 * 2

    def waves(at, wide):
        half = wide // 2
        rate = torch.pow(torch.tensor(100.0), -torch.arange(half, dtype=torch.float32) / max(half, 1))
        angle = at[:, None].float() * rate
        return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)

    slot, cell = torch.arange(slots).repeat_interleave(grid * grid), torch.arange(grid * grid).repeat(slots)
    return torch.cat(
        [waves(cell // grid, space), waves(cell % grid, space), waves(slot, width - 2 * space)], 1
    )


def sizes(c):
    """(tokens on a side, tokens of a frame, tubelets a clip is deep)."""
    grid = c["image_size"] // c["patch"]
    return grid, grid * grid, c["clip_frames"] // TUBELET


def tubelets(c, frames):
    """Rows `[B, slots·cells, 2·p²·3]` around 0 of clips `[B, T, H·W·3]` as bytes; ordered frame, row,
    column, channel."""
    b, t = frames.shape[:2]
    g, p = c["image_size"] // c["patch"], c["patch"]
    x = frames.reshape(b, t // TUBELET, TUBELET, g, p, g, p, 3).permute(0, 1, 3, 5, 2, 4, 6, 7)
    return x.reshape(b, -1, TUBELET * p * p * 3).float() / 127.5 - 1


class Encoder(nn.Module):
    """Tubelets, places, pre-norm blocks, a last norm."""

    def __init__(self, c):
        super().__init__()
        grid, _, slots = sizes(c)
        self.embed = Linear(TUBELET * c["patch"] ** 2 * 3, c["width"])
        self.blocks = nn.ModuleList(
            PreNormBlock(c["width"], c["heads"], c["mlp_width"]) for _ in range(c["layers"])
        )
        self.norm = nn.LayerNorm(c["width"])
        self.register_buffer("positions", positions(slots, grid, c["width"]), persistent=False)

    def forward(self, rows, places):
        """Embeddings `[B, T, width]` of tubelets `[B, T, ·]` at the places `[B, T]` (or `[T]`) of the
        clip."""
        x = self.embed(rows) + self.positions[places]
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Hidden(nn.Module):
    """Predicts embeddings of hidden tubelets from those of visible ones and from their places."""

    def __init__(self, c):
        super().__init__()
        grid, _, slots = sizes(c)
        w = c["masked_width"]
        self.embed, self.mask_token = Linear(c["width"], w), nn.Parameter(0.02 * torch.randn(w))
        self.blocks = nn.ModuleList(
            PreNormBlock(w, c["masked_heads"], 4 * w) for _ in range(c["masked_layers"])
        )
        self.norm, self.out = nn.LayerNorm(w), Linear(w, c["width"])
        self.register_buffer("positions", positions(slots, grid, w), persistent=False)

    def forward(self, seen, visible, hidden):
        x = torch.cat(
            [self.embed(seen) + self.positions[visible], self.positions[hidden] + self.mask_token], 1
        )
        for block in self.blocks:
            x = block(x)
        return self.out(self.norm(x[:, seen.shape[1] :]))


class Predictor(nn.Module):
    """How actions change a map."""

    def __init__(self, c):
        super().__init__()
        w, square, side = (
            c["predictor_width"],
            c["merge"] ** 2 * c["width"],
            c["image_size"] // c["patch"] // c["merge"],
        )
        self.add_module("in", Linear(c["history"] * square + c["frameskip"] * c["action_dim"], w))
        self.blocks = nn.ModuleList(
            PreNormBlock(w, c["predictor_heads"], c["predictor_mlp_width"])
            for _ in range(c["predictor_layers"])
        )
        self.norm, self.out = nn.LayerNorm(w), Linear(w, square, zero=True)
        self.register_buffer("positions", positions(1, side, w), persistent=False)

    def forward(self, parts):
        x = self._modules["in"](parts) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.out(self.norm(x))


class Vjepa(nn.Module):
    """Context encoder, its slow average the target encoder, the predictor between them, and the predictor
    under actions."""

    def __init__(self, c):
        super().__init__()
        self.c = c
        self.context, self.target, self.masked, self.predictor = (
            Encoder(c),
            Encoder(c),
            Hidden(c),
            Predictor(c),
        )
        self.target.requires_grad_(False)
        self.target.load_state_dict(self.context.state_dict())
        grid, cells, _ = sizes(c)
        m, side = c["merge"], grid // c["merge"]
        i = torch.arange(cells)
        square, within = i // (m * m), i % (m * m)
        order = (square // side * m + within // m) * grid + square % side * m + within % m
        self.register_buffer("order", order, persistent=False)
        self.squares, self.map = side * side, cells * c["width"]

    def masked_loss(self, frames, visible, hidden):
        """Mean absolute error of hidden embeddings, for clips `[B, T, H·W·3]` and places `[B, V]`, `[B, H]`
        in the clip."""
        rows = tubelets(self.c, frames)
        seen = self.context(rows.gather(1, visible[..., None].expand(-1, -1, rows.shape[2])), visible)
        found = self.masked(seen, visible, hidden)
        with torch.no_grad():
            target = self.target(rows, torch.arange(rows.shape[1], device=rows.device))
            target = target.gather(1, hidden[..., None].expand(-1, -1, target.shape[2]))
            target = F.layer_norm(target, target.shape[-1:])
        return (found - target).abs().mean()

    def maps(self, frames):
        """Maps `[N, map]` of frames `[N, H·W·3]` as bytes: each is encoded as the tubelet of itself twice."""
        rows = tubelets(self.c, frames[:, None].expand(-1, TUBELET, -1))
        x = self.target(rows, torch.arange(rows.shape[1], device=rows.device))[:, self.order]
        return F.layer_norm(x, x.shape[-1:]).flatten(1)

    def predict(self, z, a):
        """The next maps from the last, `z: [N, history·map]`, and actions `[N, skip·A]` that every square
        is told."""
        n, h, w = len(z), self.c["history"], self.c["width"]
        parts = [z[:, i * self.map : (i + 1) * self.map].reshape(n, self.squares, -1) for i in range(h)]
        change = self.predictor(torch.cat([*parts, a[:, None].expand(n, self.squares, a.shape[1])], -1))
        following = z[:, (h - 1) * self.map :].reshape(-1, w) + change.reshape(-1, w)
        if not self.c.get("residual"):  # of models from before there was a choice
            following = F.layer_norm(following, (w,))
        return following.reshape(n, self.map)

    def error(self, found, truth, last, smooth, by_change, planned=None):
        """Mean error of maps `[N, map]`: below `smooth` by its square; of each token's weight the share
        `by_change` goes by how much it has changed since `last`. With `planned`, a weight and the matrix
        `[map, K]` of the planner's distance, so much of the mean square in that distance is added."""
        error = self.by_values(found, truth, last, smooth, by_change)
        if planned is None:
            return error
        weight, metric = planned
        return error + weight * ((found - truth) @ metric).square().mean()

    def by_values(self, found, truth, last, smooth, by_change):
        error = (found - truth).abs()
        if smooth > 0:
            small = error.clamp(max=smooth)
            error = small * (error - small * 0.5) / smooth
        if by_change <= 0:
            return error.mean()
        error, change = (x.reshape(-1, self.c["width"]).mean(1) for x in (error, (truth - last).abs()))
        weight = by_change * change / change.mean().clamp(min=1e-9) + (1 - by_change)
        return (error * weight).mean()

    def losses(self, z, a, smooth, by_change=0.0, planned=None, forced=None):
        """Teacher-forced and open-loop losses of maps `z: [B, history + R, map]`, `a: [B, history - 1 + R,
        ·]`, the former of the first `forced` steps (of all, if None); a token's change is that since the
        last true map that the prediction knew."""
        h, (b, tokens, size) = self.c["history"], z.shape
        steps = tokens - h
        of = min(forced or steps, steps)
        windows = torch.stack([z[:, t : t + h].reshape(b, h * size) for t in range(of)])
        forced = self.predict(windows.flatten(0, 1), a[:, h - 1 : h - 1 + of].transpose(0, 1).flatten(0, 1))
        truth, last = (z[:, k : k + of].transpose(0, 1).reshape(-1, size) for k in (h, h - 1))
        teacher = self.error(forced, truth, last, smooth, by_change, planned)
        following, known, opened = forced[:b], windows[0], []
        for t in range(1, steps):
            known = torch.cat([known[:, size:], following], 1)
            following = self.predict(known, a[:, h - 1 + t])
            opened.append(self.error(following, z[:, h + t], z[:, h - 1], smooth, by_change, planned))
        return teacher, torch.stack(opened).mean() if opened else torch.zeros_like(teacher)


def draw_masks(c, count, blocks, wanted, random):
    """Cells of a frame `[count, V]` that are seen and `[count, H]` that are predicted, ascending.

    As `src/model/jepa/vjepa/masks.rs`: blocks of 3:4 to 3:2, drawn until there are enough cells on both
    sides; of more than enough some are
    left out by chance.
    """
    many, share = blocks
    grid, cells, _ = sizes(c)
    tries = 12
    aspect = 0.75 * (1.5 / 0.75) ** torch.rand((count, tries, many), generator=random)
    area = share * cells
    high, wide = ((area * a).sqrt().round().clamp(1, grid) for a in (aspect, 1 / aspect))
    top = (torch.rand(high.shape, generator=random) * (grid - high + 1)).floor()
    left = (torch.rand(wide.shape, generator=random) * (grid - wide + 1)).floor()
    at = torch.arange(grid, dtype=torch.float32)
    rows = (at >= top[..., None]) & (at < (top + high)[..., None])
    columns = (at >= left[..., None]) & (at < (left + wide)[..., None])
    covered = (rows[..., :, None] & columns[..., None, :]).any(2).flatten(2)
    hidden = covered.sum(2)
    enough = (hidden >= wanted[1]) & (cells - hidden >= wanted[0])
    first = torch.where(enough.any(1), enough.float().argmax(1), tries - 1)
    covered = covered[torch.arange(count), first]
    # By chance with the covered last: what is short on one side is taken from the other.
    order = (covered.float() + 0.999 * torch.rand((count, cells), generator=random)).argsort(1)
    return order[:, : wanted[0]].sort(1).values, order[:, cells - wanted[1] :].sort(1).values


def principal(maps, components, rounds=12):
    """Mean `[1, map]` and leading directions `[map, K]` of maps, and the share of variance they hold."""
    mean = maps.mean(0, keepdim=True)
    centred = maps - mean
    k = min(components, len(maps) - 1, maps.shape[1])
    start = torch.Generator().manual_seed(0x5E17)
    basis = torch.linalg.qr(torch.randn((maps.shape[1], k), generator=start).to(maps.device)).Q
    for _ in range(rounds):
        basis = torch.linalg.qr(centred.t() @ (centred @ basis)).Q
    held = ((centred @ basis).square().sum() / centred.square().sum().clamp(min=1e-12)).item()
    return mean, F.pad(basis, (0, components - k)), held
