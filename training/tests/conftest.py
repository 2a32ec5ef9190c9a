"""What the tests share: where the program, its models and its reference values are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "training"))

torch = pytest.importorskip("torch", reason="PyTorch is not installed: the engine of training/ is not tested")
pytest.importorskip(
    "safetensors", reason="safetensors is not installed: the engine of training/ is not tested"
)
torch.set_num_threads(2)


def built(*parts):
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target.joinpath("release", *parts)


@pytest.fixture(scope="session")
def parallax():
    """The program."""
    from parallax_training.config import program

    try:
        return program()
    except SystemExit as e:
        pytest.skip(str(e))


@pytest.fixture(scope="session")
def fixture_of(tmp_path_factory):
    """Reference values of a shipped model, computed by the program's own networks."""
    example = built("examples", "training_fixture")
    if not example.exists():
        pytest.skip(
            f"no {example}: build it with `cargo build --release --no-default-features --example "
            "training_fixture`"
        )
    folder = tmp_path_factory.mktemp("fixtures")

    def values(model):
        from safetensors.torch import load_file

        path = folder / f"{model.replace('/', '-')}.safetensors"
        if not path.exists():
            subprocess.run([example, ROOT / "models" / model, path], check=True)
        return load_file(path)

    return values


@pytest.fixture(scope="session")
def episodes(parallax, tmp_path_factory):
    """A few recorded episodes of two scenes."""
    folder = tmp_path_factory.mktemp("episodes")
    for scene in ("push", "fall"):
        run = [
            parallax,
            "collect",
            "--scene",
            scene,
            "--episodes",
            "64",
            "--seed",
            "0",
            "--out",
            folder / scene,
        ]
        subprocess.run(run, check=True, env={**os.environ, "PARALLAX_HOME": str(ROOT)}, capture_output=True)
    return folder
