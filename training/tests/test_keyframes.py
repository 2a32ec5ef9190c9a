"""Structured moments are where the physics says that they are, and a head learns to propose them."""

import numpy as np
import pytest
import torch

from parallax_training.keyframes import MODES, Keyframes, examples, moments, without_hand

BODIES = [
    dict(name="hand", kind="Hand", shape={"Ball": {"radius": 0.06}}),
    dict(name="cube", kind="Dynamic", shape={"Cuboid": {"half": [0.08, 0.08, 0.08]}}),
]


def pushed():
    """A hand comes along x, meets a cube at step 20, pushes it until step 40, and goes back."""
    states = np.zeros((70, 2, 13), np.float32)
    states[:, :, 6] = 1  # no body is turned
    hand = np.concatenate([np.linspace(-0.54, -0.14, 21), np.linspace(-0.13, 0.06, 20), np.full(29, 0.06)])
    hand[41:] = 0.06 - 0.02 * np.arange(1, 30)
    states[:, 0, 0] = hand
    states[:, 1, 0] = np.maximum(hand + 0.14, 0).clip(max=0.2)
    states[41:, 1, 0] = states[40, 1, 0]
    states[1:, :, 7] = np.diff(states[:, :, 0], axis=0) * 10
    return states


def test_moments_are_those_of_a_known_contact_log():
    found = moments(pushed(), BODIES)
    kinds = [kind for _, kind, _ in found]
    assert kinds == ["made", "rest"], found
    assert abs(found[0][0] - 20) <= 1, found
    assert abs(found[1][0] - 41) <= 1, found


def test_a_hand_that_turns_has_a_turning_point():
    states = np.zeros((60, 1, 13), np.float32)
    t = np.arange(60)
    states[:, 0, 0] = np.minimum(t, 30) * 0.02
    states[:, 0, 2] = np.maximum(t - 30, 0) * 0.02
    assert moments(states, BODIES[:1]) == [(30, "turn", 0)]


def test_stations_lie_between_now_and_the_goal_and_the_goal_is_the_last():
    found = examples(pushed(), BODIES, 60, 400, np.random.default_rng(1))
    now, goal, station = found.T
    assert len(found) > 50
    assert (now < station).all()
    assert (station <= goal).all()
    at = {m[0] for m in moments(pushed(), BODIES)}
    assert all(s in at or s == g for s, g in zip(station, goal, strict=True))
    assert (station[now > max(at)] == goal[now > max(at)]).all()


def test_what_a_goal_says_of_the_hand_is_taken_out_and_the_rest_stays():
    torch.manual_seed(1)
    hand, rest = torch.randn(4000, 2), torch.cat([torch.ones(4000, 1), torch.randn(4000, 3)], 1)
    hand = hand + 0.5 * rest[:, 1:3]  # the hand is near what it pushes
    z = hand @ torch.randn(2, 16) + rest @ torch.randn(4, 16) + 0.01 * torch.randn(4000, 16)
    p = without_hand(z, hand, rest)
    x = torch.cat([hand, rest], 1)
    effect = torch.linalg.lstsq(x, z @ p.t()).solution
    before = torch.linalg.lstsq(x, z).solution
    assert effect[:2].abs().max() < 0.02 * before[:2].abs().max()
    read = torch.linalg.lstsq(torch.cat([z @ p.t(), torch.ones(4000, 1)], 1), rest[:, 1:]).solution
    off = torch.cat([z @ p.t(), torch.ones(4000, 1)], 1) @ read - rest[:, 1:]
    assert off.square().mean() < 0.01


def test_a_head_tells_two_ways_apart():
    """One of two stations follows by chance: a mean lies between them, a mixture has both."""
    torch.manual_seed(2)
    model = Keyframes(8, 1)
    opt = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(300):
        z, goal = torch.randn(128, 8), torch.randn(128, 8)
        side = torch.where(torch.rand(128, 1) < 0.5, 1.0, -1.0)
        loss = model.loss(z, goal, z + side, torch.where(side[:, 0] > 0, 10.0, 30.0))
        opt.zero_grad(), loss.backward(), opt.step()
    z, goal = torch.randn(64, 8), torch.randn(64, 8)
    p, latents, steps = model.proposals(z, goal)
    assert p.shape == (64, MODES)
    assert torch.allclose(p.sum(1), torch.ones(64), atol=1e-5)
    way = (latents - z[:, None]).mean(2)
    for side, expected in ((1.0, 10.0), (-1.0, 30.0)):
        mine = (way - side).abs() < 0.3
        assert (p * mine).sum(1).mean() == pytest.approx(0.5, abs=0.2)
        assert (p * mine * steps).sum() / (p * mine).sum() == pytest.approx(expected, rel=0.3)
