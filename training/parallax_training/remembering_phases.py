"""How a finished latent diffusion is given a belief; the networks are in `latent.py`.

Every frame is encoded once. Windows of episodes are watched, and moments of them are denoised with what was
believed just before: often those about which a body comes out again. In the last part of the training the
windows go on with imagined frames while a body is hidden, as they do when the model imagines.
"""

import copy

import torch
import torch.nn.functional as F

from . import start
from .belief_phases import HIDDEN_WEIGHT, READ, Windows, hidden_spans, scale
from .latent import Autoencoder, Dit, Memory
from .latent_phases import Stored
from .layers import Mlp
from .loop import Phase
from .optim import AdamW, paced
from .readouts import HIDDEN, QUANTITIES, Targets

# Where bodies move weighs more, and which of them are seen decides which windows are drawn.
MASKS, SEEN = True, True
CAMP, ARCHITECTURE = "Generative", "latent_diffusion"
RESERVE = 12.0
# Batches of windows that go on with imagined frames: so many are kept, and one is made anew every so many
# steps.
KEPT, RENEWED = 8, 12
# Share of the batches, in the last part, that are such windows.
OWN_SHARE = 0.5


def train(run, exp):
    """Trains belief and dynamics; returns all tensors and what the card says of them."""
    body, c = run.recipe.body, run.recipe.model
    _, weights = start.model(run.recipe, "latent_diffusion")
    field = f"{run.recipe.path}: diffusion"
    coder, net, memory = (part.to(run.device) for part in (Autoencoder(c), Dit(c), Memory(c)))
    start.fill(coder, weights, "autoencoder.", field)
    start.fill(net, weights, "dynamics.", field, complete=False)
    exp.freeze()
    stored, targets = Stored(exp, coder, c), Targets(exp, exp.snapshot())
    head = Mlp(c["belief"]["width"], HIDDEN, len(targets.bodies) * len(QUANTITIES)).to(run.device)
    both = torch.nn.ModuleDict(dict(net=net, memory=memory))
    average = copy.deepcopy(both).requires_grad_(False)
    run.keep(both=both, head=head, average=average)
    run.plan([body["dynamics"]["pace"]["length"]])
    remember(run, exp, both, average, head, stored, targets)
    s = body["spans"]
    parts = (("autoencoder.", coder), ("dynamics.", average["net"]), ("belief.", average["memory"]))
    return {f"{prefix}{k}": v.detach() for prefix, part in parts for k, v in part.state_dict().items()}, dict(
        parameters=sum(p.numel() for _, part in parts for p in part.parameters()),
        scenes=[e for e in exp.folders if (start.ROOT / "scenes" / f"{e}.ron").is_file()],
        notes="A finished latent diffusion, whose autoencoder stayed as it was and whose dynamics went on, "
        f"with a GRU over frames, seen and imagined: its {c['belief']['width']} numbers speak through the "
        f"dynamics' adaptive norms (FiLM). {s['hidden_share']:.0%} of windows lie around a body that is "
        "hidden for up to 30 observations; moments about which it comes out again are denoised "
        f"{s['reappearance_weight']:g} times as often; true places and velocities, also of hidden bodies, "
        f"weighted {s['place_weight']:g} in training.",
    )


