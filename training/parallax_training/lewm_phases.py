"""The phases of a LeWM's training; the networks are in `lewm.py`."""

import os
import shutil

import torch

from . import start
from .experience import Places
from .export import READOUTS
from .layers import ResidualNet
from .lewm import Latents, Lewm, effective_rank, encode_all, mean_image, probe_r, whitening
from .loop import Phase
from .optim import AdamW, cosine
from .readouts import fit, thinned

CAMP, ARCHITECTURE = "Jepa", "lewm"
# The diagnostic decoder weighs what moves.
MASKS = True


def train(run, exp):
    """Trains a LeWM; returns its tensors and what the card says of it."""
    body = run.recipe.body
    model = Lewm(body["model"], run.world).to(run.device)
    model.encoder.amp = run.device.type == "cuda"
    earlier = start.model(run.recipe, ARCHITECTURE)
    if earlier:
        return go_on(run, exp, model, earlier[1])
    if not run.saved:
        model.encoder.mean_image.copy_(mean_image(exp))
    run.keep(model=model)
    prior = None
    if body.get("proposal"):
        c = body["model"]
        prior = ResidualNet((c["history"] + 1) * c["latent_dim"], 256, 2, c["action_dim"]).to(run.device)
        run.keep(prior=prior)
    # Before a deadline: encoding, prior, read-outs and writing.
    run.reserve = 16 + 6e-6 * exp.capacity
    run.plan([body["joint"]["length"], body["predictor"]["length"]])
    joint(run, exp, model)
    with torch.no_grad():  # the encoder as it ships
        for value in [*model.encoder.parameters(), *model.encoder.buffers()]:
            value.copy_(value.half().float())
    for p in model.parameters():
        p.grad = None
    model.encoder.requires_grad_(False)
    exp.freeze()
    latents = Latents(exp, model)
    w = distance(exp, latents, body["model"])
    predictor(run, exp, model, latents, w)
    if prior is not None:
        try:
            propose(run, exp, model, prior, latents)
        except Exception as e:
            run.say(f"no action prior: {e!r}")
            prior = None
    read, notes = {}, gate(run, exp, model)
    try:
        c = body["model"]
        read, said = fit(
            run, exp, latents.of, c["latent_dim"], body["readouts"], c["image_size"], model.encoder.mean_image
        )
        notes += said
    except Exception as e:
        run.say(f"no read-outs: {e!r}")
    tensors = {k: v.detach().float() for k, v in model.state_dict().items()}
    tensors["whitening"] = w
    if prior is not None:
        tensors.update({f"proposal.{k}": v for k, v in prior.state_dict().items()})
    tensors.update(read)
    learned = [*model.encoder.parameters(), *model.predictor.parameters()]
    return tensors, dict(
        parameters=sum(p.numel() for p in learned),
        notes="Convolutional encoder and residual MLP predictor with history "
        f"{body['model']['history']} in place of transformers; "
        f"inverse-dynamics loss; second phase on stored latents; whitened distance. {notes}",
    )


def go_on(run, exp, model, weights):
    """A training that starts from a finished model: its encoder, read-outs and action prior stay as they
    are, and its predictor goes on learning."""
    body, path = run.recipe.body, run.recipe.path
    if body.get("proposal"):
        raise SystemExit(
            f"{path}: proposal: found Some, but a training that starts from a finished model keeps its "
            "prior: leave it out"
        )
    start.fill(model, weights, "", f"{path}: start")
    run.keep(model=model)
    run.plan([body["predictor"]["length"]])
    model.requires_grad_(False)
    model.predictor.requires_grad_(True)
    exp.freeze()
    latents = Latents(exp, model)
    w = distance(exp, latents, body["model"])
    predictor(run, exp, model, latents, w)
    tensors = {k: v.detach().float() for k, v in model.state_dict().items()}
    kept = ("probe.", "decoder.", "proposal.")
    tensors.update({k: v for k, v in weights.items() if k.startswith(kept)}, whitening=w)
    said = start.folder_of(body["start"], f"{path}: start") / READOUTS[0]
    if said.is_file():
        os.makedirs(run.out, exist_ok=True)
        shutil.copyfile(said, os.path.join(run.out, READOUTS[0]))
    learned = [*model.encoder.parameters(), *model.predictor.parameters()]
    return tensors, dict(
        parameters=sum(p.numel() for p in learned),
        notes="Convolutional encoder and residual MLP predictor with history "
        f"{body['model']['history']} in place of transformers; "
        "inverse-dynamics loss; second phase on stored latents; whitened distance. "
        f"Encoder, read-outs and prior are those of {body['start']}; the predictor went on learning.",
    )


