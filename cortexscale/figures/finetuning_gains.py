"""Gain in alignment from fine-tuning: by experiment, by the dataset that models are scored on, and with controls."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from cortexscale.alignment.averages import AVERAGE
from cortexscale.alignment.super_rois import region_order
from cortexscale.figures import finetuning_panels as parts
from cortexscale.figures.content import Datasets, Drawn, Tables
from cortexscale.figures.panels import AVERAGE_SCORE, SLANTED, legend_above, legend_over, panels
from cortexscale.figures.style import dataset_looks
from cortexscale.scaling.finetuning import (
    best_lora,
    experiment,
    finetuning_scores,
    fractions,
    full_data,
    model_sizes,
    summary,
)

_PERMUTED = parts.Hue("random_shuffle", {False: ("responses to their stimuli", "#1f4e79"), True: ("permuted", "#c9ced6")})
_METHODS = {"full": ("full fine-tuning", "#1f4e79"), "lora": ("LoRA, best of each dataset", "#f4a261")}


# ------------------------------------------------------------------------------------------ averages over datasets


def draw(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per experiment on data, regions and architectures that the study has."""
    experiments = {"data_pct": draw_fractions, "region": draw_regions, "architecture": draw_architectures}
    return _draw_experiments(tables, datasets, experiments, 3.9)


