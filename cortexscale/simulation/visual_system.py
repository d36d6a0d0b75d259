"""The visual system that all simulated subjects have in common, and the images in the layout of THINGS that many of them see."""

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
"""The network that the higher areas read from. No suite of the demo has a model of its family."""
HIDDEN_LAYERS = {"middle": "blocks.2", "late": "global_pool"}
AREAS = ("early", "middle", "late")
DIMENSIONS = 12
"""Dimensions of the code of each area: few enough to be learned from a few hundred single trials."""


class VisualSystem:
    """Three areas that all simulated subjects have in common.

    The early one codes Gabor energy, the later ones a middle and a late layer of the trained hidden ``network``. Their codes
    are found on ``images``, (n, size, size, 3) uint8.
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
        """Return the generating features of (n, size, size, 3) uint8 images: area -> (n, dimensions)."""
        return {area: self.codes[area].latent(values) for area, values in self._features(images).items()}

    def signal(self, latents: dict[str, np.ndarray], areas: list[str], seed: int) -> np.ndarray:
        """Return noise-free responses of one unit per entry of ``areas``, which it reads from, with unit variance over images.

        The ``latents`` are features from :meth:`look`. Another ``seed`` gives another subject, who has other units.
        """
        n = len(next(iter(latents.values())))
        signal = np.empty((n, len(areas)))
        for number, area in enumerate(AREAS):
            units = [index for index, name in enumerate(areas) if name == area]
            signal[:, units] = self.codes[area].mixtures(latents[area], len(units), seed=1000 * seed + number)
        return signal


@dataclass(frozen=True)
class World:
    """The visual system and the images that simulated subjects have in common."""

    brain: VisualSystem
    size: int  # side of an image in pixels, as the visual system sees it
    things: Path  # root of the image folder in the layout of THINGS

    @cached_property
    def things_ids(self) -> np.ndarray:
        """Ids of the images in the layout of THINGS, ``<concept>/<file>``, in byte order."""
        return stimulus_table("image_folder", self.things)["stimulus_id"].to_numpy().astype(str)

    @cached_property
    def things_latents(self) -> dict[str, np.ndarray]:
        """The generating features of these images: area -> (images, dimensions)."""
        return self.look_at("image_folder", self.things)

    def look_at(self, layout: Layout, path: Path) -> dict[str, np.ndarray]:
        """Return the generating features of the images of a stimulus set, in its order: area -> (images, dimensions)."""
        images, side = StimulusImages(layout, path, stimulus_table(layout, path)), (self.size, self.size)
        resized = [images[row].resize(side, Image.Resampling.BILINEAR) for row in range(len(images))]
        return self.brain.look(np.stack([np.asarray(image) for image in resized]))
