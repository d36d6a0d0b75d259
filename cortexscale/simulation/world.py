"""The world that all simulated datasets share: a visual system, and images in the layout of THINGS for five of them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from cortexscale.stimuli import stimulus_table

if TYPE_CHECKING:
    from cortexscale.simulation.visual_system import VisualSystem


@dataclass(frozen=True)
class World:
    """The visual system and the images that simulated subjects have in common.

    Attributes:
        brain: the visual system of every subject.
        size: side of an image in pixels, as the visual system sees it.
        things: root of the image folder in the layout of THINGS.
    """

    brain: "VisualSystem"
    size: int
    things: Path

    @cached_property
    def things_ids(self) -> np.ndarray:
        """Ids of the images in the layout of THINGS, ``<concept>/<file>``, in byte order."""
        return stimulus_table("image_folder", self.things)["stimulus_id"].to_numpy().astype(str)

    @cached_property
    def things_latents(self) -> dict[str, np.ndarray]:
        """The generating features of these images: area -> (images, dimensions)."""
        images = [Image.open(self.things / id).convert("RGB") for id in self.things_ids]
        side = (self.size, self.size)
        return self.brain.look(np.stack([np.asarray(image.resize(side, Image.Resampling.BILINEAR)) for image in images]))
