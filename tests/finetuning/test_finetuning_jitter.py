"""Small random moves of the view of a stimulus."""

import numpy as np
import pytest
import torch
from finetuning_data import pretrained
from PIL import Image

from cortexscale.finetuning.tasks import jittered
from cortexscale.models.backbone import GREY
from cortexscale.models.inputs import MEAN, STD, evaluation_transform, normalisation
from cortexscale.recipe import Jitter


@pytest.mark.parametrize("size", [(64, 64), (64, 96), (96, 64)])
@pytest.mark.parametrize("jitter", [Jitter(), Jitter(shift=0, rotation=10, scale=0), Jitter(shift=0, rotation=0, scale=0.1)])
def test_jitter_is_as_large_as_the_recipe_says(jitter, size):
    """Views that show their own coordinates tell how they were moved. A view that is not square is not sheared either."""
    (height, width), n = size, 300
    y, x = torch.meshgrid(torch.arange(height) + 0.5 - height / 2, torch.arange(width) + 0.5 - width / 2, indexing="ij")
    views = torch.stack([x, y, torch.zeros(size)]).expand(n, 3, *size)
    moved = jittered(views, jitter, torch.zeros(3), torch.Generator().manual_seed(0))
    inside = (slice(16, height - 16), slice(16, width - 16))
    places = torch.stack([x, y, torch.ones(size)])[:, *inside].reshape(3, -1)
    found = torch.linalg.lstsq(places.T.double(), moved[:, :2, *inside].reshape(2 * n, -1).T.double()).solution
    found = found.T.reshape(n, 2, 3).numpy()  # where each view looks, as an affine map in pixels around its centre
    scale = 1 / np.sqrt(np.linalg.det(found[:, :, :2]))
    angle = np.degrees(np.arctan2(found[:, 1, 0], found[:, 0, 0]))
    turned = scale[:, None, None] * found[:, :, :2]
    np.testing.assert_allclose(turned @ turned.transpose(0, 2, 1), np.tile(np.eye(2), (n, 1, 1)), atol=1e-4)
    pixels = np.array([width, height]) / jitter.field_of_view
    measured = {"shift": found[:, :, 2] / pixels, "rotation": angle, "scale": scale - 1}
    for name, values in measured.items():
        largest = getattr(jitter, name)
        assert np.abs(values).max() <= largest * 1.01 + 1e-4
        if largest:
            assert values.max() > 0.9 * largest and values.min() < -0.9 * largest and abs(values.mean()) < 0.15 * largest


def test_beyond_the_border_a_view_is_grey():
    backbone = pretrained()
    fill = backbone.transform(GREY)[:, 0, 0]
    white = backbone.transform(Image.new("RGB", (16, 16), (255, 255, 255)))[None].repeat(20, 1, 1, 1)
    moved = jittered(white, Jitter(shift=4, rotation=0, scale=0), fill, torch.Generator().manual_seed(0))
    corners = torch.stack([moved[:, :, row, column] for row in (0, -1) for column in (0, -1)])
    assert ((corners - fill.view(1, 1, 3)).abs().amax(dim=2) < 1e-4).any(dim=0).all(), "a corner of each moved view is outside"


def test_the_normalisation_of_a_transform_is_found():
    mean, std = normalisation(evaluation_transform(32, 24))
    np.testing.assert_allclose(mean, MEAN, rtol=1e-4)
    np.testing.assert_allclose(std, STD, rtol=1e-4)
