"""How a belief beside a finished LeWM's latents is trained; the networks are in `belief.py`.

Every frame is encoded once. Windows of episodes are watched and, from somewhere within, imagined on; what is
expected is compared with what came, and places are read of latent and belief, those of hidden bodies too.
"""

import itertools
import json
import os

import torch
import torch.nn.functional as F

from . import start
from .belief import BeliefLewm
from .experience import Places
from .export import replace
from .layers import Mlp
from .lewm import encode_all
from .loop import Phase
from .optim import AdamW, cosine
from .readouts import HIDDEN, HISTORY, QUANTITIES, Probes, Targets, quality, ridge, thinned, train_part

CAMP, ARCHITECTURE = "Jepa", "belief_lewm"
# Which bodies are seen decides which windows are drawn and what weighs more.
SEEN = True
# Weight of a hidden body's place against a visible one's, and what counts as seen often enough before.
HIDDEN_WEIGHT, KNOWN = 3.0, 3
# Of read-outs, what counts: place and velocity.
READ = torch.tensor([1.0, 1.0, 0.0, 0.0, 1.0, 1.0])
LATENT_WEIGHT = 0.3


def train(run, exp):
    """Trains belief and probes; returns all tensors and what the card says of them."""
    body, c = run.recipe.body, run.recipe.model
    model = BeliefLewm(c).to(run.device)
    _, weights = start.model(run.recipe, "lewm")
    for part in ("encoder", "predictor", "inverse"):
        start.fill(getattr(model, part), weights, f"{part}.", f"{run.recipe.path}: lewm")
        getattr(model, part).requires_grad_(False)
    run.reserve = 16 + 6e-6 * exp.capacity
    exp.freeze()
    targets = Targets(exp, exp.snapshot())
    dim = c["lewm"]["latent_dim"] + c["belief"]["width"]
    head = Mlp(dim, HIDDEN, len(targets.bodies) * len(QUANTITIES)).to(run.device)
    run.keep(belief=model.belief, head=head)
    run.plan([body["training"]["length"]])
    known = Known(exp, model)
    believe(run, exp, model, head, known, targets)
    pool = Pool(run, exp, model, known, targets)
    read, notes = read_outs(run, exp, model, head, known, targets, pool)
    decoder = {k: v for k, v in weights.items() if k.startswith("decoder.")}
    if decoder and read and run.world.leads:
        path = os.path.join(run.out, "readouts.json")
        with open(path, encoding="utf-8") as f:
            spec = json.load(f)
        lewm = start.folder_of(run.recipe.body["lewm"], f"{run.recipe.path}: lewm")
        spec["decoder"] = json.loads((lewm / "readouts.json").read_text(encoding="utf-8"))["decoder"]
        replace(path, json.dumps(spec, indent=2).encode())
    tensors = {k: v.detach() for k, v in model.state_dict().items()}
    tensors |= {k: v for k, v in weights.items() if k.split(".")[0] == "whitening"}
    tensors |= {**read, **(decoder if read else {})}
    t, parts = body["training"], (model.encoder, model.predictor, model.belief)
    library = start.ROOT / "scenes"
    return tensors, dict(
        scenes=[s for s in exp.folders if (library / f"{s}.ron").is_file()],
        parameters=sum(p.numel() for part in parts for p in part.parameters()),
        notes="A finished LeWM (arXiv 2603.19312), whose weights stayed as they were; a GRU over its "
        f"latents, seen and imagined, corrects them by a residual; {t['hidden_share']:.0%} of windows lie "
        "around a body that is hidden for up to 30 observations; reappearances weighted "
        f"{t['reappearance_weight']:g}-fold; true places and velocities, also of hidden bodies, weighted "
        f"{t['place_weight']:g} in training.{notes}",
    )


class Known:
    """All frames' latents, and what the LeWM expects after each."""

    def __init__(self, exp, model):
        self.exp, c = exp, model.c["lewm"]
        every = torch.arange(exp.used, device=exp.device)
        self.z = encode_all(lambda frames: model.encoder(frames, False), exp, every, c["latent_dim"])
        self.expected = torch.empty_like(self.z)
        back = torch.arange(c["history"] - 1, -1, -1, device=exp.device)
        with torch.no_grad():
            for some in every.split(2048):
                rows = torch.maximum(some[:, None] - back, exp.first[some][:, None])
                self.expected[some] = model.lewm[0].predict(self.z[rows].flatten(1), exp.actions[some])
        # The action that led to each frame.
        self.led = torch.zeros_like(exp.actions)
        self.led[1:] = exp.actions[:-1]


