"""Run by `test_ddp.py` in each of two processes: one step's gradient of LeWM's joint loss, batch norm and
SIGReg included."""

import sys

import torch

from parallax_training.lewm import Lewm
from parallax_training.optim import AdamW
from parallax_training.world import World

SIZES = dict(
    latent_dim=24,
    image_size=64,
    encoder_channels=(8, 8, 8),
    head="Flatten",
    residual_blocks=1,
    encoder_hidden=32,
    history=2,
    predictor_width=32,
    predictor_blocks=2,
    inverse_width=16,
    frameskip=5,
    action_dim=2,
    action_block="Concat",
    dropout=0.0,
)
WEIGHTS = dict(one_step=1.0, open_loop=1.0, sigreg=0.09, sigreg_factor=128.0, inverse=1.0)


def gradient(world):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    model = Lewm(SIZES, world)
    torch.nn.init.normal_(model.predictor.out.weight, std=0.1)
    opt = AdamW(model.parameters(), dict(betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-3), 1e9, world)
    random = torch.Generator().manual_seed(2)
    frames = torch.randint(0, 256, (8, 4, 64 * 64 * 3), generator=random, dtype=torch.uint8)
    actions = torch.rand((8, 3, 10), generator=random)
    noise = torch.randn((32, 24), generator=random)
    loss, _ = model.joint(world.share(frames).flatten(0, 1), world.share(actions), noise, WEIGHTS)
    opt.step(loss)
    return opt.g, model.encoder.latent_norm.running_var, model.encoder.hidden_norm.running_mean


if __name__ == "__main__":
    world = World.of_environment("cpu")
    found = gradient(world)
    if world.leads:
        torch.save(found, sys.argv[1])
    world.close()
