"""Small random moves of the view that a network has of a stimulus (paper, appendix G.1; Dapello et al. 2023)."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from cortexscale.recipe import Jitter


def jittered(views: Tensor, jitter: Jitter, fill: Tensor, generator: torch.Generator) -> Tensor:
    """Views shifted, turned and scaled at random, each in its own way, by bilinear interpolation.

    A view is what the evaluation transform makes of a picture: heads were fitted on those, and without jitter that is what
    the network sees here as well.

    Args:
        views: (n, 3, height, width), normalised.
        fill: (3,) what is seen beyond the border of a view, normalised.
        generator: on the CPU, so that all devices see the same.

    Returns:
        (n, 3, height, width); ``views`` themselves if no jitter is wanted.
    """
    if not (jitter.shift or jitter.rotation or jitter.scale):
        return views
    draws = 2 * torch.rand(len(views), 4, generator=generator) - 1
    angle = math.radians(jitter.rotation) * draws[:, 0]
    zoom = 1 / (1 + jitter.scale * draws[:, 1])
    shift = 2 * jitter.shift / jitter.field_of_view * draws[:, 2:]  # affine_grid spans [-1, 1]
    height, width = views.shape[2:]
    turn = torch.stack([angle.cos(), -angle.sin() * height / width, angle.sin() * width / height, angle.cos()], dim=1)
    moves = torch.cat([zoom[:, None, None] * turn.view(-1, 2, 2), shift[:, :, None]], dim=2).to(views)
    grid = functional.affine_grid(moves, list(views.shape), align_corners=False)
    fill = fill.to(views).view(1, 3, 1, 1)
    return functional.grid_sample(views - fill, grid, mode="bilinear", padding_mode="zeros", align_corners=False) + fill