def hidden_spans(exp, targets, held, weight):
    """Events `[E, 4]` (last frame before, first after, first and last of the episode), the weight of every
    frame, and which of `targets.bodies` are hidden in it."""
    k = len(targets.bodies)
    heavy = torch.ones(exp.capacity)
    hidden = torch.zeros(exp.capacity, k)
    events = []
    for e in exp.snapshot():
        for i, body in enumerate(exp.info[e.scene]["bodies"]):
            if body["kind"] == "Fixed":
                continue
            shown = torch.from_numpy(e.seen[:, i])
            hidden[e.first : e.first + e.frames, targets.bodies.index(body["name"])] = (~shown).float()
            times = shown.nonzero().flatten().tolist()
            for n, (last, back) in enumerate(itertools.pairwise(times)):
                if back == last + 1:
                    continue
                heavy[e.first + back - 1 : e.first + min(back + 4, e.frames)] = weight
                if n >= KNOWN and back - last <= 31 and exp.held(e) == held:
                    end = e.first + e.frames - 1
                    events.append((e.first + last, e.first + back, e.first, end))
    to = exp.device
    return torch.tensor(events, dtype=torch.int64, device=to).reshape(-1, 4), heavy.to(to), hidden.to(to)


class Windows:
    """Draws windows of episodes, and from where within each the future is imagined."""

    def __init__(self, run, exp, events, share, least=12):
        self.run, self.exp, self.events = run, exp, events
        self.share = share if len(events) else 0.0
        self.anywhere = Places(exp, held=False, after=least - 1)
        if not self.anywhere.n:
            raise SystemExit(f"no episode is longer than {least} observations")

    def draw(self, n, length):
        """Rows `[n, length]`, which of them are within the episode, and the last row that is observed."""
        device = self.exp.device
        u = torch.rand((4, n), device=device, generator=self.run.random, dtype=torch.float64)
        plain = self.anywhere.at(u[1])
        first, seen = plain, 3 + (u[2] * 6).long()
        if self.share:
            last, back, begin, end = self.events[(u[1] * len(self.events)).long()].unbind(1)
            high = torch.minimum(last - KNOWN, end - 7)
            low = torch.minimum(torch.maximum(begin, back + 4 - length), high)
            at = low + (u[2] * (high - low + 1).clamp(min=1)).long()
            at = torch.maximum(begin, torch.minimum(at, end - 7))
            early = (last - 4 - at).clamp(min=3)
            late = torch.maximum(back - at, early + 1)
            branch = early + (u[3] * (late - early)).long()
            hides = u[0] < self.share
            first, seen = torch.where(hides, at, plain), torch.where(hides, branch, seen)
        rows = first[:, None] + torch.arange(length, device=device)
        ends = self.exp.last[first][:, None]
        return torch.minimum(rows, ends), (rows <= ends).float(), seen.clamp(max=length - 4)


