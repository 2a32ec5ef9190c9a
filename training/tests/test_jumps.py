"""Films by jumps: every step once, nothing of what comes after, and motion that is learned."""

import pytest
import torch
from test_training import AsksNothing, options

from parallax_training import export, ron, start, train
from parallax_training.jumps import LONGEST, STRETCH, Jumps, calls, jump_to
from parallax_training.jumps_phases import losses


def test_every_step_is_reached_once_and_from_what_is_known():
    for steps in range(1, STRETCH + 1):
        known = {0}
        for landings in calls(steps):
            begun = {t - jump_to(t) for t in landings}
            assert begun <= known, (steps, landings)
            assert not known & set(landings)
            known |= set(landings)
        assert known == set(range(steps + 1))
    # Step 20 is three calls from the start: 8, 16, 20.
    assert [t for t in (8, 16, 20) if jump_to(t) == min(LONGEST, t % 8 or 8)] == [8, 16, 20]
    assert len(calls(20)) == 5


def test_a_fresh_network_stays_where_it_is():
    torch.manual_seed(0)
    net = Jumps(6, 3, 2)
    last, actions = torch.randn(4, 18), torch.rand(4, STRETCH + 5, 2)
    film = net.film(last, actions)
    assert film.shape == (4, STRETCH + 5, 6)
    assert torch.equal(film, last[:, None, -6:].expand_as(film))


def test_no_step_depends_on_actions_after_it():
    torch.manual_seed(1)
    net = Jumps(6, 3, 2)
    torch.nn.init.normal_(net.out.weight, std=0.1)
    for block in net.blocks:
        torch.nn.init.normal_(block.film.weight, std=0.1)
    last, actions = torch.randn(2, 18), torch.randn(2, STRETCH + 6, 2)
    with torch.no_grad():
        film = net.film(last, actions)
        for t in range(actions.shape[1]):
            other = actions.clone()
            other[:, t:] += 1
            again = net.film(last, other)
            assert torch.allclose(again[:, :t], film[:, :t], atol=1e-6)
            assert (again[:, t] - film[:, t]).abs().max() > 1e-4
        short = net.film(last, actions[:, :13])
    assert torch.allclose(short, film[:, :13], atol=1e-6)


def test_what_is_pushed_flies_on():
    """A body in one dimension: jumps learn its velocity of what came before and what pushes do to it."""
    torch.manual_seed(2)

    def worlds(n, steps):
        x, v = torch.rand(n) * 2 - 1, (torch.rand(n) - 0.5) * 0.2
        actions, seen = (torch.rand(n, steps, 1) * 2 - 1) * 0.02, []
        for t in range(steps):
            seen.append(torch.stack([x, 0.5 * x + 1], 1))
            v = v + actions[:, t, 0]
            x = x + v
        return torch.stack(seen, 1), actions * 50

    net = Jumps(2, 3, 1)
    opt = torch.optim.Adam(net.parameters(), 1e-3)
    z, _ = worlds(500, 20)
    scales = (z[:, 3:] - z[:, 2:3]).square().mean((0, 2))
    net.motion.copy_(scales[0].sqrt())
    for _ in range(100):
        z, actions = worlds(24, 12)
        single, chained = losses(
            net, z[:, :3].flatten(1), z[:, 2:], actions[:, 2:-1], torch.ones(24, 9), scales[:9], 0.2
        )
        opt.zero_grad(), (single + chained).backward(), opt.step()
    z, actions = worlds(100, 20)
    with torch.no_grad():
        film = net.film(z[:, :3].flatten(1), actions[:, 2:-1])
    off = (film - z[:, 3:]).square().mean((0, 2))
    assert (off[[0, 4, 7]] < 0.1 * scales[[0, 4, 7]]).all(), off / scales


def test_a_step_can_become_a_graph():
    net = Jumps(6, 3, 2)
    last, z, actions = torch.randn(4, 18), torch.randn(4, 21, 6), torch.rand(4, 20, 2)
    inside, scales = torch.ones(4, 20), torch.ones(20)
    with AsksNothing():
        single, chained = losses(net, last, z, actions, inside, scales, 0.2)
        (single + chained).backward()


RECIPE = """(
    name: "lewm-world", summary: "a test", seed: 3, data: [".episodes/push", ".episodes/fall"],
    validation_share: 0.1, architecture: Jumps((
        lewm: "models/lewm-world", jumps: (length: Steps(3), batch: 4, ahead: 8),
    )),
)"""


@pytest.mark.long
def test_jumps_lie_beside_the_weights_of_a_finished_model(parallax, episodes, tmp_path):
    recipe, out = tmp_path / "jumps.ron", tmp_path / "lewm-world"
    recipe.write_text(RECIPE)
    run = train.train(options(parallax, recipe, episodes, "--out", out))
    assert run.steps["jumps"] == 3
    finished = start.folder_of("models/lewm-world", "lewm")
    for name in ("model.safetensors", "model.ron", "train.ron", "readouts.safetensors"):
        assert (out / name).read_bytes() == (finished / name).read_bytes()
    assert (out / "jumps.ron").read_text() == RECIPE
    before, after = (ron.read(folder / "card.ron") for folder in (finished, out))
    assert len(after.pop("jumps")) == 64
    before.pop("jumps", None)
    assert before == after
    assert "jumps.out.weight" in export.load_weights(out)
