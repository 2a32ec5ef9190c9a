"""Every recipe trains end to end within its time, in steps that can become graphs."""

import json
import re

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from parallax_training import loop, train

SMALL = {
    "Lewm": """Lewm((
        model: (
            latent_dim: 24, encoder_channels: (8, 8, 8), head: HEAD, encoder_hidden: 32, history: 2,
            predictor_width: 32, action_dim: 2,
        ),
        joint: (length: Steps(4), batch: 8, tokens: 4), predictor: (length: Steps(4), batch: 16, rollout: 3),
        readouts: (
            max_frames: 500, steps: 4, decoder: Some((patch: 8, width: 16, layers: 1)), decoder_steps: 4,
        ),
        proposal: Some((steps: 4, batch: 16)),
    ))""",
    "VjepaAc": """VjepaAc((
        model: (
            width: 24, layers: 1, heads: 2, mlp_width: 32, masked_width: 24, masked_layers: 1,
            masked_heads: 2, predictor_width: 24, predictor_layers: 1, predictor_heads: 2,
            predictor_mlp_width: 32, summary: 16, clip_frames: 4,
        ),
        masked: (length: Steps(4), clips: 4, stills: 4),
        actions: (data: [".episodes/push"], length: Steps(4), batch: 8, summary_frames: 100),
        readouts: (max_frames: 500, steps: 4),
    ))""",
    "PixelDiffusion": """PixelDiffusion((
        model: (width: 48, inner_width: 48, inner_blocks: 1, heads: 2, embed: 32, nfe: 2),
        training: (length: Steps(6), batch: 8, self_rolled_from: 0.5, self_rolled_steps: 2),
    ))""",
    "LatentDiffusion": """LatentDiffusion((
        model: (
            autoencoder: (width: 16, inner_width: 16, channels: 8), action_dim: 2, width: 32, layers: 1,
            heads: 2, local: 1, hidden: 32, embed: 32, nfe: 2,
        ),
        autoencoder: (pace: (length: Steps(4), batch: 8)),
        dynamics: (pace: (length: Steps(6), batch: 8), self_rolled_from: 0.5, self_rolled_steps: 2),
    ))""",
    "DrawnLewm": """DrawnLewm((
        lewm: "models/lewm-world",
        denoiser: (
            context: 2, actions: 4, action_dim: 4, context_noise: 0.0, width: 48, inner_width: 48,
            inner_blocks: 1, heads: 2, embed: 32, nfe: 2,
        ),
        training: (pace: (length: Steps(6), batch: 8), steps: 6),
    ))""",
    "TokenDiffusion": """TokenDiffusion((
        jepa: "models/vjepa-ac",
        diffusion: (
            autoencoder: (width: 16, inner_width: 16, encoder_blocks: 0, channels: 8), width: 32, layers: 1,
            heads: 2, local: 1, hidden: 32, embed: 32, nfe: 2,
        ),
        decoder: (pace: (length: Steps(4), batch: 8)),
        dynamics: (pace: (length: Steps(6), batch: 8), self_rolled_from: 0.5, self_rolled_steps: 2),
    ))""",
    "Cloning": """Cloning((
        model: (encoder_channels: (8, 8, 8), encoder_hidden: 32, width: 32), length: Steps(4), batch: 8,
    ))""",
    "StepsToGo": """StepsToGo((
        model: (encoder_channels: (8, 8, 8), encoder_hidden: 32, width: 32, action_dim: 1),
        length: Steps(4), batch: 8,
    ))""",
}
# What the program runs but does not train.
ELSEWHERE = {
    "Remembering": """Remembering((
        diffusion: "models/latent-diffusion", belief: (width: 16, hidden: 16, context: 20),
        dynamics: (pace: (length: Steps(12), batch: 4), self_rolled_from: 0.3, self_rolled_steps: 2),
        spans: (windows: (12, 16), moments: 2),
    ))""",
}
CASES = [("Lewm", "Keypoints"), ("Lewm", "Flatten"), *((kind, "") for kind in SMALL if kind != "Lewm")]


def recipe_of(folder, kind, head="Keypoints"):
    """A small train.ron in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "train.ron"
    architecture = {**SMALL, **ELSEWHERE}[kind].replace("HEAD", head)
    scenes = '".episodes/push"' if kind in ("Lewm", "Cloning") else '".episodes/push", ".episodes/fall"'
    path.write_text(
        f'(name: "{folder.name}", summary: "a test", seed: 3, data: [{scenes}], '
        f"validation_share: 0.1, architecture: {architecture})"
    )
    return path


def options(parallax, recipe, episodes, *more):
    return train.arguments().parse_args(
        [
            str(recipe),
            "--parallax",
            parallax,
            "--data",
            str(episodes),
            "--device",
            "cpu",
            "--checkpoint-seconds",
            "0",
            *map(str, more),
        ]
    )


class AsksNothing(TorchDispatchMode):
    """Refuses what no CUDA graph can hold: numbers read back, constants sent, shapes that depend on
    values."""

    def __torch_dispatch__(self, call, kinds, args=(), kwargs=None):
        name = call.overloadpacket.__name__
        assert name not in (
            "_local_scalar_dense",
            "nonzero",
            "lift_fresh",
            "masked_select",
            "unique",
            "is_nonzero",
            "equal",
        ), f"{name} in a step"
        if name == "index" and any(i is not None and i.dtype in (torch.bool, torch.uint8) for i in args[1]):
            raise AssertionError("a mask as an index in a step")
        return call(*args, **(kwargs or {}))


@pytest.mark.parametrize(("kind", "head"), CASES)
def test_a_recipe_trains_in_steps_that_can_be_graphs(kind, head, parallax, episodes, tmp_path, monkeypatch):
    plain, checked = loop.Stepper.__call__, []

    def careful(self):
        if not self.phase.graph or len(checked) > 40:
            return plain(self)
        self.phase.draw()
        with AsksNothing():
            self.phase.body()
        checked.append(self.phase.name)

    monkeypatch.setattr(loop.Stepper, "__call__", careful)
    recipe = recipe_of(tmp_path / "small", kind, head)
    run = train.train(options(parallax, recipe, episodes))
    assert all(run.steps.values())
    assert checked or kind in ("PixelDiffusion", "DrawnLewm")
    card = (recipe.parent / "card.ron").read_text()
    assert re.search(r"seeds 0-63", card)
    assert "python -m parallax_training" in card
    for line in (recipe.parent / "curve.jsonl").read_text().splitlines():
        json.loads(line)


def test_a_deadline_is_kept(parallax, episodes, tmp_path):
    import time

    recipe = recipe_of(tmp_path / "late", "Cloning")
    recipe.write_text(recipe.read_text().replace("Steps(4)", "Steps(100000)"))
    deadline = time.time() + 14
    run = train.train(options(parallax, recipe, episodes, "--deadline", deadline))
    assert time.time() < deadline
    assert run.cut
    assert "Stopped before its planned end" in (recipe.parent / "card.ron").read_text()
