"""Read-outs of frozen latents, fitted afterwards and seen by no planner: probes of body states and the
diagnostic decoder.

As `src/train/readouts/`. Writes `readouts.json` beside the weights.
"""

import json
import os

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .experience import Places
from .export import replace
from .layers import Linear, Mlp
from .loop import Phase, rounded
from .optim import AdamW, cosine

QUANTITIES, POSE, HISTORY, HIDDEN = ("x", "z", "cos_yaw", "sin_yaw", "vx", "vz"), 4, 3, 128
BODY_WEIGHT = 8.0


class Probes(nn.Module):
    """Linear and MLP probes of three latents, and an MLP probe of one."""

    def __init__(self, dim, bodies):
        super().__init__()
        k = bodies * len(QUANTITIES)
        self.register_buffer("mean", torch.zeros(k))
        self.register_buffer("std", torch.ones(k))
        self.linear, self.history, self.single = (
            Linear(HISTORY * dim, k),
            Mlp(HISTORY * dim, HIDDEN, k),
            Mlp(dim, HIDDEN, k),
        )


class DecoderLayer(nn.Module):
    def __init__(self, dim, width):
        super().__init__()
        self.value, self.norm = Linear(dim, width), nn.LayerNorm(width)
        self.add_module("0", Linear(width, 2 * width))
        self.add_module("1", Linear(2 * width, width))

    def forward(self, h, z):
        h = h + self.value(z)[:, None]
        return h + self._modules["1"](F.gelu(self._modules["0"](self.norm(h))))


class Decoder(nn.Module):
    """Learned queries, one a patch, that look at the latent and draw its pixels."""

    def __init__(self, sizes, dim, image):
        super().__init__()
        w, self.patch, self.side = sizes["width"], sizes["patch"], image // sizes["patch"]
        self.queries = nn.Parameter(torch.randn(self.side**2, w))
        self.layers = nn.ModuleList(DecoderLayer(dim, w) for _ in range(sizes["layers"]))
        self.norm, self.pixels = nn.LayerNorm(w), Linear(w, 3 * self.patch**2, zero=True)

    def forward(self, z):
        """Differences from the mean image, `[N, patches, p·p·3]`."""
        h = self.queries[None].expand(len(z), -1, -1)
        for layer in self.layers:
            h = layer(h, z)
        return self.pixels(self.norm(h))

    def patches(self, frames, channels):
        """`[N, H·W·C]` in the decoder's order."""
        s, p = self.side, self.patch
        x = frames.reshape(-1, s, p, s, p, channels).permute(0, 1, 3, 2, 4, 5)
        return x.reshape(-1, s * s, p * p * channels)


class Targets:
    """True states of the frames of some episodes, and which of them there are, for all moving bodies by
    name."""

    def __init__(self, exp, episodes):
        self.bodies = []
        there = {e.scene for e in episodes}
        for info in (info for scene, info in exp.info.items() if scene in there):
            self.bodies += [
                b["name"] for b in info["bodies"] if b["kind"] != "Fixed" and b["name"] not in self.bodies
            ]
        k = len(QUANTITIES) * len(self.bodies)
        frames = sum(e.frames for e in episodes)
        values, mask = np.zeros((frames, k), np.float32), np.zeros((frames, k), np.float32)
        rows, n = np.zeros(exp.capacity, np.int64), 0
        for e in episodes:
            own = slice(n, n + e.frames)
            rows[e.first : e.first + e.frames] = np.arange(n, n + e.frames)
            n += e.frames
            for i, body in enumerate(exp.info[e.scene]["bodies"]):
                if body["kind"] == "Fixed":
                    continue
                at = self.bodies.index(body["name"]) * 6
                s = e.states[:, i].astype(np.float64)
                x, y, z, w = (s[:, 3 + j] for j in range(4))
                yaw = np.arctan2(2 * (w * y + x * z), 1 - 2 * (y * y + z * z))
                values[own, at : at + 6] = np.stack(
                    [s[:, 0], s[:, 2], np.cos(yaw), np.sin(yaw), s[:, 7], s[:, 9]], 1
                )
                mask[own, at : at + 6] = 1
        self.rows, self.all = torch.from_numpy(rows).to(exp.device), torch.from_numpy(values).to(exp.device)
        self.there = torch.from_numpy(mask).to(exp.device)

    def of(self, frames):
        """Values and mask `[N, B·6]` of frames."""
        rows = self.rows.index_select(0, frames)
        return self.all.index_select(0, rows), self.there.index_select(0, rows)


