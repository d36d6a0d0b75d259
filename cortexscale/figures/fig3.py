"""Figure 3: architectures converge with pretraining: (a) by architecture over compute, (b) by family over samples."""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.style import FAMILIES, MARKERS, colours, panel_letter
from cortexscale.scaling.axes import AXES


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Average alignment of every model; lines join the models of an architecture (a) and the means of a family (b)."""
    by_compute, by_samples = (
        points[(points["benchmark_name"] == "average") & ~points["flex"]]
        for points in (tables["compute_points"], tables["samples_points"])
    )
    figure, (by_arch, by_family) = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    plotted = [draw_architectures(by_arch, by_compute), draw_families(by_family, by_samples)]
    by_arch.set_ylabel("Average alignment S (noise-normalised r)")
    for letter, panel in zip("ab", (by_arch, by_family), strict=True):
        panel_letter(panel, letter)
    figure.tight_layout()
    return figure, pd.concat(plotted, ignore_index=True)


def draw_architectures(panel: plt.Axes, points: pd.DataFrame) -> pd.DataFrame:
    """One line per architecture over compute: coloured by its number of parameters, dashed by its family."""
    rows = points.sort_values("x")
    size = np.log10(rows["backbone_n_params"])
    span = max(float(size.max() - size.min()), 1e-9)
    palette = plt.get_cmap("magma")
    dashes = dict(zip(sorted(rows["backbone_arch_family"].unique()), cycle(["-", "--", ":", "-."]), strict=False))
    for arch, models in rows.groupby("backbone_arch"):
        relative = (np.log10(models["backbone_n_params"].iloc[0]) - size.min()) / span
        colour = palette(0.15 + 0.7 * relative)
        means = models.groupby("x", as_index=False)["score"].mean()
        panel.plot(
            means["x"],
            means["score"],
            color=colour,
            lw=1.2,
            ls=dashes[models["backbone_arch_family"].iloc[0]],
            label=f"{arch} ({compact(models['backbone_n_params'].iloc[0])})",
        )
        for source, group in models.groupby("backbone_source"):
            panel.scatter(group["x"], group["score"], color=colour, marker=MARKERS[source], s=20 + 60 * relative)
    panel.set(xscale="log", xlabel=AXES["compute"].label)
    if rows["backbone_arch"].nunique() <= 12:
        panel.legend(fontsize=7)
    return rows.assign(panel="a")[["panel", "model_id", "backbone_arch", "backbone_n_params", "x", "score"]]


def draw_families(panel: plt.Axes, points: pd.DataFrame) -> pd.DataFrame:
    """One line per family over samples: mean and 95 % interval of the mean over its models."""
    for family, colour in colours(sorted(points["backbone_arch_family"].unique()), FAMILIES).items():
        models = points[points["backbone_arch_family"] == family]
        marker = MARKERS[models["backbone_source"].iloc[0]]
        panel.scatter(models["x"], models["score"], color=colour, marker=marker, s=14, alpha=0.4, linewidths=0)
        summary = models.groupby("x")["score"].agg(["mean", "sem"]).fillna(0)
        panel.plot(summary.index, summary["mean"], color=colour, lw=1.8, label=family, marker=marker, ms=4)
        half = 1.96 * summary["sem"]
        panel.fill_between(summary.index, summary["mean"] - half, summary["mean"] + half, color=colour, alpha=0.15, lw=0)
    panel.set(xscale="log", xlabel=AXES["samples"].label)
    panel.legend(fontsize=8)
    return points.assign(panel="b")[["panel", "model_id", "backbone_arch_family", "x", "score"]]


def compact(count: float) -> str:
    """A parameter count as people say it: 12.3M."""
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:.3g}{name}"
    return f"{count:.0f}"
