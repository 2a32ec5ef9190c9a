"""Steps to a goal are counted until the bodies are there, and a learned distance says what is near."""

import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import ROOT, built
from safetensors.torch import load_file

from parallax_training import export
from parallax_training.distance import Temporal, arrived
from parallax_training.distance_phases import Pairs, scores


def test_steps_end_when_every_body_is_where_the_goal_shows_it():
    """One body goes along x by a centimetre a step; the other rests until step 30 and then follows."""
    t = torch.arange(60.0)
    at = torch.zeros(2, 60, 2, 2)
    at[:, :, 0, 0] = 0.01 * t
    at[:, :, 1, 0] = 0.01 * (t - 30).clamp(min=0)
    now, goal = torch.tensor([0, 50]), torch.tensor([40, 50])
    # Within 5 cm: the first from step 36 on; the second, 10 cm from its start, from step 36 on as well.
    assert arrived(at, now, goal, 0.0501, "Together").tolist() == [[35], [0]]
    each = arrived(at, now, torch.tensor([20, 59]), 0.0501, "Each")
    assert each.tolist() == [[15, 0], [4, 4]]


def test_imagined_latents_are_those_of_the_moment_from_which_steps_are_counted():
    """A body goes a centimetre a step and a latent is its place, which the predictor foretells exactly."""
    frames, skip = 50, 5
    at = 0.01 * np.arange(frames, dtype=np.float32)
    states = np.zeros((frames, 2, 13), np.float32)
    states[:, 1, 0] = at
    episodes = [SimpleNamespace(first=i * frames, frames=frames, states=states, scene="s") for i in range(3)]
    exp = SimpleNamespace(
        actions=torch.full((3 * frames, 1), 0.01),
        info={"s": {"bodies": [{"kind": "Hand"}, {"kind": "Dynamic"}]}},
        snapshot=lambda: episodes,
        held=lambda e: e.first == 0,
    )
    z = torch.from_numpy(np.tile(at, 3))[:, None].repeat(1, 4)
    lewm = SimpleNamespace(c=dict(frameskip=skip), predict=lambda z, a: z + a.sum(1, keepdim=True))
    phase = dict(ahead=4, imagined=0.5, within_m=0.0151, counted="Together")
    pairs = Pairs(exp, z, lewm, phase)
    assert (pairs.train.tolist(), pairs.checks.tolist()) == ([1, 2], [0])
    chance = torch.rand(4, 400, generator=torch.Generator().manual_seed(2))
    now, goal, steps = pairs.draw(pairs.train, chance)
    apart = (goal - now)[:, 0] / 0.01
    assert apart.min() > 0.5
    assert torch.allclose(steps[:, 0], (apart - 1).clamp(min=0), atol=1e-2)
    seen = (chance[1, :200] * (frames - 1)).long()
    assert torch.allclose(now[:200, 0], 0.01 * seen, atol=1e-5)
    then = (chance[1, 200:] * (frames - 1)).long()
    later = ((now[200:, 0] / 0.01) - then).round()
    assert set(later.tolist()) == {0.0, 5.0, 10.0, 15.0, 20.0}
    assert set(scores(Temporal(4, width=16), pairs, 64)) == {"validation", "spearman"}


def test_a_trained_distance_grows_with_the_steps_and_is_least_at_the_goal():
    """Latents that go along a line, a unit in ten steps, in a space of eight numbers."""
    torch.manual_seed(3)
    model = Temporal(8, members=2, width=32)
    line = torch.randn(8)
    opt = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(300):
        start, steps = torch.randn(256, 8), torch.randint(0, 60, (256, 1)).float()
        loss = model.loss(start, start + 0.1 * steps * line, steps)
        opt.zero_grad(), loss.backward(), opt.step()
    z = torch.randn(64, 8)
    with torch.no_grad():
        said = [model.distance(z, z + 0.1 * s * line).mean().item() for s in (0, 5, 15, 45)]
    assert said == sorted(said), said
    assert said[0] < 2.5, said
    assert said[3] == pytest.approx(46, rel=0.35), said


def test_quantities_count_as_much_as_their_weights_say():
    torch.manual_seed(4)
    model = Temporal(8, members=3, quantities=2, width=16)
    model.weights.copy_(torch.tensor([1.0, 0.25]))
    z, goal = torch.randn(5, 8), torch.randn(5, 8)
    said = model(z, goal).exp()
    assert said.shape == (3, 5, 2)
    assert torch.allclose(model.distance(z, goal), (said[..., 0] + 0.25 * said[..., 1]).mean(0))


def test_the_program_says_what_it_says_here(tmp_path):
    example = built("examples", "training_fixture")
    if not example.exists():
        pytest.skip(f"no {example}")
    folder = tmp_path / "lewm-push"
    shutil.copytree(ROOT / "models" / "lewm-push", folder)
    torch.manual_seed(5)
    model = Temporal(64, members=3, quantities=2, width=96, blocks=2)
    model.without_hand.copy_(torch.eye(64) + 0.1 * torch.randn(64, 64))
    model.weights.copy_(torch.tensor([1.0, 0.5]))
    tensors = {f"temporal.{k}": v for k, v in model.state_dict().items()}
    export.write_weights(tensors, str(folder / export.DISTANCE[0]))
    out = tmp_path / "said.safetensors"
    subprocess.run([example, folder, out], check=True)
    given = load_file(out)
    model.load_state_dict({k[9:]: v.float() for k, v in load_file(folder / export.DISTANCE[0]).items()})
    z = given["z"][:, -64:]
    goal = given["temporal.goal"].expand_as(z)
    with torch.no_grad():
        assert torch.allclose(model(z, goal), given["temporal.said"], rtol=1e-4, atol=1e-4)
        assert torch.allclose(model.distance(z, goal), given["temporal.distance"], rtol=1e-4, atol=1e-3)