class Windowed:
    """Windows of latents, the actions and what there is to know of each, and of what is denoised in them."""

    def __init__(self, run, exp, c, stored, windows):
        self.run, self.exp, self.c, self.stored, self.windows = run, exp, c, stored, windows
        self.led = torch.zeros_like(exp.actions)
        self.led[1:] = exp.actions[:-1]
        self.back = torch.arange(c["context"], 0, -1, device=exp.device)
        self.ago = torch.arange(c["actions"], 0, -1, device=exp.device)
        self.side, self.channels = stored.side, stored.channels

    def draw(self, n, length):
        """Latents `[n, length, S·S·C]`, actions that led to them, rows, which are within, and the last that
        is observed."""
        rows, valid, seen = self.windows.draw(n, length)
        led = self.led[rows].clone()
        led[:, 0] = 0
        return self.stored.of(rows).flatten(2), led, rows, valid, seen

    def before(self, z, at):
        """The network's context `[N, S, S, K·C]` for the moments `at: [N, M]` of windows, flattened, and
        which of its frames are known."""
        i = at[..., None] - self.back
        known = i >= 0
        each = torch.arange(len(z), device=z.device)[:, None, None]
        x = z[each, i.clamp(min=0)] * known[..., None]
        k = len(self.back)
        x = x.reshape(-1, k, self.side, self.side, self.channels).permute(0, 2, 3, 1, 4).flatten(3)
        return x, known.reshape(-1, k)

    def acted(self, rows):
        """The latest actions before the frames `rows`."""
        i = rows[:, None] - self.ago
        taken = i >= self.exp.first[rows][:, None]
        return (self.exp.actions[i.clamp(min=0)] * taken[:, :, None]).flatten(1)

    def noised(self, context, known, most):
        """Context with noise of a level of its own in each frame, or of the one level `most`; the levels."""
        levels = most if torch.is_tensor(most) else torch.full(known.shape, most, device=known.device)
        levels = torch.where(known, levels, 1.0)
        by_channel = levels.repeat_interleave(self.channels, 1)[:, None, None]
        noise = torch.randn(context.shape, device=context.device, generator=self.run.random)
        return context * (1 - by_channel) + by_channel * noise, levels

    @torch.no_grad()
    def imagined(self, both, drawn, ahead, evaluations):
        """Windows whose frames after the last observed one, `ahead` of them at most, are imagined."""
        z, led, rows, valid, seen = drawn
        z, n, each = z.clone(), len(z), torch.arange(len(z), device=z.device)
        b = both["memory"].watch(z, led)[each, seen]
        for step in range(1, ahead + 1):
            at = seen + step
            inside = at < z.shape[1]
            at = at.clamp(max=z.shape[1] - 1)
            context, known = self.before(z, at[:, None])
            context, levels = self.noised(context, known, self.c["context_noise"])
            noise = torch.randn(
                n, self.side, self.side, self.channels, device=z.device, generator=self.run.random
            )
            said = both["net"].sample(noise, context, levels, self.acted(rows[each, at]), evaluations, b)
            z[each, at] = torch.where(inside[:, None], said.flatten(1), z[each, at])
            b = both["memory"].watch(z[each, at][:, None], led[each, at][:, None], b)[:, 0]
        return z, led, rows, valid, seen


