"""Figures of task accuracy and alignment: as points for models, as correlations in every ROI, and with fine-tuning."""

import math
from collections.abc import Mapping
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from cortexscale.alignment.averages import AVERAGE
from cortexscale.alignment.super_rois import region_order
from cortexscale.figures.content import Datasets, Drawn, NothingToShow, Tables
from cortexscale.figures.finetuning import draw_moves, draw_paths, rated
from cortexscale.figures.finetuning_panels import DrawPanel, draw_parts, with_relations
from cortexscale.figures.panels import ACCURACY, AVERAGE_SCORE, SCORE, name_models, panels, roi_name, roi_panels
from cortexscale.figures.style import FAMILY_MARKERS, PRETRAINING, Style, colours, dataset_looks, legible
from cortexscale.scaling.accuracy import HIGH_ACCURACY, accuracy_scores, correlations, roi_scores
from cortexscale.scaling.finetuning import RELATIONS, finetuning_scores, fractions, lora_and_full, models_compared

_MANY = 100
"""Points are drawn small if there are at least this many models."""
_NAMES = {"imagenet": "ImageNet", "ecoset": "Ecoset"}
_MARKERS = "osD^vP"
_RELATIONS = dict(zip(RELATIONS, ("#9d0208", "#e09f3e", "#577590"), strict=True))
"""Relation between the dataset of the fine-tuning and the dataset of the scores -> colour."""
_INCHES_PER_ROI = 0.32
_WIDEST = 40
"""Largest number of ROIs in one row of panels of correlations. A dataset with more ROIs gets a row of its own."""


