"""Pixel diffusion: the network `F` of EDM over folded frames, its loss and its sampler.

As `src/model/generative/unet.rs` and `denoiser.rs`. On a GPU convolutions and attention run in bf16; norms,
conditions, the first and the last layer and the loss in f32. A regression twin is the same network on an
input without content at the highest noise level: it says the mean of the futures.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from .layers import Attention, Conv, FilmBlock, Linear, Waves, film


def sigmas(steps, low, high, rho):
    """Noise levels of so many evaluations, falling from `high` to `low`, and the 0 after them."""
    a, b, last = high ** (1 / rho), low ** (1 / rho), max(steps - 1, 1)
    return [*((a + i / last * (b - a)) ** rho for i in range(steps)), 0.0]


class Unet(nn.Module):
    """The network, and around it EDM's preconditioning, loss and sampler. `evaluations` of the network make
    an own frame."""

    def __init__(self, c, dtype=torch.float32, evaluations=2):
        super().__init__()
        self.c, self.dtype, self.twin = c, dtype, c["objective"] == "Regression"
        steps = 1 if self.twin else max(evaluations, 1)
        self.levels = sigmas(steps, c["sigma_min"], c["sigma_max"], c["rho"])
        width, inner, embed, groups = c["width"], c["inner_width"], c["embed"], c["groups"]
        self.side, self.channels = c["size"] // c["patch"], 3 * c["patch"] ** 2
        self.noise_features, self.context_features = Waves(embed // 4), Waves(embed // 4)
        self.embed_first = Linear(embed + c["actions"] * c["action_dim"], embed)
        self.embed_second = Linear(embed, embed)
        self.input = Linear(self.channels * (c["context"] + 1), width)
        self.before = nn.ModuleList(FilmBlock(width, embed, groups) for _ in range(c["blocks"]))
        self.down = Conv(width, inner, 3, 2)
        self.inner = nn.ModuleList(FilmBlock(inner, embed, groups) for _ in range(c["inner_blocks"]))
        if c["heads"]:
            self.attention_condition = Linear(embed, 2 * inner, True)
            self.attention = Attention(inner, c["heads"])
        self.up = Linear(inner, width)
        self.after = nn.ModuleList(FilmBlock(width, embed, groups) for _ in range(c["blocks"]))
        self.out_condition = Linear(embed, 2 * width, True)
        self.out = Linear(width, self.channels, True)
        self.straight = Linear(embed, 2 * self.channels, True)
        # The scale of the data: tensors, so that a compiled network sees them change; no part of the weights.
        self.register_buffer("mean", torch.tensor(c["mean"]), persistent=False)
        self.register_buffer("sd", torch.tensor(c["sigma_data"] or 1.0), persistent=False)

    def forward(self, noisy, context, noise, level, actions):
        """F of `noisy: [B, S, S, C]` times c_in, the noised context `[B, S, S, K·C]`, c_noise, its level,
        and the latest actions."""
        dtype, groups = self.dtype, self.c["groups"]
        features = torch.cat([self.noise_features(noise), self.context_features(level * 4), actions], 1)
        condition = F.silu(self.embed_second(F.silu(self.embed_first(features))))
        x = self.input(torch.cat([noisy, context], 3)).to(dtype)
        for block in self.before:
            x = block(x, condition)
        inner = self.down(x)
        for i, block in enumerate(self.inner):
            inner = block(inner, condition)
            if i == 0 and self.c["heads"]:
                b, h, w, c = inner.shape
                y = film(inner, self.attention_condition(condition), groups)
                inner = inner + self.attention(y.reshape(b, h * w, c)).reshape(b, h, w, c)
        y = self.up(inner)
        b, h, w, c = y.shape
        x = x + y[:, :, None, :, None].expand(b, h, 2, w, 2, c).reshape(b, 2 * h, 2 * w, c)
        for block in self.after:
            x = block(x, condition)
        x = film(x.float(), self.out_condition(condition), groups)
        scale, shift = self.straight(condition).chunk(2, 1)
        return self.out(x) + (noisy * scale[:, None, None] + shift[:, None, None])

    def fold(self, frames):
        """Frames `[B, K, H·W·3]` as bytes to `[B, S, S, K·C]` in units of the data's deviation."""
        b, k = frames.shape[:2]
        s, p = self.side, self.c["patch"]
        x = (frames.reshape(b, k, s * p, s * p, 3).float() / 127.5 - 1 - self.mean) / self.sd
        return x.reshape(b, k, s, p, s, p, 3).permute(0, 2, 4, 1, 3, 5, 6).reshape(b, s, s, k * self.channels)

    def unfold(self, x):
        """Frames `[B, H·W·3]` as bytes."""
        b, s, p = x.shape[0], self.side, self.c["patch"]
        x = ((x.reshape(b, s, s, p, p, 3) * self.sd + self.mean + 1) * 127.5).round().clamp(0, 255)
        return x.permute(0, 1, 3, 2, 4, 5).reshape(b, -1).to(torch.uint8)

    def loss(self, context, frame, heavy, sigma, z, offset, level, zc, actions):
        """EDM's loss. context `[B, K, H·W·3]` and frame `[B, H·W·3]` bytes, heavy `[B, H·W]`, noise levels
        `sigma` and `level: [B]`, normal `z: [B, S, S, C]` and `zc: [B, S, S, K·C]`, offset `[B, 3]`."""
        past = self.fold(context) + zc * (level / self.sd)[:, None, None, None]
        return self.loss_after(past, frame, heavy, sigma, z, offset, level, actions)

    def loss_after(self, past, frame, heavy, sigma, z, offset, level, actions):
        """As `loss`, of what the network sees beside the noisy frame: `past: [B, S, S, K·C]`."""
        b, s, p, sd, c = len(frame), self.side, self.c["patch"], self.sd, self.channels
        y = self.fold(frame[:, None])
        shared = offset[:, None, None, None].expand(b, s, s, c // 3, 3).reshape(b, s, s, c)
        x = y + (sigma[:, None, None, None] * z + shared) / sd
        if self.twin:
            x = torch.zeros_like(y)
        variance = sigma * sigma + self.c["offset_noise"] ** 2
        total = variance + sd * sd
        skip, out, cin = (
            v[:, None, None, None] for v in (sd * sd / total, (variance / total).sqrt(), sd / total.sqrt())
        )
        f = self(x * cin, past, variance.log() / 8, level, actions)
        target = (y - skip * x) / out
        weight = heavy.reshape(b, s, p, s, p).permute(0, 1, 3, 2, 4).reshape(b, s, s, c // 3, 1)
        error = (f - target).reshape(b, s, s, c // 3, 3)
        return (error * error * weight).mean()

    def denoise(self, x, sigma, past, level, actions):
        """The estimate of the clean frame in `x` at noise level `sigma`."""
        sd = self.sd
        variance = sigma * sigma + self.c["offset_noise"] ** 2
        total = variance + sd * sd
        noise = torch.full((x.shape[0],), math.log(variance) / 8, device=x.device)
        f = self(x * (sd / total.sqrt()), past, noise, level, actions)
        return x * (sd * sd / total) + f * (variance / total).sqrt()

    def imagine(self, context, actions, start, zc):
        """The next frame in bytes, as while imagining; `start` and `zc` standard normal."""
        given = 0.0 if self.twin else self.c["context_noise"]
        past = self.fold(context) + zc * (given / self.sd)
        return self.sample(past, actions, start, given)

    def sample(self, past, actions, start, given):
        """A frame in bytes after `past: [B, S, S, K·C]`, in which there is noise of level `given`."""
        sd, c = self.sd, self.c
        level = torch.full((len(past),), given, device=past.device)
        x = start * ((0.0 if self.twin else c["sigma_max"]) / sd)
        for now, following in zip(self.levels, self.levels[1:], strict=False):
            keep = following / now
            x = x * keep + self.denoise(x, now, past, level, actions) * (1 - keep)
        return self.unfold(x)
