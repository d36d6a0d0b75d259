"""Gain in alignment by two hyper-parameters of the fine-tuning, as heat maps."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.alignment.averages import AVERAGE
from cortexscale.figures.content import FigureDataset
from cortexscale.figures.finetuning_panels import dataset_labels, draw_heat_maps
from cortexscale.scaling.finetuning import RELATIONS, finetuning_scores, lora_sweep, rate_sweep, relations

_RATE = ("learning_rate", "Learning rate")


def draw_rates(
    tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset], facet: str
) -> tuple[Figure, pd.DataFrame]:
    """Draw heat maps of 100 ΔS over epochs and learning rates, with panels of :func:`facets_of`.

    Raises:
        InputError: the study has no experiment ``explore``.
    """
    rows = rate_sweep(finetuning_scores(tables["finetuning"]))
    return draw_heat_maps(*facets_of(rows, datasets, facet), ("epochs", "Epochs"), _RATE)


def draw_lora_ranks(
    tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset], facet: str
) -> tuple[Figure, pd.DataFrame]:
    """Draw heat maps of 100 ΔS over ranks of LoRA and learning rates, with panels of :func:`facets_of`.

    Raises:
        InputError: the study has no experiment ``lora``.
    """
    rows = lora_sweep(finetuning_scores(tables["finetuning"]))
    return draw_heat_maps(*facets_of(rows, datasets, facet), ("lora_rank", "LoRA rank"), _RATE)


def facets_of(runs: pd.DataFrame, datasets: Mapping[str, FigureDataset], facet: str) -> tuple[pd.DataFrame, dict[str, str], str]:
    """Return the runs that a figure shows, the titles of its panels by value, and the column of these values.

    Args:
        facet: what tells panels apart. ``average``: one panel, averaged over datasets; ``finetuned_on``: the dataset of the
            fine-tuning; ``scored_on``: the dataset that models are scored on; ``same_dataset``: the dataset, where both are
            the same; ``relation``: the relation of both (:func:`cortexscale.scaling.finetuning.relations`).
    """
    average = runs["benchmark_name"] == AVERAGE
    if facet == "average":
        return runs[average], {AVERAGE: "Average over datasets"}, "benchmark_name"
    if facet == "finetuned_on":
        return runs[average], dataset_labels(runs, datasets), "finetuning_dataset"
    if facet == "scored_on":
        return runs, dataset_labels(runs, datasets, "benchmark_name"), "benchmark_name"
    if facet == "same_dataset":
        same = runs[runs["finetuning_dataset"] == runs["benchmark_name"]]
        return same, dataset_labels(same, datasets), "finetuning_dataset"
    pairs = runs[~average]
    modality = {name: dataset.modality for name, dataset in datasets.items() if dataset.modality}
    pairs = pairs.assign(relation=relations(pairs, modality))
    return pairs, {name: name.capitalize() for name in RELATIONS if (pairs["relation"] == name).any()}, "relation"
