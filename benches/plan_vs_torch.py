"""What LeWM does in control, candle (this repository) and PyTorch on the same weights, machine and threads, in one run.

    cargo build --release --no-default-features --example lewm_plan
    python3 benches/plan_vs_torch.py target/release/examples/lewm_plan [models/lewm-push] [--json FILE]

Encoding (one frame, 64 frames), imagining 300 candidates over 5 tokens with their distances to the goal, and a whole plan (CEM, 300
candidates, 10 iterations, 5 tokens, with the same noise). Threads are those of RAYON_NUM_THREADS, for both (default 2). The two are
measured in turns, three times, and the best of each counts. Fails where outputs differ by more than 1e-4.
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
from torch import nn


def json_path():
    """Takes `--json FILE` out of the arguments."""
    if "--json" not in sys.argv:
        return None
    at = sys.argv.index("--json")
    return [sys.argv.pop(at) for _ in range(2)][1]


JSON = json_path()
THREADS = int(os.environ.get("RAYON_NUM_THREADS", "2"))
FOLDER = sys.argv[2] if len(sys.argv) > 2 else "models/lewm-push"
HOLD, DIM, REPEATS, TURNS = 5, 2, 7, 3
torch.set_num_threads(THREADS)
torch.set_grad_enabled(False)


class Lewm(nn.Module):
    def __init__(self, w):
        super().__init__()

        def conv(name, k, stride=1):
            weight = w[f"encoder.{name}.weight"]
            cin, cout = weight.shape[0] // (k * k), weight.shape[1]
            layer = nn.Conv2d(cin, cout, k, stride, k // 2)
            layer.weight.copy_(weight.reshape(k, k, cin, cout).permute(3, 2, 0, 1))
            layer.bias.copy_(w[f"encoder.{name}.bias"])
            return layer

        def linear(name):
            layer = nn.Linear(*reversed(w[f"{name}.weight"].shape), bias=f"{name}.bias" in w)
            layer.load_state_dict({p: w[f"{name}.{p}"] for p in ("weight", "bias") if f"{name}.{p}" in w})
            return layer

        def norm(layer, name):
            layer.load_state_dict({k: v for k, v in ((k, w.get(f"{name}.{k}")) for k in layer.state_dict()) if v is not None}, strict=False)
            return layer

        self.mean = w["encoder.mean_image"]
        self.stem, self.down, self.narrow = conv("stem", 1), conv("down", 3, 2), conv("narrow", 1)
        self.r0, self.r1 = conv("residual.0.0", 3), conv("residual.0.1", 3)
        self.hidden, self.project = linear("encoder.hidden"), linear("encoder.project")
        self.bn = norm(nn.BatchNorm1d(self.hidden.out_features), "encoder.hidden_norm")
        self.out_bn = norm(nn.BatchNorm1d(self.project.out_features, affine=False), "encoder.latent_norm")
        self.p_in, self.p_out = linear("predictor.in"), linear("predictor.out")
        self.blocks = nn.ModuleList()
        for b in range(2):
            name = f"predictor.blocks.{b}"
            a, c = linear(f"{name}.0"), linear(f"{name}.1")
            self.blocks.append(nn.ModuleList([norm(nn.LayerNorm(a.in_features), f"{name}.norm"), a, c]))
        self.whitening = w["whitening"].T.contiguous()
        self.to(memory_format=torch.channels_last)
        self.eval()

    def encode(self, frames):
        """Latents `[N, D]` of bytes `[N, 64 * 64 * 3]`, the map flattened in the order (y, x, channel)."""
        x = (frames.float() / 255 - self.mean).reshape(-1, 16, 4, 16, 4, 3).permute(0, 2, 4, 5, 1, 3)
        x = x.reshape(-1, 48, 16, 16).contiguous(memory_format=torch.channels_last)
        x = F.gelu(self.down(F.gelu(self.stem(x))))
        x = F.gelu(x + self.r1(F.gelu(self.r0(x))))
        x = F.gelu(self.narrow(x)).permute(0, 2, 3, 1).flatten(1)
        return self.out_bn(self.project(F.gelu(self.bn(self.hidden(x)))))

    def imagine(self, z, actions):
        """Latents `[T, N, D]` that follow `z: [1, D]` under `actions: [N, T, A]`, each held for a token."""
        z, steps = z.expand(actions.shape[0], -1), []
        for t in range(actions.shape[1]):
            h = F.gelu(self.p_in(torch.cat([z, actions[:, t].repeat(1, HOLD)], -1)))
            for n, a, b in self.blocks:
                h = h + b(F.gelu(a(n(h))))
            z = z + self.p_out(h)
            steps.append(z)
        return torch.stack(steps)

    def distances(self, z, actions, goal):
        """`[N, T]`."""
        delta = (self.imagine(z, actions) - goal) @ self.whitening
        return delta.square().sum(-1).T

    def plan(self, frame, goal, noise):
        """CEM as `src/planner/cem.rs`; returns the mean of the last elites `[T * A]`."""
        z, goal = self.encode(frame), self.encode(goal)
        iterations, n, genes = noise.shape
        mean, sigma = torch.zeros(genes), torch.ones(genes)
        for i in range(iterations):
            tokens = (mean + sigma * noise[i]).clamp(-1, 1)
            cost = self.distances(z, tokens.reshape(n, -1, DIM), goal).mean(1)
            elites = tokens[cost.argsort()[: n // 10]]
            mean, sigma = elites.mean(0), elites.std(0, correction=0).clamp(min=0.05)
        return mean


def best(run):
    run()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        out = run()
        times.append((time.perf_counter() - start) * 1e3)
    return min(times), out


def candle(out):
    env = dict(os.environ, RAYON_NUM_THREADS=str(THREADS), RUST_LOG="warn")
    return json.loads(subprocess.run([sys.argv[1], FOLDER, out], env=env, capture_output=True, check=True, text=True).stdout)


model = Lewm({k: v.float() for k, v in load_file(f"{FOLDER}/model.safetensors").items()})
ours, theirs, worst = {}, {}, {}
with tempfile.TemporaryDirectory() as folder:
    for _ in range(TURNS):
        rust = candle(f"{folder}/out.safetensors")
        given = load_file(f"{folder}/out.safetensors")
        frame, goal, noise = given["frame"][None], given["goal"][None], given["noise"]
        first = noise[0].clamp(-1, 1).reshape(noise.shape[1], -1, DIM)
        torch_ms, out = {}, {}
        torch_ms["encode"], out["latent"] = best(lambda: model.encode(frame))
        torch_ms["encode 64"], _ = best(lambda: model.encode(frame.expand(64, -1)))
        z = model.encode(frame)
        torch_ms["rollout"], out["distances"] = best(lambda: model.distances(z, first, model.encode(goal)))
        torch_ms["plan"], mean = best(lambda: model.plan(frame, goal, noise))
        out["plan"] = mean.reshape(-1, DIM).repeat_interleave(HOLD, 0)
        for name, value in out.items():
            want = given[name].flatten()
            off = ((value.flatten() - want).abs() / want.abs().clamp(min=1)).max().item()
            worst[name] = max(worst.get(name, 0), off)
        for name, ms in torch_ms.items():
            theirs[name] = min(theirs.get(name, float("inf")), ms)
            ours[name] = min(ours.get(name, float("inf")), rust[name])
print(f"{FOLDER}, {THREADS} threads")
for name, ms in ours.items():
    print(f"{name:<10} candle {ms:8.2f} ms   PyTorch {torch.__version__} {theirs[name]:8.2f} ms   ratio {theirs[name] / ms:.2f}")
print("largest differences (relative above 1): " + ", ".join(f"{name} {off:.1e}" for name, off in worst.items()))
if JSON:
    os.makedirs(os.path.dirname(JSON) or ".", exist_ok=True)
    with open(JSON, "w") as file:
        json.dump({"model": FOLDER, "threads": THREADS, "pytorch": torch.__version__, "candle_ms": ours, "pytorch_ms": theirs, "ratio": {k: theirs[k] / v for k, v in ours.items()}, "largest_difference": worst}, file, indent=2)
        file.write("\n")
if max(worst.values()) > 1e-4:
    sys.exit("outputs differ by more than 1e-4")
