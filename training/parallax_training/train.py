"""Trains one recipe: experience, phases, and the model folder."""

import argparse
import os
import platform
import signal
import time

import torch

from . import (
    belief_phases,
    cloning,
    diffusion_phases,
    distance_phases,
    drawn_phases,
    export,
    jumps_phases,
    keyframes_phases,
    latent_phases,
    lewm_phases,
    remembering_phases,
    start,
    tokens_phases,
    vjepa_phases,
)
from .config import Recipe, fields_of
from .experience import Experience
from .loop import UNFINISHED, Run
from .world import World

RECIPES = {
    "Lewm": lewm_phases,
    "VjepaAc": vjepa_phases,
    "PixelDiffusion": diffusion_phases,
    "LatentDiffusion": latent_phases,
    "Belief": belief_phases,
    "Remembering": remembering_phases,
    "DrawnLewm": drawn_phases,
    "TokenDiffusion": tokens_phases,
    "Keyframes": keyframes_phases,
    "Jumps": jumps_phases,
    "Distance": distance_phases,
    "Cloning": cloning,
    "StepsToGo": cloning,
}
ARCHITECTURES = {"Cloning": "cloning", "StepsToGo": "steps_to_go"}


def arguments(parser=None):
    """The options of a training."""
    p = parser or argparse.ArgumentParser(prog="python -m parallax_training", description=__doc__)
    p.add_argument(
        "recipe", help="a train.ron, or the JSON that `parallax train FILE --print json` made of it"
    )
    p.add_argument("--out", help="folder of the model; the recipe's own without it")
    p.add_argument("--data", help="a folder with a folder of episodes a scene, in place of the recipe's")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--parallax", help="the program that reads train.ron")
    p.add_argument("--resume", action="store_true", help="go on from checkpoint.pt in the folder")
    p.add_argument("--checkpoint-seconds", type=float, default=120.0, help="between checkpoints; 0 for none")
    p.add_argument("--eager", action="store_true", help="neither CUDA graphs nor torch.compile")
    p.add_argument("--steps", type=int, help="so many steps of each phase, whatever the recipe says: a trial")
    p.add_argument("--episodes", type=int, help="at most so many of each scene")
    p.add_argument("--most-batch", type=int, help="no batch is larger: a trial on a small machine")
    p.add_argument(
        "--fill",
        action="store_true",
        help="take all the time there is until the deadline, not only the recipe's minutes",
    )
    p.add_argument("--most-frames", type=int, help="at most so many in memory [what fits]")
    p.add_argument(
        "--deadline",
        type=float,
        help="Unix time at which the model must be written: phases are shortened to it",
    )
    p.add_argument("--share", type=float, default=1.0, help="begin once this share of the episodes is there")
    p.add_argument(
        "--patience",
        type=float,
        default=60.0,
        help="seconds without a new shard after which no more are waited for",
    )
    p.add_argument("--loaders", type=int, default=6, help="threads that decode episodes")
    p.add_argument("--go", help="wait for this file before training, when everything is ready")
    p.add_argument("--log-seconds", type=float, default=10.0)
    return p


def shrink(body, most):
    """Caps every batch of a recipe, and what takes steps by the thousand."""
    for key, value in body.items():
        if isinstance(value, dict):
            shrink(value, most)
        elif key in ("batch", "clips", "stills"):
            body[key] = max(4, min(value, most))


def divide(body, processes, path):
    """Refuses batches of which processes would not have equal shares."""
    for key, value in body.items():
        if isinstance(value, dict):
            divide(value, processes, f"{path}{key}.")
        elif key in ("batch", "clips", "stills") and value % processes:
            raise SystemExit(f"{path}{key}: found {value}, expected a multiple of the {processes} processes")


def settle(device):
    """Arithmetic of the device: TF32 products, tuned convolutions."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True


def hardware(device, world):
    """The machine, for the card."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    many = f"{world.size} x " if world.size > 1 else ""
    return f"{many}{name}, PyTorch {torch.__version__}, {os.cpu_count()} threads, {platform.machine()}"


def write(run, exp, module, tensors, about, unfinished=False):
    """The model folder; also, marked as such, while the training still goes on."""
    if hasattr(module, "write"):  # what is added to a finished folder
        return module.write(run, exp, tensors, about)
    kind, config = run.recipe.kind, run.recipe.config
    steps = ", ".join(f"{n} {name}" for name, n in run.steps.items() if n)
    late = " Stopped before its planned end." if run.cut else f" {UNFINISHED}" if unfinished else ""
    repeat = (
        f"Trained in PyTorch by `python -m parallax_training train.ron` (steps: {steps}; "
        f"{(exp.every and f'one seed in {exp.every} only validated') or ''}; "
        f"{'convolutions in bf16, products in TF32' if run.device.type == 'cuda' else 'all in f32'}); "
        "experience by `parallax collect --scene S --seed 0 "
        f"--episodes N`, N: {', '.join(f'{s} {n}' for s, n in exp.counts.items())}."
    )
    export.write_folder(
        run.out,
        run.recipe,
        tensors,
        camp=module.CAMP,
        architecture=ARCHITECTURES.get(kind) or module.ARCHITECTURE,
        scenes=about.get("scenes") or exp.folders,
        parameters=about["parameters"],
        steps=sum(run.steps.values()),
        frames=run.frames_seen,
        stages=run.stages,
        data=exp.about(),
        hardware=hardware(run.device, run.world),
        minutes=run.minutes,
        notes=f"{about['notes']}{late} {repeat}",
    )
    run.say(
        f"written: {run.out}, {os.path.getsize(os.path.join(run.out, 'model.safetensors')) / 1e6:.2f} "
        f"MB, {config['name']}"
    )


