"""What all simulated experiments share: a visual system, and the THINGS-like pictures that five of them show."""

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
    """
    Attributes:
        brain: what every subject sees with.
        size: side of a picture in pixels, as the brain sees it.
        things: root of the THINGS-like image folder.
    """

    brain: "VisualSystem"
    size: int
    things: Path

    @cached_property
    def things_ids(self) -> np.ndarray:
        """Ids of the THINGS-like pictures, ``<concept>/<file>``, in byte order."""
        return stimulus_table("image_folder", self.things)["stimulus_id"].to_numpy().astype(str)

    @cached_property
    def things_latents(self) -> dict[str, np.ndarray]:
        """The generating features of these pictures: per area (pictures, dimensions)."""
        pictures = [Image.open(self.things / id).convert("RGB") for id in self.things_ids]
        side = (self.size, self.size)
        return self.brain.look(np.stack([np.asarray(picture.resize(side, Image.Resampling.BILINEAR)) for picture in pictures]))
