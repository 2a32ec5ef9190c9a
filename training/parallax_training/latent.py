"""Diffusion in latents: the autoencoder of frames and the transformer that imagines in its latents.

As `src/model/generative/latent`.
"""

import torch
import torch.nn.functional as F
from torch import nn

from .layers import Attention, Conv, FilmBlock, Gru, Linear, Mlp, Waves

LEVEL_FEATURES, GROUPS = 32, 8


class ConvBlock(nn.Module):
    """Two convolutions, the second starts at zero."""

    def __init__(self, width):
        super().__init__()
        self.first, self.second = Conv(width, width), Conv(width, width, zero=True)

    def forward(self, x):
        return x + self.second(F.silu(self.first(F.silu(x))))


class Encoder(nn.Module):
    def __init__(self, a, folded):
        super().__init__()
        self.stem, self.down = Linear(folded, a["width"]), Conv(a["width"], a["inner_width"], 3, 2)
        self.inner = nn.ModuleList(ConvBlock(a["inner_width"]) for _ in range(a["encoder_blocks"]))
        self.narrow = Linear(a["inner_width"], a["channels"])

    def forward(self, x):
        x = self.down(F.silu(self.stem(x)))
        for block in self.inner:
            x = block(x)
        return self.narrow(F.silu(x).float()).tanh()


