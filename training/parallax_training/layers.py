"""Layers under the names and in the layouts of `src/model/nn`: a module's state is a model file."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from .world import ALONE


def drawn(shape, fan_in):
    """Uniform within 1/sqrt(fan in), as the program draws weights and biases."""
    return nn.Parameter((torch.rand(shape) * 2 - 1) / math.sqrt(fan_in))


class Linear(nn.Module):
    """y = x Wᵀ + b, weight `[out, in]`."""

    def __init__(self, cin, cout, zero=False, bias=True):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(cout, cin)) if zero else drawn((cout, cin), cin)
        self.bias = None if not bias else nn.Parameter(torch.zeros(cout)) if zero else drawn((cout,), cin)

    def forward(self, x):
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.linear(x, self.weight.to(x.dtype), bias)


class Conv(nn.Module):
    """A `side`×`side` convolution over `[B, H, W, C]`, weight `[side²·in, out]` with rows in the order
    (row, column, channel)."""

    def __init__(self, cin, cout, side=3, stride=1, zero=False):
        super().__init__()
        self.side, self.stride, shape = side, stride, (side * side * cin, cout)
        self.weight = nn.Parameter(torch.zeros(shape)) if zero else drawn(shape, shape[0])
        self.bias = nn.Parameter(torch.zeros(cout)) if zero else drawn((cout,), shape[0])

    def forward(self, x):
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        if self.side == 1:
            return F.linear(x, weight.t(), bias)
        k, cout = self.side, weight.shape[1]
        weight = weight.reshape(k, k, -1, cout).permute(3, 2, 0, 1)
        return F.conv2d(x.permute(0, 3, 1, 2), weight, bias, self.stride, k // 2).permute(0, 2, 3, 1)


class BatchNorm(nn.Module):
    """Over the whole batch, on however many processes it lies; in evaluation by the running statistics."""

    def __init__(self, width, affine=True):
        super().__init__()
        if affine:
            self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.affine, self.world = affine, ALONE
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, x, train):
        if train:
            n = x.shape[0] * self.world.size
            mean = self.world.mean(x.mean(0))
            variance = self.world.mean((x - mean).square().mean(0))
            with torch.no_grad():
                self.running_mean.lerp_(mean, 0.1)
                self.running_var.lerp_(variance * (n / max(n - 1, 1)), 0.1)
        else:
            mean, variance = self.running_mean, self.running_var
        x = (x - mean) * torch.rsqrt(variance + 1e-5)
        return x * self.weight + self.bias if self.affine else x


class Gru(nn.Module):
    """A gated recurrent unit; the reset gate acts after the state's product."""

    def __init__(self, inputs, width):
        super().__init__()
        self.width = width
        self.input, self.state = Linear(inputs, 3 * width), Linear(width, 3 * width)

    def fresh(self, n):
        """The state before anything came in."""
        return self.state.weight.new_zeros(n, self.width)

    def step(self, b, x):
        """The state `[N, B]` that follows `b: [N, B]` once `x: [N, ..]` came in."""
        r, u, n = self.input(x).chunk(3, -1)
        s, v, m = self.state(b).chunk(3, -1)
        r, u = torch.sigmoid(r + s), torch.sigmoid(u + v)
        return (1 - u) * torch.tanh(n + r * m) + u * b


class Attention(nn.Module):
    """Multi-head self-attention with packed projections."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads, self.qkv, self.out = heads, Linear(dim, 3 * dim), Linear(dim, dim)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).reshape(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, d))


class Mlp(nn.Module):
    """Linear, GELU, Linear."""

    def __init__(self, cin, hidden, cout):
        super().__init__()
        self.first, self.second = Linear(cin, hidden), Linear(hidden, cout)

    def forward(self, x):
        return self.second(F.gelu(self.first(x)))


class PreNormBlock(nn.Module):
    """The block of a vision transformer."""

    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention, self.mlp = Attention(dim, heads), Mlp(dim, hidden, dim)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Residual(nn.Module):
    """LayerNorm, Linear, GELU, Linear, added: the block of predictors and policies, under the names `norm`,
    `0` and `1`."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.add_module("0", Linear(width, width))
        self.add_module("1", Linear(width, width))

    def forward(self, x, drop=0.0):
        """`drop`: the share of hidden values that is left out, in training."""
        first, second = self._modules["0"], self._modules["1"]
        inner = F.gelu(first(self.norm(x)))
        return x + second(F.dropout(inner, drop) if drop else inner)


class ResidualNet(nn.Module):
    """`in`, residual blocks, `out`."""

    def __init__(self, cin, width, blocks, cout, zero=False):
        super().__init__()
        self.add_module("in", Linear(cin, width))
        self.blocks = nn.ModuleList(Residual(width) for _ in range(blocks))
        self.out = Linear(width, cout, zero=zero)

    def forward(self, x, drop=0.0):
        h = F.gelu(self._modules["in"](x))
        for block in self.blocks:
            h = block(h, drop)
        return self.out(h)


