"""A training that is broken off and resumed ends with the weights of one that was not, and does not go on
with another."""

import os
import signal

import pytest
import torch
from test_training import options, recipe_of

from parallax_training import export, loop, train

# Where it is broken off: within the first phase, and within the last that checkpoints hold.
BREAKS = [
    ("Lewm", "predictor", 3),
    ("LatentDiffusion", "dynamics", 5),
    ("Remembering", "remembering", 6),
    *(
        pytest.param(*case, marks=pytest.mark.long)
        for case in (
            ("Lewm", "joint", 2),
            ("VjepaAc", "masked", 2),
            ("VjepaAc", "actions", 1),
            ("PixelDiffusion", "training", 5),
            ("LatentDiffusion", "autoencoder", 3),
            ("Cloning", "cloning", 2),
            ("StepsToGo", "steps_to_go", 3),
        )
    ),
]


def dropping(recipe, kind):
    """The same with dropout, where there is any: its random numbers are resumed as well."""
    if kind == "Lewm":
        recipe.write_text(recipe.read_text().replace("history: 2,", "history: 2, dropout: 0.2,"))
    return recipe


@pytest.fixture(scope="module")
def unbroken(parallax, episodes, tmp_path_factory):
    """Weights and card of whole trainings, by kind."""
    found = {}

    def of(kind):
        if kind not in found:
            recipe = dropping(recipe_of(tmp_path_factory.mktemp(kind) / "same", kind), kind)
            train.train(options(parallax, recipe, episodes))
            found[kind] = export.load_weights(recipe.parent), (recipe.parent / "card.ron").read_text()
        return found[kind]

    return of


@pytest.mark.parametrize(("kind", "phase", "steps"), BREAKS)
def test_resumed_is_unbroken(kind, phase, steps, parallax, episodes, tmp_path, monkeypatch, unbroken):
    recipe = dropping(recipe_of(tmp_path / "same", kind), kind)
    plain, taken = loop.Stepper.__call__, []

    def breaks(self):
        plain(self)
        taken.append(self.phase.name)
        if taken.count(phase) == steps:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(loop.Stepper, "__call__", breaks)
    run = train.train(options(parallax, recipe, episodes, "--checkpoint-seconds", "1000"))
    assert run.cut
    assert run.steps[phase] == steps
    saved = torch.load(recipe.parent / "checkpoint.pt", weights_only=True)
    assert (saved["phase"], saved["step"]) == (phase, steps), "what follows a break is no place to go on from"
    monkeypatch.setattr(loop.Stepper, "__call__", plain)
    torch.manual_seed(99)  # nothing hangs on what the process drew before
    run = train.train(options(parallax, recipe, episodes, "--checkpoint-seconds", "1000", "--resume"))
    assert not run.cut
    weights, card = unbroken(kind)
    found = export.load_weights(recipe.parent)
    assert set(found) == set(weights)
    for name, value in weights.items():
        assert torch.equal(found[name], value), (name, (found[name] - value).abs().max())
    for field in ("steps", "frames", "parameters", "sha256", "data"):
        line = next(x for x in card.splitlines() if x.strip().startswith(f"{field}:"))
        assert line in (recipe.parent / "card.ron").read_text()
    assert not (recipe.parent / "checkpoint.pt").exists(), "a finished folder holds none"
    with pytest.raises(SystemExit, match="nothing to go on with"):
        train.train(options(parallax, recipe, episodes, "--resume"))


def test_another_training_is_not_resumed(parallax, episodes, tmp_path):
    recipe = recipe_of(tmp_path / "same", "Cloning")
    # A trial's checkpoint stays.
    more = ("--checkpoint-seconds", "1000", "--steps", "2")
    train.train(options(parallax, recipe, episodes, *more))
    text = recipe.read_text()
    for before, after, said in [
        ("batch: 8", "batch: 16", "batch: the unfinished training began with 8, found 16"),
        ("seed: 3", "seed: 4", "seed: the unfinished training began with 3, found 4"),
        ("Steps(4)", "Minutes(1.0)", "length.Steps: the unfinished training began with 4, found nothing"),
    ]:
        recipe.write_text(text.replace(before, after))
        with pytest.raises(SystemExit, match=said):
            train.train(options(parallax, recipe, episodes, *more, "--resume"))
    recipe.write_text(text)
    with pytest.raises(SystemExit, match="episodes: push: the unfinished training began with 64, found 32"):
        train.train(options(parallax, recipe, episodes, *more, "--resume", "--episodes", "32"))
    train.train(options(parallax, recipe, episodes, *more, "--resume"))