class Decoder(nn.Module):
    def __init__(self, a, folded):
        super().__init__()
        self.widen = Linear(a["channels"], a["inner_width"])
        self.inner = nn.ModuleList(ConvBlock(a["inner_width"]) for _ in range(a["decoder_blocks"]))
        self.up = Linear(a["inner_width"], 4 * a["width"])
        self.outer = nn.ModuleList(ConvBlock(a["width"]) for _ in range(a["decoder_blocks"]))
        self.out = Linear(a["width"], folded)

    def forward(self, x):
        x = self.widen(x)
        for block in self.inner:
            x = block(x)
        x = self.up(F.silu(x))
        b, h, w, c = x.shape
        x = x.reshape(b, h, w, 2, 2, c // 4).permute(0, 1, 3, 2, 4, 5).reshape(b, 2 * h, 2 * w, c // 4)
        for block in self.outer:
            x = block(x)
        return self.out(F.silu(x).float())


class Eye(nn.Module):
    """What a diffusion in latents sees and draws with: frames to standardised latents, and back."""

    def __init__(self, c):
        super().__init__()
        a = c["autoencoder"]
        self.c, self.patch, self.side = c, a["patch"], c["size"] // a["patch"]
        self.folded, self.dtype = 3 * a["patch"] ** 2, torch.float32

    def fold(self, frames):
        """`[N, 2S, 2S, 3p²]` in [-1, 1] of frames `[N, H·W·3]` as bytes."""
        s, p = self.side, self.patch
        x = frames.reshape(-1, s, p, s, p, 3).permute(0, 1, 3, 2, 4, 5)
        return x.reshape(-1, s, s, 3 * p * p).float() / 127.5 - 1

    def unfold(self, x):
        """Frames `[N, H·W·3]` as bytes, the way back."""
        s, p = self.side, self.patch
        x = ((x + 1) * 127.5).round().clamp(0, 255).reshape(-1, s, s, p, p, 3)
        return x.permute(0, 1, 3, 2, 4, 5).reshape(len(x), -1).to(torch.uint8)

    def learned(self):
        """What learns."""
        return list(self.parameters())

    def loss(self, frames, weight, noise, squared, latents=None):
        """Weighted mean of |e| + s e²; weight `[N, H·W]`, noise of the latents `[N, S, S, C]`. An eye that
        does not learn to see is given the latents of the frames."""
        folded = self.fold(frames)
        error = self.redraw(folded if latents is None else latents, noise) - folded
        error = (error.abs() + squared * error * error).reshape(*error.shape[:3], -1, 3)
        s, p = self.side, self.patch
        weight = weight.reshape(-1, s, p, s, p).permute(0, 1, 3, 2, 4).reshape(-1, s, s, p * p, 1)
        return (error * weight).mean()


class Autoencoder(Eye):
    """Frames to latents and back, and the scale of the latents."""

    def __init__(self, c):
        super().__init__(c)
        a = c["autoencoder"]
        self.encoder, self.decoder = Encoder(a, self.folded), Decoder(a, self.folded)
        self.register_buffer("mean", torch.zeros(a["channels"]))
        self.register_buffer("deviation", torch.ones(a["channels"]))

    def encode(self, frames):
        """Standardised latents `[N, S·S·C]`."""
        z = self.encoder(self.fold(frames))
        return ((z - self.mean) / self.deviation).flatten(1)

    def decode(self, latents):
        """Frames `[N, H·W·3]` as bytes of standardised latents `[N, S, S, C]`."""
        return self.unfold(self.decoder((latents * self.deviation + self.mean).clamp(-1, 1)))

    def redraw(self, folded, noise):
        """Folded frames, drawn again from their own latents."""
        return self.decoder((self.encoder(folded.to(self.dtype)) + noise).to(self.dtype))


class DitBlock(nn.Module):
    """Attention and MLP with adaptive layer norm; the gates start at zero."""

    def __init__(self, dim, condition, heads, hidden):
        super().__init__()
        self.modulation, self.attention, self.mlp = (
            Linear(condition, 6 * dim, True),
            Attention(dim, heads),
            Mlp(dim, hidden, dim),
        )

    def forward(self, x, condition):
        m = self.modulation(F.silu(condition))[:, None].chunk(6, 2)
        x = x + m[2] * self.attention(modulated(x, m[0], m[1]))
        return x + m[5] * self.mlp(modulated(x, m[3], m[4]))


def modulated(x, shift, scale):
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


class Dit(nn.Module):
    """The transformer over one frame's cells."""

    def __init__(self, c):
        super().__init__()
        self.c, self.merge, self.twin = c, c["merge"], c["objective"] == "Regression"
        width, embed, k, channels = c["width"], c["embed"], c["context"], c["autoencoder"]["channels"]
        token = channels * self.merge**2
        self.side = c["size"] // c["autoencoder"]["patch"] // 2 // self.merge
        self.level_features = Waves(LEVEL_FEATURES // 2)
        self.embed_first = Linear((k + 1) * LEVEL_FEATURES + c["actions"] * c["action_dim"], embed)
        self.embed_second = Linear(embed, embed)
        self.input = Linear((k + 1) * token, width)
        self.position = nn.Parameter(0.02 * torch.randn(1, self.side**2, width))
        self.local = nn.ModuleList(FilmBlock(width, embed, GROUPS) for _ in range(c["local"]))
        self.blocks = nn.ModuleList(
            DitBlock(width, embed, c["heads"], c["hidden"]) for _ in range(c["layers"])
        )
        self.out_condition, self.out = Linear(embed, 2 * width, True), Linear(width, token, True)
        self.straight = Linear(embed, 4 * channels, True)
        # It begins as the dynamics that it is trained beside.
        believes = c.get("belief")
        self.belief = Linear(believes["width"], embed, True) if believes else None

    def forward(self, noisy, level, context, levels, actions, belief=None):
        """The clean latent in `noisy: [B, S, S, C]` at `level: [B]`, from the noised context `[B, S, S,
        K·C]`, its levels `[B, K]`, actions, and of a network with a belief that belief `[B, W]`."""
        b, _, _, c = noisy.shape
        features = self.level_features(torch.cat([level[:, None], levels], 1).flatten()).reshape(b, -1)
        condition = self.embed_second(F.silu(self.embed_first(torch.cat([features, actions], 1))))
        if self.belief is not None:
            condition = condition + self.belief(belief)
        active = F.silu(condition)
        n = self.side
        x = self.input(self.tokens(torch.cat([noisy, context], 3))) + self.position
        x = x.reshape(b, n, n, -1)
        for block in self.local:
            x = block(x, active)
        x = x.reshape(b, n * n, -1)
        for block in self.blocks:
            x = block(x, condition)
        shift, scale = self.out_condition(active)[:, None].chunk(2, 2)
        said = self.cells(self.out(modulated(x, shift, scale)))
        newest = context[..., -c:]
        gains = self.straight(active)[:, None, None].chunk(4, 3)
        return said + noisy * gains[0] + gains[1] + newest * gains[2] + gains[3] + newest

    def tokens(self, x):
        """`[B, S, S, C]` to `[B, tokens, m²·C]`: squares of m² cells make a token."""
        b, _, _, c = x.shape
        n, m = self.side, self.merge
        return x.reshape(b, n, m, n, m, c).permute(0, 1, 3, 2, 4, 5).reshape(b, n * n, m * m * c)

    def cells(self, x):
        """The way back."""
        n, m = self.side, self.merge
        x = x.reshape(len(x), n, n, m, m, -1).permute(0, 1, 3, 2, 4, 5)
        return x.reshape(len(x), n * m, n * m, -1)

    def sample(self, start, context, levels, actions, evaluations=2, belief=None):
        """The clean latent that is imagined from `start`, standard normal. A regression twin is asked once,
        with nothing to start from."""
        x, evaluations = (torch.zeros_like(start), 1) if self.twin else (start, evaluations)
        for i in range(evaluations):
            level = (evaluations - i) / evaluations
            at = torch.full((len(x),), level, device=x.device)
            clean = self(x, at, context, levels, actions, belief)
            keep = (evaluations - i - 1) / (evaluations - i)
            x = x * keep + clean * (1 - keep)
        return x


class Memory(Gru):
    """The belief beside a latent diffusion's frames, as `src/model/generative/latent/memory.rs`."""

    def __init__(self, c):
        own, channels = c["belief"], c["autoencoder"]["channels"]
        side = c["size"] // c["autoencoder"]["patch"] // 2
        super().__init__(own["hidden"] + c["action_dim"], own["width"])
        self.see = Linear(side * side * channels, own["hidden"])

    def watch(self, z, led, b=None):
        """Beliefs `[N, T, B]` along latents `z: [N, T, S·S·C]`, of which `led: [N, T, A]` says the action
        that led to each, after the belief `b: [N, B]` or none."""
        x = torch.cat([F.silu(self.see(z)), led], -1)
        b, beliefs = self.fresh(len(z)) if b is None else b, []
        for t in range(z.shape[1]):
            b = self.step(b, x[:, t])
            beliefs.append(b)
        return torch.stack(beliefs, 1)


def dynamics_loss(net, context, stages, own):
    """Mean weighted squared error over predictions in a row. context `[B, S, S, K·C]`; a stage is (target,
    its noised form, level, levels of the context, what of it remains, its noise, actions, weights `[B, S,
    S]`); after the first, `own(context, number of the stage before)` is the newest latent of the context."""
    total, channels = 0.0, stages[0][0].shape[3]
    for r, (target, noisy, level, levels, remains, noise, actions, weight) in enumerate(stages):
        if r:
            context = torch.cat([context[..., channels:], own(context, r - 1)], 3)
        said = net(noisy, level, context * remains + noise, levels, actions)
        total = total + ((said - target).square().mean(3) * weight).mean()
    return total / len(stages)
