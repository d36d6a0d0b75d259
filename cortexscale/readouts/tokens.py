"""Tokens of a layer, which are read in batches of stimuli."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from cortexscale.errors import InputError


class Tokens(ABC):
    """Activations of a layer for all stimuli of a table, in memory or in a store.

    Attributes:
        widths: number of channels of every token. It is usually the same for all tokens; narrower tokens are padded with zeros.
    """

    widths: tuple[int, ...]

    @abstractmethod
    def read(self, rows: np.ndarray) -> np.ndarray:
        """Read tokens (len(rows), tokens, channels) of rows of the stimulus table in any order."""


def token_shape(shape: Sequence[int], image: Sequence[int], layer: str) -> tuple[int, ...]:
    """Return the shape to which the activations of one image must be reshaped before :func:`as_tokens` arranges them as tokens.

    The first two or the last two dimensions of a map have the proportions of the image (3, height, width). Channels are usually
    the first dimension of a map. In a Swin transformer they are the last dimension; each pixel of such a map becomes a token. An
    InputError is raised if the activations are not a vector, tokens or a map.
    """
    if not 0 < len(shape) < 4:
        found, expected = f"activations of shape {tuple(shape)} per image", "a vector, tokens, or a map"
        raise InputError(layer, found, expected, "leave this layer out of `layers`, or leave out readouts of tokens")
    if len(shape) < 3:
        return tuple(shape)
    height, width = image[-2:]

    def is_grid(rows: int, columns: int) -> bool:  # a side of a map is rounded up or down
        return abs(rows * width - columns * height) < max(height, width)

    channels_last = is_grid(*shape[:2]) and not is_grid(*shape[1:])
    return (shape[0] * shape[1], shape[2]) if channels_last else tuple(shape)


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

    The result is float32 (n, layers, channels of the widest layer). Narrower layers are padded with zeros.
    """
    pooled = np.zeros((len(layers[0]), len(layers), max(layer.shape[2] for layer in layers)), dtype=np.float32)
    for number, layer in enumerate(layers):
        pooled[:, number, : layer.shape[2]] = layer.mean(axis=1, dtype=np.float32)
    return pooled
