"""The two stages of a V-JEPA 2-AC's training and what follows from its maps; the networks are in
`vjepa.py`."""

import torch

from . import start
from .experience import Places
from .lewm import effective_rank, encode_all, whitening
from .loop import Phase
from .optim import AdamW, cosine
from .readouts import fit
from .vjepa import LONG, SHORT, Vjepa, draw_masks, principal, sizes

CAMP, ARCHITECTURE = "Jepa", "vjepa_ac"
# Masks drawn beforehand, of which each clip gets one.
DRAWN = 8192
# Seconds before a deadline for graphs, maps, read-outs and writing.
RESERVE = 30.0


def train(run, exp):
    """Trains both stages; returns the tensors and what the card says of them."""
    body, c = run.recipe.body, run.recipe.model
    if body["readouts"].get("decoder"):
        raise SystemExit(f"{run.recipe.path}: readouts.decoder: a V-JEPA has none; expected None")
    model = Vjepa(c).to(run.device)
    earlier = start.model(run.recipe, ARCHITECTURE)
    if earlier:  # its encoder stays as it is, its predictor goes on
        start.fill(model, earlier[1], "", f"{run.recipe.path}: start")
    run.keep(model=model)
    if earlier:
        run.plan([body["actions"]["length"]])
    else:
        run.plan([body["masked"]["length"], body["actions"]["length"]])
        masked(run, exp, model)
    with torch.no_grad():  # the encoder as it ships
        for p in model.target.parameters():
            p.copy_(p.half().float())
    for p in model.parameters():
        p.grad = None
    exp.freeze()
    seen = f"{len(exp.info)} scenes, {sum(e.frames for e in exp.snapshot())} frames"
    eye = f"The encoder of {body['start']}" if earlier else f"Masked pretraining on {seen}, without actions"
    stored = Maps(run, exp, model)
    summary_of, notes = summarise(run, exp, model, stored)
    mean, basis = summary_of["summary.mean"], summary_of["summary.basis"]
    actions(run, exp, model, stored, basis @ summary_of["whitening"].to(basis.device).t())
    tensors = {k: v.detach().float() for k, v in model.state_dict().items()}
    tensors.update(summary_of)
    try:

        def summary(frames):
            return ((stored.of(frames.flatten()) - mean) @ basis).reshape(*frames.shape, -1)

        read, said = fit(run, exp, summary, c["summary"], body["readouts"], c["image_size"])
        tensors.update(read)
        notes += said
    except Exception as e:
        run.say(f"no read-outs: {e!r}")
    learned = [*model.target.parameters(), *model.predictor.parameters()]
    return tensors, dict(
        parameters=sum(p.numel() for p in learned),
        scenes=stored.scenes,
        notes=f"{eye}; then the encoder as it is and a "
        f"predictor over {model.squares} tokens a "
        f"frame, each of {c['merge']}x{c['merge']} patches, with the actions told to every token. {notes}",
    )


