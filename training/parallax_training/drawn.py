"""A LeWM whose imagined latents a diffusion decoder draws: a hybrid of the two camps.

As `src/model/hybrid`. The LeWM is finished and stays as it is; what learns is the painter, which turns a
latent into a map, and a pixel diffusion that sees that map beside the last observation.
"""

import torch
import torch.nn.functional as F
from torch import nn

from .diffusion import Unet
from .layers import Conv, Linear
from .lewm import Lewm

FIRST_SIDE, WIDTH = 4, 96


class Painter(nn.Module):
    """A latent `[B, D]` as a map `[B, S, S, C]`, and its summary in a few numbers."""

    def __init__(self, latent, side, channels, summary):
        super().__init__()
        count = (side // FIRST_SIDE).bit_length() - 1
        self.first = Linear(latent, FIRST_SIDE**2 * WIDTH)
        self.rises = nn.ModuleList(Conv(WIDTH, channels if i + 1 == count else WIDTH) for i in range(count))
        self.summary = Linear(latent, summary)

    def forward(self, z):
        x = self.first(z).reshape(-1, FIRST_SIDE, FIRST_SIDE, WIDTH)
        for rise in self.rises:
            x = F.gelu(x)
            b, h, w, c = x.shape
            x = x[:, :, None, :, None].expand(b, h, 2, w, 2, c).reshape(b, 2 * h, 2 * w, c)
            x = rise(x)
        return x


class Drawn(nn.Module):
    """The whole model under the names of its file."""

    def __init__(self, c, dtype=torch.float32):
        super().__init__()
        self.c, d = c, c["denoiser"]
        lewm = Lewm(c["lewm"])
        self.encoder, self.predictor, self.inverse = lewm.encoder, lewm.predictor, lewm.inverse
        self.lewm = [lewm]  # in a list: its parts have their names already
        self.denoiser = Unet(d, dtype)
        self.painter = Painter(
            c["lewm"]["latent_dim"],
            d["size"] // d["patch"],
            3 * d["patch"] ** 2,
            d["actions"] * d["action_dim"],
        )

    def learned(self):
        """What learns."""
        return [*self.painter.parameters(), *self.denoiser.parameters()]

    @torch.no_grad()
    def imagine(self, start, actions):
        """LeWM's latents `[B, T, D]` after `start: [B, H·D]` under actions `[B, T, A]`."""
        return self.lewm[0].roll_out(start, actions)

    def past(self, last, z):
        """What the decoder sees of last observations `[B, H·W·3]` in bytes and latents `[B, D]`."""
        return torch.cat([self.denoiser.fold(last[:, None]), self.painter(z)], 3)

    def loss(self, z, last, frame, heavy, sigma, noise, offset):
        """EDM's loss of drawing `frame: [B, H·W·3]` from latents `z: [B, D]` and the last observation."""
        level = torch.zeros(len(z), device=z.device)
        past = self.past(last, z)
        return self.denoiser.loss_after(
            past, frame, heavy, sigma, noise, offset, level, self.painter.summary(z)
        )

    def draw(self, z, last, start):
        """Frames in bytes of latents `[B, D]`; `start` standard normal."""
        return self.denoiser.sample(self.past(last, z), self.painter.summary(z), start, 0.0)
