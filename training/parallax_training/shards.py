"""Shards of episodes, as `parallax collect` writes them: `PLXEP001`, a JSON header, one LZ4 frame."""

import json
import os
import struct

import numpy as np

MAGIC = b"PLXEP001"
# Seeds from here on calibrate, tune or are held out: no training may see them.
FIRST_UNSEEN = 500_000


def decompressor():
    """Decodes an LZ4 frame: by the package `lz4`, or by `pyarrow` where that is missing."""
    try:
        import lz4.frame

        return lambda data, size: lz4.frame.decompress(data)
    except ImportError:
        pass
    try:
        import pyarrow
    except ImportError:
        raise SystemExit(
            "episodes are LZ4 frames: install the package lz4 (or pyarrow) to read them"
        ) from None
    return lambda data, size: pyarrow.decompress(data, decompressed_size=size, codec="lz4", asbytes=True)


def path_of(folder, number):
    """The file of shard `number`."""
    return os.path.join(folder, f"shard-{number:05}.plx")


def index_of(folder):
    """`index.json` of a folder of episodes: the scene and the size of its frames."""
    with open(os.path.join(folder, "index.json"), encoding="utf-8") as f:
        return json.load(f)


class Shard:
    """One shard, decoded: for every episode its seed and views of frames, bodies' ids, actions and states."""

    def __init__(self, path, decompress):
        with open(path, "rb") as f:
            raw = f.read()
        if raw[:8] != MAGIC:
            raise ValueError(
                f"{path}: not a shard of episodes: it begins with {raw[:8]!r}, expected {MAGIC!r}"
            )
        (n,) = struct.unpack("<I", raw[8:12])
        self.header = header = json.loads(raw[12 : 12 + n])
        self.size, self.dim, bodies = header["size"], header["action_dim"], header["bodies"]
        pixels = self.size * self.size
        each = pixels * 4 + 4 * self.dim + 52 * bodies
        expected = each * sum(e["frames"] for e in header["episodes"])
        data = np.frombuffer(decompress(memoryview(raw)[12 + n :], expected), np.uint8)
        if len(data) != expected:
            raise ValueError(f"{path}: {len(data)} bytes of episodes, expected {expected}; record it again")
        self.episodes, at = [], 0

        def take(count):
            nonlocal at
            at += count
            return data[at - count : at]

        for e in header["episodes"]:
            t, seed = e["frames"], e["seed"]
            if seed >= FIRST_UNSEEN:
                raise ValueError(
                    f"{path}: seed {seed} is not for training: those begin at 0 and end below {FIRST_UNSEEN}"
                )
            frames = take(t * pixels * 3).reshape(t, pixels * 3)
            ids = take(t * pixels).reshape(t, pixels)
            actions = take(t * self.dim * 4).view("<f4").reshape(t, self.dim)
            states = take(t * bodies * 52).view("<f4").reshape(t, bodies, 13)
            self.episodes.append((seed, frames, ids, actions, states))
