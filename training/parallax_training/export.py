"""The model folder that Parallax loads: what was asked for (`train.ron`, word for word), the network that
came out (`model.ron`), weights and read-outs in 16 bits, the card and the curve; and a tar of them."""

import hashlib
import os
import tarfile

import torch
from safetensors.torch import load_file, save_file

from . import ron

FILES = ("card.ron", "model.ron", "train.ron", "model.safetensors", "curve.jsonl")
READOUTS = ("readouts.json", "readouts.safetensors")
# What is trained on a finished model and lies beside its weights: the card names it by its file's name.
KEYFRAMES = ("keyframes.safetensors", "keyframes.ron")
JUMPS = ("jumps.safetensors", "jumps.ron")
DISTANCE = ("distance.safetensors", "distance.ron")


def load_weights(folder):
    """A model folder's weights in f32, those of read-outs, keyframes, jumps and distance included."""
    names = ("model.safetensors", READOUTS[1], KEYFRAMES[0], JUMPS[0], DISTANCE[0])
    files = [os.path.join(folder, name) for name in names]
    return {k: v.float() for f in files if os.path.exists(f) for k, v in load_file(f).items()}


def quoted(text):
    """A RON string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


def network(value, indent=0):
    """A network's settings in RON: the names of variants without quotes, rows of numbers in parentheses."""
    if isinstance(value, ron.Some):
        return f"Some({network(dict(value), indent)})"
    if isinstance(value, dict):
        inner = "    " * (indent + 1)
        fields = "".join(f"{inner}{k}: {network(v, indent + 1)},\n" for k, v in value.items())
        return "(\n" + fields + "    " * indent + ")"
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(network(v) for v in value) + ")"
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else repr(value)


def replace(path, data):
    """Writes a file beside its place and moves it there: it is whole or not there."""
    part = path + ".part"
    with open(part, "wb") as f:
        f.write(data)
        f.flush()
    os.chmod(part, 0o644)
    os.replace(part, path)


def write_weights(tensors, path):
    """Writes weights in f16, sorted by name; returns their SHA-256."""
    out = {}
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().to(torch.float16).contiguous().clone()
        if not torch.isfinite(value).all():
            raise ValueError(f"{path}: {name} is not finite in 16 bits; the training diverged")
        out[name] = value
    part = path + ".part"
    try:
        save_file(out, part)
        with open(part, "rb") as f:
            data = f.read()
        os.chmod(part, 0o644)
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.remove(part)
    return hashlib.sha256(data).hexdigest()


def stage(of):
    """An earlier training, as a card names it."""
    said = (f"{k}: {quoted(v) if isinstance(v, str) else repr(v)}" for k, v in of.items())
    return f"({', '.join(said)})"


def card(recipe, sha256, **about):
    """The text of `card.ron`."""
    c = recipe.config
    scenes = ", ".join(quoted(s) for s in sorted(about["scenes"]))
    fields = [
        ("format", "1"),
        ("name", quoted(c["name"])),
        ("camp", about["camp"]),
        ("summary", quoted(c["summary"])),
        ("architecture", quoted(about["architecture"])),
        ("scenes", f"[{scenes}]"),
        ("parameters", str(about["parameters"])),
        ("steps", str(about["steps"])),
        ("seed", str(c["seed"])),
        ("data", quoted(about["data"])),
        ("hardware", quoted(about["hardware"])),
        ("minutes", repr(float(about["minutes"]))),
        ("sha256", quoted(sha256)),
        ("notes", quoted(about["notes"])),
    ]
    if about.get("readouts"):
        fields.append(("readouts", f"Some({quoted(about['readouts'])})"))
    fields.append(("frames", str(about["frames"])))
    if about.get("stages"):
        fields.append(("stages", f"[{', '.join(stage(s) for s in about['stages'])}]"))
    fields.append(("licence", quoted("MIT OR Apache-2.0")))
    return "(\n" + "".join(f"    {k}: {v},\n" for k, v in fields) + ")\n"


def write_folder(out, recipe, tensors, **about):
    """Weights, network, card and recipe of a model. The folder is complete when the card is there."""
    os.makedirs(out, exist_ok=True)
    parts = ({}, {})
    for name, value in tensors.items():
        parts[name.startswith(("probe.", "decoder."))][name] = value
    weights, readouts = parts
    sha256 = write_weights(weights, os.path.join(out, "model.safetensors"))
    beside = os.path.join(out, "readouts.safetensors")
    if readouts:
        about["readouts"] = write_weights(readouts, beside)
    elif os.path.exists(beside):
        os.remove(beside)
    replace(os.path.join(out, "train.ron"), recipe.text.encode())
    replace(os.path.join(out, "model.ron"), (network(recipe.model) + "\n").encode())
    replace(os.path.join(out, "card.ron"), card(recipe, sha256, **about).encode())
    return sha256


def pack(path, folders):
    """A tar of model folders, by way of another name: a reader finds it whole or not at all."""
    part = path + ".part"
    try:
        with tarfile.open(part, "w") as tar:
            for folder in folders:
                name = os.path.basename(os.path.normpath(folder))
                for file in sorted(os.listdir(folder)):
                    if file in (*FILES, *READOUTS, *KEYFRAMES, *JUMPS, *DISTANCE):
                        tar.add(os.path.join(folder, file), arcname=f"{name}/{file}")
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.remove(part)
