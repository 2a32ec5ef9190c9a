"""Episodes on the device, decoded by threads while others are still being recorded. Batches are gathered
there."""

import math
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from . import shards

# Held while a thread speaks to the GPU and while a CUDA graph is captured: the two do not go together.
DEVICE = threading.Lock()
SHARD = 64


class Episode:
    """Where an episode lies in the buffer."""

    __slots__ = ("first", "frames", "scene", "seed", "seen", "states")

    def __init__(self, scene, seed, first, frames, states, seen=None):
        self.scene, self.seed, self.first, self.frames, self.states = scene, seed, first, frames, states
        # Of whoever asks: whether a pixel of each body is seen in each frame.
        self.seen = seen


class Experience:
    """Frames as bytes, actions and (for those who ask) masks of what moves, of `wanted` episodes a scene.

    `folders`: {scene: folder}. A folder may be filled while it is read: shards take their names when they
    are whole.
    """

    def __init__(
        self,
        folders,
        wanted,
        device,
        *,
        validation,
        action_dim,
        masks=False,
        seen=False,
        threads=6,
        most_frames=None,
        patience=60.0,
    ):
        self.folders, self.device, self.patience, self.masks = folders, torch.device(device), patience, masks
        self.seen = seen
        self.every = max(2, round(1 / validation)) if validation > 0 else 0
        self.decompress = shards.decompressor()
        self.info, self.faults, begun = {}, [], time.time()
        while len(self.info) < len(folders):
            for scene, folder in folders.items():
                if scene not in self.info and os.path.exists(shards.path_of(folder, 0)):
                    self.info[scene] = self.look(folder, action_dim)
            if len(self.info) < len(folders):
                if time.time() - begun > patience:
                    missing = sorted(folders[s] for s in set(folders) - set(self.info))
                    if not self.info:
                        raise SystemExit(
                            f"no episodes in {', '.join(missing)}; record them with `parallax collect`"
                        )
                    self.faults.append(f"no episodes in {', '.join(missing)}")
                    self.folders = folders = {s: f for s, f in folders.items() if s in self.info}
                    wanted = {s: n for s, n in wanted.items() if s in self.info}
                    break
                time.sleep(0.2)
        self.size = next(iter(self.info.values()))["size"]
        share = 1.0
        if most_frames:
            share = min(1.0, most_frames / sum(n * self.info[s]["frames"] for s, n in wanted.items()))
        self.wanted = {s: max(1, int(n * share)) for s, n in wanted.items()}
        self.capacity = sum(n * self.info[s]["frames"] for s, n in self.wanted.items())
        pixels, n = self.size * self.size, self.capacity
        # 64-bit words: a gather of rows is eight times fewer numbers.
        self.words = torch.empty((n, pixels * 3 // 8), dtype=torch.int64, device=self.device)
        self.moving = torch.empty((n, pixels // 8), dtype=torch.uint8, device=self.device) if masks else None
        self.bits = torch.arange(7, -1, -1, dtype=torch.uint8, device=self.device)
        self.actions = torch.zeros((n, action_dim), device=self.device)
        # The first and the last frame of every frame's episode.
        self.first, self.last = (torch.zeros(n, dtype=torch.int64, device=self.device) for _ in range(2))
        self.stream = None
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            self.stream = torch.cuda.Stream(self.device)
        # Every shard has its place, so that experience lies alike however it comes.
        self.base, at = {}, 0
        for scene, n in self.wanted.items():
            self.base[scene] = at
            at += n * self.info[scene]["frames"]
        self.episodes, self.used, self.guard, self.frozen = [], 0, threading.Lock(), False
        self.plain = False
        self.counts, self.done = dict.fromkeys(folders, 0), False
        self.thread = threading.Thread(target=self.load, args=(threads,), daemon=True)
        self.thread.start()

    def look(self, folder, action_dim):
        """Sizes of a folder's episodes, from its index and its first shard."""
        index, first = shards.index_of(folder), shards.Shard(shards.path_of(folder, 0), self.decompress)
        if first.dim > action_dim:
            raise SystemExit(f"{folder}: actions of {first.dim} components, but the model takes {action_dim}")
        bodies = index["scene"]["bodies"]
        ids = np.zeros(256, bool)
        for i, body in enumerate(bodies[:255]):
            ids[i + 1] = body["kind"] != "Fixed"
        frames = max(len(e[1]) for e in first.episodes)
        return dict(size=first.size, frames=frames, bodies=bodies, moving=ids)

    def held(self, episode):
        """Whether an episode only validates: the last of every so many seeds."""
        return self.every > 0 and episode.seed % self.every == self.every - 1

    def one(self, scene, number):
        shard = shards.Shard(shards.path_of(self.folders[scene], number), self.decompress)
        some = shard.episodes[: self.wanted[scene] - number * SHARD]
        total = sum(len(e[1]) for e in some)
        frames = np.concatenate([e[1] for e in some]).view(np.int64)
        actions = np.zeros((total, self.actions.shape[1]), np.float32)
        actions[:, : shard.dim] = np.concatenate([e[3] for e in some])
        first, last = np.zeros(total, np.int64), np.zeros(total, np.int64)
        parts = [(self.words, torch.from_numpy(frames)), (self.actions, torch.from_numpy(actions))]
        if self.masks:
            moving = self.info[scene]["moving"][np.concatenate([e[2] for e in some])]
            parts.append((self.moving, torch.from_numpy(np.packbits(moving, axis=1))))
        longest = self.info[scene]["frames"]
        start, room = self.base[scene] + number * SHARD * longest, len(some) * longest
        if total > room:
            raise ValueError(f"{total} frames, expected at most {room}: as many as the first shard's longest")
        found, at = [], 0
        for seed, pixels, ids, _, states in some:
            n = len(pixels)
            first[at : at + n], last[at : at + n] = start + at, start + at + n - 1
            seen = np.stack([(ids == b + 1).any(1) for b in range(states.shape[1])], 1) if self.seen else None
            found.append(Episode(scene, seed, start + at, n, states.copy(), seen))
            at += n
        parts += [(self.first, torch.from_numpy(first)), (self.last, torch.from_numpy(last))]
        with DEVICE:
            if self.stream is None:
                for to, what in parts:
                    to[start : start + total].copy_(what)
            else:
                with torch.cuda.stream(self.stream):
                    for to, what in parts:
                        to[start : start + total].copy_(what)
                self.stream.synchronize()
        with self.guard:
            if not self.frozen:
                self.episodes.extend(found)
                self.counts[scene] += len(found)
                self.used = max(self.used, start + total)

    def freeze(self):
        """From here on nothing is taken in: what is stored of every frame stays complete."""
        with self.guard:
            self.frozen = True

    def keep_only(self, episodes):
        """Leaves the other episodes out from here on."""
        with self.guard:
            self.frozen, self.episodes = True, list(episodes)

    def load(self, threads):
        waiting = {s: list(range(math.ceil(n / SHARD))) for s, n in self.wanted.items()}
        fresh = time.time()
        with ThreadPoolExecutor(threads) as pool:
            running = {}
            while (any(waiting.values()) or running) and not self.frozen:
                for scene, numbers in waiting.items():
                    for i in [
                        i for i in numbers[:16] if os.path.exists(shards.path_of(self.folders[scene], i))
                    ]:
                        numbers.remove(i)
                        running[pool.submit(self.one, scene, i)] = (scene, i)
                for future in [f for f in running if f.done()]:
                    scene, i = running.pop(future)
                    fresh = time.time()
                    if future.exception():  # that shard is left out, the others are read
                        self.faults.append(f"{scene}, shard {i}: {future.exception()!r}")
                if not running and time.time() - fresh > self.patience:
                    break
                time.sleep(0.02)
        self.done = True

    def snapshot(self):
        """The episodes that are there now."""
        with self.guard:
            return list(self.episodes)

    def wait(self, share=1.0, until=None):
        """Waits for `share` of every scene's episodes, until the time `until`, or until no more come."""
        while not self.done and any(self.counts[s] < share * n for s, n in self.wanted.items()):
            if until and time.time() > until and min(self.counts.values()) > 0:
                break
            time.sleep(0.05)
        if not self.episodes:
            raise SystemExit(f"no episodes could be read: {self.faults[:3]}")
        with self.guard:  # the same places for the same numbers, whichever thread was first
            self.episodes.sort(key=lambda e: e.first)
        # A gather out of a very large tensor is tried before it is trusted.
        rows = [e.first + e.frames - 1 for e in sorted(self.snapshot(), key=lambda e: e.first)[-3:]]
        found = self.words.index_select(0, torch.tensor(rows, device=self.device))
        self.plain = not torch.equal(found, torch.stack([self.words[r] for r in rows]))

    def bytes_at(self, rows):
        """Frames `[N, H·W·3]` as bytes."""
        rows = rows.reshape(-1)
        return (self.words[rows] if self.plain else self.words.index_select(0, rows)).view(torch.uint8)

    def moving_at(self, rows):
        """Where moving bodies are, `[N, H·W]`."""
        packed = self.moving.index_select(0, rows.reshape(-1))
        return ((packed[..., None] >> self.bits) & 1).bool().flatten(1)

    def blocks_at(self, starts, tokens, skip):
        """The actions `[B, tokens - 1, skip·A]` that follow the frames `starts`."""
        n = (tokens - 1) * skip
        rows = (starts[:, None] + torch.arange(n, device=self.device)).flatten()
        return self.actions.index_select(0, rows).reshape(len(starts), tokens - 1, -1)

    def about(self):
        """What a card says of the experience."""
        all_of = self.snapshot()
        seeds = [e.seed for e in all_of]
        frames = sum(e.frames for e in all_of)
        return f"{len(all_of)} episodes, {frames} frames, seeds {min(seeds)}-{max(seeds)}"


class Places:
    """Frames that something may begin at: `before` frames of their episode come before them and `after`
    frames follow. Grows."""

    def __init__(self, experience, *, held, before=0, after=0, episodes=None):
        self.experience, self.held, self.before, self.after, self.only = (
            experience,
            held,
            before,
            after,
            episodes,
        )
        device = experience.device
        self.rows = torch.zeros(experience.capacity, dtype=torch.int64, device=device)
        self.count, self.n, self.seen = torch.zeros((), dtype=torch.float64, device=device), 0, 0
        self.refresh()

    def refresh(self):
        """Takes in the episodes that have come since."""
        found = self.experience.snapshot() if self.only is None else self.only
        fresh, self.seen = found[self.seen :], len(found)
        rows = [
            np.arange(e.first + self.before, e.first + max(self.before, e.frames - self.after))
            for e in fresh
            if self.experience.held(e) == self.held
        ]
        if rows:
            rows = torch.from_numpy(np.concatenate(rows).astype(np.int64)).to(self.rows.device)
            self.rows[self.n : self.n + len(rows)].copy_(rows)
            self.n += len(rows)
            self.count.fill_(float(self.n))

    def at(self, uniform):
        """Places by numbers in [0, 1), in f64."""
        return self.rows.index_select(0, (uniform * self.count).long())

    def spread(self, most):
        """At most `most` places, evenly spaced."""
        return self.rows[: self.n][:: max(1, self.n // most)][:most].clone()
