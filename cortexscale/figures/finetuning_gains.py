"""Gain in alignment from fine-tuning, by the number of stimuli, the region, the architecture and the size of the model."""

from collections.abc import Callable, Mapping

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cortexscale.alignment.averages import AVERAGE
from cortexscale.alignment.super_rois import region_order
from cortexscale.figures.content import FigureDataset
from cortexscale.figures.finetuning_panels import (
    AVERAGE_GAIN,
    GAIN,
    SAMPLES,
    dataset_labels,
    draw_bars,
    draw_base,
    draw_errors,
    draw_gains_by_dataset,
    draw_lines,
    model_colours,
    model_names,
)
from cortexscale.figures.panels import AVERAGE_SCORE, legend_over
from cortexscale.figures.style import dataset_looks, log_x, panel_letter
from cortexscale.scaling.finetuning import experiment, finetuning_scores, fractions, model_sizes, summary

DrawPanel = Callable[[Axes, pd.DataFrame, Mapping[str, FigureDataset]], pd.DataFrame]
"""Draws some runs into a panel, and returns the numbers."""


def draw(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw the average over datasets in one panel per experiment that the study has.

    Raises:
        InputError: the study has none of the three experiments.
    """
    panels = {"data_pct": draw_fractions, "region": draw_regions, "architecture": draw_architectures}
    return draw_experiments(tables["finetuning"], datasets, panels, 3.9)


def draw_experiments(
    finetuning: pd.DataFrame, datasets: Mapping[str, FigureDataset], panels: Mapping[str, DrawPanel], width: float
) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel of ``width`` inches per experiment that the table has; without any, the first reports what it lacks.

    Args:
        panels: experiment -> the function that draws its average over datasets.
    """
    runs = finetuning_scores(finetuning)
    runs = runs[runs["benchmark_name"] == AVERAGE]
    drawn = [draw_panel for kind, draw_panel in panels.items() if (runs["exp_type"] == kind).any()] or [*panels.values()][:1]
    figure, grid = plt.subplots(1, len(drawn), figsize=(width * len(drawn), 3.4), squeeze=False, layout="constrained")
    plotted = []
    for letter, draw_panel, panel in zip("abc", drawn, grid.flat, strict=False):
        plotted.append(draw_panel(panel, runs, datasets).assign(panel=letter))
        panel_letter(panel, letter)
    return figure, pd.concat(plotted, ignore_index=True)


def draw_fractions(panel: Axes, runs: pd.DataFrame, datasets: Mapping[str, FigureDataset]) -> pd.DataFrame:
    """Draw alignment against the number of stimuli, with one line per dataset of the fine-tuning. Return the numbers."""
    rows = fractions(runs)
    draw_base(panel, rows["baseline"])
    numbers = draw_lines(panel, rows, datasets, "fitting_samples", "score")
    log_x(panel, rows["fitting_samples"])
    panel.set(xlabel=SAMPLES, ylabel=AVERAGE_SCORE)
    panel.legend(fontsize=7)
    base = pd.DataFrame({"finetuning_dataset": ["none"], "mean": [rows["baseline"].iloc[0]], "value": ["score"]})
    return pd.concat([numbers, base], ignore_index=True)


def draw_regions(panel: Axes, runs: pd.DataFrame, datasets: Mapping[str, FigureDataset]) -> pd.DataFrame:
    """Draw bars from early to late regions, darker for later ones; several regions together come last. Return the numbers."""
    rows = experiment(runs, "region")
    means = summary(rows, ["finetuning_dataset", "finetuning_regions"])
    start, ticks, numbers = 0, {}, []
    for name, look in dataset_looks(rows["finetuning_dataset"], datasets).items():
        of_dataset = means[means["finetuning_dataset"] == name].set_index("finetuning_regions")
        of_dataset = of_dataset.loc[region_order(of_dataset.index)].reset_index()
        shades = sns.light_palette(look.colour, len(of_dataset) + 2)[2:]
        at = pd.Series(range(start, start + len(of_dataset)))
        panel.bar(at, of_dataset["mean"], 0.8, color=shades, edgecolor="0.3", lw=0.6)
        draw_errors(panel, at, of_dataset)
        together = of_dataset["finetuning_regions"].str.count("_") > 1
        names = of_dataset["finetuning_regions"].where(~together, "together")
        ticks |= dict(zip(at, names, strict=True))
        panel.text(at.mean(), 1.0, look.label, transform=panel.get_xaxis_transform(), ha="center", va="bottom", fontsize=8)
        start += len(of_dataset) + 1
        numbers.append(of_dataset)
    panel.set_xticks(list(ticks), list(ticks.values()), rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
    panel.axhline(0, color="black", lw=0.7)
    panel.set(ylabel=AVERAGE_GAIN)
    return pd.concat(numbers, ignore_index=True).assign(value="delta")


def draw_architectures(panel: Axes, runs: pd.DataFrame, datasets: Mapping[str, FigureDataset]) -> pd.DataFrame:
    """Draw bars for every architecture, by the dataset of the fine-tuning and over all of them. Return the numbers."""
    rows = experiment(runs, "architecture")
    rows = pd.concat([rows, rows.assign(finetuning_dataset=AVERAGE)])
    means = summary(rows, ["finetuning_dataset", "arch"])
    hue = model_names(sorted(rows["arch"].unique(), key=lambda arch: -means.loc[means["arch"] == arch, "mean"].mean()))
    draw_bars(panel, means, ("finetuning_dataset", dataset_labels(rows, datasets)), ("arch", hue), model_colours(hue.values()))
    panel.set(ylabel=AVERAGE_GAIN)
    legend_over(panel)
    return means.assign(value="delta")


def draw_sizes(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw bars for every size of a model on every dataset: means over datasets of the fine-tuning and seeds.

    Raises:
        InputError: the study has no experiment ``explore``.
    """
    rows = model_sizes(finetuning_scores(tables["finetuning"]))
    means = summary(rows, ["benchmark_name", "arch"])
    hue = model_names(rows.sort_values("baseline_acc")["arch"])
    figure, panel = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    x = ("benchmark_name", dataset_labels(rows, datasets, "benchmark_name"))
    draw_bars(panel, means, x, ("arch", hue), model_colours(hue.values()), error="sem")
    panel.set(ylabel=GAIN)
    legend_over(panel)
    return figure, means


def draw_sizes_by_dataset(
    tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]
) -> tuple[Figure, pd.DataFrame]:
    """Draw the bars of :func:`draw_sizes` in one panel per dataset of the fine-tuning: means over seeds.

    Raises:
        InputError: the study has no experiment ``explore``.
    """
    rows = model_sizes(finetuning_scores(tables["finetuning"]))
    hue = model_names(rows.sort_values("baseline_acc")["arch"])
    return draw_gains_by_dataset(rows, datasets, ("arch", hue), model_colours(hue.values()), error="sem")
