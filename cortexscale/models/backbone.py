"""A network as extraction wants it, whatever source it comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import Tensor, nn

from cortexscale.errors import InputError

GREY = Image.new("RGB", (256, 256), (128, 128, 128))
"""The picture on which networks are measured."""


@dataclass(frozen=True)
class Described:
    """A transform whose text says all that it depends on."""

    function: Callable[[Image.Image], Tensor]
    text: str

    def __call__(self, picture: Image.Image) -> Tensor:
        return self.function(picture)

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Backbone:
    """What a source gives.

    Attributes:
        network: in eval mode. It takes a stack of transformed pictures, and its modules can be hooked by name.
        transform: an RGB picture -> the (3, height, width) input of the network, as its authors evaluate it. Its text is
            part of the identity of features, so it names what it does and no address in memory.
        stacked: layers put out the tokens of all pictures of a batch as rows, (batch * tokens, channels), in the order of
            the pictures; by default the first dimension is the batch.
    """

    network: nn.Module
    transform: Callable[[Image.Image], Tensor]
    stacked: bool = False

    def rows(self, output: Tensor, pictures: int, layer: str) -> Tensor:
        """The output of a layer with the pictures as its first dimension: (pictures, ...).

        Raises:
            InputError: the output cannot be divided among the pictures.
        """
        if self.stacked and len(output) % pictures == 0:
            return output.reshape(pictures, -1)
        if len(output) != pictures:
            raise InputError(
                f"layer {layer} of a {type(self.network).__name__}",
                f"an output of {len(output)} rows for {pictures} picture(s)",
                "the batch as the first dimension",
                "leave this layer out of `layers`, or choose a module around it",
            )
        return output


def cannot_build(model: dict[str, Any], error: Exception, remedy: str) -> InputError:
    """What a source raises when a library refuses to build a model."""
    return InputError(f"model {model['id']}", f"{type(error).__name__}: {str(error)[:500]}", "a model that can be built", remedy)
