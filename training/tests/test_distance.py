"""Steps to a goal are counted until the bodies are there, and a distance learned of them says what is near."""

import shutil
import subprocess

import pytest
import torch
from conftest import ROOT, built
from safetensors.torch import load_file

from parallax_training import export
from parallax_training.distance import Temporal, arrived


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
