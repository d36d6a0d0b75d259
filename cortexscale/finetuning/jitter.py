"""Small random shifts, rotations and scalings of stimuli (paper, appendix G.1; Dapello et al. 2023)."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from cortexscale.recipe import Jitter


def jittered(inputs: Tensor, jitter: Jitter, fill: Tensor, generator: torch.Generator) -> Tensor:
    """Shift, rotate and scale each image at random, by bilinear interpolation.

    Heads were fitted to images as the evaluation transform makes them. They are moved after that transform, so that without
    jitter the network sees here what it saw when the heads were fitted.

    Args:
        inputs: (n, 3, height, width) network input, normalised.
        jitter: sizes of the random moves.
        fill: (3,) normalised colour beyond the border of an image.
        generator: random numbers on the CPU, so that all devices use the same ones.

    Returns:
        (n, 3, height, width); ``inputs`` themselves if all sizes are 0.
    """
    if not (jitter.shift or jitter.rotation or jitter.scale):
        return inputs
    draws = 2 * torch.rand(len(inputs), 4, generator=generator) - 1
    angle = math.radians(jitter.rotation) * draws[:, 0]
    zoom = 1 / (1 + jitter.scale * draws[:, 1])
    shift = 2 * jitter.shift / jitter.field_of_view * draws[:, 2:]  # affine_grid spans [-1, 1]
    height, width = inputs.shape[2:]
    turn = torch.stack([angle.cos(), -angle.sin() * height / width, angle.sin() * width / height, angle.cos()], dim=1)
    moves = torch.cat([zoom[:, None, None] * turn.view(-1, 2, 2), shift[:, :, None]], dim=2).to(inputs)
    grid = functional.affine_grid(moves, list(inputs.shape), align_corners=False)
    fill = fill.to(inputs).view(1, 3, 1, 1)
    return functional.grid_sample(inputs - fill, grid, mode="bilinear", padding_mode="zeros", align_corners=False) + fill
