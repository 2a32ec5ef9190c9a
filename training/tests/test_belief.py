"""A belief is carried and corrects as the program does it; its training leaves a folder that is opened."""

import numpy as np
import pytest
import torch
from conftest import ROOT
from test_folder import models_check
from test_parity import CLOSE, fill
from test_training import options, recipe_of

from parallax_training import export, ron, train
from parallax_training.belief import BeliefLewm
from parallax_training.belief_phases import Windows, hidden_spans
from parallax_training.experience import Episode
from parallax_training.latent import Autoencoder, Dit, Memory

SMALL = """(
    name: "small", summary: "a test", seed: 3, data: [".episodes/push", ".episodes/fall"],
    validation_share: 0.1,
    architecture: Belief((
        lewm: "models/lewm-world", belief: (width: 16, hidden: 16, context: 20),
        training: (length: Steps(3), batch: 4, windows: (12, 16), rollouts: 2, ahead: 4),
        readouts: (max_frames: 400, steps: 3),
    )),
)"""


def test_a_belief_is_carried_as_the_program_carries_it(parallax, fixture_of):
    folder = ROOT / "models" / "lewm-belief"
    if not (folder / "card.ron").exists():
        pytest.skip("no models/lewm-belief")
    model, given = BeliefLewm(ron.read(folder / "model.ron")), fixture_of("lewm-belief")
    fill(model, export.load_weights(folder), without=("probe", "decoder", "whitening"))
    h = model.c["lewm"]["history"]
    with torch.no_grad():
        z = model.encoder(given["frames"].to(torch.uint8))[None]
        b = model.watch(z, given["led"][None])
        assert torch.allclose(torch.cat([z, b], -1)[0], given["watched"], **CLOSE)
        both = model.roll_out(z[:, -h:].flatten(1), b[:, -1], given["ahead"])
        assert torch.allclose(torch.cat(both, -1), given["imagined"], **CLOSE)


def test_a_diffusion_believes_as_the_program_does(parallax, fixture_of):
    folder = ROOT / "models" / "diffusion-belief"
    if not (folder / "card.ron").exists():
        pytest.skip("no models/diffusion-belief")
    c, given = ron.read(folder / "model.ron"), fixture_of("diffusion-belief")
    weights = export.load_weights(folder)
    coder, net, memory = Autoencoder(c), Dit(c), Memory(c)
    for part, prefix in ((coder, "autoencoder."), (net, "dynamics."), (memory, "belief.")):
        fill(part, weights, prefix)
    with torch.no_grad():
        z = coder.encode(given["frames"].to(torch.uint8))[None]
        b = memory.watch(z, given["led"][None])[0]
        assert torch.allclose(b, given["watched"], **CLOSE)
        window = (given[k] for k in ("noisy", "level", "context", "levels", "acted"))
        assert torch.allclose(net(*window, b[-2:]), given["said"], **CLOSE)


def test_a_diffusions_belief_is_trained_and_opened(parallax, episodes, tmp_path):
    home = tmp_path / "home"
    recipe = recipe_of(home / "models" / "small", "Remembering")
    run = train.train(options(parallax, recipe, episodes))
    assert run.steps["remembering"] == 12
    said = models_check(parallax, home)
    assert "small: ok" in said.stdout, said.stdout + said.stderr


@pytest.mark.long
def test_a_belief_is_trained_and_opened(parallax, episodes, tmp_path):
    home = tmp_path / "home"
    recipe = home / "models" / "small" / "train.ron"
    recipe.parent.mkdir(parents=True)
    recipe.write_text(SMALL)
    run = train.train(options(parallax, recipe, episodes))
    assert run.steps["belief"] == 3
    said = models_check(parallax, home)
    assert "small: ok" in said.stdout, said.stdout + said.stderr


class Few:
    """Experience of one episode in which a body is hidden for five frames."""

    device, capacity, used = torch.device("cpu"), 40, 40
    first, last = torch.zeros(40, dtype=torch.int64), torch.full((40,), 39)

    def __init__(self):
        seen = np.ones((40, 2), bool)
        seen[12:17, 1] = False
        self.info = {"s": dict(bodies=[dict(name="wall", kind="Fixed"), dict(name="ball", kind="Dynamic")])}
        self.one = Episode("s", 0, 0, 40, None, seen)

    def snapshot(self):
        return [self.one]

    def held(self, _):
        return False


class Targets:
    bodies = ("ball",)


def test_windows_lie_around_what_is_hidden():
    exp = Few()
    events, heavy, hidden = hidden_spans(exp, Targets, False, 6.0)
    assert events.tolist() == [[11, 17, 0, 39]]
    assert hidden[:, 0].nonzero().flatten().tolist() == [12, 13, 14, 15, 16]
    assert (heavy == 6).nonzero().flatten().tolist() == [16, 17, 18, 19, 20]

    class Run:
        random = torch.Generator().manual_seed(1)

    windows = Windows(Run, exp, events, 1.0)
    rows, valid, seen = windows.draw(200, 20)
    assert (rows[:, 0] <= 8).all(), "the body is seen before it hides"
    assert ((rows == 17).any(1) & (rows == 20).any(1)).all(), "and after"
    assert valid.all()
    now = rows.gather(1, seen[:, None])[:, 0]
    assert ((now < 17) & (now >= 7)).all(), "the future is imagined from before it is seen again"
    assert (now < 12).any()
    assert (now >= 12).any()