def thinned(exp, most, validation=4):
    """Episodes, evenly spread, of about `most` frames that train and a share (a quarter, unless told) of as
    many that validate."""
    found, chosen = exp.snapshot(), []
    for held, frames in ((False, most), (True, most // validation)):
        mine = [e for e in found if exp.held(e) == held]
        stride = max(1, sum(e.frames for e in mine) // max(frames, 1))
        chosen += mine[::stride]
    return chosen


def ridge(x, y, share):
    """Weight `[k, d]` and bias of a ridge regression with an intercept."""
    x, y = x.double(), y.double()
    mx, my = x.mean(0), y.mean(0)
    gram = (x - mx).t() @ (x - mx) / len(x)
    gram += share * gram.diagonal().mean() * torch.eye(len(gram), device=x.device, dtype=x.dtype)
    solution = torch.linalg.solve(gram, (x - mx).t() @ (y - my) / len(x))
    return solution.t().float(), (my - mx @ solution).float()


def pearson(a, b):
    a, b = a.double() - a.double().mean(), b.double() - b.double().mean()
    spread = ((a @ a) * (b @ b)).sqrt().item()
    return (a @ b).item() / spread if spread > 1e-12 * len(a) else 0.0


def r_squared(found, truth):
    total = (truth.double() - truth.double().mean()).square().sum().item()
    rest = (found.double() - truth.double()).square().sum().item()
    return 1 - rest / total if total > 1e-12 * len(truth) else 0.0


def train_part(run, name, module, loss_of, steps, rate, warmup, batch, places):
    """Trains one read-out; false where there was no time for it."""
    if run.over():
        return False
    opt = AdamW(module.parameters(), dict(betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-3), 1.0, run.world)
    uniform, fill = run.uniform(batch)
    shown = run.shown("loss")

    def step():
        loss = loss_of(run.world.share(places.at(uniform)))
        shown["loss"].copy_(loss.detach())
        opt.step(loss)

    phase = Phase(
        name,
        {"Steps": steps},
        opt,
        fill,
        step,
        lambda s, x: cosine(x, warmup / max(steps, warmup + 1), rate),
        batch,
        shown,
        kept=False,
    )
    done = run.train(phase)
    return done >= steps or run.most_steps is not None


def fit(run, exp, z_of, dim, phase, image, mean_image=None):
    """Fits probes and decoder on latents `z_of(frames)`; returns their tensors and a sentence for the
    card."""
    if run.over():
        return {}, ""
    episodes = thinned(exp, phase["max_frames"])
    targets = Targets(exp, episodes)
    fit_places, test_places = (
        Places(exp, held=h, before=HISTORY - 1, episodes=episodes) for h in (False, True)
    )
    if not targets.bodies or not fit_places.n or not test_places.n:
        return {}, ""
    rows, test = fit_places.spread(phase["max_frames"]), test_places.spread(phase["max_frames"] // 4)
    back = torch.arange(HISTORY - 1, -1, -1, device=exp.device)

    def history(frames):
        return z_of(frames[:, None] - back).flatten(1)

    bodies = len(targets.bodies)
    run.reseed("readouts")
    probes = Probes(dim, bodies).to(exp.device)
    y, mask = targets.of(rows)
    count = mask.sum(0).clamp(min=1)
    mean = (y * mask).sum(0) / count
    std = (((y - mean).square() * mask).sum(0) / count).sqrt().clamp(min=1e-3)
    with torch.no_grad():
        probes.mean.copy_(mean)
        probes.std.copy_(std)
        x = history(rows)
        for b in range(bodies):
            own, at = mask[:, b * 6] > 0, slice(b * 6, b * 6 + 6)
            if own.sum() >= 2:
                w, c = ridge(x[own], ((y - mean) / std)[own][:, at], phase["ridge"])
                probes.linear.weight[at], probes.linear.bias[at] = w, c
        del x

    def masked(said, frames):
        wanted, there = targets.of(frames)
        return ((said - (wanted - mean) / std).square() * there).mean()

    sound = train_part(
        run,
        "probe.history",
        probes.history,
        lambda f: masked(probes.history(history(f)), f),
        phase["steps"],
        2e-3,
        20,
        512,
        fit_places,
    )
    sound &= train_part(
        run,
        "probe.single",
        probes.single,
        lambda f: masked(probes.single(z_of(f)), f),
        phase["steps"],
        2e-3,
        20,
        512,
        fit_places,
    )
    if not sound:
        return {}, " No time was left for read-outs."
    spec = quality(run, probes, targets, test, history, z_of)
    tensors = {f"probe.{k}": v.detach() for k, v in probes.state_dict().items()}
    if phase.get("decoder") and mean_image is not None and exp.moving is not None:
        decoder = decode(run, exp, z_of, dim, phase, image, mean_image, test)
        if decoder:
            tensors.update(decoder)
            spec["decoder"] = phase["decoder"]
    if run.world.leads:
        replace(os.path.join(run.out, "readouts.json"), json.dumps(spec, indent=2).encode())
    worst = min((q["linear_r"] for q in spec["quality"] if q["quantity"] in "xz"), default=0.0)
    return tensors, f" Linear probes read every moving body's place with r of at least {worst:.2f}."


@torch.no_grad()
def quality(run, probes, targets, test, history, z_of):
    """`readouts.json`: how well every quantity is read on episodes that only validate."""
    x = history(test)
    said = probes.linear(x), probes.history(x), probes.single(z_of(test))
    y, there = targets.of(test)
    y = (y - probes.mean) / probes.std
    spec, shown = dict(bodies=targets.bodies, yaw=[], quality=[]), {}
    for b, body in enumerate(targets.bodies):
        own = there[:, b * 6] > 0
        for q, quantity in enumerate(QUANTITIES):
            truth, *found = (v[own, b * 6 + q] for v in (y, *said))
            if len(truth) < 2:
                truth, found = torch.zeros(2), [torch.zeros(2)] * 3
            linear, deep, single = found
            fitted = dict(
                body=body,
                quantity=quantity,
                linear_r=pearson(linear, truth),
                linear_r2=r_squared(linear, truth),
                mlp_r=pearson(deep, truth),
                mlp_r2=r_squared(deep, truth),
                single_r2=r_squared(single, truth) if q < POSE else None,
            )
            spec["quality"].append(fitted)
            shown[f"{body}.{quantity}"] = rounded([fitted["linear_r"], fitted["mlp_r"]])
        spec["yaw"].append(all(f["single_r2"] > 0.3 for f in spec["quality"][b * 6 + 2 : b * 6 + 4]))
    run.log(phase="readouts", linear_r_and_mlp_r=shown)
    return spec


def decode(run, exp, z_of, dim, phase, image, mean_image, test):
    """The diagnostic decoder's tensors, or none where there was no time."""
    run.reseed("diagnostic decoder")
    decoder = Decoder(phase["decoder"], dim, image).to(exp.device)
    mean = decoder.patches(mean_image[None], 3)

    def error(frames):
        wanted = decoder.patches(exp.bytes_at(frames).float() / 255, 3) - mean
        heavy = decoder.patches(exp.moving_at(frames)[..., None].expand(-1, -1, 3).flatten(1), 3)
        return (decoder(z_of(frames)) - wanted).square(), heavy

    def loss(frames):
        wrong, heavy = error(frames)
        return (wrong * torch.where(heavy, BODY_WEIGHT, 1.0)).mean()

    places = Places(exp, held=False)
    if not train_part(run, "decoder", decoder, loss, phase["decoder_steps"], 1.5e-3, 50, 192, places):
        return {}
    with torch.no_grad():
        parts = [error(some) for some in test[:384].split(96)]
        wrong, heavy = (torch.cat(p) for p in zip(*parts, strict=True))
        psnr = -10 * torch.log10(((wrong * heavy).sum() / heavy.sum().clamp(min=1)).clamp(min=1e-12)).item()
    run.log(phase="decoder", validation_foreground_psnr_db=psnr)
    return {f"decoder.{k}": v.detach() for k, v in decoder.state_dict().items()}
