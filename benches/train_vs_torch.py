"""Frames per second of one LeWM training step, candle (this repository) and PyTorch, same model, one run.

    cargo build --release --no-default-features --example lewm_step
    python3 benches/train_vs_torch.py target/release/examples/lewm_step [STEPS] [--json FILE]

The batch is 32 sequences of 5 frames; the threads are those of RAYON_NUM_THREADS, for both (default 2).
The two are measured in turns, three times, and the best of each counts: other work disturbs both alike.
"""
import json
import os
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


def json_path():
    """Takes `--json FILE` out of the arguments."""
    if "--json" not in sys.argv:
        return None
    at = sys.argv.index("--json")
    return [sys.argv.pop(at) for _ in range(2)][1]


JSON = json_path()
STEPS = int(sys.argv[2]) if len(sys.argv) > 2 else 20
THREADS = int(os.environ.get("RAYON_NUM_THREADS", "2"))
B, T, SKIP, A, D, W = 32, 5, 5, 2, 64, 256
torch.set_num_threads(THREADS)
torch.manual_seed(0)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.a, self.b = nn.LayerNorm(W), nn.Linear(W, W), nn.Linear(W, W)

    def forward(self, h):
        return h + self.b(F.gelu(self.a(self.norm(h))))


class Lewm(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.down = nn.Conv2d(48, 32, 1), nn.Conv2d(32, 64, 3, 2, 1)
        self.r0, self.r1 = nn.Conv2d(64, 64, 3, 1, 1), nn.Conv2d(64, 64, 3, 1, 1)
        self.narrow, self.hidden = nn.Conv2d(64, 32, 1), nn.Linear(2048, 256, bias=False)
        self.bn, self.project = nn.BatchNorm1d(256), nn.Linear(256, D, bias=False)
        self.out_bn = nn.BatchNorm1d(D, affine=False)
        self.p_in, self.blocks, self.p_out = nn.Linear(D + SKIP * A, W), nn.ModuleList([Block(), Block()]), nn.Linear(W, D)
        nn.init.zeros_(self.p_out.weight), nn.init.zeros_(self.p_out.bias)
        self.i0, self.i1 = nn.Linear(2 * D, 128), nn.Linear(128, A)

    def encode(self, x):
        x = F.gelu(self.down(F.gelu(self.stem(x))))
        x = F.gelu(x + self.r1(F.gelu(self.r0(x))))
        x = F.gelu(self.narrow(x)).flatten(1)
        return self.out_bn(self.project(F.gelu(self.bn(self.hidden(x)))))

    def predict(self, z, a):
        h = F.gelu(self.p_in(torch.cat([z, a], -1)))
        for block in self.blocks:
            h = block(h)
        return z + self.p_out(h)


def sigreg(z, factor=128, projections=256):
    directions = F.normalize(torch.randn(D, projections), dim=0)
    t = torch.linspace(0, 3, 17)
    phi = torch.exp(-t.square() / 2)
    weights = torch.full((17,), 2 * 3 / 16)
    weights[[0, -1]] = 3 / 16
    xt = (z @ directions).unsqueeze(-1) * t
    err = (xt.cos().mean(-3) - phi).square() + xt.sin().mean(-3).square()
    return ((err @ (weights * phi)) * factor).mean()


model = Lewm()
model = model.to(memory_format=torch.channels_last)
opt = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=1e-3)
frames = torch.randint(0, 256, (B * T, 64, 64, 3), dtype=torch.uint8)
mean = torch.full((64, 64, 3), 0.5)
actions = torch.rand(B, T - 1, SKIP * A) * 2 - 1


def step():
    x = frames.float() / 255 - mean
    x = x.reshape(B * T, 16, 4, 16, 4, 3).permute(0, 2, 4, 5, 1, 3).reshape(B * T, 48, 16, 16)
    z = model.encode(x.contiguous(memory_format=torch.channels_last)).reshape(B, T, D)
    loss = F.mse_loss(model.predict(z[:, :-1], actions), z[:, 1:])
    now, rollout = z[:, 0], []
    for t in range(T - 1):
        now = model.predict(now, actions[:, t])
        rollout.append(now)
    loss = loss + F.mse_loss(torch.stack(rollout, 1), z[:, 1:])
    loss = loss + 0.09 * sigreg(z.transpose(0, 1))
    inverse = model.i1(F.gelu(model.i0(torch.cat([z[:, :-1], z[:, 1:]], -1))))
    loss = loss + F.mse_loss(inverse, actions.reshape(B, T - 1, SKIP, A).mean(2))
    opt.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()


def torch_rate():
    for _ in range(3):
        step()
    start = time.perf_counter()
    for _ in range(STEPS):
        step()
    return STEPS * B * T / (time.perf_counter() - start)


def candle_rate():
    env = dict(os.environ, RAYON_NUM_THREADS=str(THREADS), RUST_LOG="warn")
    return float(subprocess.run([sys.argv[1], str(STEPS)], env=env, capture_output=True, check=True, text=True).stdout)


rates = [(candle_rate(), torch_rate()) for _ in range(3)]
candle, torch_best = max(r[0] for r in rates), max(r[1] for r in rates)
print(f"{THREADS} threads, frames/s: candle {candle:.0f}, PyTorch {torch_best:.0f}, ratio {candle / torch_best:.2f}")
if JSON:
    os.makedirs(os.path.dirname(JSON) or ".", exist_ok=True)
    with open(JSON, "w") as file:
        json.dump({"threads": THREADS, "pytorch": torch.__version__, "candle_frames_per_s": candle, "pytorch_frames_per_s": torch_best, "ratio": candle / torch_best}, file, indent=2)
        file.write("\n")
