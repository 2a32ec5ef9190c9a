"""The one training loop: phases with a clock, a graph where shapes stand, a curve, checkpoints, and an end
in time."""

import io
import json
import math
import os
import signal
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from . import experience
from .config import first_difference, minutes_of
from .export import replace

# Before the deadline no phase goes on: the model is written.
LAST_SECONDS = 4.0
# What the card of a model says that was written on the way.
UNFINISHED = "Written before its end."


def rounded(value):
    """Four digits are enough for a curve; NaN has no place in JSON."""
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, (list, tuple)) else value


def is_finished(folder):
    """Whether a folder holds a model that was not written on the way."""
    try:
        with open(os.path.join(folder, "card.ron"), encoding="utf-8") as f:
            return UNFINISHED not in f.read()
    except OSError:
        return False


@dataclass
class Phase:
    """One optimisation: what is drawn, what a step does, when it ends and what is told."""

    name: str
    length: dict | str
    optimiser: object
    # Fills tensors with random numbers; never part of a graph.
    draw: Callable
    # Loss, gradient and update, of tensors alone; `shown` keeps what is told.
    body: Callable
    # Learning rate of (step, progress).
    rate: Callable
    # Examples a step, for the rate on the curve.
    batch: int
    shown: dict = field(default_factory=dict)
    # More for the curve, measured on what only validates.
    measure: Callable = dict
    # Takes in what has come since; called now and then.
    refresh: Callable = lambda: None
    # Called before each step with the progress.
    at: Callable = lambda progress: None
    # Whether every step has the same shapes and no decisions.
    graph: bool = True
    # Whether checkpoints hold it, and its steps count. A short phase is done again by whoever goes on.
    kept: bool = True
    # What a checkpoint needs besides networks, optimiser and random numbers, as tensors by name...
    state: Callable = dict
    # ...and what takes it up again.
    restore: Callable = lambda state: None
    # Writes what there is, every so many seconds.
    export: Callable | None = None
    export_seconds: float = 90.0


class Stepper:
    """Runs a step, as one captured CUDA graph where it can be."""

    def __init__(self, phase, run):
        self.phase, self.graph = phase, None
        if run.device.type != "cuda" or not run.accelerate or not phase.graph:
            return
        phase.optimiser.lr.fill_(1e-9)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(4):
                phase.draw()
                phase.body()
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        with experience.DEVICE:
            try:
                torch.cuda.synchronize()
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                    phase.body()
                self.graph = graph
            except Exception as e:
                run.say(f"{phase.name}: no CUDA graph, step by step instead: {e!r}"[:600])
                torch.cuda.synchronize()

    def __call__(self):
        self.phase.draw()
        if self.graph:
            self.graph.replay()
        else:
            self.phase.body()


