"""The section of features.

It is in a separate module, so that a change in the code of other sections does not repeat the stages that import this module.
"""

from typing import Any, Literal

from pydantic import PositiveInt, SerializerFunctionWrapHandler, model_serializer

from cortexscale.section import Section, Seed

Precision = Literal["float16", "bfloat16", "float32"]


class Projection(Section):
    """Random projection of flattened activations (paper, section 3)."""

    family: Literal["sparse", "countsketch", "gaussian", "exact"] = "sparse"
    """Kind of random matrix. The paper uses `sparse`; `countsketch` is faster. `exact` means no projection: kernels of all
    activations are stored instead of features, and the other keys have no effect."""
    dimensions: PositiveInt = 30_000
    """Number of dimensions after the projection. Layers with fewer activations are not projected."""
    seed: Seed = 42
    """Seed of the random matrix. Change it to see how much scores depend on the projection."""

    @property
    def is_exact(self) -> bool:
        """Whether kernels of all activations are stored instead of features."""
        return self.family == "exact"

    @model_serializer(mode="wrap")
    def _known_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the keys that exact kernels do not depend on."""
        return {"family": self.family} if self.is_exact else handler(self)


class Features(Section):
    """Extraction of features from the layers of a network."""

    projection: Projection = Projection()
    """Random projection of the flattened activations of a layer."""
    precision: Precision = "float16"
    """Number format of the network on a GPU. A CPU computes in float32. Choose float32 or bfloat16 for a network that overflows
    float16."""
    batch_size: PositiveInt = 32
    """Number of images in a forward pass. Choose a smaller number if the memory of the GPU is too small."""
    scratch_gb: PositiveInt = 100
    """Disk space in GB for the activations that exact kernels are computed from. With less space, the network processes the
    images more often."""