def draw_by_dataset(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per dataset, with one point per supervised model of a suite. No curve is fitted."""
    scores = accuracy_scores(tables["pretraining"])
    scores = _required(scores[scores["benchmark_name"] != AVERAGE], "a known accuracy")
    looks = dataset_looks(scores["benchmark_name"], datasets)
    figure, grid = panels([look.label for look in looks.values()], 4, (2.3, 2.0), x=ACCURACY, y=SCORE, sharex=True)
    for name, panel in zip(looks, grid, strict=True):
        draw_models(panel, scores[scores["benchmark_name"] == name], named=len(looks) <= 4)
        panel.locator_params(axis="y", nbins=5)
    figure.legend(handles=legend_of_models(scores), loc="outside upper center", ncols=8, fontsize=8)
    return figure, scores


def draw_by_roi(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per ROI of the single dataset in ``datasets``, with a line and Pearson's r per pretraining set.

    The p values are corrected for false discoveries (Benjamini and Hochberg) among all ROIs and pretraining sets of the study.
    """
    ((name, dataset),) = datasets.items()
    test = ["pretraining_dataset", "benchmark_name", "roi"]
    scores = roi_scores(tables["pretraining"])
    found = correlations(scores, test)
    scores, found = (table[table["benchmark_name"] == name] for table in (scores, found))
    rois = region_order(_required(scores, "a known accuracy")["roi"].unique())
    figure, grid = roi_panels(rois, (2.6, 2.7), (1.75, 1.55), x=ACCURACY, y=SCORE)
    for roi, panel in zip(rois, grid, strict=True):
        models = scores[scores["roi"] == roi]
        draw_models(panel, models, named=len(rois) <= 4)
        draw_trends(panel, models, found[found["roi"] == roi])
        # Leave room for the text below the points.
        low, high = models["score"].min(), models["score"].max()
        reach = high - low or 0.1
        panel.set_ylim(low - 0.35 * reach, high + 0.05 * reach)
        panel.locator_params(nbins=4)
    legend, columns = legend_of_models(scores), min(8, 2 * len(rois))
    figure.legend(handles=legend, loc="outside upper center", ncols=columns, fontsize=8, title=dataset.label)
    return figure, scores.merge(found, on=test, how="left")


def draw_accurate(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw the average alignment of accurate models, with a line and Pearson's r per pretraining set."""
    scores = accuracy_scores(tables["pretraining"])
    scores = scores[(scores["benchmark_name"] == AVERAGE) & (scores["task_evaluation_acc"] >= HIGH_ACCURACY)]
    scores = _required(scores, f"an accuracy of {HIGH_ACCURACY} or more")
    found = correlations(scores, ["pretraining_dataset"])
    figure, panel = plt.subplots(figsize=(4.6, 3.2), layout="constrained")
    draw_models(panel, scores)
    draw_trends(panel, scores, found, size=8)
    panel.set(xlabel=ACCURACY, ylabel=AVERAGE_SCORE)
    figure.legend(handles=legend_of_models(scores), loc="outside right center", fontsize=8)
    return figure, scores.merge(found, on="pretraining_dataset", how="left")


def _required(scores: pd.DataFrame, what: str) -> pd.DataFrame:
    if scores.empty:
        raise NothingToShow("table pretraining", f"no supervised model with {what}", "models that the figure shows")
    return scores


def draw_models(panel: Axes, models: pd.DataFrame, *, named: bool = True) -> None:
    """Draw alignment against accuracy, with a colour per pretraining set and a marker per family.

    Points are named if there are few models.
    """
    colour, size = _colours(models), 20 if len(models) < _MANY else 9
    if named:
        name_models(panel, models, "task_evaluation_acc")
    for (dataset, family), points in models.groupby(["pretraining_dataset", "backbone_arch_family"]):
        look: Style = {"color": colour[str(dataset)], "marker": _marker(str(family)), "alpha": 0.6, "linewidths": 0}
        panel.scatter(points["task_evaluation_acc"], points["score"], s=size, **look)


def draw_trends(panel: Axes, models: pd.DataFrame, correlations: pd.DataFrame, size: float = 6.5) -> None:
    """Draw the line of every pretraining set, and write r and p of the set in letters of ``size`` points."""
    colour = _colours(models)
    reaches = models.groupby("pretraining_dataset")["task_evaluation_acc"].agg(["min", "max"])
    rows = correlations.sort_values("pretraining_dataset", ascending=False).to_dict("records")
    for number, (row, dashes) in enumerate(zip(rows, cycle(("-", (0, (3, 1.5)), ":")))):
        reach, shade = reaches.loc[row["pretraining_dataset"]], colour[row["pretraining_dataset"]]
        line = row["intercept"] + row["slope"] * reach
        panel.plot(reach, line, color="white", lw=3, zorder=2)
        panel.plot(reach, line, color=shade, lw=1.4, ls=dashes, zorder=3)
        # The text is darker than the line, because small text needs more contrast.
        look: Style = {"ha": "right", "va": "bottom", "fontsize": size, "color": [0.75 * part for part in to_rgb(shade)]}
        look |= {
            "parse_math": True,
            "xycoords": "axes fraction",
            "xytext": (-2, 2 + 1.4 * size * number),
            "textcoords": "offset points",
        }
        panel.annotate(f"r = {row['r']:.2f}, {p_value(row['p_fdr'])}", (1, 0), **look)


def p_value(p: float) -> str:
    """Format a p value that is corrected for false discoveries. Below 0.001, only the next higher power of ten is given."""
    if p >= 0.001:
        return f"$p_\\mathrm{{FDR}}$ = {p:.3f}"
    power = math.ceil(math.log10(p)) if p > 0 else -300
    return f"$p_\\mathrm{{FDR}}$ < 10$^{{{power}}}$"


def legend_of_models(models: pd.DataFrame) -> list[Line2D]:
    """Return the entries of a legend: first pretraining sets, then families."""
    sets = [Line2D([], [], color=shade, lw=3, label=legible(_NAMES.get(name, name))) for name, shade in _colours(models).items()]
    families = sorted(models["backbone_arch_family"].unique())
    return sets + [Line2D([], [], color="0.3", marker=_marker(name), ms=4.5, lw=0, label=legible(name)) for name in families]


def _colours(models: pd.DataFrame) -> dict[str, str]:
    """Return a colour for every pretraining set, in alphabetical order."""
    return colours(sorted(models["pretraining_dataset"].unique()), PRETRAINING)


def _marker(family: str) -> str:
    return FAMILY_MARKERS.get(family, "h")


# ------------------------------------------------------------------------------------------ correlations


def draw_correlations(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw Pearson's r of accuracy and alignment in one panel per dataset, with one point per ROI and pretraining set."""
    found = correlations(roi_scores(tables["pretraining"]), ["pretraining_dataset", "benchmark_name", "roi"])
    found = found[found["benchmark_name"].isin(list(datasets))]
    rois = {str(name): region_order(rows["roi"].unique()) for name, rows in found.groupby("benchmark_name")}
    rows = _rows({name: len(rois[name]) for name in datasets if name in rois})
    if not rows:
        expected = "three models of one pretraining set with a known accuracy"
        raise NothingToShow("table pretraining", "too few models for a correlation", expected)
    widest = max(sum(row.values()) + len(row) for row in rows)
    figure = plt.figure(figsize=(max(_INCHES_PER_ROI * widest, 2) + 0.8, 2.4 * len(rows) + 0.3), layout="constrained")
    for part, row in zip(figure.subfigures(len(rows), 1, squeeze=False).flat, rows, strict=True):
        widths = [count + 1 for count in row.values()]
        spare = [widest - sum(widths)] if widest > sum(widths) else []
        (grid,) = part.subplots(1, len(widths + spare), sharey=True, squeeze=False, width_ratios=widths + spare)
        for empty in grid[len(row) :]:
            empty.set_axis_off()
        for name, panel in zip(row, grid, strict=False):
            _draw_correlations(panel, found, name, rois[name])
            panel.set_title(datasets[name].label, fontsize=9)
        grid[0].set_ylabel("r of accuracy and alignment", fontsize=9)
    lines, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside upper right", ncols=len(names), fontsize=8)
    return figure, found


def _draw_correlations(panel: Axes, found: pd.DataFrame, dataset: str, rois: list[str]) -> None:
    colour, of_dataset = _colours(found), found[found["benchmark_name"] == dataset].set_index("roi")
    for number, (pretraining, shade) in enumerate(colour.items()):
        points = of_dataset[of_dataset["pretraining_dataset"] == pretraining].reindex(rois)
        at = np.arange(len(rois)) + 0.26 * (number - (len(colour) - 1) / 2)
        reach = [points["r"] - points["low"], points["high"] - points["r"]]
        look: Style = {"color": shade, "marker": _MARKERS[number % len(_MARKERS)], "ms": 4, "lw": 0, "elinewidth": 1.2}
        panel.errorbar(at, points["r"], reach, label=legible(_NAMES.get(pretraining, pretraining)), **look)
    panel.set_xticks(range(len(rois)), [roi_name(roi) for roi in rois], rotation=60, ha="right")
    panel.tick_params(labelsize=8)
    panel.set_xlim(-0.6, len(rois) - 0.4)
    if found["low"].min() < 0:
        panel.axhline(0, color="black", lw=0.7)


def _rows(counts: Mapping[str, int]) -> list[dict[str, int]]:
    """Distribute datasets over rows of panels by their numbers of ROIs."""
    rows: list[dict[str, int]] = []
    for name, count in counts.items():
        if not rows or sum(rows[-1].values()) + count > _WIDEST:
            rows.append({})
        rows[-1][name] = count
    return rows


# ------------------------------------------------------------------------------------------ with fine-tuning


def draw_overview(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw pretrained models in the first panel. If there is a table ``finetuning``, draw its experiments in further panels."""
    models = accuracy_scores(tables["pretraining"])
    models = models[models["benchmark_name"] == AVERAGE]
    parts: list[tuple[DrawPanel, pd.DataFrame]] = [(draw_pretraining, models)] if len(models) else []
    if "finetuning" in tables:
        runs = finetuning_scores(tables["finetuning"])
        kinds, known = set(runs["exp_type"]), runs[rated(runs)]
        if "data_pct" in set(known["exp_type"]):
            parts += [(draw_step, known), (draw_growth, known)]
        if {"data_pct", "lora"} <= kinds:
            parts += [(draw_lora, runs)]
    if not parts:
        expected = "supervised models with task_evaluation_acc, or fine-tuned models"
        raise NothingToShow("figure accuracy_overview", "neither", expected)
    return draw_parts(parts, datasets, 4.3, rows=1 if len(parts) == 1 else 2)


def draw_pretraining(panel: Axes, models: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw supervised models of suites. Return the plotted numbers."""
    draw_models(panel, models)
    panel.set(xlabel=ACCURACY, ylabel=AVERAGE_SCORE)
    panel.legend(handles=legend_of_models(models), fontsize=7, loc="lower right")
    models = models.rename(columns={"task_evaluation_acc": "accuracy"})
    return models[["model_id", "pretraining_dataset", "backbone_arch_family", "accuracy", "score"]]


def draw_step(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw every architecture before (star) and after fine-tuning on all data, averaged over datasets. Return the points."""
    rows = models_compared(runs)
    numbers = draw_moves(panel, rows[rows["benchmark_name"] == AVERAGE])
    _finish(panel)
    return numbers


def draw_growth(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw how one model moves as the data grow, with one line per dataset of the fine-tuning. Return the plotted numbers."""
    rows = fractions(runs)
    numbers = draw_paths(panel, rows[rows["benchmark_name"] == AVERAGE], datasets)
    _finish(panel)
    return numbers


def _finish(panel: Axes) -> None:
    panel.set(xlabel=ACCURACY, ylabel=AVERAGE_SCORE)
    panel.locator_params(nbins=6)
    panel.legend(fontsize=7)


def draw_lora(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw gains with LoRA against gains with full fine-tuning. Return the points.

    Each point is one dataset of the fine-tuning with one dataset of the scores. Points are means over seeds.
    """
    pairs = lora_and_full(runs)
    pairs = with_relations(pairs[pairs["benchmark_name"] != AVERAGE], datasets)
    looks = dataset_looks(pairs["finetuning_dataset"], datasets)
    for (name, relation), points in pairs.groupby(["finetuning_dataset", "relation"]):
        look: Style = {"color": _RELATIONS[str(relation)], "marker": looks[str(name)].marker, "alpha": 0.85, "linewidths": 0}
        panel.scatter(points["full"], points["lora"], s=26, **look)
    panel.axline((0, 0), slope=1, color="black", lw=0.7, ls=":")
    panel.set(xlabel="ΔS of full fine-tuning", ylabel="ΔS of LoRA")
    panel.locator_params(nbins=6)
    shown = [relation for relation in RELATIONS if (pairs["relation"] == relation).any()]
    lines = [Line2D([], [], color=_RELATIONS[relation], lw=3, label=relation) for relation in shown]
    lines += [Line2D([], [], color="0.3", marker=look.marker, ms=4.5, lw=0, label=look.label) for look in looks.values()]
    panel.legend(handles=lines, fontsize=7)
    return pairs
