"""Model cards, which describe the cost of a model and its pretraining (paper, appendix B)."""

from collections.abc import Collection, Iterable
from dataclasses import replace

import pandas as pd

from cortexscale.models.build import untrained
from cortexscale.models.counting import forward_flops, n_parameters
from cortexscale.models.model import Builder, HubBuilder, Model, PublishedBuilder, TimmBuilder
from cortexscale.models.pretraining import SELF_SUPERVISED, SUPERVISED, Pretraining, pretraining_of
from cortexscale.models.spvvs import CLASSES


def model_cards(models: Iterable[Model], fitted: Collection[str]) -> pd.DataFrame:
    """Make a table of everything that is known of models before any training.

    It has one row per model, the published columns and ``held_out``. Models of one architecture share their counts. Facts about
    the pretraining that the config lacks are inferred from the model's name. Scaling laws are fitted to the models with ids in
    ``fitted``; all other models are held out.
    """
    costs: dict[tuple[str, Builder, int | None], dict[str, float]] = {}
    rows = []
    for model in models:
        counted = model
        if model.source == "spvvs":  # the authors counted all models with ImageNet's classifier
            counted = replace(model, builder=replace(model.built_by(PublishedBuilder), classes=CLASSES["imagenet"]))
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
    """Count the parameters, including the classifier's, and the FLOPs for one image. A multiply-add counts as two FLOPs.

    ``backbone_flops`` follows the rule of the published tables. ``backbone_flops_products`` counts all products (:class:`Flops`).
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


def _pretraining(model: Model) -> Pretraining:
    match model.source:
        case "suite" | "spvvs":
            return Pretraining(objective=SUPERVISED)
        case "timm":
            return pretraining_of(model.built_by(TimmBuilder).timm)
        case "huggingface":
            return pretraining_of(model.built_by(HubBuilder).repository)
    return Pretraining()
