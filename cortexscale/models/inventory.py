"""The models of a study: ids, what they were trained on, and which model's committed layers they use."""

import fnmatch
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from cortexscale.errors import InputError
from cortexscale.models import spvvs
from cortexscale.study import PublishedSuite, Study, Suite, TimmModels


@dataclass(frozen=True)
class Model:
    """One trained network.

    Attributes:
        id: unique name, as in the published tables.
        source: who builds it (``suite``, ``spvvs``, ``timm``).
        arch, family: architecture and architecture family.
        builder: what the source needs to build the network.
        layers: patterns of candidate layers.
        reference: id of the model that carries the layer search for this one.
        dataset, n_samples, samples_per_class, seed: the pretraining; None where unknown, samples_per_class 0 = full set.
        checkpoint: file with the weights, None for weights that the source fetches.
    """

    id: str
    source: str
    arch: str
    family: str
    builder: dict[str, Any] = field(hash=False)
    layers: tuple[str, ...]
    reference: str
    dataset: str | None = None
    n_samples: int | None = None
    samples_per_class: int | None = None
    seed: int | None = None
    checkpoint: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for ``params`` of a rule."""
        return {**asdict(self), "layers": list(self.layers)}


def model_inventory(study: Study) -> dict[str, Model]:
    """Every model of a study by id, in the order of the config.

    Raises:
        InputError: two sources give the same id.
    """
    models: list[Model] = []
    for source in study.models:
        if isinstance(source, Suite):
            models += suite_models(source, study.results)
        elif isinstance(source, PublishedSuite):
            models += published_models(source)
        else:
            models += timm_models(source)
    borrow = study.layer_commitment.borrow
    inventory = {model.id: model if borrow else Model(**{**model.__dict__, "reference": model.id}) for model in models}
    repeated = [id for id, count in Counter(model.id for model in models).items() if count > 1]
    if repeated:
        raise InputError(
            "config key `models`", f"ids given twice: {', '.join(repeated[:5])}", "unique ids", "drop one of the sources"
        )
    return inventory


def suite_models(suite: Suite, results: str) -> list[Model]:
    """Architectures x training-set sizes x seeds of a suite that is trained here."""
    models = []
    for arch, spec in suite.architectures.items():
        for samples in suite.samples_per_class:
            for seed in suite.seeds:
                id = spvvs.model_id(arch, suite.dataset, samples, seed)
                models.append(
                    Model(
                        id=id,
                        source="suite",
                        arch=arch,
                        family=spec.family,
                        builder={
                            "timm": spec.timm,
                            "arguments": {**spec.arguments, "num_classes": suite.classes},
                            "image_size": suite.image_size,
                        },
                        layers=tuple(spec.layers),
                        reference=spvvs.model_id(arch, suite.dataset, 0, 0),
                        dataset=suite.dataset,
                        samples_per_class=samples,
                        seed=seed,
                        checkpoint=f"{results}/models/{id}.pt",
                    )
                )
    return models


def published_models(source: PublishedSuite) -> list[Model]:
    """The published checkpoints whose ids match the patterns of the config."""
    checkpoints = [entry for entry in spvvs.checkpoints() if any(fnmatch.fnmatch(entry.id, pattern) for pattern in source.only)]
    known = {entry.id for entry in checkpoints}
    models = []
    for entry in checkpoints:
        if entry.reference not in known:
            raise InputError(
                "config key `models: - source: spvvs: only`",
                f"{entry.id} without {entry.reference}",
                "the reference model of every architecture (full ImageNet, seed 0), which carries its layer search",
                f"add {entry.reference} to `only`, or set layer_commitment.borrow: false",
            )
        models.append(
            Model(
                id=entry.id,
                source="spvvs",
                arch=entry.arch,
                family=entry.family,
                builder={},
                layers=spvvs.LAYERS[entry.family],
                reference=entry.reference,
                dataset=entry.dataset,
                n_samples=entry.n_samples,
                samples_per_class=entry.samples_per_class,
                seed=entry.seed,
                checkpoint=f"{source.path}/{entry.id}/ep{entry.epochs}.pt",
            )
        )
    return models


def timm_models(source: TimmModels) -> list[Model]:
    """Pretrained timm models; each is its own reference."""
    return [
        Model(
            id=id,
            source="timm",
            arch=id.split(".")[0],
            family="timm",
            builder={"timm": id, "arguments": {}},
            layers=tuple(source.layers),
            reference=id,
            n_samples=source.pretraining_samples.get(id),
        )
        for id in source.ids
    ]