def joint(run, exp, model):
    """Encoder, predictor and inverse model from frames."""
    c, p = model.c, run.recipe.body["joint"]
    skip, t, b = c["frameskip"], p["tokens"], p["batch"]
    places = Places(exp, held=False, after=(t - 1) * skip)
    checks = Places(exp, held=True, after=(t - 1) * skip)
    if not places.n:
        raise SystemExit(f"no episode is longer than {(t - 1) * skip} steps: shorten joint.tokens")
    opt = AdamW(model.parameters(), p["optimiser"], p["clip"], run.world)
    offsets = torch.arange(t, device=run.device) * skip
    uniform, fill = run.uniform(b)
    noise, fill_noise = run.normal(p["weights"]["sigreg_projections"], c["latent_dim"])
    shown = run.shown("loss", "one_step", "open_loop", "sigreg", "inverse")

    def loss_at(starts):
        frames = exp.bytes_at(starts[:, None] + offsets)
        return model.joint(frames, exp.blocks_at(starts, t, skip), noise, p["weights"])

    def step():
        loss, parts = loss_at(run.world.share(places.at(uniform)))
        for name, value in dict(parts, loss=loss).items():
            shown[name].copy_(value.detach())
        opt.step(loss)

    def measure():
        rows = checks.spread(1024)
        if len(rows) < 8:
            return {}
        frames = exp.bytes_at(rows[:, None] + offsets)
        z = model.encoder(frames).reshape(len(rows), t, -1)
        h = c["history"]
        error = model.open_loop(z, exp.blocks_at(rows, t, skip)).item()
        copied = (z[:, h:] - z[:, h - 1 : h]).square().mean().item()
        return dict(validation_open_loop=error, validation_copy=copied, rank=effective_rank(z[:, 0]))

    def draw():
        fill()
        fill_noise()

    run.train(
        Phase(
            "joint",
            p["length"],
            opt,
            draw,
            step,
            lambda _, x: cosine(x, p["warmup"], p["optimiser"]["lr"]),
            b * t,
            shown,
            measure,
            places.refresh,
        )
    )


def distance(exp, latents, c):
    """The whitened distance's matrix, of differences of latents a token apart."""
    rows = Places(exp, held=False, after=c["frameskip"]).spread(200_000)
    return whitening(latents.of(rows + c["frameskip"]) - latents.of(rows), c["whiten_lambda"])


