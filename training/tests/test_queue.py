"""The queue ends in time with everything written, and one recipe's failure is not the others'."""

import json
import os
import subprocess
import sys
import tarfile
import time

from conftest import ROOT
from test_training import recipe_of

QUEUE = """
[episodes]
push = 64

[[train]]
recipe = "works/train.ron"
lane = "a"
until = 0.9
measure = [
    ["control", "push", "--episodes", "2", "--no-references", "--candidates", "4", "--iterations", "1"],
]

[[train]]
recipe = "fails/train.ron"
lane = "b"
until = 0.5

[[train]]
recipe = "follows/train.ron"
lane = "b"
until = 0.95
smoke = true
"""


def test_a_rehearsal_is_whole(parallax, tmp_path):
    for name in ("works", "fails", "follows"):
        recipe_of(tmp_path / name, "Cloning" if name == "follows" else "Lewm")
    broken = tmp_path / "fails" / "train.ron"
    broken.write_text(broken.read_text().replace("latent_dim", "latent_width"))
    (tmp_path / "QUEUE.toml").write_text(QUEUE)
    out, work = tmp_path / "out", tmp_path / "work"
    run = [sys.executable, "-m", "parallax_training", "queue", str(tmp_path / "QUEUE.toml"), "--minutes", "2"]
    run += ["--out", str(out), "--work", str(work), "--parallax", parallax, "--dry", "--smoke"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "training")}
    begun = time.time()
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False, timeout=150)
    assert time.time() - begun < 121, "the time is a limit"
    log = (out / "queue.log").read_text()
    assert done.returncode == 1, log
    for name, file in (("works", "readouts.json"), ("follows", "card.ron")):
        with tarfile.open(out / f"{name}.tar") as tar:
            files = tar.getnames()
        assert {f"{name}/model.safetensors", f"{name}/train.ron", f"{name}/{file}"} <= set(files), log
    assert not (out / "fails.tar").exists()
    assert "latent_width" in log, "the log says why"
    assert "smoke: follows: 0" in log
    assert list(json.loads((out / "results.json").read_text())) == ["works-control-push"], log
    assert len(list(out.iterdir())) <= 8
