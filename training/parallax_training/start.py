"""What a training begins with that starts from another model: weights, scale of the data, and the trainings
that made them."""

import os
import re
import shutil
from pathlib import Path

import torch

from . import export, ron
from .config import HYBRIDS

ROOT = Path(__file__).resolve().parents[2]


def folder_of(name, field):
    """Where the model folder is that a recipe names: from the program's home, or from here."""
    places = [Path(os.environ.get("PARALLAX_HOME", ROOT)) / name, Path(name), ROOT / name]
    for place in places:
        if (place / "card.ron").is_file():
            return place
    raise SystemExit(f"{field}: found {name}, expected the folder of a finished model (no card.ron there)")


def named(recipe):
    """The folder that a recipe starts from and the field that says so; none where weights are drawn."""
    if recipe.kind in HYBRIDS:
        field = HYBRIDS[recipe.kind][0]
        return recipe.body[field], f"{recipe.path}: {field}"
    phase = recipe.body.get("training", {}) if recipe.kind == "PixelDiffusion" else recipe.body
    field = "training.start" if recipe.kind == "PixelDiffusion" else "start"
    return phase.get("start"), f"{recipe.path}: {field}"


def stages(recipe):
    """The trainings before this one, the first one first, as its card names them."""
    name, field = named(recipe)
    if not name:
        return []
    card = ron.read(folder_of(name, field) / "card.ron")
    last = dict(folder=name, sha256=card["sha256"], steps=card["steps"])
    if card.get("frames"):
        last["frames"] = card["frames"]
    return [*(card.get("stages") or []), dict(last, minutes=card["minutes"])]


def model(recipe, architecture):
    """The network's settings and the weights that a training begins with; none where they are drawn."""
    name, field = named(recipe)
    if not name:
        return None
    folder = folder_of(name, field)
    found = ron.read(folder / "card.ron")["architecture"]
    if found != architecture:
        raise SystemExit(f"{field}: found a model of kind {found} in {folder}, expected {architecture}")
    return ron.read(folder / "model.ron"), export.load_weights(folder)


@torch.no_grad()
def fill(network, weights, prefix, field, complete=True):
    """Gives a network the weights under `prefix`; what an incomplete start lacks stays as drawn."""
    for name, own in network.state_dict(keep_vars=True).items():
        value = weights.get(prefix + name)
        if value is None and not complete:
            continue
        if value is None or value.shape != own.shape:
            found = "nothing" if value is None else f"shape {tuple(value.shape)}"
            raise SystemExit(
                f"{field}: tensor {prefix}{name}: found {found}, expected {tuple(own.shape)}: a training "
                "starts from a model of the same widths"
            )
        own.copy_(value)


def write_beside(run, exp, tensors, about, files):
    """The folder of the finished model that a recipe goes on from, with what was trained on it: weights and
    recipe in `files`, their checksum on the card."""
    (weights, recipe), finished = files, named(run.recipe)[0]
    folder, out = folder_of(finished, run.recipe.path), os.path.abspath(run.out)
    os.makedirs(out, exist_ok=True)
    if os.path.realpath(folder) != os.path.realpath(out):
        for name in (*export.FILES, *export.READOUTS, *export.KEYFRAMES, *export.JUMPS):
            if name != "card.ron" and os.path.exists(folder / name):
                shutil.copyfile(folder / name, os.path.join(out, name))
    sha256 = export.write_weights(tensors, os.path.join(out, weights))
    export.replace(os.path.join(out, recipe), run.recipe.text.encode())
    field = weights.split(".")[0]
    said = re.sub(rf"\n *{field}: Some\([^)]*\),", "", (folder / "card.ron").read_text(encoding="utf-8"))
    said = said.replace("\n    licence:", f"\n    {field}: Some({export.quoted(sha256)}),\n    licence:", 1)
    export.replace(os.path.join(out, "card.ron"), said.encode())
    run.say(f"written: {out}, {weights}: {about['parameters']} parameters on {exp.about()}")


def widened(weight, before, now):
    """The layer that reads the actions, for more components of an action: what is new starts at zero."""
    added = now["action_dim"] - before["action_dim"]
    if added <= 0 or before["actions"] != now["actions"]:
        return weight
    kept, acts = weight[:, : before["embed"]], weight[:, before["embed"] :]
    acts = acts.reshape(len(weight), before["actions"], before["action_dim"])
    return torch.cat([kept, torch.nn.functional.pad(acts, (0, added)).flatten(1)], 1)
