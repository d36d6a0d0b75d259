"""A network of any source, with the transform that makes its input."""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image
from torch import Tensor, nn

from cortexscale.errors import InputError
from cortexscale.models.model import Model

GREY = Image.new("RGB", (256, 256), (128, 128, 128))
"""A uniform grey image, on which the sizes of networks are measured."""


@dataclass(frozen=True)
class DescribedTransform:
    """A transform from an RGB image to a (3, height, width) tensor. ``text`` names everything on which it depends."""

    function: Callable[[Image.Image], Tensor]
    text: str

    def __call__(self, image: Image.Image) -> Tensor:
        return self.function(image)

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Backbone:
    """A network that is ready for extraction.

    Attributes:
        network: network in eval mode. It takes a batch of transformed images, and its modules can be hooked by name.
        transform: function that makes the input (3, height, width) from an RGB image, as in the evaluation by the network's
            authors. The text ``str(transform)`` is stored with the features. Stored features with another text are not used. The
            text must therefore say what the transform does, and must not contain a memory address.
        stacked: whether layers put out the tokens of all images of a batch as rows, (batch * tokens, channels), in the order of
            the images. By default the first dimension is the batch.
    """

    network: nn.Module
    transform: Callable[[Image.Image], Tensor]
    stacked: bool = False

    def rows(self, output: Tensor, n_images: int, layer: str) -> Tensor:
        """Return the output of a layer as (n_images, ...). If it cannot be divided among the images, raise an InputError."""
        if self.stacked and len(output) % n_images == 0:
            return output.reshape(n_images, -1)
        if not output.ndim or len(output) != n_images:
            where, expected = f"layer {layer} of a {type(self.network).__name__}", "the batch as the first dimension"
            found = f"an output of {len(output) if output.ndim else 0} rows for {n_images} image(s), {tuple(output.shape)}"
            raise InputError(where, found, expected, "leave this layer out of `layers`, or choose a module around it")
        return output


def cannot_build(model: Model, error: Exception, remedy: str) -> InputError:
    """Make the InputError for a model that the library of its source cannot build."""
    return InputError(f"model {model.id}", f"{type(error).__name__}: {str(error)[:500]}", "a model that can be built", remedy)
