"""Heat maps of gains in alignment: over two hyper-parameters, and of LoRA compared with full fine-tuning."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm

from cortexscale.alignment.averages import AVERAGE
from cortexscale.figures.content import Datasets, Drawn, Tables
from cortexscale.figures.finetuning_panels import dataset_labels, with_relations
from cortexscale.figures.panels import SLANTED, colour_bar, draw_cells, panels
from cortexscale.scaling.finetuning import RELATIONS, finetuning_scores, lora_and_full, lora_sweep, rate_sweep, summary

HUNDREDFOLD = 100
"""Factor by which gains are multiplied: heat maps show 100 ΔS, as in the paper."""


def draw_lora_against_full(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw gains with LoRA minus gains with full fine-tuning."""
    pairs = lora_and_full(finetuning_scores(tables["finetuning"]))
    trained, tested = dataset_labels(pairs, datasets), dataset_labels(pairs, datasets, "benchmark_name")
    table = HUNDREDFOLD * pairs.pivot(index="finetuning_dataset", columns="benchmark_name", values="difference")
    table = table.reindex(index=list(trained), columns=list(tested))
    size = (0.62 * len(tested) + 2.1, 0.42 * max(3, len(trained)) + 1.3)
    figure, panel = plt.subplots(figsize=size, layout="constrained")
    _draw_gains(panel, table, CenteredNorm(halfrange=np.nanmax(table.abs())))
    panel.set_xticks(range(len(tested)), list(tested.values()), fontsize=8, **SLANTED)
    panel.set_yticks(range(len(trained)), list(trained.values()), fontsize=8)
    panel.set(xlabel="Scored on", ylabel="Fine-tuned on")
    colour_bar(figure, panel.images[0], [panel], "100 ΔS, LoRA − full")
    return figure, pairs


def facets_of(runs: pd.DataFrame, datasets: Datasets, facet: str) -> tuple[pd.DataFrame, dict[str, str], str]:
    """Return the runs that a figure shows, a mapping of values to titles of panels, and the column with these values.

    Args:
        facet: what the panels stand for. ``average`` is one panel with the average over datasets. ``finetuned_on`` is the dataset
            of the fine-tuning. ``scored_on`` is the dataset of the scores. ``same_dataset`` shows runs for which both datasets
            are the same. ``relation`` is the relation of both datasets (:func:`cortexscale.scaling.finetuning.relations`).
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
    pairs = with_relations(runs[~average], datasets)
    return pairs, {name: name.capitalize() for name in RELATIONS if (pairs["relation"] == name).any()}, "relation"


def draw_sweep(tables: Tables, datasets: Datasets, rows: str, facets: str) -> Drawn:
    """Draw mean gains in one panel per facet: ``rows`` (``epochs`` or ``lora_rank``) down, learning rates across."""
    select, label = {"epochs": (rate_sweep, "Epochs"), "lora_rank": (lora_sweep, "LoRA rank")}[rows]
    runs, titles, facet = facets_of(select(finetuning_scores(tables["finetuning"])), datasets, facets)
    means = summary(runs[runs[facet].isin(titles)], [facet, rows, "learning_rate"])
    means = means.assign(**{name: HUNDREDFOLD * means[name] for name in ("mean", "low", "high", "sem")})
    down, across = sorted(means[rows].unique()), sorted(means["learning_rate"].unique())
    # All panels share one colour scale, from minus the largest gain to the largest gain. A larger loss has the last colour of the
    # scale, but its number is written in the cell.
    most = means["mean"].max()
    norm = CenteredNorm(halfrange=most if most > 0 else means["mean"].abs().max())
    size = (0.62 * len(across) + 0.75, 0.42 * len(down) + 0.75)
    figure, grid = panels(list(titles.values()), 3, size, x="Learning rate", y=label, sharex=True, sharey=True)
    for name, panel in zip(titles, grid, strict=True):
        of_facet = means[means[facet] == name]
        table = of_facet.pivot(index=rows, columns="learning_rate", values="mean").reindex(index=down, columns=across)
        _draw_gains(panel, table, norm)
        panel.set_xticks(range(len(across)), [_tick(value) for value in across])
        panel.set_yticks(range(len(down)), [_tick(value) for value in down])
    colour_bar(figure, grid[0].images[0], grid, "100 ΔS", extend="min" if means["mean"].min() < -norm.halfrange else "neither")
    return figure, means


def _draw_gains(panel: Axes, table: pd.DataFrame, norm: CenteredNorm) -> None:
    draw_cells(panel, table, _signed, lambda gain: abs(gain) > 0.75 * norm.halfrange, cmap="vlag", norm=norm)


def _signed(gain: float) -> str:
    return f"{round(gain, 2) + 0.0:+.2f}".replace("-", "\N{MINUS SIGN}")


def _tick(value: float) -> str:
    """Format a number for a tick, such as ``20`` for 20.0 or ``5e-6`` for 5e-06."""
    return f"{value:g}" if value >= 1 else np.format_float_scientific(value, precision=1, trim="-", exp_digits=1)
