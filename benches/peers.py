#!/usr/bin/env python3
"""The models' eye beside PyBullet's TinyRenderer and MuJoCo's OSMesa renderer, and rapier beside MuJoCo, in one run on one core.

    apt-get install libosmesa6                # or what provides libOSMesa.so
    pip install pybullet mujoco
    python3 benches/peers.py                  # builds and runs `cargo bench --bench eye` for the poses and Parallax's own rates

The same six bodies at the same poses, 64x64 pixels, one directional light with shadow. Each contestant is asked in turn, several rounds over,
and its best round counts, so that other work on the machine spoils one round rather than one contestant.
"""

import argparse
import json
import os
import subprocess
import sys
import time

os.environ["MUJOCO_GL"] = "osmesa"
os.environ.setdefault("LP_NUM_THREADS", "1")  # Mesa's rasteriser: one thread, as the others have

missing = []
try:
    import mujoco
except Exception as error:  # its renderer is bound at import, so a missing library shows here as well
    missing.append(f"mujoco ({error}): pip install mujoco; apt-get install libosmesa6")
try:
    import pybullet
except ImportError:
    missing.append("pybullet: pip install pybullet")
if missing:
    sys.exit("missing:\n  " + "\n  ".join(missing))

SIZE = 64


def parallax(binary):
    command = [binary, "--json"] if binary else \
        ["cargo", "bench", "--locked", "--no-default-features", "--bench", "eye", "--", "--json"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{run.stderr}")
    return json.loads(run.stdout.strip().splitlines()[-1])


def shape_of(body):
    (kind, fields), = body["shape"].items()
    return kind, fields


def rgba(body):
    table = dict(Vermillion=(223, 72, 0), Blue=(0, 90, 200), Orange=(230, 159, 0), Purple=(204, 80, 180),
                 Green=(0, 158, 115), Dark=(70, 70, 74), Yellow=(240, 228, 66))
    return [c / 255 for c in table[body["colour"]]] + [1.0]


def rate(call, seconds=1.0):
    start, calls = time.perf_counter(), 0
    while True:
        call()
        calls += 1
        spent = time.perf_counter() - start
        if spent >= seconds:
            return calls / spent


# Parallax's y is up; both peers have z up: (x, y, z) becomes (x, -z, y), and so do rotations' axes.
def turn(v):
    return [v[0], -v[2], v[1]]


def turned_quaternion(q):  # x y z w
    return turn(q[:3]) + [q[3]]


# PyBullet's and MuJoCo's cylinders and capsules stand along z, which is Parallax's y after the turn: no further rotation.
def bullet(scene, states):
    import pybullet as p
    p.connect(p.DIRECT)
    box = dict(halfExtents=(2.0, 2.0, 0.5))
    p.createMultiBody(0, -1, p.createVisualShape(p.GEOM_BOX, rgbaColor=(0.81, 0.8, 0.77, 1), **box), (0, 0, -0.5))
    for body, state in zip(scene["bodies"], states):
        kind, f = shape_of(body)
        if kind == "Ball":
            args = (p.GEOM_SPHERE,), dict(radius=f["radius"])
        elif kind == "Cuboid":
            x, y, z = f["half"]
            args = (p.GEOM_BOX,), dict(halfExtents=(x, z, y))
        else:
            args = (p.GEOM_CYLINDER if kind == "Cylinder" else p.GEOM_CAPSULE,), \
                dict(radius=f["radius"], length=2 * f["half_height"])
        visual = p.createVisualShape(*args[0], rgbaColor=rgba(body), **args[1])
        p.createMultiBody(0, -1, visual, turn(state["position"]), turned_quaternion(state["rotation"]))
    c = scene["camera"]
    view = p.computeViewMatrix(turn(c["position"]), turn(c["target"]), (0, 0, 1))
    projection = p.computeProjectionMatrixFOV(c["fov_degrees"], 1.0, 0.1, 10.0)
    sun = [-s for s in turn(scene["sun"])]

    def look(shadow):
        return p.getCameraImage(SIZE, SIZE, view, projection, lightDirection=sun, shadow=shadow,
                                renderer=p.ER_TINY_RENDERER)
    return look


def mujoco_model(scene, states, shadow_map, free):
    c = scene["camera"]
    at, to = turn(c["position"]), turn(c["target"])
    forward = [b - a for a, b in zip(at, to)]
    right = [forward[1], -forward[0], 0.0]
    up = [right[1] * forward[2] - right[2] * forward[1], right[2] * forward[0] - right[0] * forward[2],
          right[0] * forward[1] - right[1] * forward[0]]
    words = lambda v: " ".join(f"{x:.6f}" for x in v)  # noqa: E731
    bodies = []
    for body, state in zip(scene["bodies"], states):
        kind, f = shape_of(body)
        if kind == "Cuboid":
            x, y, z = f["half"]
            size, geom = (x, z, y), "box"
        elif kind == "Ball":
            size, geom = (f["radius"],), "sphere"
        else:
            size, geom = (f["radius"], f["half_height"]), kind.lower()
        q = turned_quaternion(state["rotation"])
        moves = free or body["kind"] == "Dynamic"
        bodies.append(
            f'<body pos="{words(turn(state["position"]))}" quat="{words([q[3]] + q[:3])}"'
            f'{" mocap=" + chr(34) + "true" + chr(34) if not moves else ""}>{"<freejoint/>" if moves else ""}'
            f'<geom type="{geom}" size="{words(size)}" mass="{body["mass"]}" rgba="{words(rgba(body))}" '
            f'friction="{body["friction"]} 0.005 0.0001"/></body>')
    return mujoco.MjModel.from_xml_string(
        f'<mujoco><option timestep="{1 / 120:.9f}"/>'
        f'<visual><global offwidth="{SIZE}" offheight="{SIZE}"/><quality shadowsize="{shadow_map}" offsamples="0"/></visual><worldbody>'
        f'<light directional="true" dir="{words(turn(scene["sun"]))}" pos="0 0 3" castshadow="true"/>'
        f'<camera name="eye" pos="{words(at)}" xyaxes="{words(right)} {words(up)}" fovy="{c["fov_degrees"]}"/>'
        f'<geom type="plane" size="3 3 0.1" rgba="0.81 0.8 0.77 1"/>{"".join(bodies)}</worldbody></mujoco>')


def mujoco_look(model):
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = mujoco.Renderer(model, SIZE, SIZE)

    def look():
        renderer.update_scene(data, "eye")
        return renderer.render()
    return look


def mujoco_steps(model):
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, nstep=240)  # until the bodies rest, as they do in Parallax's bench

    def step():
        mujoco.mj_step(model, data, nstep=120)
    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", help="a built `eye` bench; without it cargo builds and runs it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", help="folder for a picture of each contestant, to see that they draw the same (needs Pillow)")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})  # the bench inherits it: one core for all

    report = parallax(args.bench)
    scene, states = report["scene"], report["states"]
    tiny = bullet(scene, states)
    looks = {size: mujoco_look(mujoco_model(scene, states, size, False)) for size in (4096, 1024, 256)}
    physics = {free: mujoco_steps(mujoco_model(scene, states, 256, free)) for free in (False, True)}
    if args.pictures:
        pictures(args.pictures, tiny, looks)

    best = {}
    def keep(name, value):
        best[name] = max(best.get(name, 0.0), value)
    for turn_ in range(args.rounds):
        if turn_:
            report = parallax(args.bench)
        keep("eye1", report["frames_per_s_1_sample"])
        keep("eye4", report["frames_per_s_4_samples"])
        keep("steps", report["physics_steps_per_s_with_hand"])
        keep("steps free", report["physics_steps_per_s_six_free"])
        keep("tiny", rate(lambda: tiny(1)))
        for size, look in looks.items():
            keep(f"mujoco {size}", rate(look))
        for free, step in physics.items():
            keep("mujoco steps free" if free else "mujoco steps", 120 * rate(step))

    eye = best["eye1"]
    print(f"{'six bodies, 64x64, one shadow, one core':<58} {'frames/s':>10} {'eye / it':>9}  wanted")
    print(f"{'Parallax eye, 1 sample a pixel':<58} {eye:>10.0f}")
    print(f"{'Parallax eye, 2x2 samples':<58} {best['eye4']:>10.0f} {'':>9}  >= 700 frames/s")
    print(f"{'PyBullet ' + version('pybullet') + ' TinyRenderer':<58} {best['tiny']:>10.0f} {eye / best['tiny']:>8.1f}x  >= 3x")
    for size in looks:
        name = f"MuJoCo {version('mujoco')} OSMesa, shadow map {size}{' (its default)' if size == 4096 else ''}"
        wanted = "  >= 30x" if size == 4096 else ""
        print(f"{name:<58} {best[f'mujoco {size}']:>10.0f} {eye / best[f'mujoco {size}']:>8.1f}x{wanted}")
    print()
    print(f"{'physics at 1/120 s, at rest, one core':<58} {'steps/s':>10} {'ratio':>9}  wanted")
    for label, key in (("four free, a hand and a wall", ""), ("six free", " free")):
        ours, theirs = best["steps" + key], best["mujoco steps" + key]
        print(f"{'rapier in Parallax, ' + label:<58} {ours:>10.0f} {'':>9}  >= 20000")
        print(f"{'MuJoCo, ' + label:<58} {theirs:>10.0f} {ours / theirs:>8.1f}x  >= 2x")
    if hasattr(os, "getloadavg"):
        print(f"\nload average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {args.rounds} rounds, the best counts")


def version(package):
    from importlib.metadata import version as of
    return of(package)


def pictures(folder, tiny, looks):
    from PIL import Image
    import numpy
    os.makedirs(folder, exist_ok=True)
    picture = numpy.reshape(numpy.asarray(tiny(1)[2], dtype=numpy.uint8), (SIZE, SIZE, 4))[:, :, :3]
    Image.fromarray(picture).resize((256, 256), 0).save(f"{folder}/pybullet.png")
    for size, look in looks.items():
        Image.fromarray(look()).resize((256, 256), 0).save(f"{folder}/mujoco-{size}.png")


if __name__ == "__main__":
    main()