def most_frames(device, masks, given):
    """Frames that fit beside the networks."""
    if given or device.type != "cuda":
        return given
    each = 12288 + (4096 if masks else 0) + 64
    return max(10_000, int((torch.cuda.mem_get_info(device)[0] - 8 * 2**30) * 0.9 / each))


def train(options):
    """Trains `options.recipe`."""
    world = World.of_environment(torch.device(options.device).type)
    device = torch.device(options.device)
    if device.type == "cuda":
        device = torch.device(
            "cuda", int(os.environ.get("LOCAL_RANK", "0")) if device.index is None else device.index
        )
        torch.cuda.set_device(device)
    settle(device)
    recipe = Recipe.load(options.recipe, options.parallax)
    module = RECIPES[recipe.kind]
    if options.most_batch:
        shrink(recipe.body, options.most_batch)
    divide(recipe.body, world.size, f"{options.recipe}: ")
    stages = start.stages(recipe)
    out = options.out or os.path.dirname(os.path.abspath(options.recipe))
    run = Run(
        recipe,
        out,
        device,
        world,
        deadline=options.deadline,
        steps=options.steps,
        accelerate=not options.eager,
        resume=options.resume,
        fill=options.fill,
        reserve=getattr(module, "RESERVE", 8.0),
        checkpoint_seconds=options.checkpoint_seconds,
        log_seconds=options.log_seconds,
    )
    run.stages = stages
    run.begin_with("started from", fields_of({str(i): s for i, s in enumerate(stages)}))
    run.say(hardware(device, world))
    folders = {os.path.basename(os.path.normpath(f)): f for f in recipe.folders}
    if options.data:
        folders = {s: os.path.join(options.data, s) for s in folders}
    each = {s: recipe.config.get("episodes") or 10**9 for s in folders}
    if recipe.kind == "VjepaAc" and recipe.body["actions"]["data"]:
        more = {os.path.basename(os.path.normpath(f)) for f in recipe.body["actions"]["data"]}
        each.update({s: recipe.body["actions"].get("episodes") or 10**9 for s in more})
    if options.episodes:
        each = {s: min(n, options.episodes) for s, n in each.items()}
    for scene, folder in folders.items():
        each[scene] = min(each[scene], recorded(folder, options.patience))
    masks = getattr(module, "MASKS", False)
    # A distance looks at no actions, whatever scenes have.
    actions = 4 if recipe.kind == "StepsToGo" else recipe.action_dim
    exp = Experience(
        folders,
        each,
        device,
        validation=recipe.config["validation_share"],
        action_dim=actions,
        masks=masks,
        seen=getattr(module, "SEEN", False),
        threads=options.loaders,
        most_frames=most_frames(device, masks, options.most_frames),
        patience=options.patience,
    )
    # While episodes come, what needs none is made ready.
    ready = [module.prepare(run)] if hasattr(module, "prepare") else []
    exp.wait(options.share, options.deadline and time.time() + 0.6 * (options.deadline - time.time()))
    run.begin_with("episodes", dict(exp.counts))
    run.say(f"{exp.about()} of {len(exp.folders)} scenes; room for {exp.capacity} frames")
    run.export = lambda tensors, about, unfinished=False: (
        world.leads and write(run, exp, module, tensors, about, unfinished)
    )
    run.wait_for(options.go)
    tensors, about = module.train(run, exp, *ready)
    for fault in exp.faults[:5]:
        run.say("left out:", fault)
    run.say(f"trained for {run.minutes:.2f} minutes: {run.steps}")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    run.export(tensors, about)
    if world.leads and not run.cut and options.steps is None:
        run.forget()
    if device.type == "cuda":
        run.say(f"at most {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB of the device")
    if run.curve:
        run.curve.close()
    world.close()
    exp.freeze()
    return run


def recorded(folder, patience):
    """How many episodes a folder will hold, as its index or the recording under way says."""
    import json

    begun = time.time()
    while True:
        try:  # a recording under way says how many there will be
            with open(
                os.path.join(os.path.dirname(os.path.abspath(folder)), "wanted.json"), encoding="utf-8"
            ) as f:
                return json.load(f)[os.path.basename(os.path.normpath(folder))]
        except (OSError, ValueError, KeyError):
            pass
        shards = [n for n in os.listdir(folder) if n.endswith(".plx")] if os.path.isdir(folder) else []
        if shards:
            return 64 * len(shards)
        if time.time() - begun > patience:
            return 64  # the reader says what is missing
        time.sleep(0.2)
