"""The simulated visual system: which feature space each area codes, and which area each released ROI belongs to."""

from typing import TYPE_CHECKING

import numpy as np

from cortexscale.simulation.brain import AreaCode, gabor_energy

if TYPE_CHECKING:
    import torch

HIDDEN_NETWORK = {
    "id": "hidden network",
    "source": "suite",
    "arch": "efficientnet",
    "builder": {"timm": "test_efficientnet", "arguments": {"num_classes": 16}, "image_size": 32},
}
"""The network behind the higher areas, of a family that no suite of the demo has."""
HIDDEN_LAYERS = {"middle": "blocks.2", "late": "global_pool"}
AREAS = ("early", "middle", "late")
DIMENSIONS = 12
"""Of the code of each area: few enough to be learned from some hundred single trials."""


class VisualSystem:
    """What all simulated subjects have in common: three areas, each with a code of few dimensions.

    Args:
        network: the hidden network with its trained weights.
        images: (n, size, size, 3) uint8, the pictures that the areas' codes are found on.
    """

    def __init__(self, network: "torch.nn.Module", images: np.ndarray):
        self.network = network.eval()
        self.codes = {area: AreaCode.find(values, DIMENSIONS) for area, values in self._features(images).items()}

    def _features(self, images: np.ndarray, batch: int = 500) -> dict[str, np.ndarray]:
        import torch

        from cortexscale.models.layers import captured
        from cortexscale.models.normalisation import as_input

        parts: dict[str, list[np.ndarray]] = {area: [] for area in HIDDEN_LAYERS}
        with torch.inference_mode(), captured(self.network, list(HIDDEN_LAYERS.values())) as outputs:
            for start in range(0, len(images), batch):
                self.network(as_input(images[start : start + batch]))
                for area, layer in HIDDEN_LAYERS.items():
                    parts[area].append(outputs[layer].numpy().copy())
        return {"early": gabor_energy(images)} | {area: np.concatenate(values) for area, values in parts.items()}

    def look(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """The generating features: (n, dimensions) of each area for (n, size, size, 3) pictures."""
        return {area: self.codes[area].latent(values) for area, values in self._features(images).items()}

    def signal(self, latents: dict[str, np.ndarray], areas: list[str], seed: int) -> np.ndarray:
        """Noise-free responses of one unit per entry of ``areas``, (n, units), unit variance over pictures.

        Args:
            latents: of :meth:`look`.
            seed: of the subject; another subject has other units.
        """
        n = len(next(iter(latents.values())))
        signal = np.empty((n, len(areas)))
        for number, area in enumerate(AREAS):
            units = [index for index, name in enumerate(areas) if name == area]
            signal[:, units] = self.codes[area].mixtures(latents[area], len(units), seed=1000 * seed + number)
        return signal
