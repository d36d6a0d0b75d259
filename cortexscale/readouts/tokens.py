"""Tokens of a layer, which are read in batches of stimuli."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np


class Tokens(ABC):
    """Activations of a layer for all stimuli of a table, in memory or in a store.

    Attributes:
        widths: number of channels of every token. It is usually the same for all tokens; narrower tokens are padded with zeros.
    """

    widths: tuple[int, ...]

    @abstractmethod
    def read(self, rows: np.ndarray) -> np.ndarray:
        """Read tokens (len(rows), tokens, channels) of rows of the stimulus table in any order. They are usually float16."""


def as_tokens(features: np.ndarray) -> np.ndarray:
    """Arrange vectors (n, C), tokens (n, T, C) or maps (n, C, height, width) as tokens. Other shapes raise a ValueError."""
    if features.ndim == 2:
        return features[:, None]
    if features.ndim == 4:
        return features.reshape(*features.shape[:2], -1).swapaxes(1, 2)
    if features.ndim != 3:
        raise ValueError(f"features of shape {features.shape} are neither vectors, tokens nor maps")
    return features


def pooled_layers(layers: Sequence[np.ndarray]) -> np.ndarray:
    """Average the tokens (n, tokens, channels) of each layer to one token, which a layer gate reads.

    The result is float16 (n, layers, channels of the widest layer). Narrower layers are padded with zeros.
    """
    pooled = np.zeros((len(layers[0]), len(layers), max(layer.shape[2] for layer in layers)), dtype=np.float16)
    for number, layer in enumerate(layers):
        pooled[:, number, : layer.shape[2]] = layer.mean(axis=1, dtype=np.float32)
    return pooled
