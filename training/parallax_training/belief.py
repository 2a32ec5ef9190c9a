"""A belief beside the latents of a finished LeWM, so that what is hidden goes on being.

As `src/model/jepa/belief.rs`. The LeWM stays as it is. A GRU reads its latents, seen or imagined, with the
actions that led to them; what it holds corrects the LeWM's next latent, and read-outs see it beside the
latent.
"""

import torch
from torch import nn

from .layers import Gru, Mlp
from .lewm import Lewm


class Belief(Gru):
    """The carried state `b: [N, B]` and the correction that it makes."""

    def __init__(self, latent, actions, width, hidden):
        super().__init__(latent + actions, width)
        self.correct = Mlp(width + latent, hidden, latent)
        # It begins as the LeWM that it corrects.
        for value in self.correct.second.parameters():
            nn.init.zeros_(value)

    def carry(self, b, z, a):
        """The belief once the action `a: [N, A]` has led to the latent `z: [N, D]`."""
        return self.step(b, torch.cat([z, a], -1))

    def corrected(self, b, expected):
        """What follows `b`, where the LeWM expects latents `expected: [N, D]`."""
        return expected + self.correct(torch.cat([b, expected], -1))


class BeliefLewm(nn.Module):
    """The whole model under the names of its file."""

    def __init__(self, c):
        super().__init__()
        self.c, d = c, c["lewm"]["latent_dim"]
        lewm = Lewm(c["lewm"])
        self.encoder, self.predictor, self.inverse = lewm.encoder, lewm.predictor, lewm.inverse
        self.lewm = [lewm]  # in a list: its parts have their names already
        self.belief = Belief(d, c["lewm"]["action_dim"], c["belief"]["width"], c["belief"]["hidden"])

    def watch(self, z, a):
        """Beliefs `[N, T, B]` along observed latents `z: [N, T, D]`, of which `a: [N, T, A]` says the action
        that led to each; that to the first is zero."""
        b, beliefs = self.belief.fresh(len(z)), []
        for t in range(z.shape[1]):
            b = self.belief.carry(b, z[:, t], a[:, t])
            beliefs.append(b)
        return torch.stack(beliefs, 1)

    def roll_out(self, last, b, actions, through=False):
        """Latents `[N, T, D]` and beliefs `[N, T, B]` that follow `last: [N, H·D]` and `b: [N, B]` under
        `actions: [N, T, A]`. No gradient passes through the LeWM unless it is let `through`."""
        lewm, zs, bs = self.lewm[0], [], []
        for t in range(actions.shape[1]):
            a = actions[:, t]
            with torch.set_grad_enabled(through and torch.is_grad_enabled()):
                expected = lewm.predict(last, a)
            z = self.belief.corrected(b, expected)
            b = self.belief.carry(b, z, a)
            last = torch.cat([last[:, z.shape[1] :], z if through else z.detach()], 1)
            zs.append(z)
            bs.append(b)
        return torch.stack(zs, 1), torch.stack(bs, 1)