class Run:
    """A training under way: where it runs and writes, how long it may take, and what it has done."""

    def __init__(
        self,
        recipe,
        out,
        device,
        world,
        *,
        deadline=None,
        steps=None,
        accelerate=True,
        reserve=10.0,
        resume=False,
        checkpoint_seconds=0.0,
        log_seconds=10.0,
        fill=False,
    ):
        self.recipe, self.out, self.device, self.world = recipe, out, device, world
        self.deadline, self.most_steps, self.accelerate, self.reserve = deadline, steps, accelerate, reserve
        self.checkpoint_seconds, self.log_seconds, self.most_factor = (
            checkpoint_seconds,
            log_seconds,
            4.0 if fill else 1.0,
        )
        self.begun, self.started, self.factor, self.stopped, self.cut = (
            time.time(),
            time.time(),
            1.0,
            False,
            False,
        )
        self.steps, self.seconds, self.modules, self.frames = {}, {}, {}, {}
        self.earlier, self.broken = 0.0, False
        self.random = torch.Generator(device=device)
        self.reseed("networks")
        # What the training begins with, before anything is measured.
        self.began = {"train.ron": recipe.fields()}
        os.makedirs(out, exist_ok=True)
        self.saved = None
        path = os.path.join(out, "checkpoint.pt")
        if resume and os.path.exists(path):
            self.saved = torch.load(path, map_location=device, weights_only=True)
            self.refuse_another(path)
            self.steps, self.earlier = self.saved["steps"], self.saved["minutes"]
            self.say(f"goes on from {path}: {self.steps}")
        elif resume and is_finished(out):
            raise SystemExit(
                f"{out}: holds a finished model, and there is nothing to go on with; choose another folder "
                "with --out, or begin anew without --resume"
            )
        self.curve = (
            open(os.path.join(out, "curve.jsonl"), "a" if self.saved else "w", encoding="utf-8")
            if world.leads
            else None
        )
        signal.signal(signal.SIGTERM, self.stop)

    def begin_with(self, part, fields):
        """Notes what else the training begins with; a resumed one must be given the same."""
        self.began[part] = fields
        if self.saved:
            self.refuse_another(os.path.join(self.out, "checkpoint.pt"))

    def refuse_another(self, path):
        """Refuses to go on with a training that began with something else."""
        for part, now in self.began.items():
            before = self.saved.get("began", {}).get(part)
            found = first_difference(before, now) if before is not None else ("", "nothing", "this")
            if found:
                raise SystemExit(
                    f"{path}: {part}: {found[0]}: the unfinished training began with {found[1]}, found "
                    f"{found[2]}; give it back what it began with, choose another folder with --out, or "
                    "begin anew without --resume"
                )

    def reseed(self, name, apart=False):
        """Random numbers depend from here on on the recipe's seed and on `name`, not on what came before:
        a resumed training draws the same. Networks draw alike in all processes, unless they stand apart."""
        seed = zlib.crc32(f"{self.recipe.config['seed']} {name}".encode())
        torch.manual_seed(seed + (self.world.rank if apart else 0))
        self.random.manual_seed(seed)

    def randomness(self):
        """The states of both generators."""
        on_device = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        own = [torch.get_rng_state(), self.random.get_state()]
        return own if on_device is None else [*own, on_device]

    def restore_randomness(self, states):
        torch.set_rng_state(states[0].cpu())
        self.random.set_state(states[1].cpu())
        if len(states) > 2 and self.device.type == "cuda":
            torch.cuda.set_rng_state(states[2].cpu(), self.device)

    def stop(self, *_):
        """Ends the phase under way; what there is is written."""
        self.stopped = True

    def say(self, *words):
        if self.world.leads:
            try:
                print(f"[{time.time() - self.begun:6.1f}s] {self.recipe.name}:", *words, flush=True)
            except OSError:  # a full disk costs the log, not the model
                pass

    def log(self, **line):
        """A line of the curve."""
        line = rounded(line)
        if self.curve:
            try:
                self.curve.write(json.dumps(line, sort_keys=True) + "\n")
                self.curve.flush()
            except OSError as e:  # a full disk costs the curve, not the model
                self.say(f"the curve ends here: {e}")
                self.curve = None
        self.say(json.dumps(line))

    def keep(self, **modules):
        """Networks that checkpoints hold."""
        self.modules.update(modules)
        if self.saved:
            for name, module in modules.items():
                module.load_state_dict(self.saved["modules"][name])

    def wait_for(self, path):
        """Waits until it is this training's turn."""
        while path and not os.path.exists(path) and not self.stopped:
            time.sleep(0.05)
        self.started = time.time()

    def plan(self, lengths):
        """Stretches or shortens all phases alike, so that `reserve` seconds before the deadline are left
        for what is counted in steps."""
        if self.deadline is None:
            return
        wanted = 60 * sum(minutes_of(length) or 0 for length in lengths)
        left = self.deadline - time.time() - self.reserve
        if wanted > 0:
            self.factor = max(0.02, min(self.most_factor, left / wanted))
        self.say(
            f"{left:.0f} s until the deadline, {wanted:.0f} s asked for: phases take {self.factor:.2f} "
            "of their minutes"
        )

    @property
    def frames_seen(self):
        """Frames that losses were computed over."""
        return sum(n * self.frames.get(name, 0) for name, n in self.steps.items())

    @property
    def minutes(self):
        """Of the training so far."""
        return self.earlier + (time.time() - self.started) / 60

    def progress(self, length, step, seconds):
        if length == "Skip":
            return 1.0
        if self.most_steps is not None:
            return step / self.most_steps
        if "Steps" in length:
            return step / length["Steps"]
        return seconds / (60 * length["Minutes"] * self.factor)

    def over(self):
        late = self.deadline is not None and time.time() > self.deadline - LAST_SECONDS
        return self.stopped or late

    def train(self, phase):
        """Takes a phase's steps; returns how many."""
        saved = self.saved if self.saved and self.saved["phase"] == phase.name else None
        if phase.kept:
            self.frames[phase.name] = phase.batch
            if self.saved and not saved and phase.name in self.steps:
                return self.steps[phase.name]
            self.saved = None
        done, before = 0, 0.0
        self.reseed(phase.name, apart=True)
        if saved:
            phase.optimiser.restore(saved["optimiser"])
            self.restore_randomness(saved["random"])
            phase.restore(saved["state"])
            done, before = saved["step"], saved["seconds"]
        kept = {k: v.clone() for k, v in phase.optimiser.state().items()}
        buffers = [(b, b.clone()) for m in self.modules.values() for b in m.buffers()]
        randomness = self.randomness()
        stepper = Stepper(phase, self)
        if self.device.type == "cuda":  # what a warm-up moved is put back
            phase.optimiser.restore(kept)
            for buffer, value in buffers:
                buffer.copy_(value)
            self.restore_randomness(randomness)
        del kept, buffers, randomness
        begun = told = saved_at = exported = time.time()
        told_steps = done
        self.say(f"{phase.name} begins, {'as one graph' if stepper.graph else 'step by step'}")
        while True:
            now = time.time()
            seconds = before + now - begun
            progress, over = self.world.agree((self.progress(phase.length, done, seconds), self.over()))
            if progress >= 1 or (over and done > 0):
                self.cut |= progress < 0.98
                break
            # What follows a phase that was broken off is no place to go on from.
            keeps = self.checkpoint_seconds and phase.kept and not self.broken
            phase.at(progress)
            lr = phase.rate(done, progress)
            phase.optimiser.lr.fill_(lr)
            stepper()
            done += 1
            if done % 8 == 0 and self.device.type == "cuda":
                torch.cuda.synchronize()  # the clock decides the rate: the queue of work stays short
            if done % 64 == 0:
                phase.refresh()
            if now - told > self.log_seconds or done == 64:
                self.tell(phase, done, seconds, lr, done - told_steps, told)
                told, told_steps = time.time(), done
            if keeps and now - saved_at > self.checkpoint_seconds:
                self.checkpoint(phase, done, seconds)
                saved_at = time.time()
            if phase.export and now - exported > phase.export_seconds and self.world.leads:
                self.steps[phase.name] = done
                phase.export()
                exported = time.time()
        seconds = before + time.time() - begun
        self.tell(phase, done, seconds, 0.0, done - told_steps, told)
        if phase.kept:
            self.steps[phase.name], self.seconds[phase.name] = done, seconds
            if self.checkpoint_seconds and not self.broken:
                self.checkpoint(phase, done, seconds)
            self.broken |= progress < 1
        if self.device.type == "cuda":  # others may need the memory
            del stepper
            torch.cuda.empty_cache()
        if phase.optimiser.faults.item() > max(10, done // 10):
            raise RuntimeError(
                f"{phase.name} diverged: {int(phase.optimiser.faults.item())} gradients were not finite"
            )
        return done

    def tell(self, phase, done, seconds, lr, steps, since):
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        rate = steps * phase.batch / max(time.time() - since, 1e-9)
        shown = {k: v.item() for k, v in phase.shown.items()}
        line = dict(
            phase=phase.name,
            step=done,
            minutes=seconds / 60,
            lr=lr,
            grad_norm=phase.optimiser.norm.item(),
            **shown,
        )
        try:
            # These shapes come seldom: tuning convolutions to them would take longer than it saves.
            with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, benchmark=False, allow_tf32=True):
                line.update(phase.measure())
        except torch.cuda.OutOfMemoryError as e:
            line["not_measured"] = str(e)[:100]
        self.log(**line, faults=phase.optimiser.faults.item(), examples_per_s=float(round(rate)))

    def checkpoint(self, phase, done, seconds):
        """Weights, optimiser and random numbers, to go on from with --resume."""
        if not self.world.leads:
            return
        state = dict(
            phase=phase.name,
            step=done,
            seconds=seconds,
            steps={**self.steps, phase.name: done},
            minutes=self.minutes,
            optimiser=phase.optimiser.state(),
            modules={n: m.state_dict() for n, m in self.modules.items()},
            random=self.randomness(),
            state=phase.state(),
            began=self.began,
        )
        data = io.BytesIO()
        torch.save(state, data)
        try:
            replace(os.path.join(self.out, "checkpoint.pt"), data.getvalue())
        except OSError as e:
            self.say(f"no checkpoint: {e}")

    def forget(self):
        """The training is done: there is nothing to go on from."""
        path = os.path.join(self.out, "checkpoint.pt")
        if os.path.exists(path):
            os.remove(path)

    def uniform(self, *shape):
        """A tensor for numbers in [0, 1), and what fills it."""
        x = torch.zeros(shape, dtype=torch.float64, device=self.device)
        return x, lambda: x.uniform_(generator=self.random)

    def normal(self, *shape):
        x = torch.zeros(shape, device=self.device)
        return x, lambda: x.normal_(generator=self.random)

    def shown(self, *names):
        """Named scalars that a step fills and the curve shows."""
        return {n: torch.zeros((), device=self.device) for n in names}