def masked(run, exp, model):
    """Hidden tubelets of clips of all scenes, no actions."""
    p, c = run.recipe.body["masked"], model.c
    span = (c["clip_frames"] - 1) * p["stride"]
    places, checks = Places(exp, held=False, after=span), Places(exp, held=True, after=span)
    if not places.n:
        raise SystemExit(f"no episode is longer than {span} steps: shorten model.clip_frames")
    opt = AdamW(
        [*model.context.parameters(), *model.masked.parameters()], p["optimiser"], p["clip"], run.world
    )
    offsets = torch.arange(c["clip_frames"], device=run.device) * p["stride"]
    _, cells, slots = sizes(c)
    random = torch.Generator().manual_seed(run.recipe.config["seed"] + 1)
    groups = []
    for name, count, deep, blocks, wanted in (
        ("short", p["clips"], slots, SHORT, p["short"]),
        ("long", p["clips"], slots, LONG, p["long"]),
        ("stills", p["stills"], 1, SHORT, p["short"]),
    ):
        if count:
            drawn = [draw_masks(c, 512, blocks, wanted, random) for _ in range(DRAWN // 512)]
            tables = [torch.cat(side).to(run.device) for side in zip(*drawn, strict=True)]
            groups.append((name, deep, tables, *run.uniform(2, count)))
    shown = run.shown("loss", *(g[0] for g in groups))
    decay = torch.zeros((), device=run.device)

    def at(progress):
        decay.fill_(p["decay"] + (1 - p["decay"]) * progress)

    def draw():
        for *_, fill in groups:
            fill()

    def clip(starts, deep):
        rows = starts[:, None] + (offsets if deep > 1 else offsets[:2] * 0)
        return exp.bytes_at(rows).reshape(*rows.shape, -1)

    def losses(at_places):
        found = {}
        for name, deep, tables, uniform, _ in groups:
            u = run.world.share(uniform.t())
            which = (u[:, 1] * DRAWN).long()
            depth = torch.arange(deep, device=run.device)[:, None] * cells
            seen, unseen = ((table.index_select(0, which)[:, None] + depth).flatten(1) for table in tables)
            found[name] = model.masked_loss(clip(at_places.at(u[:, 0]), deep), seen, unseen)
        return found

    def step():
        found = losses(places)
        loss = torch.stack(list(found.values())).mean()
        for name, value in dict(found, loss=loss).items():
            shown[name].copy_(value.detach())
        opt.step(loss)
        with torch.no_grad():
            for slow, quick in zip(model.target.parameters(), model.context.parameters(), strict=True):
                slow.lerp_(quick, 1 - decay)

    def measure():
        found = {"validation": {n: v.item() for n, v in losses(checks).items()}} if checks.n else {}
        rows = checks.spread(500)
        if len(rows) > 2:
            maps = encode_all(model.maps, exp, rows, model.map)
            content = (maps - maps.mean(0)).reshape(-1, c["width"])
            found.update(rank=effective_rank(content), spread=content.std(0).mean().item())
        return found

    frames = 2 * p["clips"] * c["clip_frames"] + p["stills"]
    run.train(
        Phase(
            "masked",
            p["length"],
            opt,
            draw,
            step,
            lambda _, x: cosine(x, p["warmup"], p["optimiser"]["lr"]),
            frames,
            shown,
            measure,
            places.refresh,
            at,
        )
    )


class Maps:
    """The second stage's experience: maps in 16 bits of the frames of the scenes that are controlled."""

    def __init__(self, run, exp, model):
        phase = run.recipe.body["actions"]
        folders = [f.rstrip("/").split("/")[-1] for f in phase["data"]]
        self.scenes = set(folders) & set(exp.folders) or set(exp.folders)
        self.exp, self.model = exp, model
        mine = [e for e in exp.snapshot() if e.scene in self.scenes]
        most, total = phase["max_frames"], sum(e.frames for e in mine)
        stride = max(1, -(-total // most))
        held = [e for e in mine if exp.held(e)]
        rest = [e for e in mine if not exp.held(e)][::stride]
        exp.keep_only(rest + held[:: max(1, stride)])
        rows = torch.cat([torch.arange(e.first, e.first + e.frames) for e in exp.snapshot()]).to(exp.device)
        self.z = encode_all(model.maps, exp, rows, model.map, torch.float16, 2048)
        self.row = torch.full((exp.capacity,), -1, dtype=torch.int64, device=exp.device)
        self.row[rows] = torch.arange(len(rows), device=exp.device)

    def of(self, frames):
        z = self.z.index_select(0, self.row.index_select(0, frames.flatten())).float()
        return z.reshape(*frames.shape, -1)

    def windows(self, starts, tokens):
        skip = self.model.c["frameskip"]
        frames = starts[:, None] + torch.arange(tokens, device=starts.device) * skip
        return self.of(frames), self.exp.blocks_at(starts, tokens, skip)


def actions(run, exp, model, stored, metric):
    """The predictor under actions, on stored maps; `metric: [map, K]` is the planner's distance."""
    p, c = run.recipe.body["actions"], model.c
    tokens = p["rollout"] + c["history"]
    after = (tokens - 1) * c["frameskip"]
    places, checks = Places(exp, held=False, after=after), Places(exp, held=True, after=after).spread(128)
    if not places.n:
        raise SystemExit(f"no episode is longer than {after} steps: shorten actions.rollout")
    opt = AdamW(model.predictor.parameters(), p["optimiser"], p["clip"], run.world)
    uniform, fill = run.uniform(p["batch"])
    shown = run.shown("teacher", "rollout")
    planned = (p["planned"], metric) if p["planned"] > 0 else None

    def step():
        windows = stored.windows(run.world.share(places.at(uniform)), tokens)
        teacher, rollout = model.losses(*windows, p["smooth"], p["by_change"], planned, p.get("forced"))
        shown["teacher"].copy_(teacher.detach())
        shown["rollout"].copy_(rollout.detach())
        opt.step(teacher + rollout)

    def measure():
        if not len(checks):
            return {}
        z, a = stored.windows(checks, tokens)
        teacher, rollout = model.losses(z, a, 0.0)
        first = z[:, c["history"] - 1]
        copied = [(z[:, c["history"] - 1 + t] - first).abs().mean().item() for t in (1, p["rollout"])]
        # In the planner's distance the last step open loop, over that of copying.
        known, last = z[:, : c["history"]].flatten(1), z[:, -1]
        for t in range(p["rollout"]):
            following = model.predict(known, a[:, c["history"] - 1 + t])
            known = torch.cat([known[:, model.map :], following], 1)
        off, change = (((x - last) @ metric).square().mean() for x in (following, first))
        return dict(
            validation=dict(
                planned_last_step=(off / change).item(),
                one_step=teacher.item(),
                open_loop=rollout.item(),
                copy_one_step=copied[0],
                copy_last_step=copied[1],
            )
        )

    run.train(
        Phase(
            "actions",
            p["length"],
            opt,
            fill,
            step,
            lambda _, x: cosine(x, p["warmup"], p["optimiser"]["lr"]),
            p["batch"] * p["rollout"],
            shown,
            measure,
        )
    )


@torch.no_grad()
def summarise(run, exp, model, stored):
    """Summary and whitened distance of what the encoder sees, and a sentence for the card."""
    p, c = run.recipe.body["actions"], model.c
    sample = stored.of(Places(exp, held=False).spread(p["summary_frames"]))
    mean, basis, held = principal(sample, c["summary"])
    rows = Places(exp, held=False, after=c["frameskip"]).spread(100_000)
    delta = torch.cat([(stored.of(r + c["frameskip"]) - stored.of(r)) @ basis for r in rows.split(4096)])
    run.log(phase="summary", components=c["summary"], variance=held)
    tensors = {
        "summary.mean": mean,
        "summary.basis": basis,
        "whitening": whitening(delta, c["whiten_lambda"]),
    }
    return tensors, f"{c['summary']} principal components hold {100 * held:.0f} % of the maps' variance."
