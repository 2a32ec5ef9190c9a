"""Trains a list of recipes within a given time: the processor collects and measures while the GPU trains,
in lanes side by side.

`python -m parallax_training queue QUEUE.toml --minutes 9 --out DIR`. Each recipe is a process of its own:
one that fails is tried once more
without graphs and compilation, and the others go on. What is finished is packed into DIR at once; at the
end of the time all is written.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

from . import export
from .config import program

ROOT = Path(__file__).resolve().parents[2]
# A pack is no larger: results may have to travel.
MOST_BYTES = 15_500_000
# Seconds before their turn at which the first and the second of a lane start to prepare.
AHEAD = (12, 35)


def arguments(given):
    p = argparse.ArgumentParser(prog="python -m parallax_training queue", description=__doc__)
    p.add_argument("queue", help="the list: training/QUEUE.toml")
    p.add_argument("--minutes", type=float, default=9.0, help="in all: then everything is written")
    p.add_argument("--out", required=True, help="folder of the packs and of queue.log")
    p.add_argument(
        "--work", default="/tmp/parallax-queue", help="folder of episodes, models and logs on the way"
    )
    p.add_argument("--parallax", help="the program that collects, reads recipes and measures")
    p.add_argument(
        "--smoke", action="store_true", help="first a few steps of every recipe, so that faults show at once"
    )
    p.add_argument(
        "--dry", action="store_true", help="a rehearsal on the processor: few episodes, tiny steps"
    )
    p.add_argument("--only", help="names of recipes, separated by commas")
    return p.parse_args(given)


class Log:
    """One log; a full disk silences it and stops nothing."""

    def __init__(self, path):
        self.path, self.begun, self.lock = path, time.time(), threading.Lock()
        self.lines, self.read = [], {}

    def say(self, *words):
        line = f"[{time.time() - self.begun:6.1f}s] " + " ".join(str(w) for w in words)
        with self.lock:
            self.lines.append(line)
            try:
                print(line, flush=True)
            except OSError:
                pass

    def gather(self, logs):
        """Takes in what the processes have written since."""
        for name, path in logs:
            try:
                with open(path, encoding="utf-8", errors="replace") as f:
                    f.seek(self.read.get(path, 0))
                    text = f.read(400_000)
                    self.read[path] = f.tell()
            except OSError:
                continue
            with self.lock:
                self.lines += [f"    {name} | {line[:1500]}" for line in text.splitlines() if line.strip()]
        with self.lock:
            text = "\n".join(self.lines)[-2_000_000:] + "\n"
        try:
            export.replace(self.path, text.encode())
        except OSError as e:
            self.say(f"the log cannot be written: {e}")


class Job:
    """One recipe of the queue."""

    def __init__(self, entry, number):
        self.entry, self.number = entry, number
        self.recipe = entry["recipe"]
        path = Path(self.recipe)
        self.name = path.parent.name if path.stem == "train" else path.stem
        self.lane, self.until, self.share = entry["lane"], entry["until"], entry.get("share", 1.0)
        self.after, self.pack = entry.get("after", 0.0), entry.get("pack", self.name)
        self.smoke, self.early = entry.get("smoke", False), entry.get("early", False)
        self.least = entry.get("least", 10)
        self.process, self.tries, self.state, self.gone = None, 0, "waits", False


class Queue:
    def __init__(self, options):
        self.o = options
        self.begun = time.time()
        self.total = 60 * options.minutes
        self.end = self.begun + self.total
        self.out, self.work = Path(options.out).resolve(), Path(options.work).resolve()
        self.out.mkdir(parents=True, exist_ok=True)
        for part in ("models", "logs", "go", "results", "episodes"):
            (self.work / part).mkdir(parents=True, exist_ok=True)
        self.log = Log(str(self.out / "queue.log"))
        self.parallax = program(options.parallax)
        queue = Path(options.queue).resolve()
        with open(queue, "rb") as f:
            self.list = tomllib.load(f)
        self.here = queue.parent
        jobs = [Job(e, i) for i, e in enumerate(self.list["train"])]
        only = options.only.split(",") if options.only else None
        self.jobs = [j for j in jobs if not only or j.name in only]
        self.collectors, self.measures, self.logs, self.packed, self.eager, self.changed = (
            {},
            {},
            [],
            {},
            set(),
            set(),
        )
        self.stopped, self.waiting = False, []
        scenes = self.work / "scenes"
        if not scenes.exists():
            scenes.symlink_to(ROOT / "scenes")
        self.environment = {
            **os.environ,
            "PARALLAX_HOME": str(self.work),
            "RUST_LOG": "warn",
            "PYTHONPATH": str(ROOT / "training") + ":" + os.environ.get("PYTHONPATH", ""),
        }

    def at(self, share):
        """The time at a share of all there is."""
        return self.begun + share * self.total

    def spawn(self, name, command, nice=0, **more):
        path = self.work / "logs" / f"{name}.log"
        self.logs.append((name, str(path)))
        environment = {**self.environment, **more}
        try:
            with open(path, "ab") as f:
                lowered = ["nice", "-n", str(nice), *command] if nice else command
                return subprocess.Popen(
                    lowered,
                    stdout=f,
                    stderr=f,
                    stdin=subprocess.DEVNULL,
                    env=environment,
                    cwd=ROOT,
                    start_new_session=True,
                )
        except OSError as e:
            self.log.say(f"{name} could not be started: {e}")
            return None

    def collect(self):
        """One recorder a scene, niced below the trainers."""
        episodes = self.list["episodes"]
        if self.o.dry:
            episodes = dict.fromkeys(episodes, 64)
        (self.work / "episodes" / "wanted.json").write_text(json.dumps(episodes))
        threads = self.list.get("threads", {})
        for scene, n in episodes.items():
            # Variants of scenes that are only trained on lie beside the recipes.
            own = self.here / "scenes" / f"{scene}.ron"
            command = [
                self.parallax,
                "collect",
                "--scene",
                str(own) if own.is_file() else scene,
                "--episodes",
                str(n),
                "--seed",
                "0",
                "--out",
                str(self.work / "episodes" / scene),
            ]
            self.collectors[scene] = self.spawn(
                f"collect-{scene}", command, 10, RAYON_NUM_THREADS=str(threads.get(scene, 1))
            )

    def options_of(self, job, trial=False):
        command = [
            sys.executable,
            "-u",
            "-m",
            "parallax_training",
            str(self.here / job.recipe),
            "--parallax",
            self.parallax,
            "--data",
            str(self.work / "episodes"),
            "--checkpoint-seconds",
            "0",
        ]
        if job.tries or job.name in self.eager:
            command.append("--eager")
        if trial:
            command += [
                "--out",
                str(self.work / "trial" / job.name),
                "--steps",
                "3",
                "--episodes",
                "64",
                "--most-frames",
                "40000",
                "--loaders",
                "2",
            ]
            return command + (["--most-batch", "8", "--device", "cpu"] if self.o.dry else [])
        command += [
            "--out",
            str(self.work / "models" / job.name),
            "--deadline",
            f"{self.deadline(job):.1f}",
            "--fill",
            "--share",
            str(job.share),
            "--go",
            str(self.work / "go" / f"{job.name}-{job.tries}"),
            "--patience",
            "45",
            "--log-seconds",
            "8",
        ]
        if self.o.dry:
            command += [
                "--steps",
                "4",
                "--most-batch",
                "8",
                "--episodes",
                "64",
                "--most-frames",
                "24000",
                "--device",
                "cpu",
                "--loaders",
                "2",
            ]
        return command

    def deadline(self, job):
        return min(self.at(job.until), self.end - 14)

    def start(self, job):
        """Starts a process; it prepares and then waits for its turn."""
        job.process = self.spawn(
            f"{job.name}{'-again' if job.tries else ''}",
            self.options_of(job),
            **({"OMP_NUM_THREADS": "1"} if self.o.dry else {}),
        )
        job.state = "prepares" if job.process else "failed"
        self.log.say(
            f"{job.name} {job.state}: lane {job.lane}, until {self.deadline(job) - self.begun:.0f} s"
        )

    def go(self, job):
        job.state, job.went = "trains", time.time()
        try:
            (self.work / "go" / f"{job.name}-{job.tries}").write_text("go")
        except OSError:  # a full disk: an empty file needs no room
            try:
                os.close(os.open(self.work / "go" / f"{job.name}-{job.tries}", os.O_CREAT))
            except OSError as e:
                self.log.say(f"{job.name} cannot be told to begin: {e}")
        self.log.say(f"{job.name} goes")

    def end_of(self, process, name, how=signal.SIGKILL):
        """Ends a process that was started here, with its children."""
        if process and process.poll() is None:
            try:
                os.killpg(process.pid, how)
                self.log.say(f"{name} was {'told to stop' if how == signal.SIGTERM else 'ended'}")
            except ProcessLookupError:
                pass

    def lane(self, jobs):
        """One look at a lane: the first job that is not over trains, the one after it prepares."""
        left = [j for j in jobs if j.state not in ("done", "failed", "skipped")]
        for job in left:
            self.check(job)
        left = [j for j in jobs if j.state not in ("done", "failed", "skipped")]
        now = time.time()
        for i, job in enumerate(left[:2]):
            # The next one prepares shortly before its turn: until then its frames would only take memory.
            turn = self.at(job.after) if i == 0 else max(self.at(job.after), self.deadline(left[0]))
            ready = now > turn - AHEAD[i] or (i == 1 and job.early)
            if job.state == "waits" and ready:
                left_then = self.deadline(job) - (now if i == 0 or job.early else turn)
                if left_then >= (2 if self.o.dry else job.least):
                    self.start(job)
                elif i == 0:
                    job.state = "skipped"
                    self.log.say(f"{job.name} is left out: no time")
            if i == 0 and job.state == "prepares" and now >= turn:
                self.go(job)

    def check(self, job):
        if not job.process:
            return
        now, code = time.time(), job.process.poll()
        late = now - self.deadline(job)
        if code is None:
            if late > 4 and not job.gone:
                job.gone = True
                self.end_of(job.process, job.name, signal.SIGTERM)
            if late > (12 if not self.o.dry else 30) and job.gone != "killed":
                job.gone = "killed"
                self.end_of(job.process, job.name)
            return
        folder = self.work / "models" / job.name
        whole = (folder / "card.ron").exists()
        if code == 0 and whole:
            job.state = "done"
            self.log.say(f"{job.name} is done after {now - job.went:.1f} s")
            self.finished(job)
        elif job.tries == 0 and self.deadline(job) - now > 15:
            self.log.say(f"{job.name} failed with {code}: once more, without graphs and compilation")
            job.tries, job.gone = 1, False
            was = job.state
            self.start(job)
            if was == "trains" and job.state == "prepares":
                self.go(job)
        else:
            job.state = "done" if whole else "failed"
            self.log.say(
                f"{job.name} failed with {code}; "
                f"{'what it wrote before is kept' if whole else 'nothing is left of it'}"
            )
            if whole:
                self.finished(job)
        job.process = job.process if job.state in ("prepares", "trains") else None

    def finished(self, job):
        self.changed.add(job.pack)
        for i, measure in enumerate(job.entry.get("measure", [])):
            suite, scene, *more = measure
            result = self.work / "results" / f"{job.name}-{suite}-{scene}.json"
            command = [
                self.parallax,
                "eval",
                suite,
                "--scene",
                scene,
                "--model",
                job.name,
                "--json",
                str(result),
                *more,
            ]
            if self.o.dry and "--episodes" in command:
                command[command.index("--episodes") + 1] = "2"
            self.waiting.append((f"measure-{job.name}-{i}", command))

    def measure(self):
        """Starts what waits to be measured, a few at a time, niced below everything."""
        running = sum(1 for p in self.measures.values() if p and p.poll() is None)
        while self.waiting and running < max(1, (os.cpu_count() or 1) // 4):
            name, command = self.waiting.pop(0)
            threads = "1" if self.o.dry else "4"
            self.measures[name] = self.spawn(name, command, 15, RAYON_NUM_THREADS=threads)
            running += 1

    def pack(self, unfinished=False):
        """Packs what has changed; the other packs stay as they are."""
        if unfinished:  # what wrote a folder on the way is packed as well
            self.changed |= {
                j.pack
                for j in self.jobs
                if (self.work / "models" / j.name / "card.ron").exists() and j.state != "done"
            }
        for name in sorted(self.changed):
            folders = [self.work / "models" / j.name for j in self.jobs if j.pack == name]
            folders = [f for f in folders if (f / "card.ron").exists()]
            path = self.out / f"{name}.tar"
            while folders:
                try:
                    export.pack(str(path), map(str, folders))
                except OSError as e:
                    self.log.say(f"{path} cannot be written: {e}")
                    break
                size = path.stat().st_size
                self.log.say(f"{path.name}: {len(folders)} of its models, {size / 1e6:.1f} MB")
                if size <= MOST_BYTES or len(folders) == 1:
                    break
                self.log.say(f"over {MOST_BYTES / 1e6:.1f} MB: {folders.pop().name} is left out")
        self.changed.clear()
        results = sorted((self.work / "results").glob("*.json"))
        if len(results) != self.packed.get("results"):
            self.packed["results"] = len(results)
            try:
                together = {r.stem: json.loads(r.read_text()) for r in results}
                export.replace(str(self.out / "results.json"), json.dumps(together).encode())
            except (OSError, ValueError) as e:
                self.log.say(f"results: {e}")

    def trials(self):
        """Three steps of those that ask for it; what fails with graphs is trained without."""
        running = {
            j.name: (j, self.spawn(f"smoke-{j.name}", self.options_of(j, trial=True)))
            for j in self.jobs
            if j.smoke
        }
        until = time.time() + (60 if not self.o.dry else 120)
        while (
            any(p and p.poll() is None for _, p in running.values())
            and time.time() < until
            and not self.stopped
        ):
            time.sleep(0.2)
            for name, (_, p) in running.items():
                if p and p.poll() not in (None, 0) and name not in self.eager:
                    self.eager |= {j.name for j in self.jobs if j.pack == running[name][0].pack}
                    self.log.say(f"smoke: {name} failed with {p.poll()}")
        for name, (_, p) in running.items():
            self.end_of(p, f"smoke-{name}")
            self.log.say(f"smoke: {name}: {'no process' if not p else p.poll()}")

    def tell(self):
        """How it stands, and what the processes have said."""
        self.pack()
        said = ""
        if shutil.which("nvidia-smi"):
            query = ["nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader"]
            try:
                said = subprocess.run(
                    query, capture_output=True, text=True, check=False, timeout=5
                ).stdout.strip()
            except (OSError, subprocess.TimeoutExpired):
                pass
        states = ", ".join(f"{j.name} {j.state}" for j in self.jobs if j.state in ("trains", "prepares"))
        self.log.say(f"{states} | {said} | load {os.getloadavg()[0]:.1f}")
        self.log.gather(self.logs)

    def run(self):
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "stopped", True))
        self.log.say(
            f"{len(self.jobs)} recipes in {self.o.minutes:g} minutes; {os.cpu_count()} processors; "
            f"{shutil.disk_usage(self.work).free / 1e9:.1f} GB free"
        )
        self.collect()
        smoke = None
        if self.o.smoke:
            smoke = threading.Thread(target=self.trials, daemon=True)
            smoke.start()
        lanes = {}
        for job in self.jobs:
            lanes.setdefault(job.lane, []).append(job)
        told, collected = time.time(), False
        while time.time() < self.end - 7 and not self.stopped:
            for jobs in lanes.values():
                try:
                    self.lane(jobs)
                except Exception as e:  # one lane's fault is not the others'
                    self.log.say(f"lane {jobs[0].lane}: {e!r}")
            if self.changed:
                self.pack()
            if not collected and all(p is None or p.poll() is not None for p in self.collectors.values()):
                collected = True
                codes = {s: p.poll() if p else None for s, p in self.collectors.items()}
                self.log.say(
                    "all is collected; "
                    f"{'no faults' if not any(codes.values()) else {s: c for s, c in codes.items() if c}}"
                )
            self.measure()
            busy = (
                self.waiting
                or any(p and p.poll() is None for p in self.measures.values())
                or (smoke and smoke.is_alive())
            )
            if all(j.state in ("done", "failed", "skipped") for j in self.jobs) and not busy:
                break
            if time.time() - told > 15:
                told = time.time()
                self.tell()
            time.sleep(0.1)
        for job in self.jobs:
            self.end_of(job.process, job.name)
        for name, p in [*self.collectors.items(), *self.measures.items()]:
            self.end_of(p, name)
        self.pack(unfinished=True)
        states = {j.name: j.state for j in self.jobs}
        self.log.say(f"over after {time.time() - self.begun:.1f} s: {states}")
        self.log.gather(self.logs)
        return 0 if all(s == "done" for s in states.values()) else 1


def main(given):
    return Queue(arguments(given)).run()
