"""Two processes take the steps that one takes: statistics of batches and gradients are those of the whole
batch."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT
from test_training import recipe_of

from parallax_training import export


def trained(parallax, recipe, episodes, processes):
    launch = [sys.executable, "-m"]
    if processes > 1:
        launch += [
            "torch.distributed.run",
            "--nproc-per-node",
            str(processes),
            "--master-port",
            "29563",
            "-m",
        ]
    run = [
        *launch,
        "parallax_training",
        str(recipe),
        "--parallax",
        parallax,
        "--data",
        str(episodes),
        "--device",
        "cpu",
        "--checkpoint-seconds",
        "0",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "training"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return export.load_weights(recipe.parent)


@pytest.mark.parametrize(
    "kind",
    [
        "Lewm",
        *(
            pytest.param(kind, marks=pytest.mark.long)
            for kind in ("VjepaAc", "PixelDiffusion", "LatentDiffusion", "Cloning")
        ),
    ],
)
def test_two_processes_are_one(kind, parallax, episodes, tmp_path):
    head = "Flatten"  # with two batch norms
    one = trained(parallax, recipe_of(tmp_path / "one", kind, head), episodes, 1)
    two = trained(parallax, recipe_of(tmp_path / "two", kind, head), episodes, 2)
    assert set(one) == set(two)
    for name, value in one.items():
        # Weights are written in 16 bits: a step of rounding is what may differ.
        off = (value - two[name]).abs().max().item()
        assert off <= 2e-3 * value.abs().max().item() + 2e-5, (name, off)


def test_gradients_of_two_processes_are_those_of_one(tmp_path):
    import torch
    from ddp_gradients import gradient

    from parallax_training.world import ALONE

    path = tmp_path / "two.pt"
    run = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        "29561",
        str(ROOT / "training/tests/ddp_gradients.py"),
        str(path),
    ]
    done = subprocess.run(
        run,
        env={**os.environ, "PYTHONPATH": str(ROOT / "training"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = gradient(ALONE), torch.load(path, weights_only=True)
    for a, b in zip(one, two, strict=True):
        assert (a - b).abs().max() <= 1e-5 * a.abs().max(), ((a - b).abs().max(), a.abs().max())