def film(x, condition, groups):
    """Group norm, scale and shift, SiLU of `[B, H, W, C]` in f32; condition `[B, 2C]`. Summed over pixels
    first, then over a group."""
    b, _, _, c = x.shape
    scale, shift = condition.chunk(2, 1)
    wide, x = x.dtype, x.float()
    mean = x.mean((1, 2)).reshape(b, groups, c // groups).mean(2)
    square = (x * x).mean((1, 2)).reshape(b, groups, c // groups).mean(2)
    inverse = torch.rsqrt((square - mean * mean).clamp(min=0) + 1e-5)

    def spread(v):
        return v[:, :, None].expand(b, groups, c // groups).reshape(b, c)

    gain = spread(inverse) * (1 + scale)
    offset = shift - spread(mean) * gain
    return F.silu(x * gain[:, None, None] + offset[:, None, None]).to(wide)


class FilmBlock(nn.Module):
    """Residual block with adaptive group norm; its second convolution starts at zero."""

    def __init__(self, width, embed, groups):
        super().__init__()
        self.groups = groups
        self.first, self.second = Conv(width, width), Conv(width, width, zero=True)
        self.first_condition, self.second_condition = (
            Linear(embed, 2 * width, True),
            Linear(embed, 2 * width, True),
        )

    def forward(self, x, condition):
        h = self.first(film(x, self.first_condition(condition), self.groups))
        return x + self.second(film(h, self.second_condition(condition), self.groups))


class Waves(nn.Module):
    """Cosines and sines of a number, with frequencies drawn once."""

    def __init__(self, count):
        super().__init__()
        self.register_buffer("frequencies", torch.randn(count))

    def forward(self, t):
        angles = t[:, None] * (self.frequencies * (2 * math.pi))[None]
        return torch.cat([angles.cos(), angles.sin()], 1)


class Pair(nn.Module):
    """Two convolutions under the names `0` and `1`."""

    def __init__(self, width):
        super().__init__()
        self.add_module("0", Conv(width, width))
        self.add_module("1", Conv(width, width))

    def forward(self, x):
        first, second = self._modules["0"], self._modules["1"]
        return F.gelu(x + second(F.gelu(first(x))))


class FrameEncoder(nn.Module):
    """A frame to a vector, as `src/model/nn/encoder.rs`. Convolutions in bf16 under `amp` while training."""

    def __init__(self, channels, head, residual, hidden, out, size=64):
        super().__init__()
        c0, c1, c2 = channels
        self.keypoints, self.size, self.amp = head == "Keypoints", size, False
        side = size // 4 // (1 if self.keypoints else 2)
        self.stem, self.down = Conv(48, c0, 1), Conv(c0, c1, 3, 1 if self.keypoints else 2)
        self.residual = nn.ModuleList(Pair(c1) for _ in range(residual))
        self.narrow = Conv(c1, c2, 1)
        if self.keypoints:
            self.project = Linear(2 * c2, out, bias=False)
        else:
            self.hidden = Linear(side * side * c2, hidden, bias=False)
            self.hidden_norm = BatchNorm(hidden)
            self.project = Linear(hidden, out, bias=False)
        self.latent_norm = BatchNorm(out, affine=False)
        self.register_buffer("mean_image", torch.full((size * size * 3,), 0.5))
        place = 2 * (torch.arange(side, dtype=torch.float32) + 0.5) / side - 1
        self.register_buffer("place", place.reshape(1, side, 1), persistent=False)

    def fold(self, frames):
        """`[N, S/4, S/4, 48]` from bytes `[N, S·S·3]`, less the mean image."""
        n = self.size // 4

        def order(x):
            return x.reshape(-1, n, 4, n, 4, 3).permute(0, 1, 3, 2, 4, 5).reshape(-1, n, n, 48)

        return order(frames).float() * (1 / 255) - order(self.mean_image)

    def forward(self, frames, train=False):
        x = self.fold(frames)
        dtype = torch.bfloat16 if self.amp and train else torch.float32
        x = F.gelu(self.stem(x.to(dtype)))
        x = F.gelu(self.down(x))
        for pair in self.residual:
            x = pair(x)
        x = self.narrow(x.float())
        if self.keypoints:
            n, s, _, k = x.shape
            w = torch.softmax(x.reshape(n, s * s, k), 1).reshape(n, s, s, k)
            across, down = (w.sum(1) * self.place).sum(1), (w.sum(2) * self.place).sum(1)
            x = torch.stack([across, down], -1).flatten(1)
        else:
            x = F.gelu(self.hidden_norm(self.hidden(F.gelu(x).flatten(1)), train))
        return self.latent_norm(self.project(x), train)
