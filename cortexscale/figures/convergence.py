"""Convergence of architectures with pretraining: by architecture over compute, and by family over samples."""

from collections.abc import Mapping
from itertools import cycle

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from cortexscale.alignment.averages import AVERAGE
from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.catalogue.metrics import METRICS
from cortexscale.figures.content import FigureDataset, NothingToShow
from cortexscale.figures.panels import name_models
from cortexscale.figures.style import FAMILIES, FAMILY_MARKERS, MARKERS, colours, log_x, panel_letter
from cortexscale.models.roles import kinds
from cortexscale.scaling.finetuning import summary

_MARKERS = FAMILY_MARKERS | {"ViT": "v"}
"""Crosses are models held out."""
_MANY = 12
"""Architectures beyond which a legend of all would fill the panel."""


def draw(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw the average alignment of every model over compute (a) and over samples (b).

    Raises:
        NothingToShow: no model has a known number of pretraining samples.
    """
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    numbers = draw_convergence(panels, tables)
    for letter, panel in zip("ab", panels, strict=True):
        panel_letter(panel, letter)
    return figure, numbers


def draw_convergence(panels: tuple[Axes, Axes], tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Draw both panels, without flexible widths, self-supervised models and adversarial copies. Return the numbers.

    Raises:
        NothingToShow: as for :func:`draw`.
    """
    by_compute, by_samples = (usual_models(tables[f"{axis}_points"]) for axis in ("compute", "samples"))
    if by_compute.empty or by_samples.empty:
        found, expected = "no supervised model with a known number of samples", "models whose pretraining is known"
        raise NothingToShow(
            "figure convergence", found, expected, "give pretraining_samples, or leave the figure out of `figures`"
        )
    panels[0].set_ylabel(f"Average alignment S ({METRICS[by_compute['metric'].iloc[0]].label})")
    plotted = [draw_architectures(panels[0], by_compute), draw_families(panels[1], by_samples)]
    return pd.concat(plotted, ignore_index=True)


def usual_models(points: pd.DataFrame) -> pd.DataFrame:
    """Return the average points of suites and of models held out that are supervised and not of flexible width."""
    kind = kinds(points)
    usual = ~points["flex"] & kind.isin(["fitted", "held out"]) & (points["benchmark_name"] == AVERAGE)
    return points.assign(held_out=kind == "held out")[usual]


def draw_architectures(panel: Axes, points: pd.DataFrame) -> pd.DataFrame:
    """Draw one line per architecture over compute, coloured by its number of parameters and dashed by its family."""
    rows = points.sort_values("x")
    size = rows["backbone_n_params"]
    norm, palette = LogNorm(size.min() / 2, 2 * size.max()), plt.get_cmap("magma")
    families = sorted(rows["family"].unique())
    dashes = dict(zip(families, cycle(["-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3))]), strict=False))
    for (family, arch, source), models in rows.groupby(["family", "backbone_arch", "backbone_source"]):
        count = models["backbone_n_params"].iloc[0]
        means = models.groupby("x", as_index=False)["score"].mean()
        look = {"color": palette(norm(count)), "ls": dashes[family], "lw": 1.2}
        panel.plot(means["x"], means["score"], label=f"{arch} ({compact(count)})", **look)
        dots = {"color": palette(norm(count)), "marker": MARKERS[source], "s": 12 + 50 * norm(count), "linewidths": 0.3}
        panel.scatter(models["x"], models["score"], edgecolors="white", alpha=0.8, zorder=3, **dots)
    log_x(panel, rows["x"])
    name_models(panel, rows)
    panel.set_xlabel(MODEL_AXES["compute"].label)
    if rows["backbone_arch"].nunique() <= _MANY:
        panel.legend(fontsize=7)
    else:
        panel.legend([plt.Line2D([], [], color="0.3", ls=dashes[f], lw=1.2) for f in families], families, fontsize=7)
        bar = panel.figure.colorbar(plt.cm.ScalarMappable(norm, palette), ax=panel, shrink=0.8, aspect=30)
        bar.set_label(MODEL_AXES["parameters"].label, fontsize=8)
        bar.ax.tick_params(labelsize=7)
    return rows.assign(panel="a")[["panel", "model_id", "backbone_arch", "backbone_n_params", "x", "score"]]


def draw_families(panel: Axes, points: pd.DataFrame) -> pd.DataFrame:
    """Draw one line per family over samples: means over its models with 95 % intervals, dashed for models held out."""
    colour = colours(sorted(points["family"].unique()), FAMILIES)
    plotted = []
    for (held_out, family), models in points.groupby(["held_out", "family"]):
        marker = MARKERS[models["backbone_source"].iloc[0]] if held_out else _MARKERS.get(family, "h")
        panel.scatter(models["x"], models["score"], color=colour[family], marker=marker, s=14, alpha=0.4, linewidths=0)
        means = summary(models.sort_values("x"), ["family", "held_out", "x"], "score")
        look = {"color": colour[family], "marker": marker, "ms": 5 if held_out else 4, "lw": 1.8, "ls": "--" if held_out else "-"}
        panel.plot(means["x"], means["mean"], label=f"{family}, held out" if held_out else family, **look)
        panel.fill_between(means["x"], means["low"], means["high"], color=colour[family], alpha=0.15, lw=0)
        plotted.append(means.rename(columns={"mean": "score"}))
    log_x(panel, points["x"])
    panel.set_xlabel(MODEL_AXES["samples"].label)
    panel.legend(fontsize=7)
    models = points[["model_id", "family", "held_out", "x", "score"]]
    return pd.concat([models, *plotted], ignore_index=True).assign(panel="b")


def compact(count: float) -> str:
    """Return a parameter count in short, such as ``12.3M``."""
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:.3g}{name}"
    return f"{count:.0f}"
