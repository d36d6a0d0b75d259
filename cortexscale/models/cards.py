"""Model cards: the cost of a model and its pretraining (paper, appendix B)."""

from collections.abc import Collection, Iterable
from dataclasses import replace

import pandas as pd

from cortexscale.models.build import untrained
from cortexscale.models.counting import forward_flops, n_parameters
from cortexscale.models.model import Builder, HubBuilder, Model, PublishedBuilder, TimmBuilder
from cortexscale.models.pretraining import SELF_SUPERVISED, SUPERVISED, Pretraining, pretraining_of
from cortexscale.models.spvvs import CLASSES


def model_cards(models: Iterable[Model], fitted: Collection[str]) -> pd.DataFrame:
    """Make one row per model in the published columns, with everything that is known before any training, and ``held_out``.

    Models of one architecture share the counts of :func:`_cost`. Where the config says nothing of a pretraining, it
    is inferred from the model's name (:func:`cortexscale.models.pretraining.pretraining_of`).

    Args:
        models: the models of a study.
        fitted: ids of the models that scaling laws are fitted to; all others are held out.
    """
    costs: dict[tuple[str, Builder, int | None], dict[str, float]] = {}
    rows = []
    for model in models:
        counted = _as_published(model)
        key = counted.source, counted.builder, counted.image_size
        if key not in costs:
            costs[key] = _cost(counted)
        known = _pretraining(model)
        rows.append(
            {
                "model_id": model.id,
                "backbone_source": model.source,
                "backbone_arch": model.arch,
                "backbone_arch_family": model.family,
                **costs[key],
                "pretraining_dataset": model.dataset or known.dataset,
                "pretraining_samples_per_class": model.samples_per_class,
                "pretraining_seed": model.seed,
                "pretraining_n_samples": model.n_samples or known.n_samples,
                "pretraining_objective": known.objective,
                "held_out": model.id not in fitted,
                "is_selfsupervised_learning": known.objective == SELF_SUPERVISED,
                "is_adversarially_finetuned": model.begins_with is not None,
            }
        )
    return pd.DataFrame(rows)


def _cost(model: Model) -> dict[str, float]:
    """Count the parameters and the forward FLOPs of an architecture, without its weights.

    Returns:
        ``backbone_n_params``: all parameters, the classifier included. ``backbone_flops``: FLOPs of one forward pass of one
        image, two per multiply-add, by the rule of the published tables (:class:`cortexscale.models.flops.Flops`), to which
        scaling laws were fitted; ``backbone_macs``: half of them. ``backbone_flops_products``: FLOPs of all convolutions and
        matrix products, including those between the tokens of an attention, which that rule leaves out. ``image_size``:
        pixels of a side of the input.
    """
    backbone, image = untrained(model)
    flops = forward_flops(backbone.network, image)
    return {
        "backbone_n_params": n_parameters(backbone.network),
        "backbone_macs": flops.published / 2,
        "backbone_flops": float(flops.published),
        "backbone_flops_products": float(flops.products),
        "image_size": image.shape[-1],
    }


def _as_published(model: Model) -> Model:
    """The entry whose cost is counted. Like the authors, count the published suite with ImageNet's classifier throughout."""
    if model.source != "spvvs":
        return model
    return replace(model, builder=replace(model.built_by(PublishedBuilder), classes=CLASSES["imagenet"]))


def _pretraining(model: Model) -> Pretraining:
    """The pretraining that follows from the source or the name of a model."""
    match model.source:
        case "suite" | "spvvs":
            return Pretraining(objective=SUPERVISED)
        case "timm":
            return pretraining_of(model.built_by(TimmBuilder).timm)
        case "huggingface":
            return pretraining_of(model.built_by(HubBuilder).repository)
    return Pretraining()
