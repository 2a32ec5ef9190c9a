"""`train.ron`, as the program itself reads it: `parallax train FILE --print json` checks it and fills in
the defaults."""

import json
import os
import shutil
import subprocess
from pathlib import Path

# Of recipes that go on from another kind of model: the field that names its folder, and their own sizes.
HYBRIDS = {
    "Belief": ("lewm", "belief"),
    "Remembering": ("diffusion", "belief"),
    "DrawnLewm": ("lewm", "denoiser"),
    "TokenDiffusion": ("jepa", "diffusion"),
    "Keyframes": ("lewm", "keyframes"),
    "Jumps": ("lewm", "jumps"),
    "Distance": ("lewm", "distance"),
}


def program(given=None):
    """The `parallax` binary: the one given, `$PARALLAX`, the last build, or the one on the path."""
    root = Path(__file__).resolve().parents[2]
    built = Path(os.environ.get("CARGO_TARGET_DIR", root / "target")) / "release" / "parallax"
    for found in (given, os.environ.get("PARALLAX"), str(built), shutil.which("parallax")):
        if found and os.access(found, os.X_OK):
            return os.path.abspath(found)
    raise SystemExit(
        f"no parallax program at {built} nor on the path: build it with `cargo build --release`, or "
        "name it with --parallax"
    )


class Recipe:
    """A training: the text of its `train.ron` and what it says."""

    def __init__(self, text, config, path):
        self.text, self.config, self.path = text, config, str(path)
        ((self.kind, self.body),) = config["architecture"].items()
        self.network = None

    @classmethod
    def load(cls, path, parallax=None):
        """Reads and checks a file."""
        path = Path(path)
        run = [program(parallax), "train", str(path), "--print", "json"]
        done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{path}: {done.stderr.strip() or 'the program refuses it'}")
        return cls(path.read_text(encoding="utf-8"), json.loads(done.stdout), path)

    @property
    def name(self):
        return self.config["name"]

    @property
    def model(self):
        """The architecture's sizes; of a hybrid, with those of the finished model that it goes on from."""
        if self.kind not in HYBRIDS:
            return self.body["model"]
        if self.network is None:
            from . import ron, start

            finished, own = HYBRIDS[self.kind]
            folder = start.folder_of(self.body[finished], f"{self.path}: {finished}")
            network = ron.read(folder / "model.ron")
            if self.kind == "Remembering":  # one network, with a belief in it
                self.network = {**network, own: ron.Some(self.body[own])}
            else:
                self.network = {finished: network, own: self.body[own]}
        return self.network

    @property
    def action_dim(self):
        """Components of an action that the experience is padded to."""
        if self.kind == "Remembering":
            return self.model["action_dim"]
        part = "diffusion" if self.kind == "TokenDiffusion" else HYBRIDS.get(self.kind, (None,))[0]
        return (self.model[part] if part else self.model)["action_dim"]

    @property
    def folders(self):
        """Folders of experience, of all phases."""
        more = self.body.get("actions", {}).get("data", []) if self.kind == "VjepaAc" else []
        return list(dict.fromkeys(self.config["data"] + more))

    def fields(self):
        """Every field by its name, for whoever compares two trainings."""
        return fields_of(self.config)

    def set(self, field, value):
        """Keeps a measured value, such as `sigma_data`: `model.ron` tells it, `train.ron` does not."""
        own = HYBRIDS.get(self.kind, (None, None))[1]
        (self.model[own] if own else self.model)[field] = value


def fields_of(value, name=""):
    """The leaves of a tree of settings, `a.b.c: value`."""
    if not isinstance(value, dict):
        return {name: value}
    leaves = {}
    for key, part in value.items():
        leaves.update(fields_of(part, f"{name}.{key}".strip(".")))
    return leaves


def first_difference(before, now):
    """The first field in which two lists of fields differ, with both values; none where they agree."""
    for name in [*before, *(n for n in now if n not in before)]:
        found = before.get(name, "nothing"), now.get(name, "nothing")
        if found[0] != found[1]:
            return name, *found
    return None


def minutes_of(length):
    """Minutes of a phase, or none where its length is counted in steps."""
    return length.get("Minutes") if isinstance(length, dict) else None
