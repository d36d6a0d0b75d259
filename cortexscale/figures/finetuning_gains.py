"""Figure 4: fine-tuning raises alignment, by the number of stimuli (a), the region (b) and the architecture (c)."""

from collections.abc import Callable

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cortexscale.alignment.super_rois import region_order
from cortexscale.figures.finetuning_panels import (
    AVERAGE_GAIN,
    AVERAGE_SCORE,
    SAMPLES,
    draw_bars,
    draw_base,
    draw_errors,
    draw_lines,
    handles,
    model_colours,
    model_names,
)
from cortexscale.figures.panels import legend_over
from cortexscale.figures.style import BENCHMARKS, colours, log_x, panel_letter
from cortexscale.scaling.finetuning import AVERAGE, experiment, finetuning_scores, fractions, summary


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Means over seeds with 95 % bootstrap intervals; panels of experiments that the study does not have are left out.

    Raises:
        InputError: it has none of the three.
    """
    runs = finetuning_scores(tables["finetuning"])
    runs = runs[runs["benchmark_name"] == AVERAGE]
    known: dict[str, Callable] = {"data_pct": draw_fractions, "region": draw_regions, "architecture": draw_architectures}
    shown = [draw_panel for kind, draw_panel in known.items() if (runs["exp_type"] == kind).any()] or [draw_fractions]
    figure, grid = plt.subplots(1, len(shown), figsize=(3.9 * len(shown), 3.4), squeeze=False, layout="constrained")
    plotted = []
    for letter, draw_panel, panel in zip("abc", shown, grid.flat, strict=False):
        plotted.append(draw_panel(panel, runs, labels).assign(panel=letter))
        panel_letter(panel, letter)
    return figure, pd.concat(plotted, ignore_index=True)


def draw_fractions(panel: Axes, runs: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    rows = fractions(runs)
    draw_base(panel, rows["baseline"])
    numbers = draw_lines(panel, rows, labels, "fitting_samples", "score")
    log_x(panel, rows["fitting_samples"])
    panel.set(xlabel=SAMPLES, ylabel=AVERAGE_SCORE)
    panel.legend(fontsize=7)
    base = pd.DataFrame({"finetuning_dataset": ["none"], "mean": [rows["baseline"].iloc[0]], "value": ["score"]})
    return pd.concat([numbers, base], ignore_index=True)


def draw_regions(panel: Axes, runs: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    """Bars from early to late regions, darker for later ones; several regions together come last."""
    rows = experiment(runs, "region")
    means = summary(rows, ["finetuning_dataset", "finetuning_regions"])
    colour = colours(handles(rows, labels).values(), BENCHMARKS)
    start, ticks, numbers = 0, {}, []
    for name, handle in handles(rows, labels).items():
        of_dataset = means[means["finetuning_dataset"] == name].set_index("finetuning_regions")
        of_dataset = of_dataset.loc[region_order(of_dataset.index)].reset_index()
        shades = sns.light_palette(colour[handle], len(of_dataset) + 2)[2:]
        at = pd.Series(range(start, start + len(of_dataset)))
        panel.bar(at, of_dataset["mean"], 0.8, color=shades, edgecolor="0.3", lw=0.6)
        draw_errors(panel, at, of_dataset)
        together = of_dataset["finetuning_regions"].str.count("_") > 1
        names = of_dataset["finetuning_regions"].where(~together, "together")
        ticks |= dict(zip(at, names, strict=True))
        panel.text(at.mean(), 1.0, handle, transform=panel.get_xaxis_transform(), ha="center", va="bottom", fontsize=8)
        start += len(of_dataset) + 1
        numbers.append(of_dataset)
    panel.set_xticks(list(ticks), list(ticks.values()), rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
    panel.axhline(0, color="black", lw=0.7)
    panel.set(ylabel=AVERAGE_GAIN)
    return pd.concat(numbers, ignore_index=True).assign(value="delta")


def draw_architectures(panel: Axes, runs: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    """Bars by the dataset of the fine-tuning, and over all of them."""
    rows = experiment(runs, "architecture")
    rows = pd.concat([rows, rows.assign(finetuning_dataset=AVERAGE)])
    means = summary(rows, ["finetuning_dataset", "arch"])
    hue = model_names(sorted(rows["arch"].unique(), key=lambda arch: -means.loc[means["arch"] == arch, "mean"].mean()))
    draw_bars(panel, means, ("finetuning_dataset", handles(rows, labels)), ("arch", hue), model_colours(hue.values()))
    panel.set(ylabel=AVERAGE_GAIN)
    legend_over(panel)
    return means.assign(value="delta")