def believe(run, exp, model, head, known, targets):
    """The one phase: the belief, and the probe of single latents."""
    c, t = model.c, run.recipe.body["training"]
    history = c["lewm"]["history"]
    events, heavy, hidden = hidden_spans(exp, targets, False, t["reappearance_weight"])
    run.say(f"{len(events)} bodies are hidden and seen again")
    windows = Windows(run, exp, events, t["hidden_share"])
    motion = (known.z[1:] - known.z[:-1]).square().mean().clamp(min=1e-6)
    mean, std = scale(exp, targets)
    counted = READ.to(exp.device).repeat(len(targets.bodies))
    opt = AdamW([*model.belief.parameters(), *head.parameters()], t["optimiser"], t["clip"], run.world)
    shown = run.shown("loss", "one_step", "open_loop", "place", "place_imagined")
    taken, steps = {}, [0]

    def fill():
        steps[0] += 1
        length = t["windows"][steps[0] % 2]
        taken["window"] = [run.world.share(x) for x in windows.draw(t["batch"], length)]

    def weighed(square, rows, valid):
        w = heavy[rows] * valid
        return (square.mean(-1) * w).sum() / w.sum().clamp(min=1)

    def placed(z, b, rows, valid):
        wanted, there = targets.of(rows.flatten())
        there = there * counted * (1 + (HIDDEN_WEIGHT - 1) * hidden[rows.flatten()].repeat_interleave(6, 1))
        there = there * valid.flatten()[:, None]
        said = head(torch.cat([z, b], -1)).flatten(0, 1)
        off = F.smooth_l1_loss(said, (wanted - mean) / std, reduction="none", beta=0.2)
        return (off * there).sum() / there.sum().clamp(min=1)

    def losses(rows, valid, seen, futures, ahead):
        z, led = known.z[rows], known.led[rows].clone()
        led[:, 0] = 0
        b = model.watch(z, led)
        said = model.belief.corrected(b[:, :-1], known.expected[rows[:, :-1]])
        one = weighed((said - z[:, 1:]).square(), rows[:, 1:], valid[:, 1:])
        place = placed(z, b, rows, valid)
        n = min(futures, len(rows))
        back = torch.arange(1 - history, 1, device=exp.device)
        each = torch.arange(n, device=exp.device)
        last = z[:n][each[:, None], (seen[:n, None] + back).clamp(min=0)].flatten(1)
        at = seen[:n, None] + 1 + torch.arange(ahead, device=exp.device)
        inside = (at < rows.shape[1]).float()
        at = at.clamp(max=rows.shape[1] - 1)
        future = rows[:n].gather(1, at)
        inside = inside * valid[:n].gather(1, at)
        imagined, beliefs = model.roll_out(last, b[each, seen[:n]], known.led[future])
        opened = weighed((imagined - known.z[future]).square(), future, inside)
        return one, opened, place, placed(imagined, beliefs, future, inside)

    def step():
        one, opened, place, later = losses(*taken["window"], t["rollouts"], t["ahead"])
        loss = LATENT_WEIGHT * (one + opened) / motion + t["place_weight"] * (place + later)
        for name, value in zip(shown, (loss, one, opened, place, later), strict=True):
            shown[name].copy_(value.detach())
        opt.step(loss)

    run.train(
        Phase(
            "belief",
            t["length"],
            opt,
            fill,
            step,
            lambda _, x: cosine(x, t["warmup"], t["optimiser"]["lr"]),
            t["batch"],
            shown,
            graph=False,
            state=lambda: dict(steps=torch.tensor(steps[0])),
            restore=lambda state: steps.__setitem__(0, int(state["steps"])),
        )
    )


def scale(exp, targets):
    """Mean and deviation of what is read, over the frames that train."""
    rows = Places(exp, held=False).spread(200_000)
    y, mask = targets.of(rows)
    count = mask.sum(0).clamp(min=1)
    mean = (y * mask).sum(0) / count
    return mean, (((y - mean).square() * mask).sum(0) / count).sqrt().clamp(min=1e-3)


@torch.no_grad()
def watched(exp, model, known):
    """Latent and belief of every frame, its episode watched from the first."""
    out = torch.zeros(exp.capacity, known.z.shape[1] + model.c["belief"]["width"], device=exp.device)
    by_length = {}
    for e in exp.snapshot():
        by_length.setdefault(e.frames, []).append(e.first)
    for frames, firsts in by_length.items():
        for some in torch.tensor(firsts, device=exp.device).split(256):
            rows = some[:, None] + torch.arange(frames, device=exp.device)
            z, led = known.z[rows], known.led[rows].clone()
            led[:, 0] = 0
            out[rows] = torch.cat([z, model.watch(z, led)], -1)
    return out


