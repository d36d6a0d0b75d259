"""Tokens of a layer, read in batches of stimuli."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")
Result = TypeVar("Result")


class Tokens(ABC):
    """Activations of a layer for all stimuli of a table, wherever they are kept.

    Attributes:
        n_rows: number of stimuli.
        widths: channels of every token, mostly the same for all. Narrower tokens are padded with zeros.
    """

    n_rows: int
    widths: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of tokens and of channels of one stimulus."""
        return len(self.widths), max(self.widths)

    @abstractmethod
    def read(self, rows: np.ndarray) -> np.ndarray:
        """Read these rows of the stimulus table, in any order: (len(rows), tokens, channels), as a rule float16."""


class TokensInMemory(Tokens):
    """Tokens in an array or a memory map.

    Args:
        array: (stimuli, tokens, channels), or features that :func:`as_tokens` accepts.
        widths: channels of every token; by default all.
    """

    def __init__(self, array: np.ndarray, widths: Sequence[int] | None = None):
        self.array = as_tokens(array)
        self.n_rows, n_tokens, width = self.array.shape
        self.widths = (width,) * n_tokens if widths is None else tuple(widths)

    def read(self, rows: np.ndarray) -> np.ndarray:
        return self.array[rows]


def as_tokens(features: np.ndarray) -> np.ndarray:
    """Arrange features as (n, tokens, channels). A vector is one token, and a map (n, channels, height, width) one per position.

    Raises:
        ValueError: features have other dimensions.
    """
    if features.ndim == 2:
        return features[:, None]
    if features.ndim == 4:
        return features.reshape(*features.shape[:2], -1).swapaxes(1, 2)
    if features.ndim != 3:
        raise ValueError(f"features of shape {features.shape} are no vectors, tokens or maps")
    return features


def pooled_layers(layers: Sequence[Tokens], batch: int = 512) -> TokensInMemory:
    """Average the tokens of every layer, so that a layer is one token, as a layer gate reads it.

    Each layer is read once, ``batch`` stimuli at a time. The result takes 2 bytes x stimuli x layers x the widest layer.

    Returns:
        Tokens (stimuli, layers, widest layer), float16.
    """
    widths = [layer.shape[1] for layer in layers]
    pooled = np.zeros((layers[0].n_rows, len(layers), max(widths)), dtype=np.float16)
    for number, (layer, width) in enumerate(zip(layers, widths, strict=True)):
        for start in range(0, layer.n_rows, batch):
            rows = np.arange(start, min(start + batch, layer.n_rows))
            pooled[rows, number, :width] = layer.read(rows).mean(axis=1, dtype=np.float32)
    return TokensInMemory(pooled, widths)


def one_ahead(read: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield ``read`` of each item in turn. The next item is read in a thread while the present one is used."""
    with ThreadPoolExecutor(1) as reader:
        waiting = None
        for item in chain(items, (None,)):
            coming = None if item is None else reader.submit(read, item)
            if waiting is not None:
                yield waiting.result()
            waiting = coming
