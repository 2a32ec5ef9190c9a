"""A model folder is what `parallax train` makes of the same recipe, and what the recipe says is followed."""

import os
import subprocess

import pytest
import torch
from conftest import ROOT
from safetensors.torch import load_file
from test_training import CASES, SMALL, options, recipe_of

from parallax_training import config, export, ron, train


def models_check(parallax, home):
    """What the program says of the models under a home."""
    if not (home / "scenes").exists():
        (home / "scenes").symlink_to(ROOT / "scenes")
    return subprocess.run(
        [parallax, "models", "--check"],
        env={**os.environ, "PARALLAX_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def by_the_program(parallax, recipe, episodes, more=()):
    """Trains a recipe with `parallax train`; returns the folder."""
    text = recipe.read_text().replace(".episodes/", f"{episodes}/")
    if "episodes: Some" not in text:
        text = text.replace("data: [", "episodes: Some(64), data: [", 1)
    recipe.write_text(text)
    done = subprocess.run(
        [parallax, "train", str(recipe), "--out", str(recipe.parent), *more],
        env={**os.environ, "PARALLAX_HOME": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return recipe.parent


def same(a, b, where=""):
    """The same configuration, but for what each measured of the episodes, which is nearly the same."""
    if not isinstance(b, dict):
        assert a == b, where
        return
    assert list(a) == list(b), where
    for field, value in b.items():
        if field in ("sigma_data", "mean", "hue_motion"):
            found, measured = torch.tensor(a[field]), torch.tensor(value)
            assert (found - measured).abs().max() < 0.02, (where + field, a[field], value)
        else:
            same(a[field], value, f"{where}{field}.")


@pytest.mark.parametrize(("kind", "head"), CASES)
def test_a_folder_is_as_the_program_writes_it(kind, head, parallax, episodes, tmp_path):
    home = tmp_path / "home"
    other = by_the_program(parallax, recipe_of(tmp_path / "other" / "small", kind, head), episodes)
    recipe = recipe_of(home / "models" / "small", kind, head)
    asked = recipe.read_bytes() + b"\n// As it was asked for.\n"
    recipe.write_bytes(asked)
    train.train(options(parallax, recipe, episodes))
    said = models_check(parallax, home)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "small: ok" in said.stdout
    here, there = recipe.parent, other
    assert (here / "train.ron").read_bytes() == asked, "train.ron is what somebody asked for"
    ours, theirs = (
        {p.name for p in d.iterdir() if p.is_file() and p.name != "rollouts.png"} for d in (here, there)
    )
    assert ours == theirs
    for name in ("model.safetensors", "readouts.safetensors"):
        if (there / name).exists():
            a, b = load_file(here / name), load_file(there / name)
            assert {k: (v.shape, v.dtype) for k, v in a.items()} == {
                k: (v.shape, v.dtype) for k, v in b.items()
            }
    a, b = (ron.read(d / "card.ron") for d in (here, there))
    # The program's fingerprint follows by `parallax models --fingerprint`.
    b.pop("behaviour", None)
    assert list(a) == list(b)
    for field in (
        "format",
        "camp",
        "architecture",
        "scenes",
        "parameters",
        "steps",
        "seed",
        "frames",
        "data",
    ):
        assert a[field] == b[field], field
    a, b = (ron.read(d / "model.ron") for d in (here, there))
    same(a, b)
    if kind == "PixelDiffusion":
        assert 0.05 < a["sigma_data"] < 1
        assert any(abs(m - 0.1) > 1e-3 for m in a["hue_motion"]), "motion was measured"


class Watched(dict):
    """Settings that remember what was read of them."""

    def __init__(self, given, name, read):
        super().__init__({k: self.watch(v, f"{name}.{k}".strip("."), read) for k, v in given.items()})
        self.name, self.read = name, read

    @classmethod
    def watch(cls, value, name, read):
        return cls(value, name, read) if isinstance(value, dict) else value

    def __getitem__(self, key):
        self.read.add(f"{self.name}.{key}".strip("."))
        return super().__getitem__(key)

    def get(self, key, default=None):
        self.read.add(f"{self.name}.{key}".strip("."))
        return super().get(key, default)


# What the network's users read, not its training; what tells a training how often to speak.
LATER = {"cost", "search", "nfe", "hue_motion", "context_noise", "clip_frames", "residual_blocks"}
TELLING = {"log_every", "judge_every", "checkpoint_seconds", "gate_scenes", "validate_every", "measure_every"}


@pytest.mark.long
@pytest.mark.parametrize("kind", SMALL)
def test_no_field_is_ignored(kind, parallax, episodes, tmp_path, monkeypatch):
    read, seen = set(), []
    plain = config.Recipe.load.__func__

    def load(cls, path, parallax=None):
        recipe = plain(cls, path, parallax)
        seen.append(list(recipe.fields()))
        return cls(recipe.text, Watched(recipe.config, "", read), path)

    monkeypatch.setattr(config.Recipe, "load", classmethod(load))
    train.train(options(parallax, recipe_of(tmp_path / "small", kind), episodes))
    allowed = LATER | TELLING | ({"decoder_steps"} if kind == "VjepaAc" else set())  # it has no decoder
    ignored = [f for f in seen[0] if f not in read and f.rsplit(".", 1)[-1] not in allowed]
    assert not ignored


def changed(recipe, *changes):
    text = recipe.read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    recipe.write_text(text)
    return recipe


def test_pixels_begin_with_another_model(parallax, episodes, tmp_path):
    home, fewer = tmp_path / "home" / "models", ("heads: 2,", "heads: 2, action_dim: 2,")
    first = changed(recipe_of(home / "first", "PixelDiffusion"), fewer)
    train.train(options(parallax, first, episodes))
    goes_on = ("training: (", f'training: (start: Some("{first.parent}"), ')
    second = changed(
        recipe_of(home / "second", "PixelDiffusion"),
        goes_on,
        ("heads: 2,", "heads: 2, action_dim: 4,"),
        ("batch: 8,", "batch: 8, ema: 0.0, adamw: (lr: 1e-12),"),
    )
    train.train(options(parallax, second, episodes))
    before, after = (export.load_weights(r.parent) for r in (first, second))
    for name, value in before.items():
        if name != "embed_first.weight":
            assert torch.equal(after[name], value), f"{name} is that of the start, as nothing was learned"
    wide = after["embed_first.weight"][:, 32:].reshape(-1, 4, 4)
    assert torch.equal(wide[:, :, :2].flatten(1), before["embed_first.weight"][:, 32:])
    assert not wide[:, :, 2:].any(), "components that the start did not have begin at zero"
    cards = [ron.read(r.parent / "card.ron") for r in (first, second)]
    last = {k: cards[0][k] for k in ("sha256", "steps", "frames", "minutes")}
    assert cards[1]["stages"] == [dict(folder=str(first.parent), **last)]
    networks = [ron.read(r.parent / "model.ron") for r in (first, second)]
    for field in ("sigma_data", "mean"):
        assert networks[0][field] == networks[1][field], "the scale of the data stays"
    # A third names both before it, and the program reads all three.
    third = changed(
        recipe_of(home / "third", "PixelDiffusion"),
        (goes_on[0], goes_on[1].replace("first", "second")),
        ("heads: 2,", "heads: 2, action_dim: 4,"),
    )
    train.train(options(parallax, third, episodes))
    chain = ron.read(third.parent / "card.ron")["stages"]
    assert [s["folder"] for s in chain] == [str(first.parent), str(second.parent)]
    said = models_check(parallax, tmp_path / "home")
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_twin_in_latents_keeps_the_autoencoder(parallax, episodes, tmp_path):
    home = tmp_path / "home" / "models"
    first = recipe_of(home / "first", "LatentDiffusion")
    train.train(options(parallax, first, episodes))
    twin = changed(
        recipe_of(home / "twin", "LatentDiffusion"),
        ("LatentDiffusion((", f'LatentDiffusion((start: Some("{first.parent}"),'),
        ("nfe: 2,", "nfe: 2, objective: Regression,"),
    )
    run = train.train(options(parallax, twin, episodes))
    assert set(run.steps) == {"dynamics"}
    before, after = (export.load_weights(r.parent) for r in (first, twin))
    assert all(torch.equal(after[k], v) for k, v in before.items() if k.startswith("autoencoder."))
    assert not all(torch.equal(after[k], v) for k, v in before.items())
    assert "regression twin" in (twin.parent / "card.ron").read_text()
    said = models_check(parallax, tmp_path / "home")
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_jepa_that_goes_on_keeps_its_encoder(parallax, episodes, tmp_path):
    home = tmp_path / "home" / "models"
    first = recipe_of(home / "first", "VjepaAc")
    train.train(options(parallax, first, episodes))
    second = changed(
        recipe_of(home / "second", "VjepaAc"), ("VjepaAc((", f'VjepaAc((start: Some("{first.parent}"),')
    )
    run = train.train(options(parallax, second, episodes))
    assert set(run.steps) == {"actions"}
    before, after = (export.load_weights(r.parent) for r in (first, second))
    for part, stays in (("target.", True), ("context.", True), ("masked.", True), ("predictor.", False)):
        same = [torch.equal(after[k], v) for k, v in before.items() if k.startswith(part)]
        assert same, part
        assert all(same) == stays, part
    card = ron.read(second.parent / "card.ron")
    assert [s["folder"] for s in card["stages"]] == [str(first.parent)]
    assert f"The encoder of {first.parent}" in card["notes"]
    said = models_check(parallax, tmp_path / "home")
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_lewm_that_goes_on_keeps_all_but_its_predictor(parallax, episodes, tmp_path):
    home = tmp_path / "home" / "models"
    first = recipe_of(home / "first", "Lewm")
    train.train(options(parallax, first, episodes))
    second = changed(
        recipe_of(home / "second", "Lewm"),
        ("Lewm((", f'Lewm((start: Some("{first.parent}"),'),
        ("rollout: 3", "rollout: 3, planned: 0.3"),
    )
    with pytest.raises(SystemExit, match="proposal"):
        train.train(options(parallax, second, episodes))
    changed(second, ("proposal: Some((steps: 4, batch: 16)),", ""))
    run = train.train(options(parallax, second, episodes))
    assert set(run.steps) == {"predictor"}
    before, after = (export.load_weights(r.parent) for r in (first, second))
    assert before.keys() == after.keys()
    assert any(k.startswith("proposal.") for k in before)
    for name, value in before.items():
        if not name.startswith(("predictor.", "whitening")):
            assert torch.equal(after[name], value), name
    assert not all(torch.equal(after[k], v) for k, v in before.items() if k.startswith("predictor."))
    tables = [(r.parent / "readouts.json").read_bytes() for r in (first, second)]
    assert tables[0] == tables[1]
    said = models_check(parallax, tmp_path / "home")
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.long
def test_a_start_that_does_not_fit_is_refused(parallax, episodes, tmp_path):
    first = recipe_of(tmp_path / "first", "PixelDiffusion")
    second = recipe_of(tmp_path / "second", "PixelDiffusion")
    goes_on = ("training: (", f'training: (start: Some("{first.parent}"), ')
    changed(second, goes_on)
    with pytest.raises(SystemExit, match=r"training\.start: found .*, expected the folder of a finished"):
        train.train(options(parallax, second, episodes))
    train.train(options(parallax, first, episodes, "--steps", "1"))
    changed(second, ("inner_width: 48", "inner_width: 64"))
    with pytest.raises(SystemExit, match=r"tensor down\.weight: found shape .* of the same widths"):
        train.train(options(parallax, second, episodes))


def test_batches_divide_by_processes():
    with pytest.raises(SystemExit, match=r"joint\.batch: found 9, expected a multiple of the 2 processes"):
        train.divide({"joint": {"batch": 9}}, 2, "")


def test_ron_is_read_as_it_is_written():
    text = r"""(a: "it\'s \"so\"", b: [1, -2.5e-3], c: Some((x: true)), d: None, e: V((1, "z")))"""
    said = ron.Reader(text).value()
    assert said["a"] == 'it\'s "so"'
    assert said["b"] == [1, -0.0025]
    assert said["c"] == {"x": True}
    assert said["d"] is None
    for card in sorted((ROOT / "models").glob("*/card.ron")):
        assert ron.read(card)["format"] == 1