def draw_controls(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per control that the study has: permuted stimuli, and the number of subjects."""
    return _draw_experiments(tables, datasets, {"ablation": draw_permuted, "subject": draw_subjects}, 4)


def _draw_experiments(tables: Tables, datasets: Datasets, known: Mapping[str, parts.DrawPanel], width: float) -> Drawn:
    """Draw the experiments that the study has; without any, the first reports what it lacks."""
    runs = finetuning_scores(tables["finetuning"])
    runs = runs[runs["benchmark_name"] == AVERAGE]
    drawn = [draw_panel for kind, draw_panel in known.items() if kind in set(runs["exp_type"])] or list(known.values())[:1]
    return parts.draw_parts([(draw_panel, runs) for draw_panel in drawn], datasets, width)


def draw_fractions(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw alignment against the number of stimuli. Return the numbers."""
    rows = fractions(runs)
    numbers = _draw_growth(panel, rows, datasets, "fitting_samples")
    base = pd.DataFrame({"finetuning_dataset": ["none"], "mean": [rows["baseline"].iloc[0]], "value": ["score"]})
    return pd.concat([numbers, base], ignore_index=True)


def draw_regions(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw bars from early to late regions, darker for later ones; several regions together come last. Return the numbers."""
    rows = experiment(runs, "region")
    means = summary(rows, ["finetuning_dataset", "finetuning_regions"])
    start, ticks, numbers = 0, dict[int, str](), []
    for name, look in dataset_looks(rows["finetuning_dataset"], datasets).items():
        of_dataset = means[means["finetuning_dataset"] == name].set_index("finetuning_regions")
        of_dataset = of_dataset.loc[region_order(of_dataset.index)].reset_index()
        shades = sns.light_palette(look.colour, len(of_dataset) + 2)[2:]
        at = pd.Series(range(start, start + len(of_dataset)))
        panel.bar(at, of_dataset["mean"], 0.8, color=shades, edgecolor="0.3", lw=0.6)
        parts.draw_errors(panel, at, of_dataset)
        together = of_dataset["finetuning_regions"].str.count("_") > 1
        names = of_dataset["finetuning_regions"].where(~together, "together")
        ticks |= dict(zip(at, names, strict=True))
        panel.text(at.mean(), 1.0, look.label, transform=panel.get_xaxis_transform(), ha="center", va="bottom", fontsize=8)
        start += len(of_dataset) + 1
        numbers.append(of_dataset)
    panel.set_xticks(list(ticks), list(ticks.values()), fontsize=8, **SLANTED)
    panel.axhline(0, color="black", lw=0.7)
    panel.set(ylabel=parts.AVERAGE_GAIN)
    return pd.concat(numbers, ignore_index=True).assign(value="delta")


def draw_architectures(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw bars for every architecture, by the dataset of the fine-tuning and over all of them. Return the numbers."""
    rows = experiment(runs, "architecture")
    rows = pd.concat([rows, rows.assign(finetuning_dataset=AVERAGE)])
    means = summary(rows, ["finetuning_dataset", "arch"])
    hue = parts.model_hue(sorted(rows["arch"].unique(), key=lambda arch: -means.loc[means["arch"] == arch, "mean"].mean()))
    parts.draw_bars(panel, means, "finetuning_dataset", parts.dataset_labels(rows, datasets), hue)
    panel.set(ylabel=parts.AVERAGE_GAIN)
    legend_over(panel)
    return means.assign(value="delta")


def draw_permuted(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw bars with and without permuted stimuli, by the dataset of the fine-tuning. Return the numbers."""
    rows = experiment(runs, "ablation")
    means = summary(rows, ["finetuning_dataset", "random_shuffle"])
    parts.draw_bars(panel, means, "finetuning_dataset", parts.dataset_labels(rows, datasets), _PERMUTED)
    panel.set(ylabel=parts.AVERAGE_GAIN)
    legend_over(panel)
    return means


def draw_subjects(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw alignment against the number of subjects. Return the numbers."""
    rows = experiment(runs, "subject")
    return _draw_growth(panel, rows, datasets, "n_subjects").assign(baseline=rows["baseline"].iloc[0])


def _draw_growth(panel: Axes, rows: pd.DataFrame, datasets: Datasets, x: str) -> pd.DataFrame:
    numbers = parts.draw_growth(panel, rows, datasets, x)
    panel.set(xlabel=parts.GROWTH[x], ylabel=AVERAGE_SCORE)
    panel.legend(fontsize=7)
    return numbers


def draw_lora(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw bars of full fine-tuning and the best LoRA setting by the dataset of the fine-tuning, and over all datasets."""
    runs = finetuning_scores(tables["finetuning"])
    methods = {"full": full_data(runs), "lora": best_lora(runs, per_dataset=True)}
    rows = pd.concat([rows.assign(method=name) for name, rows in methods.items()])
    rows = rows[rows["benchmark_name"] == AVERAGE]
    rows = pd.concat([rows, rows.assign(finetuning_dataset=AVERAGE, lora_rank=None, learning_rate=None)])
    means = summary(rows, ["finetuning_dataset", "method", "lora_rank", "learning_rate"])
    figure, panel = plt.subplots(figsize=(5.4, 3.2), layout="constrained")
    parts.draw_bars(panel, means, "finetuning_dataset", parts.dataset_labels(rows, datasets), parts.Hue("method", _METHODS))
    panel.set(ylabel=parts.AVERAGE_GAIN)
    legend_over(panel)
    return figure, means


# ------------------------------------------------------------------------------------------ dataset by dataset


def draw_transfer(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per dataset of the fine-tuning, with one bar per dataset that models are scored on."""
    rows = full_data(finetuning_scores(tables["finetuning"]))
    rows = rows[rows["benchmark_name"] != AVERAGE]
    means = summary(rows, ["finetuning_dataset", "benchmark_name"])
    trained, tested = parts.dataset_labels(rows, datasets), dataset_looks(rows["benchmark_name"], datasets)
    figure, grid = panels(list(trained.values()), 3, (2.7, 1.9), y=parts.GAIN, sharex=True, sharey=True)
    for name, panel in zip(trained, grid, strict=True):
        bars = means[means["finetuning_dataset"] == name].set_index("benchmark_name").loc[list(tested)].reset_index()
        edges = (bars["benchmark_name"] == name).map({True: "black", False: "none"})
        panel.bar(bars.index, bars["mean"], 0.8, color=[look.colour for look in tested.values()], edgecolor=edges, lw=1.4)
        parts.draw_errors(panel, bars.index, bars)
        panel.axhline(0, color="black", lw=0.7)
        panel.set_xticks(bars.index, [look.label for look in tested.values()], **SLANTED)
    return figure, means


def draw_permuted_by_dataset(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw bars with and without permuted stimuli for every dataset that models are scored on."""
    rows = experiment(finetuning_scores(tables["finetuning"]), "ablation")
    return _draw_by_dataset(rows, datasets, _PERMUTED, "interval")


def draw_sizes(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw bars for every size of a model on every dataset: means over datasets of the fine-tuning and seeds."""
    rows = model_sizes(finetuning_scores(tables["finetuning"]))
    means = summary(rows, ["benchmark_name", "arch"])
    figure, panel = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    hue = parts.model_hue(rows.sort_values("baseline_acc")["arch"])
    parts.draw_bars(panel, means, "benchmark_name", parts.dataset_labels(rows, datasets, "benchmark_name"), hue, error="sem")
    panel.set(ylabel=parts.GAIN)
    legend_over(panel)
    return figure, means


def draw_sizes_by_dataset(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw the bars of :func:`draw_sizes` for every dataset of the fine-tuning: means over seeds."""
    rows = model_sizes(finetuning_scores(tables["finetuning"]))
    return _draw_by_dataset(rows, datasets, parts.model_hue(rows.sort_values("baseline_acc")["arch"]), "sem")


def _draw_by_dataset(runs: pd.DataFrame, datasets: Datasets, hue: parts.Hue, error: str) -> Drawn:
    """Draw bars on every dataset and on average, with one panel per dataset of the fine-tuning."""
    means = summary(runs, ["finetuning_dataset", "benchmark_name", hue.column])
    trained, tested = parts.dataset_labels(runs, datasets), parts.dataset_labels(runs, datasets, "benchmark_name")
    figure, grid = panels(list(trained.values()), 3, (3, 1.9), y=parts.GAIN, sharex=True, sharey=True)
    for name, panel in zip(trained, grid, strict=True):
        parts.draw_bars(panel, means[means["finetuning_dataset"] == name], "benchmark_name", tested, hue, error)
    legend_above(figure, grid[0])
    return figure, means