class Pool:
    """Imagined latents and beliefs, and the frames that they are of: what the probe of single ones reads."""

    BATCHES = 30

    @torch.no_grad()
    def __init__(self, run, exp, model, known, targets):
        t, history = run.recipe.body["training"], model.c["lewm"]["history"]
        events, _, hidden = hidden_spans(exp, targets, False, t["reappearance_weight"])
        self.hidden = hidden
        windows = Windows(run, exp, events, t["hidden_share"])
        back = torch.arange(1 - history, 1, device=exp.device)
        ahead = torch.arange(1, t["ahead"] + 1, device=exp.device)
        both, frames = [], []
        run.reseed("imagined")
        for _ in range(self.BATCHES):
            rows, valid, seen = windows.draw(t["batch"], max(t["windows"]))
            z, led = known.z[rows], known.led[rows].clone()
            led[:, 0] = 0
            b = model.watch(z, led)
            each = torch.arange(len(rows), device=exp.device)
            last = z[each[:, None], (seen[:, None] + back).clamp(min=0)].flatten(1)
            at = seen[:, None] + ahead
            inside = at < rows.shape[1]
            at = at.clamp(max=rows.shape[1] - 1)
            future = rows.gather(1, at)
            inside &= valid.gather(1, at) > 0
            imagined = torch.cat(model.roll_out(last, b[each, seen], known.led[future]), -1)
            both.append(imagined[inside])
            frames.append(future[inside])
        self.both, self.frames = torch.cat(both), torch.cat(frames)


def read_outs(run, exp, model, head, known, targets, pool):
    """The probes of what stays as it is now: of single latents and beliefs, half of them imagined, and of
    three by ridge and MLP."""
    phase, both = run.recipe.body["readouts"], watched(exp, model, known)
    dim = both.shape[1]
    some = thinned(exp, phase["max_frames"])
    fitted, tested = (Places(exp, held=h, before=HISTORY - 1, episodes=some) for h in (False, True))
    if not fitted.n or not tested.n:
        return {}, ""
    rows, test = fitted.spread(phase["max_frames"]), tested.spread(phase["max_frames"] // 4)
    back = torch.arange(HISTORY - 1, -1, -1, device=exp.device)
    run.reseed("readouts")
    probes = Probes(dim, len(targets.bodies)).to(exp.device)
    mean, std = scale(exp, targets)

    def history(frames):
        return both[frames[:, None] - back].flatten(1)

    with torch.no_grad():
        probes.mean.copy_(mean)
        probes.std.copy_(std)
        y, mask = targets.of(rows)
        x = history(rows)
        for b in range(len(targets.bodies)):
            own, at = mask[:, b * 6] > 0, slice(b * 6, b * 6 + 6)
            if own.sum() >= 2:
                w, bias = ridge(x[own], ((y - mean) / std)[own][:, at], phase["ridge"])
                probes.linear.weight[at], probes.linear.bias[at] = w, bias

    def loss(frames):
        wanted, there = targets.of(frames)
        return ((probes.history(history(frames)) - (wanted - mean) / std).square() * there).mean()

    counted = READ.to(exp.device).repeat(len(targets.bodies))

    def loss_single(frames):
        some = torch.randint(len(pool.frames), (len(frames),), generator=run.random, device=exp.device)
        seen, frames = both[frames], torch.cat([frames, pool.frames[some]])
        wanted, there = targets.of(frames)
        heavier = 1 + (HIDDEN_WEIGHT - 1) * pool.hidden[frames].repeat_interleave(len(QUANTITIES), 1)
        said = probes.single(torch.cat([seen, pool.both[some]]))
        off = F.smooth_l1_loss(said, (wanted - mean) / std, reduction="none", beta=0.2)
        return (off * there * counted * heavier).mean()

    steps = phase["steps"]
    probes.single.load_state_dict(head.state_dict())
    sound = train_part(run, "probe.single", probes.single, loss_single, 3 * steps, 2e-3, 20, 256, fitted)
    sound &= train_part(run, "probe.history", probes.history, loss, steps, 2e-3, 20, 512, fitted)
    if not sound:
        return {}, " No time was left for read-outs."
    spec = quality(run, probes, targets, test, history, lambda frames: both[frames])
    if run.world.leads:
        replace(os.path.join(run.out, "readouts.json"), json.dumps(spec, indent=2).encode())
    worst = min((q["linear_r"] for q in spec["quality"] if q["quantity"] in "xz"), default=0.0)
    said = f" Linear probes read every moving body's place with r of at least {worst:.2f}."
    return {f"probe.{k}": v.detach() for k, v in probes.state_dict().items()}, said
