"""One model of a study, as plain facts. This module stands alone so that stages that run networks depend on little else."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar


@dataclass(frozen=True)
class TimmBuilder:
    """An architecture of timm, with arguments of ``timm.create_model``. By default ``classes`` are those of the pretraining."""

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
    """A function of the user's own; ``transform`` names the function of the file that makes an input, None for the usual one."""

    file: str
    function: str
    arguments: dict[str, Any] = field(hash=False)
    transform: str | None


@dataclass(frozen=True)
class TunedBuilder:
    """The network of another model, whose training was continued."""

    base: "Model"


Builder = TimmBuilder | PublishedBuilder | HubBuilder | FunctionBuilder | TunedBuilder
B = TypeVar("B", TimmBuilder, PublishedBuilder, HubBuilder, FunctionBuilder, TunedBuilder)


@dataclass(frozen=True)
class Model:
    """One trained network.

    Attributes:
        id: unique name, as in the published tables.
        source: the key ``source`` of its config entry, or ``finetuned``.
        layers: regular expressions of the candidate layers.
        reference: id of the reference model, whose layer search this model uses.
        dataset, n_samples, samples_per_class, seed: the pretraining; None where unknown. samples_per_class 0 is the full set.
        checkpoint: file with the weights; None for weights that the source fetches.
        ema: whether to load the moving average of the weights; ``auto`` prefers it where the file has both.
        weights_at: place of the weights in a file with several that fit; None where only one does.
        image_size: pixels of the square that images are resized to; None for the evaluation of the architecture.
        begins_with: for an adversarial copy, id of the model of the suite whose training it continues.
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
        """The module that builds the network."""
        modules: dict[type, str] = {HubBuilder: "huggingface", FunctionBuilder: "python"}
        return f"cortexscale.models.sources.{modules.get(type(self.builder), 'known')}"

    @property
    def classes(self) -> int | None:
        return self.builder.classes if isinstance(self.builder, TimmBuilder | PublishedBuilder) else None

    def built_by(self, kind: type[B]) -> B:
        """The builder of the model. It raises a TypeError if the builder is not of the kind that the model's source expects."""
        if not isinstance(self.builder, kind):
            raise TypeError(f"model {self.id} of the source {self.source} has a {type(self.builder).__name__}")
        return self.builder
