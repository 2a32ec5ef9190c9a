"""The networks say what the program's say on shipped weights, and their losses have the same gradients."""

import math

import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT
from safetensors.torch import load_file
from test_folder import by_the_program, changed
from test_training import options, recipe_of

from parallax_training import export, ron, train
from parallax_training.cloning import Cloning
from parallax_training.config import Recipe
from parallax_training.diffusion import Unet
from parallax_training.drawn import Drawn
from parallax_training.jumps import Jumps
from parallax_training.keyframes import Keyframes
from parallax_training.latent import Autoencoder, Dit, dynamics_loss
from parallax_training.layers import ResidualNet
from parallax_training.lewm import Lewm, sigreg
from parallax_training.tokens import TokenEye
from parallax_training.vjepa import Vjepa

CLOSE = dict(rtol=1e-4, atol=1e-4)
# A small V-JEPA.
SIZES = dict(
    image_size=64,
    patch=16,
    clip_frames=4,
    width=24,
    layers=1,
    heads=2,
    mlp_width=32,
    masked_width=24,
    masked_layers=1,
    masked_heads=2,
    merge=2,
    predictor_width=24,
    predictor_layers=1,
    predictor_heads=2,
    predictor_mlp_width=32,
    residual=True,
    history=1,
    frameskip=5,
    action_dim=2,
)


def opened(model, parallax):
    """A shipped model's recipe and weights."""
    folder = ROOT / "models" / model
    return Recipe.load(folder / "train.ron", parallax), export.load_weights(folder)


def fill(network, weights, prefix="", without=()):
    """Loads the weights of a part; every tensor of the network must be there."""
    own = {k[len(prefix) :]: v for k, v in weights.items() if k.startswith(prefix)}
    missing, left = network.load_state_dict(own, strict=False)
    assert not missing, missing
    assert not [name for name in left if not name.startswith(without)], left


def same_gradients(network, loss, given, prefix="", name="loss"):
    """The loss and every parameter's gradient, against the largest of its entries."""
    assert torch.allclose(loss, given[name], **CLOSE), (loss.item(), given[name].item())
    network.zero_grad()
    loss.backward()
    compared = 0
    for name, parameter in network.named_parameters():
        expected = given.get(f"grad.{prefix}{name}")
        if expected is None:
            assert parameter.grad is None or not parameter.grad.abs().max() > 1e-6, name
            continue
        off = (parameter.grad - expected).abs().max().item()
        assert off <= 1e-3 * expected.abs().max().item() + 1e-5, (name, off, expected.abs().max().item())
        compared += 1
    assert compared > 4


@pytest.mark.parametrize("model", ["lewm-all", "lewm-gather", "lewm-push", "lewm-strike", "lewm-world"])
def test_lewm(model, parallax, fixture_of):
    recipe, weights = opened(model, parallax)
    given, net = fixture_of(model), Lewm(recipe.model)
    heads = ("probe", "decoder", "proposal", "whitening", "keyframes", "jumps", "temporal")
    fill(net, weights, without=heads)
    with torch.no_grad():
        assert torch.allclose(net.encoder(given["frames"]), given["latents"], **CLOSE)
        assert torch.allclose(net.predict(given["z"], given["a"]), given["next"], **CLOSE)
        off = net.open_loop(given["planned.z"], given["planned.a"], planned=(0.3, given["planned.w"]))
        assert torch.allclose(off, given["planned"], **CLOSE)
    if "proposed" in given:
        c = recipe.model
        prior = ResidualNet((c["history"] + 1) * c["latent_dim"], 256, 2, c["action_dim"])
        fill(prior, weights, "proposal.")
        assert torch.allclose(prior(torch.cat([given["z"], given["goal"]], 1)), given["proposed"], **CLOSE)
    if "keyframes.said" in given:
        head = Keyframes(recipe.model["latent_dim"], recipe.model["history"])
        fill(head, weights, "keyframes.")
        assert torch.allclose(head(given["z"], given["keyframes.goal"]), given["keyframes.said"], **CLOSE)
    if "jumps.film" in given:
        jumps = Jumps(*(recipe.model[k] for k in ("latent_dim", "history", "action_dim")))
        fill(jumps, weights, "jumps.")
        with torch.no_grad():
            film = jumps.film(given["z"][:1].expand(2, -1), given["jumps.ahead"])
        assert torch.allclose(film, given["jumps.film"], **CLOSE)
    if "loss" in given:
        w = {**recipe.body["joint"]["weights"], "sigreg": 0.0}
        noise = torch.randn(4, recipe.model["latent_dim"])
        loss, _ = net.joint(given["frames"], given["actions"], noise, w)
        same_gradients(net, loss, given)


