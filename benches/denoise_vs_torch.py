"""One denoising step of a generative model, candle (this repository) and PyTorch on the same weights, machine and threads, in one run.

    cargo build --release --no-default-features --example denoise_step
    python3 benches/denoise_vs_torch.py target/release/examples/denoise_step [models/diffusion models/latent-diffusion] [--json FILE]

Of a pixel diffusion one evaluation of the U-Net, of a latent diffusion one of the transformer; one frame and four at once. Threads are
those of RAYON_NUM_THREADS, for both (default 2). The two are measured in turns, three times, and the best of each counts. PyTorch
runs channels last. Fails where outputs differ by more than 1e-4 (relative above 1).
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import torch
import torch.nn.functional as F
from safetensors.torch import load_file


def json_path():
    """Takes `--json FILE` out of the arguments."""
    if "--json" not in sys.argv:
        return None
    at = sys.argv.index("--json")
    return [sys.argv.pop(at) for _ in range(2)][1]


JSON = json_path()
THREADS = int(os.environ.get("RAYON_NUM_THREADS", "2"))
FOLDERS = sys.argv[2:] or ["models/diffusion", "models/latent-diffusion"]
REPEATS, TURNS = 40, 3
torch.set_num_threads(THREADS)
torch.set_grad_enabled(False)


def linear(w, name, x):
    return F.linear(x, w[f"{name}.weight"], w.get(f"{name}.bias"))


def waves(values, frequencies):
    angles = values[:, None] * (frequencies * 2 * torch.pi)[None]
    return torch.cat([angles.cos(), angles.sin()], 1)


def heads_of(w, name, x, heads):
    """Multi-head attention over [B, T, D] with packed projections."""
    b, t, d = x.shape
    q, k, v = linear(w, f"{name}.qkv", x).reshape(b, t, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(q, k, v)
    return linear(w, f"{name}.out", mixed.transpose(1, 2).reshape(b, t, d))


class UNet:
    """src/model/generative/unet.rs, NCHW in channels-last memory."""

    def __init__(self, w, report):
        self.w, self.groups, self.heads = w, report["groups"], report["heads"]
        self.convs = {}
        for name in [n[: -len(".weight")] for n in w if n.endswith(".weight")]:
            weight, last = w[f"{name}.weight"], name.split(".")[-1]
            if last in ("first", "second", "down") and weight.shape[0] == 9 * (weight.shape[0] // 9):
                cin = weight.shape[0] // 9
                kernel = weight.reshape(3, 3, cin, -1).permute(3, 2, 0, 1)
                self.convs[name] = kernel.contiguous(memory_format=torch.channels_last)

    def conv(self, name, x, stride=1):
        return F.conv2d(x, self.convs[name], self.w[f"{name}.bias"], stride, 1)

    def pointwise(self, name, x):
        return F.conv2d(x, self.w[f"{name}.weight"][:, :, None, None], self.w[f"{name}.bias"])

    def film(self, x, condition, norm=True):
        scale, shift = condition[:, :, None, None].chunk(2, 1)
        if not norm:
            return x * scale + shift
        return F.silu(F.group_norm(x, self.groups) * (1 + scale) + shift)

    def block(self, name, x, condition):
        h = self.conv(f"{name}.first", self.film(x, linear(self.w, f"{name}.first_condition", condition)))
        h = self.film(h, linear(self.w, f"{name}.second_condition", condition))
        return x + self.conv(f"{name}.second", h)

    def blocks(self, name):
        found = {n.split(".")[1] for n in self.w if n.startswith(f"{name}.")}
        return [f"{name}.{i}" for i in sorted(found, key=int)]

    def __call__(self, noisy, noise, context, levels, actions):
        w = self.w
        features = torch.cat([waves(noise, w["noise_features.frequencies"]), waves(levels * 4, w["context_features.frequencies"])], 1)
        condition = F.silu(linear(w, "embed_first", torch.cat([features, actions], 1)))
        condition = F.silu(linear(w, "embed_second", condition))
        x = self.pointwise("input", torch.cat([noisy, context], 1))
        for name in self.blocks("before"):
            x = self.block(name, x, condition)
        inner = self.conv("down", x, 2)
        for i, name in enumerate(self.blocks("inner")):
            inner = self.block(name, inner, condition)
            if i == 0 and self.heads:
                y = self.film(inner, linear(w, "attention_condition", condition))
                y = heads_of(w, "attention", y.flatten(2).transpose(1, 2), self.heads)
                inner = inner + y.transpose(1, 2).reshape(inner.shape)
        x = x + F.interpolate(self.pointwise("up", inner), scale_factor=2)
        for name in self.blocks("after"):
            x = self.block(name, x, condition)
        x = self.film(x, linear(w, "out_condition", condition))
        return self.pointwise("out", x) + self.film(noisy, linear(w, "straight", condition), norm=False)

    def inputs(self, given, n):
        def image(x):
            return x.permute(0, 3, 1, 2)  # channels last in memory as it comes

        g = {k: given[f"{k}.{n}"] for k in ("noisy", "noise", "context", "levels", "actions")}
        return image(g["noisy"]), g["noise"], image(g["context"]), g["levels"], g["actions"]

    def shown(self, said):
        return said.permute(0, 2, 3, 1)


class Dit:
    """src/model/generative/latent/dit.rs."""

    def __init__(self, w, report):
        self.w = {k[len("dynamics.") :]: v for k, v in w.items() if k.startswith("dynamics.")}
        self.heads, self.merge = report["heads"], report["merge"]
        self.layers = 1 + max(int(k.split(".")[1]) for k in self.w if k.startswith("blocks."))
        self.local = UNet({k: v for k, v in self.w.items() if k.startswith("local.")}, {"groups": 8, "heads": 0})

    def tokens(self, x):
        b, h, w, c = x.shape
        m = self.merge
        return x.reshape(b, h // m, m, w // m, m, c).permute(0, 1, 3, 2, 4, 5).reshape(b, (h // m) * (w // m), m * m * c)

    def cells(self, x, side):
        b, _, c = x.shape
        m = self.merge
        x = x.reshape(b, side // m, side // m, m, m, c // (m * m))
        return x.permute(0, 1, 3, 2, 4, 5).reshape(b, side, side, c // (m * m))

    def modulated(self, x, shift, scale):
        return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale[:, None]) + shift[:, None]

    def __call__(self, noisy, level, context, levels, actions):
        w = self.w
        b, side, _, c = noisy.shape
        all_levels = torch.cat([level[:, None], levels], 1)
        features = waves(all_levels.flatten(), w["level_features.frequencies"]).reshape(b, -1)
        condition = linear(w, "embed_second", F.silu(linear(w, "embed_first", torch.cat([features, actions], 1))))
        active = F.silu(condition)
        x = linear(w, "input", self.tokens(torch.cat([noisy, context], 3))) + w["position"]
        for name in self.local.blocks("local"):
            cells = side // self.merge
            grid = x.reshape(b, cells, cells, -1).permute(0, 3, 1, 2)
            x = self.local.block(name, grid, active).permute(0, 2, 3, 1).reshape(b, cells * cells, -1)
        for i in range(self.layers):
            name = f"blocks.{i}"
            m = linear(w, f"{name}.modulation", active).chunk(6, 1)
            y = heads_of(w, f"{name}.attention", self.modulated(x, m[0], m[1]), self.heads)
            x = x + y * m[2][:, None]
            y = linear(w, f"{name}.mlp.second", F.gelu(linear(w, f"{name}.mlp.first", self.modulated(x, m[3], m[4]))))
            x = x + y * m[5][:, None]
        shift, scale = linear(w, "out_condition", active).chunk(2, 1)
        said = self.cells(linear(w, "out", self.modulated(x, shift, scale)), side)
        newest = context[..., -c:]
        gains = linear(w, "straight", active)[:, None, None].chunk(4, 3)
        return said + (noisy * gains[0] + gains[1]) + (newest * gains[2] + gains[3] + newest)

    def inputs(self, given, n):
        return tuple(given[f"{k}.{n}"] for k in ("noisy", "noise", "context", "levels", "actions"))

    def shown(self, said):
        return said


def best(run):
    run()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        out = run()
        times.append((time.perf_counter() - start) * 1e3)
    return min(times), out


def candle(folder, out):
    env = dict(os.environ, RAYON_NUM_THREADS=str(THREADS), RUST_LOG="warn")
    return json.loads(subprocess.run([sys.argv[1], folder, out], env=env, capture_output=True, check=True, text=True).stdout)


worst, all_of = 0.0, {}
for folder in FOLDERS:
    weights = {k: v.float() for k, v in load_file(f"{folder}/model.safetensors").items()}
    ours, theirs, off = {}, {}, 0.0
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(TURNS):
            report = candle(folder, f"{scratch}/out.safetensors")
            given = load_file(f"{scratch}/out.safetensors")
            model = {"pixel_diffusion": UNet, "latent_diffusion": Dit}[report["architecture"]](weights, report)
            for n in (1, 4):
                args = model.inputs(given, n)
                ms, said = best(lambda: model(*args))
                want = given[f"said.{n}"]
                off = max(off, ((model.shown(said) - want).abs() / want.abs().clamp(min=1)).max().item())
                theirs[n] = min(theirs.get(n, float("inf")), ms)
                ours[n] = min(ours.get(n, float("inf")), report[f"ms {n}"])
    print(f"{folder}, {THREADS} threads")
    for n, ms in ours.items():
        print(f"  {n:>2} at once  candle {ms:8.2f} ms   PyTorch {torch.__version__} {theirs[n]:8.2f} ms   ratio {theirs[n] / ms:.2f}")
    print(f"  largest difference (relative above 1): {off:.1e}")
    worst = max(worst, off)
    all_of[folder] = {"candle_ms": ours, "pytorch_ms": theirs, "ratio": {n: theirs[n] / ms for n, ms in ours.items()}, "largest_difference": off}
if JSON:
    os.makedirs(os.path.dirname(JSON) or ".", exist_ok=True)
    with open(JSON, "w") as file:
        json.dump({"threads": THREADS, "pytorch": torch.__version__, "models": all_of}, file, indent=2)
        file.write("\n")
if worst > 1e-4:
    sys.exit("outputs differ by more than 1e-4")
