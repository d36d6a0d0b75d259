"""A ResNet with three classes and random weights, and images of noise, for tests of extraction."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from cortexscale.models.backbone import Backbone
from cortexscale.models.build import build_backbone, load_backbone
from cortexscale.models.model import Model, TimmBuilder
from cortexscale.stimuli import stimulus_table

SMALL = Model("small", "suite", "small", "ResNet", TimmBuilder("test_resnet", classes=3), (), reference="small", image_size=32)


def small_backbone(folder: Path) -> Backbone:
    """Save random weights of the network to a checkpoint in ``folder``, and load them."""
    torch.manual_seed(0)
    checkpoint = folder / "small.pt"
    torch.save(build_backbone(SMALL).network.state_dict(), checkpoint)
    return load_backbone(replace(SMALL, checkpoint=str(checkpoint)))


def noise_images(folder: Path, count: int) -> tuple[Path, pd.DataFrame]:
    """Save images of noise to ``folder``. Return the folder and its stimulus table."""
    rng = np.random.default_rng(0)
    (folder / "a").mkdir()
    for number in range(count):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / f"a/{number:04d}.png")
    return folder, stimulus_table("image_folder", folder)