def test_vjepa(parallax, fixture_of):
    recipe, weights = opened("vjepa-ac", parallax)
    given, net = fixture_of("vjepa-ac"), Vjepa(recipe.model)
    fill(net, weights, without=("probe", "summary", "whitening"))
    with torch.no_grad():
        maps = net.maps(given["frames"])
        assert torch.allclose(maps, given["maps"], **CLOSE)
        c, t = recipe.model, torch.arange(recipe.model["clip_frames"]) % len(given["frames"])
        depth = torch.arange(c["clip_frames"] // 2)[:, None] * (c["image_size"] // c["patch"]) ** 2
        seen, hidden = ((given[n].long() + depth).flatten()[None] for n in ("visible", "hidden"))
        assert torch.allclose(
            net.masked_loss(given["frames"][t][None], seen, hidden), given["masked_loss"], **CLOSE
        )
    teacher, rollout = net.losses(given["maps"].reshape(2, -1, net.map), given["actions"], 0.1, 0.9)
    same_gradients(net, teacher + rollout, given)


@pytest.mark.parametrize("model", ["clone-push", "steps-push"])
def test_cloning(model, parallax, fixture_of):
    recipe, weights = opened(f"baselines/{model}", parallax)
    given, net = fixture_of(f"baselines/{model}"), Cloning(recipe.model)
    fill(net, weights)
    with torch.no_grad():
        features = net.encoder(given["frames"])
        assert torch.allclose(features, given["features"], **CLOSE)
        assert torch.allclose(net.decide(*features.chunk(2)), given["decided"], **CLOSE)
    now, goals = given["frames"].chunk(2)
    same_gradients(net, (net(now, goals, True) - given["actions"]).square().mean(), given)


def edm_loss(net, given):
    """The loss of the frames after the first four and the four after; every other pixel weighs 7."""
    frames = given["frames"].to(torch.uint8)
    k, size = net.c["context"], net.c["size"]
    heavy = torch.where(torch.arange(size * size) % 2 == 0, 7.0, 1.0).expand(2, -1)
    context = torch.stack([frames[i : i + k] for i in range(2)])
    target = torch.stack([frames[i + k] for i in range(2)])
    noise = (given[n] for n in ("sigma", "z", "offset", "loss_levels", "zc", "loss_actions"))
    return net.loss(context, target, heavy, *noise)


def latent_loss(net, given):
    """The loss of two predictions in a row, the second on a given latent."""
    names = ("target", "noisy", "level", "levels", "remains", "noise", "actions")
    stages = [
        [*(given[f"dynamics_{i}.{n}"] for n in names), given[f"dynamics_{i}.weight"][..., 0]]
        for i in range(2)
    ]
    return dynamics_loss(net, given["dynamics_context"], stages, lambda *_: given["dynamics_own"])


def test_pixel_diffusion(parallax, fixture_of):
    recipe, weights = opened("diffusion-all", parallax)
    given, net = fixture_of("diffusion-all"), Unet(recipe.model)
    fill(net, weights)
    clean = net.denoise(given["x"], 0.7, given["context"], given["levels"], given["actions"])
    assert torch.allclose(clean, given["clean"], **CLOSE)
    same_gradients(net, edm_loss(net, given), given)


def test_drawn_lewm(parallax, fixture_of, episodes, tmp_path):
    fast = ("batch: 8", "batch: 8, adamw: (lr: 0.01), warmup_steps: 1")
    recipe = changed(recipe_of(tmp_path / "drawn", "DrawnLewm"), fast)
    folder = by_the_program(parallax, recipe, episodes)
    network, weights = ron.read(folder / "model.ron"), export.load_weights(folder)
    given, model = fixture_of(str(folder)), Drawn(network)
    fill(model, weights, without=("whitening", "proposal"))
    imagined = model.imagine(given["start"], given["actions"])
    assert torch.allclose(imagined, given["imagined"], **CLOSE)
    frames, z, m = given["frames"].to(torch.uint8), given["imagined"][:, 2], len(given["start"])
    past, summary = model.past(frames[:m], z), model.painter.summary(z)
    clean = model.denoiser.denoise(given["x"], 0.7, past, torch.zeros(m), summary)
    assert torch.allclose(clean, given["clean"], **CLOSE)
    size = network["denoiser"]["size"]
    heavy = torch.where(torch.arange(size * size) % 2 == 0, 7.0, 1.0).expand(m, -1)
    offset = torch.zeros(m, 3)
    loss = model.loss(z, frames[:m], frames[m : 2 * m], heavy, given["sigma"], given["noise"], offset)
    same_gradients(model, loss, given)


def same_in_latents(eye, net, given, prefix, squared, learns_to_see):
    """An eye sees and draws, and its dynamics imagines, as the program's; so do their losses."""
    with torch.no_grad():
        z = eye.encode(given["frames"])
        assert torch.allclose(z, given["latents"], **CLOSE)
        side, n = eye.side // 2, len(z)
        cells = given["latents"].reshape(n, side, side, -1)
        assert (eye.decode(cells).int() - given["decoded"].int()).abs().max() <= 1
        said = net(given["noisy"], given["level"], given["context"], given["levels"], given["actions"])
        assert torch.allclose(said, given["said"], **CLOSE)
    seen = None if learns_to_see else cells
    loss = eye.loss(given["frames"], torch.ones(n, 64 * 64), torch.zeros(()), squared, seen)
    same_gradients(eye, loss, given, prefix)
    same_gradients(net, latent_loss(net, given), given, "dynamics.", "dynamics_loss")


def test_latent_diffusion(parallax, fixture_of):
    recipe, weights = opened("latent-diffusion", parallax)
    coder, net = Autoencoder(recipe.model), Dit(recipe.model)
    fill(coder, weights, "autoencoder.")
    fill(net, weights, "dynamics.")
    squared = recipe.body["autoencoder"].get("squared_weight", 0.0)
    same_in_latents(coder, net, fixture_of("latent-diffusion"), "autoencoder.", squared, True)


def test_token_diffusion(parallax, fixture_of, episodes, tmp_path):
    fast = ("batch: 8", "batch: 8, adamw: (lr: 0.01), warmup_steps: 1")
    recipe = changed(recipe_of(tmp_path / "tokens", "TokenDiffusion"), fast)
    folder = by_the_program(parallax, recipe, episodes)
    c, weights = ron.read(folder / "model.ron"), export.load_weights(folder)
    eye, net = TokenEye(c), Dit(c["diffusion"])
    fill(eye, {k.removeprefix("tokens."): v for k, v in weights.items()}, without="dynamics")
    fill(net, weights, "dynamics.")
    shipped = export.load_weights(ROOT / "models/vjepa-ac")
    for name, value in eye.target.state_dict().items():
        assert torch.equal(value, shipped[f"target.{name}"]), name
    same_in_latents(eye, net, fixture_of(str(folder)), "tokens.", 0.0, False)


def test_the_jepas_encoder_is_as_it_shipped(parallax, episodes, tmp_path):
    """After a training by this package, to the bit."""
    recipe = recipe_of(tmp_path / "tokens", "TokenDiffusion")
    train.train(options(parallax, recipe, episodes))
    found, shipped = (load_file(f / "model.safetensors") for f in (recipe.parent, ROOT / "models/vjepa-ac"))
    names = [name for name in shipped if name.startswith("target.")]
    assert len(names) > 8
    assert sorted(names) == sorted(n for n in found if n.startswith("target."))
    for name in names:
        assert torch.equal(found[name], shipped[name]), name


def test_a_residual_of_maps(parallax, fixture_of, episodes, tmp_path):
    """What the shipped V-JEPA is not yet: its change of a map is added as it is."""
    recipe = changed(
        recipe_of(tmp_path / "residual", "VjepaAc"),
        ("summary: 16", "summary: 16, residual: true"),
        ("batch: 8, summary", "batch: 8, by_change: 0.9, smooth: 0.1, optimiser: (lr: 0.03), summary"),
    )
    folder = by_the_program(parallax, recipe, episodes)
    given, net = fixture_of(str(folder)), Vjepa(Recipe.load(recipe, parallax).model)
    assert net.c["residual"]
    fill(net, export.load_weights(folder), without=("probe", "summary", "whitening"))
    z = given["maps"].reshape(2, -1, net.map)
    teacher, rollout = net.losses(z, given["actions"], 0.1, 0.9)
    same_gradients(net, teacher + rollout, given)
    with torch.no_grad():
        planned = net.losses(z, given["actions"], 0.1, 0.9, (0.3, given["metric"]), 1)
        assert torch.allclose(torch.stack(planned), given["planned"], **CLOSE)
        normed = Vjepa({**net.c, "residual": False})
        normed.load_state_dict(net.state_dict())
        last, a = z[:, 0], given["actions"][:, 0]
        assert not torch.allclose(normed.predict(last, a), net.predict(last, a), **CLOSE)
        net.predictor.out.weight.zero_()
        net.predictor.out.bias.zero_()
        assert torch.equal(net.predict(last, a), last), "a residual begins as copying"


def test_a_loss_by_change_ignores_what_stays_as_it_is():
    net = Vjepa(dict(SIZES))
    last, found = torch.randn(2, net.map), torch.randn(2, net.map)
    truth = last.clone()
    truth[:, : net.c["width"]] += 1.0  # the first token alone
    error = net.error(found, truth, last, 0.1, 1.0)
    found[:, net.c["width"] :] += 7.0
    assert torch.equal(net.error(found, truth, last, 0.1, 1.0), error)
    assert net.error(found, truth, last, 0.1, 0.0) > 2 * error.new_tensor(0.1)
    found[:, 0] += 7.0
    assert net.error(found, truth, last, 0.1, 1.0) > error


def test_twins_and_merged_tokens(parallax, fixture_of, episodes, tmp_path):
    """What no shipped model has, on small models that the program itself trains; steps large enough to move
    what begins at zero."""
    fast = ("batch: 8", "batch: 8, adamw: (lr: 0.01), warmup_steps: 1")
    for kind, *more in (
        ("PixelDiffusion", ("nfe: 2", "nfe: 2, objective: Regression")),
        ("LatentDiffusion", ("nfe: 2", "nfe: 2, merge: 2")),
        ("LatentDiffusion", ("nfe: 2", "nfe: 2, objective: Regression")),
    ):
        name = "-".join([kind, *(m[1].split()[-1] for m in more)])
        recipe = changed(recipe_of(tmp_path / name, kind), fast, *more)
        folder = by_the_program(parallax, recipe, episodes)
        model = Recipe.load(recipe, parallax).model
        given, weights = fixture_of(str(folder)), export.load_weights(folder)
        if kind == "PixelDiffusion":
            net = Unet(model)
            fill(net, weights)
            same_gradients(net, edm_loss(net, given), given)
        else:
            net = Dit(model)
            fill(net, weights, "dynamics.")
            same_gradients(net, latent_loss(net, given), given, "dynamics.", "dynamics_loss")


def test_sigreg_is_the_statistic_of_epps_and_pulley():
    """The reference values of the program's own test, and the integral over all frequencies, by trapezoids
    of Gaussian weight: of points x and y with difference d it has a closed form."""
    fixture = load_file(ROOT / "tests/fixtures/nn.safetensors")
    x = fixture["sigreg.x"].clone().requires_grad_()
    found = sigreg(x, fixture["sigreg.directions"].t(), float(x.shape[1]))
    assert torch.allclose(found, fixture["sigreg.y"].reshape(()), **CLOSE)
    (gradient,) = torch.autograd.grad(found, x)
    assert torch.allclose(gradient * fixture["sigreg.g"], fixture["sigreg.x.grad"], rtol=1e-3, atol=1e-5)
    # Knots reach to 3, where the weight exp(-t²/2) has fallen to 1 %: the rest is missing.
    random = torch.Generator().manual_seed(4)
    x = torch.randn((1, 64, 1), generator=random)
    statistic = sigreg(x, torch.ones(1, 1), 1.0).item()
    d = x[0] - x[0].t()
    # ∫ |φ(t) - exp(-t²/2)|² exp(-t²/2) dt over the line, φ the characteristic function of the points.
    exact = math.sqrt(2 * math.pi) * (
        (-d.square() / 2).exp().mean() - 2 / math.sqrt(2) * (-x.square() / 4).exp().mean() + 1 / math.sqrt(3)
    )
    assert abs(statistic - exact.item()) < 0.02 * exact.item() + 1e-4, (statistic, exact.item())
    # It tells the normal distribution from others.
    assert statistic < 0.2 * min(sigreg(x * k, torch.ones(1, 1), 1.0).item() for k in (0.2, 4.0))


def test_dropout_leaves_out_a_share():
    torch.manual_seed(3)
    net = ResidualNet(8, 64, 2, 8)
    x = torch.randn(4000, 8)
    with torch.no_grad():
        whole, dropped = net(x), torch.stack([net(x, 0.3) for _ in range(30)])
        assert torch.equal(net(x), whole), "nothing is left out at inference"
        block = net.blocks[0]
        h = F.gelu(net._modules["in"](x))
        inner = F.gelu(block._modules["0"](block.norm(h)))
        many = torch.stack([block(h, 0.3) - h for _ in range(200)]).mean(0)
        expected = block._modules["1"](inner)
    assert not torch.allclose(dropped[0], dropped[1]), "each time another share"
    assert (many - expected).abs().mean() < 0.1 * expected.abs().mean() + 0.02, "and its mean is the whole"
