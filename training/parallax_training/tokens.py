"""What sees in a diffusion over a frozen V-JEPA's tokens, and draws them; a hybrid of the two camps.

As `src/model/hybrid/tokens`. The dynamics is that of a latent diffusion, `latent.Dit`.
"""

import torch
import torch.nn.functional as F

from .latent import Decoder, Eye
from .vjepa import TUBELET, Encoder, principal, sizes, tubelets


class TokenEye(Eye):
    """Sees as a finished V-JEPA does: principal components of its tokens, each with deviation 1. Draws with a
    decoder that is trained on them."""

    def __init__(self, c):
        super().__init__(c["diffusion"])
        self.jepa, (_, self.cells, _) = c["jepa"], sizes(c["jepa"])
        a, width = self.c["autoencoder"], self.jepa["width"]
        self.target, self.decoder = Encoder(self.jepa), Decoder(a, self.folded)
        self.target.requires_grad_(False)
        self.register_buffer("mean", torch.zeros(self.cells, width))
        self.register_buffer("basis", torch.zeros(width, a["channels"]))
        self.register_buffer("deviation", torch.ones(a["channels"]))

    def learned(self):
        return list(self.decoder.parameters())

    @torch.no_grad()
    def tokens(self, frames):
        """Layer-normalised tokens `[N, cells, width]` of frames `[N, H·W·3]` as bytes, row by row."""
        rows = tubelets(self.jepa, frames[:, None].expand(-1, TUBELET, -1))
        x = self.target(rows, torch.arange(rows.shape[1], device=rows.device))
        return F.layer_norm(x, x.shape[-1:])

    @torch.no_grad()
    def fit(self, tokens):
        """Fits the projection to tokens `[N, cells, width]`, as it ships in 16 bits; returns the share of
        their variance at a place that it keeps."""
        mean = tokens.mean(0)
        rows = (tokens - mean).flatten(0, 1)
        _, basis, share = principal(rows, self.basis.shape[1])
        deviation = (rows @ basis).square().mean(0).sqrt().clamp(min=1e-3)
        for own, value in ((self.mean, mean), (self.basis, basis), (self.deviation, deviation)):
            own.copy_(value.half())
        return share

    def encode(self, frames):
        """Standardised latents `[N, S·S·C]`."""
        return ((self.tokens(frames) - self.mean) @ self.basis / self.deviation).flatten(1)

    def decode(self, latents):
        """Frames `[N, H·W·3]` as bytes of standardised latents `[N, S, S, C]`."""
        return self.unfold(self.decoder(latents))

    def redraw(self, latents, noise):
        """Folded frames of latents."""
        return self.decoder((latents + noise).to(self.dtype))

    def tensors(self):
        """All weights under the names of the model's file."""
        named = self.state_dict().items()
        return {k if k.startswith("target.") else f"tokens.{k}": v.detach() for k, v in named}