def predictor(run, exp, model, latents, whitened):
    """The predictor alone, open loop on stored latents; `whitened: [D, D]` is the planner's distance."""
    c, p = model.c, run.recipe.body["predictor"]
    h, skip, b, tokens = c["history"], c["frameskip"], p["batch"], p["rollout"] + c["history"]
    some = thinned(exp, p["max_frames"], 10)
    places = Places(exp, held=False, after=(tokens - 1) * skip, episodes=some)
    checks = Places(exp, held=True, after=(tokens - 1) * skip, episodes=some).spread(4096)
    if not places.n:
        raise SystemExit(f"no episode is longer than {(tokens - 1) * skip} steps: shorten predictor.rollout")
    opt = AdamW(model.predictor.parameters(), p["optimiser"], p["clip"], run.world)
    uniform, fill = run.uniform(b)
    shown = run.shown("loss")
    weight = p.get("planned", 0.0)
    planned = (weight, whitened.to(run.device)) if weight > 0 else None

    def step():
        z, actions = latents.windows(run.world.share(places.at(uniform)), tokens)
        loss = model.open_loop(z, actions, c["dropout"], planned)
        shown["loss"].copy_(loss.detach())
        opt.step(loss)

    def measure():
        if not len(checks):
            return {}
        z, actions = latents.windows(checks, tokens)
        copied = (z[:, h:] - z[:, h - 1 : h]).square().mean().item()
        error = model.open_loop(z, actions).item()
        # In the planner's distance the last step open loop, over that of copying.
        last = model.roll_out(z[:, :h].flatten(1), actions[:, h - 1 :])[:, -1] - z[:, -1]
        off, change = (
            (x @ whitened.to(run.device).t()).square().mean().item() for x in (last, z[:, h - 1] - z[:, -1])
        )
        return dict(
            validation_open_loop=error,
            validation_copy=copied,
            ratio=error / max(copied, 1e-12),
            planned_last_step=off / max(change, 1e-12),
        )

    run.train(
        Phase(
            "predictor",
            p["length"],
            opt,
            fill,
            step,
            lambda _, x: cosine(x, p["warmup"], p["optimiser"]["lr"]),
            b * p["rollout"],
            shown,
            measure,
        )
    )


def propose(run, exp, model, prior, latents):
    """The action prior: any later moment of an episode, some steps ahead, was a goal that its actions
    reached."""
    c, p = model.c, run.recipe.body["proposal"]
    h, skip, ahead, b = c["history"], c["frameskip"], p["ahead_steps"], p["batch"]
    some = thinned(exp, p["max_frames"], 10)
    places = Places(exp, held=False, after=h * skip, episodes=some)
    checks = Places(exp, held=True, after=h * skip, episodes=some).spread(8192)
    opt = AdamW(prior.parameters(), dict(betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-3), 1.0, run.world)
    uniform, fill = run.uniform(2, b)
    steady = torch.rand(len(checks), dtype=torch.float64, generator=torch.Generator().manual_seed(7)).to(
        run.device
    )
    history = torch.arange(h, device=run.device) * skip
    hold = torch.arange(skip, device=run.device)
    shown = run.shown("loss")

    def examples(starts, u):
        now = starts + (h - 1) * skip
        reach = (exp.last.index_select(0, now) - now).clamp(min=1, max=max(ahead, skip))
        goal = now + 1 + (u * reach).long()
        known = latents.of(torch.cat([starts[:, None] + history, goal[:, None]], 1)).flatten(1)
        taken = exp.actions.index_select(0, (now[:, None] + hold).flatten())
        return known, taken.reshape(len(starts), skip, -1).mean(1)

    def error(starts, u):
        known, taken = examples(starts, u)
        return (prior(known) - taken).square().mean(), taken

    def step():
        loss, _ = error(run.world.share(places.at(uniform[0])), run.world.share(uniform[1]))
        shown["loss"].copy_(loss.detach())
        opt.step(loss)

    def measure():
        if not len(checks):
            return {}
        found, taken = error(checks, steady)
        return dict(validation=found.item(), validation_mean=(taken - taken.mean(0)).square().mean().item())

    run.train(
        Phase(
            "proposal",
            {"Steps": p["steps"]},
            opt,
            fill,
            step,
            lambda s, x: cosine(x, 100 / max(p["steps"], 101), 1e-3),
            b,
            shown,
            measure,
            kept=False,
        )
    )


def gate(run, exp, model):
    """What the latents hold, for the curve and in a sentence."""
    r = probe_r(exp, lambda rows: encode_all(model.encoder, exp, rows, model.c["latent_dim"]))
    places = Places(exp, held=True)
    rank = (
        effective_rank(encode_all(model.encoder, exp, places.spread(2000), model.c["latent_dim"]))
        if places.n > 2
        else 0.0
    )
    run.log(phase="gate", rank=rank, probe_r=r, collapsed=rank < 3)
    return f"Effective rank of the latents {rank:.1f}."
