"""A readout that needs no committed layer: learned gates decide how much of each layer a ROI reads.

The mean token of every layer is projected to a common width and normalised to the same length, so that a gate is the weight of
its layer in the mixture. Gates add up to 1 over layers and are either

* ``static``: one number per layer, the same for all stimuli, or
* ``query``: attention of one learned query to the layers, which may read each stimulus at a different depth.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cortexscale.readouts.recipes import ReadoutRecipe

_SPEED = 10.0
"""Logits per unit of the parameters of a static gate. Adam changes every parameter by about the learning rate in a step. A change
of 0.05 is large for a weight of a projection, and hardly matters for a logit."""


class LayerGate(nn.Module):
    """Network from mean tokens of L layers, (B, L, C), to features, (B, width).

    Args:
        recipe: its width, gate and dropout are used.
        widths: channels of every layer. Further channels are padding.
    """

    def __init__(self, recipe: ReadoutRecipe, widths: Sequence[int]):
        super().__init__()
        width = recipe.width
        self.dropout, self.n_features = recipe.dropout, width
        self.projections = nn.ModuleList(nn.Linear(channels, width) for channels in widths)
        self.query = None
        if recipe.gate == "static":
            self.logits = nn.Parameter(torch.zeros(len(widths)))
        else:
            self.query = nn.Parameter(0.02 * torch.randn(width))
            self.depths = nn.Parameter(0.02 * torch.randn(len(widths), width))
            self.key = nn.Linear(width, width)

    def forward(self, pooled: Tensor) -> Tensor:
        layers = self._normalised(pooled)
        mixture = (self._gates(layers)[..., None] * layers).sum(dim=1)
        return F.dropout(mixture, self.dropout, self.training)

    def gates(self, pooled: Tensor) -> Tensor:
        """Compute the gates of all layers for each stimulus: (B, L)."""
        layers = self._normalised(pooled)
        return self._gates(layers).expand(layers.shape[:2])

    def _normalised(self, pooled: Tensor) -> Tensor:
        layers = [project(pooled[:, number, : project.in_features]) for number, project in enumerate(self.projections)]
        return F.layer_norm(torch.stack(layers, dim=1), layers[0].shape[-1:])

    def _gates(self, layers: Tensor) -> Tensor:
        if self.query is None:
            return (_SPEED * self.logits).softmax(dim=-1)
        return ((self.key(layers) + self.depths) @ self.query).softmax(dim=-1)


def gate_summary(gates: np.ndarray, depths: np.ndarray) -> dict[str, float]:
    """Summarise at which depth, and how narrowly, a ROI reads a network.

    Args:
        gates: (L,) gates of the layers, which add up to 1.
        depths: (L,) depths of the layers.

    Returns:
        ``expected_depth``, ``depth_sd``, and ``gate_entropy`` in nats, which is 0 for a single layer and log L for equal gates.
    """
    expected = float(gates @ depths)
    positive = gates[gates > 0]
    return {
        "expected_depth": expected,
        "depth_sd": float(np.sqrt(gates @ (depths - expected) ** 2)),
        "gate_entropy": float(-(positive * np.log(positive)).sum()),
    }
