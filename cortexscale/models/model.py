"""The facts of one model of a study.

They are in a separate module with little code, so that changes in other code do not repeat the stages that run networks.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar


@dataclass(frozen=True)
class TimmBuilder:
    """An architecture of timm, with arguments of ``timm.create_model``.

    If ``classes`` is None, the classifier has the classes of the pretraining.
    """

    timm: str
    arguments: dict[str, Any] = field(default_factory=dict, hash=False)
    classes: int | None = None


@dataclass(frozen=True)
class PublishedBuilder:
    """An architecture of the suite of Gokce & Schrimpf (2025), and the number of classes of its classifier."""

    architecture: str
    classes: int


@dataclass(frozen=True)
class HubBuilder:
    repository: str


@dataclass(frozen=True)
class FunctionBuilder:
    """A function of the user that builds a network.

    ``transform`` names a function of the same file that makes the input, or is None for the default transform.
    """

    file: str
    function: str
    arguments: dict[str, Any] = field(hash=False)
    transform: str | None


@dataclass(frozen=True)
class TunedBuilder:
    """The network of a base model with new weights from a fine-tuning."""

    base: "Model"


Builder = TimmBuilder | PublishedBuilder | HubBuilder | FunctionBuilder | TunedBuilder
B = TypeVar("B", TimmBuilder, PublishedBuilder, HubBuilder, FunctionBuilder, TunedBuilder)


@dataclass(frozen=True)
class Model:
    """One trained network.

    Attributes:
        id: unique name, as in the published tables.
        source: value of the key ``source`` in its config entry, or ``finetuned``.
        layers: regular expressions of the candidate layers.
        reference: id of the reference model, whose layer search this model uses.
        dataset, n_samples, samples_per_class, seed: facts of the pretraining, or None if unknown. samples_per_class 0 stands for
            the full training set.
        checkpoint: file with the weights, or None if the source fetches them.
        ema: whether to load the moving average of the weights. ``auto`` loads it if the file has one.
        weights_at: place of the weights in a file in which several sets of weights fit; None if only one set fits.
        image_size: side, in pixels, of the square to which images are resized. If it is None, they are resized as in the
            evaluation by the network's authors.
        begins_with: id of the model whose training an adversarial copy continues.
    """

    id: str
    source: str
    arch: str
    family: str
    builder: Builder
    layers: tuple[str, ...]
    reference: str
    dataset: str | None = None
    n_samples: int | None = None
    samples_per_class: int | None = None
    seed: int | None = None
    checkpoint: str | None = None
    ema: bool | Literal["auto"] = "auto"
    weights_at: str | None = None
    image_size: int | None = None
    begins_with: str | None = None

    @property
    def built_in(self) -> str:
        """Name of the module that builds the network."""
        modules: dict[type, str] = {HubBuilder: "huggingface", FunctionBuilder: "python"}
        return f"cortexscale.models.sources.{modules.get(type(self.builder), 'known')}"

    @property
    def classes(self) -> int | None:
        return self.builder.classes if isinstance(self.builder, TimmBuilder | PublishedBuilder) else None

    def built_by(self, kind: type[B]) -> B:
        """Return the builder of the model. If it is not of this ``kind``, raise a TypeError."""
        if not isinstance(self.builder, kind):
            raise TypeError(f"model {self.id} of the source {self.source} has a {type(self.builder).__name__}")
        return self.builder
