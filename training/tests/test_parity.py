"""The networks say what the program's say on shipped weights, and their losses have the same gradients."""

import pytest
import torch
from conftest import ROOT

from parallax_training import export
from parallax_training.cloning import Cloning
from parallax_training.config import Recipe
from parallax_training.diffusion import Unet
from parallax_training.latent import Autoencoder, Dit
from parallax_training.layers import ResidualNet
from parallax_training.lewm import Lewm
from parallax_training.vjepa import Vjepa

CLOSE = dict(rtol=1e-4, atol=1e-4)


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


def same_gradients(network, loss, given, prefix=""):
    """The loss and every parameter's gradient, against the largest of its entries."""
    assert torch.allclose(loss, given["loss"], **CLOSE), (loss.item(), given["loss"].item())
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


@pytest.mark.parametrize("model", ["lewm-all", "lewm-push", "lewm-strike"])
def test_lewm(model, parallax, fixture_of):
    recipe, weights = opened(model, parallax)
    given, net = fixture_of(model), Lewm(recipe.model)
    fill(net, weights, without=("probe", "decoder", "proposal", "whitening"))
    with torch.no_grad():
        assert torch.allclose(net.encoder(given["frames"]), given["latents"], **CLOSE)
        assert torch.allclose(net.predict(given["z"], given["a"]), given["next"], **CLOSE)
    if "proposed" in given:
        c = recipe.model
        prior = ResidualNet((c["history"] + 1) * c["latent_dim"], 256, 2, c["action_dim"])
        fill(prior, weights, "proposal.")
        assert torch.allclose(prior(torch.cat([given["z"], given["goal"]], 1)), given["proposed"], **CLOSE)
    w = {**recipe.body["joint"]["weights"], "sigreg": 0.0}
    loss, _ = net.joint(given["frames"], given["actions"], torch.randn(4, recipe.model["latent_dim"]), w)
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
    teacher, rollout = net.losses(given["maps"].reshape(2, -1, net.map), given["actions"], 0.1)
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


def test_pixel_diffusion(parallax, fixture_of):
    recipe, weights = opened("diffusion-all", parallax)
    given, net = fixture_of("diffusion-all"), Unet(recipe.model)
    fill(net, weights)
    clean = net.denoise(given["x"], 0.7, given["context"], given["levels"], given["actions"])
    assert torch.allclose(clean, given["clean"], **CLOSE)
    same_gradients(net, clean.square().mean(), given)


def test_latent_diffusion(parallax, fixture_of):
    recipe, weights = opened("latent-diffusion", parallax)
    given = fixture_of("latent-diffusion")
    coder, net = Autoencoder(recipe.model), Dit(recipe.model)
    fill(coder, weights, "autoencoder.")
    fill(net, weights, "dynamics.")
    with torch.no_grad():
        z = coder.encode(given["frames"])
        assert torch.allclose(z, given["latents"], **CLOSE)
        side, n = coder.side // 2, len(z)
        pictures = coder.decode(given["latents"].reshape(n, side, side, -1))
        assert (pictures.int() - given["decoded"].int()).abs().max() <= 1
        said = net(given["noisy"], given["level"], given["context"], given["levels"], given["actions"])
        assert torch.allclose(said, given["said"], **CLOSE)
    squared = recipe.body["autoencoder"].get("squared_weight", 0.0)
    loss = coder.loss(given["frames"], torch.ones(n, 64 * 64), torch.zeros(()), squared)
    same_gradients(coder, loss, given, "autoencoder.")