def remember(run, exp, both, average, head, stored, targets):
    """The one phase."""
    c, p, s = run.recipe.model, run.recipe.body["dynamics"], run.recipe.body["spans"]
    pace, device = p["pace"], exp.device
    events, heavy, hidden = hidden_spans(exp, targets, False, s["reappearance_weight"])
    run.say(f"{len(events)} bodies are hidden and seen again")
    source = Windowed(run, exp, c, stored, Windows(run, exp, events, s["hidden_share"]))
    held_events, _, _ = hidden_spans(exp, targets, True, 1.0)
    mean, std = scale(exp, targets)
    counted = READ.to(device).repeat(len(targets.bodies))
    opt = AdamW([*both.parameters(), *head.parameters()], pace["adamw"], pace["clip"], run.world)
    opt.follow([*average.parameters(), *copy.deepcopy(head).parameters()], pace["ema"])
    shown = run.shown("loss", "denoised", "place")
    taken, now = {}, dict(progress=0.0, steps=0, kept=[])

    def rand(*shape):
        return torch.rand(shape, device=device, generator=run.random)

    def fill():
        now["steps"] += 1
        length = s["windows"][now["steps"] % 2]
        drawn = source.draw(pace["batch"], length)
        if now["progress"] >= p["self_rolled_from"]:
            kept = now["kept"]
            if len(kept) < KEPT // 2 or now["steps"] % RENEWED == 0:
                kept.append(source.imagined(average, drawn, p["self_rolled_steps"], p["self_rolled_nfe"]))
                del kept[:-KEPT]
            if rand(1).item() < OWN_SHARE:
                drawn = kept[int(rand(1).item() * len(kept))]
        taken["window"] = [run.world.share(x) for x in drawn]

    def placed(b, rows, valid):
        rows = rows.flatten()
        wanted, there = targets.of(rows)
        heavier = 1 + (HIDDEN_WEIGHT - 1) * hidden[rows].repeat_interleave(len(QUANTITIES), 1)
        there = there * counted * heavier * valid.flatten()[:, None]
        off = F.smooth_l1_loss(head(b.flatten(0, 1)), (wanted - mean) / std, reduction="none", beta=0.2)
        return (off * there).sum() / there.sum().clamp(min=1)

    def step():
        z, led, rows, valid, _ = taken["window"]
        b = both["memory"].watch(z, led)
        place = placed(b, rows, valid)
        weight = heavy[rows] * valid
        weight[:, 0] = 0
        at = torch.multinomial(weight, s["moments"], replacement=True, generator=run.random)
        t = rows.gather(1, at).flatten()
        believed = b.gather(1, (at - 1)[..., None].expand(-1, -1, b.shape[2])).flatten(0, 1)
        context, known = source.before(z, at)
        n = len(t)
        context, levels = source.noised(context, known, p["context_level_max"] * rand(*known.shape).square())
        target = stored.of(t)
        normal = torch.randn((n,), device=device, generator=run.random)
        level = torch.sigmoid(p["level_mean"] + p["level_std"] * normal)
        level = torch.where(rand(n) < p["level_full_share"], 1.0, level)
        noise = torch.randn(target.shape, device=device, generator=run.random)
        noisy = (1 - level[:, None, None, None]) * target + level[:, None, None, None] * noise
        said = both["net"](noisy, level, context, levels, source.acted(t), believed)
        moves = (stored.moves[t] | stored.moves[t - 1]).reshape(n, stored.side, stored.side)
        weight = torch.where(moves, p["foreground_weight"], 1.0)
        denoised = ((said - target).square().mean(3) * weight).mean()
        loss = denoised + s["place_weight"] * place
        for name, value in zip(shown, (loss, denoised, place), strict=True):
            shown[name].copy_(value.detach())
        opt.step(loss)

    def at(progress):
        now["progress"] = progress

    def state():
        windows = {f"{i}.{j}": x for i, w in enumerate(now["kept"]) for j, x in enumerate(w)}
        return dict(steps=torch.tensor(now["steps"]), kept=torch.tensor(len(now["kept"])), **windows)

    def restore(saved):
        now["steps"] = int(saved["steps"])
        now["kept"] = [tuple(saved[f"{i}.{j}"] for j in range(5)) for i in range(int(saved["kept"]))]

    @torch.no_grad()
    def measure():
        """On bodies that are held back: the error where they come out again, in the cells that move there,
        with what was believed, without, and of a copy of the last frame."""
        own = held_events[:48]
        if not len(own):
            return {}
        made, errors = torch.Generator(device=device).manual_seed(3), {}
        before = run.random
        run.random = made
        last, back, first, _ = own.unbind(1)
        begin = torch.maximum(first, last - 12)
        rows = begin[:, None] + torch.arange(44, device=device)
        rows = torch.minimum(rows, exp.last[first][:, None])
        led = source.led[rows].clone()
        led[:, 0] = 0
        drawn = (stored.of(rows).flatten(2), led, rows, None, last - begin)
        for name, network in (("with", average), ("without", Silent(average))):
            z = source.imagined(network, drawn, int((back + 1 - last).max()), c["nfe"])[0]
            errors[name] = z
        run.random = before
        errors["copied"] = drawn[0][torch.arange(len(own), device=device), last - begin][:, None].expand(
            -1, rows.shape[1], -1
        )
        t = back + 1  # a frame later more of it shows
        moves = (stored.moves[t] & ~stored.moves[last]).reshape(len(t), stored.side, stored.side)
        each = torch.arange(len(t), device=device)
        found = {}
        for name, z in errors.items():
            said = z[each, t - begin].reshape(len(t), stored.side, stored.side, -1)
            off = (said - stored.of(t)).square().mean(3)
            found[f"again_{name}"] = ((off * moves).sum() / moves.sum().clamp(min=1)).item()
        return found

    run.train(
        Phase(
            "remembering",
            pace["length"],
            opt,
            fill,
            step,
            lambda k, x: paced(k, x, pace["warmup_steps"], pace["adamw"]["lr"]),
            pace["batch"] * s["moments"],
            shown,
            measure,
            at=at,
            graph=False,
            state=state,
            restore=restore,
        )
    )


class Silent(dict):
    """The same networks, of which nothing is believed."""

    def __init__(self, both):
        super().__init__(net=both["net"], memory=self)
        self.own = both["memory"]

    def watch(self, z, led, b=None):
        return torch.zeros_like(self.own.watch(z, led, b))
