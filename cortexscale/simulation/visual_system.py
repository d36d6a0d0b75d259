"""The visual system that all simulated subjects share, and images in the layout of THINGS that many of them see."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from cortexscale.models.model import Model, TimmBuilder
from cortexscale.simulation.brain import AreaCode, gabor_energy
from cortexscale.stimuli import StimulusImages, stimulus_table
from cortexscale.study.images import Layout

if TYPE_CHECKING:
    import torch

HIDDEN_NETWORK = Model(
    id="hidden network",
    source="suite",
    arch="efficientnet",
    family="EfficientNet",
    builder=TimmBuilder("test_efficientnet", classes=16),
    layers=(),
    reference="hidden network",
    image_size=32,
)
"""The hidden network from which the higher areas read. No suite of the demo has a model of its family."""
HIDDEN_LAYERS = {"middle": "blocks.2", "late": "global_pool"}
AREAS = ("early", "middle", "late")
DIMENSIONS = 12
"""Number of dimensions of the code of each area. They are few enough to be learned from a few hundred single trials."""


class VisualSystem:
    """Three visual areas that all simulated subjects share.

    The early area codes Gabor energy. The later areas code a middle and a late layer of the trained hidden ``network``. Codes are
    found from uint8 ``images`` (n, size, size, 3).
    """

    def __init__(self, network: "torch.nn.Module", images: np.ndarray):
        self.network = network.eval()
        self.codes = {area: AreaCode.find(values, DIMENSIONS) for area, values in self._features(images).items()}

    def _features(self, images: np.ndarray, batch: int = 500) -> dict[str, np.ndarray]:
        import torch

        from cortexscale.models.inputs import as_input
        from cortexscale.models.layers import captured

        parts: dict[str, list[np.ndarray]] = {area: [] for area in HIDDEN_LAYERS}
        with torch.inference_mode(), captured(self.network, list(HIDDEN_LAYERS.values())) as outputs:
            for start in range(0, len(images), batch):
                self.network(as_input(images[start : start + batch]))
                for area, layer in HIDDEN_LAYERS.items():
                    parts[area].append(outputs[layer].numpy().copy())
        return {"early": gabor_energy(images)} | {area: np.concatenate(values) for area, values in parts.items()}

    def look(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Return the coordinates (n, dimensions) of uint8 images (n, size, size, 3) in the code of each area."""
        return {area: self.codes[area].latent(values) for area, values in self._features(images).items()}

    def signal(self, latents: dict[str, np.ndarray], areas: list[str], seed: int) -> np.ndarray:
        """Return noise-free responses of units, with unit variance over images. ``areas`` has the area that each unit reads.

        ``latents`` are coordinates from :meth:`look`. Each ``seed`` gives a different subject with different units.
        """
        n = len(next(iter(latents.values())))
        signal = np.empty((n, len(areas)))
        for number, area in enumerate(AREAS):
            units = [index for index, name in enumerate(areas) if name == area]
            signal[:, units] = self.codes[area].mixtures(latents[area], len(units), seed=1000 * seed + number)
        return signal


@dataclass(frozen=True)
class World:
    """The visual system and the images that all simulated subjects share."""

    brain: VisualSystem
    size: int  # side, in pixels, of the images that the visual system sees
    things: Path  # root of the image folder in the layout of THINGS

    @cached_property
    def things_ids(self) -> np.ndarray:
        """Ids of the images in the layout of THINGS, in byte order. An id is ``<concept>/<file>``."""
        return stimulus_table("image_folder", self.things)["stimulus_id"].to_numpy().astype(str)

    @cached_property
    def things_latents(self) -> dict[str, np.ndarray]:
        """Area -> coordinates (images, dimensions) in its code, for the images in the layout of THINGS."""
        return self.look_at("image_folder", self.things)

    def look_at(self, layout: Layout, path: Path) -> dict[str, np.ndarray]:
        """Return the coordinates (images, dimensions) of the images of a stimulus set in the code of each area.

        Images have the order of the stimulus table.
        """
        images, side = StimulusImages(layout, path, stimulus_table(layout, path)), (self.size, self.size)
        resized = [images[row].resize(side, Image.Resampling.BILINEAR) for row in range(len(images))]
        return self.brain.look(np.stack([np.asarray(image) for image in resized]))
