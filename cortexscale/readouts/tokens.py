"""Tokens of a layer, read in batches of stimuli."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np


class Tokens(ABC):
    """Activations of a layer for all stimuli of a table, in memory or in a store.

    Attributes:
        widths: channels of every token, mostly the same for all. Narrower tokens are padded with zeros.
    """

    widths: tuple[int, ...]

    @abstractmethod
    def read(self, rows: np.ndarray) -> np.ndarray:
        """Read rows of the stimulus table in any order: (len(rows), tokens, channels), usually float16."""


def as_tokens(features: np.ndarray) -> np.ndarray:
    """Arrange vectors (n, C), tokens (n, T, C) or maps (n, C, height, width) as tokens. Other shapes are a ValueError."""
    if features.ndim == 2:
        return features[:, None]
    if features.ndim == 4:
        return features.reshape(*features.shape[:2], -1).swapaxes(1, 2)
    if features.ndim != 3:
        raise ValueError(f"features of shape {features.shape} are neither vectors, tokens nor maps")
    return features


def pooled_layers(layers: Sequence[np.ndarray]) -> np.ndarray:
    """Average the tokens (n, tokens, channels) of each layer, so that a layer is one token, which a layer gate reads.

    The result is (n, layers, channels of the widest layer) float16, where narrower layers are padded with zeros.
    """
    pooled = np.zeros((len(layers[0]), len(layers), max(layer.shape[2] for layer in layers)), dtype=np.float16)
    for number, layer in enumerate(layers):
        pooled[:, number, : layer.shape[2]] = layer.mean(axis=1, dtype=np.float32)
    return pooled
