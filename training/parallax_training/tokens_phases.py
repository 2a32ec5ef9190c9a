"""How a diffusion over a finished V-JEPA's tokens is trained: the projection of the tokens, then the two
phases of a latent diffusion; the networks are in `tokens.py` and `latent.py`."""

import copy

import torch

from . import start
from .colours import hue_motion
from .experience import Places
from .latent import Dit
from .latent_phases import Stored, imagine, notes, reconstruct
from .lewm import encode_all
from .tokens import TokenEye

MASKS = True
CAMP, ARCHITECTURE = "Hybrid", "token_diffusion"
RESERVE = 12.0
# Frames that the projection is fitted to.
SAMPLES = 1500


def train(run, exp):
    """Trains decoder and dynamics; returns all tensors and what the card says of them."""
    body, c, d = run.recipe.body, run.recipe.model, run.recipe.body["diffusion"]
    run.recipe.set("hue_motion", hue_motion(exp))
    _, weights = start.model(run.recipe, "vjepa_ac")
    eye, net = TokenEye(c).to(run.device), Dit(d).to(run.device)
    field = f"{run.recipe.path}: jepa"
    start.fill(eye.target, weights, "target.", field)
    exp.freeze()
    share = project(exp, eye)
    run.log(phase="projection", channels=d["autoencoder"]["channels"], variance=share)
    averages = [copy.deepcopy(m).requires_grad_(False) for m in (eye, net)]
    run.keep(eye=eye, net=net, eye_average=averages[0], net_average=averages[1])
    run.plan([body["decoder"]["pace"]["length"], body["dynamics"]["pace"]["length"]])
    # Every frame is encoded once: nothing of seeing learns.
    stored = Stored(exp, averages[0], d)
    reconstruct(run, exp, eye, averages[0], body["decoder"], "decoder", stored)
    channels, width = d["autoencoder"]["channels"], c["jepa"]["width"]

    def tensors():
        named = {f"dynamics.{k}": v.detach() for k, v in averages[1].state_dict().items()}
        return {**named, **averages[0].tensors()}

    def about():
        differs = (
            f"Over {channels} principal components ({100 * share:.1f} % of the variance at a place) of the "
            f"{width} channels of a frozen V-JEPA 2-AC's tokens (arXiv 2506.09985), where GAIA-2 (arXiv "
            "2503.20523) has an autoencoder's latents; decoder trained afterwards on the same "
            "tokens; one camera"
        )
        return dict(
            parameters=sum(p.numel() for m in averages for p in m.parameters()),
            notes=notes(run, net, differs),
        )

    imagine(
        run,
        exp,
        net,
        averages[1],
        stored,
        d,
        export=lambda: run.export(tensors(), about(), unfinished=True),
    )
    return tensors(), about()


@torch.no_grad()
def project(exp, eye):
    """Fits the projection to frames of the training episodes, evenly spread."""
    rows = Places(exp, held=False).spread(SAMPLES)
    width = eye.jepa["width"]
    tokens = encode_all(lambda f: eye.tokens(f).flatten(1), exp, rows, eye.cells * width)
    return eye.fit(tokens.reshape(len(rows), eye.cells, width))
