"""Figures of how models converge with more pretraining: by architecture, by family, and by family on every dataset."""

from collections.abc import Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D

from cortexscale.alignment.averages import AVERAGE
from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.catalogue.metrics import METRICS
from cortexscale.figures.content import Datasets, Drawn, NothingToShow, Tables
from cortexscale.figures.panels import SCORE, colour_bar, draw_means, legend_above, letter_panels, name_models, panels
from cortexscale.figures.style import FAMILY_MARKERS, MARKERS, Style, dataset_looks, family_looks, log_x
from cortexscale.models.roles import kinds
from cortexscale.scaling.finetuning import summary

_MARKERS = FAMILY_MARKERS | {"ViT": "v"}
"""Family -> marker. ViT has no cross here, because crosses mark models that are held out."""
_ARCHITECTURE = ["family", "backbone_arch", "backbone_source", "backbone_n_params"]
_MANY = 12
"""Largest number of architectures that fit into a legend."""


def draw(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw the average alignment of every model against compute (a) and samples (b)."""
    figure, pair = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    numbers = draw_convergence(pair, tables)
    letter_panels(pair)
    return figure, numbers


def draw_convergence(pair: Sequence[Axes], tables: Tables) -> pd.DataFrame:
    """Draw alignment against compute and samples into two panels. Return the plotted numbers."""
    by_compute, by_samples = (usual_models(tables[f"{axis}_points"]) for axis in ("compute", "samples"))
    if by_compute.empty or by_samples.empty:
        found, expected = "no supervised model with a known number of samples", "models whose pretraining is known"
        remedy = "give pretraining_samples, or leave the figure out of `figures`"
        raise NothingToShow("figure convergence", found, expected, remedy)
    pair[0].set_ylabel(f"Average alignment S ({METRICS[by_compute['metric'].iloc[0]]})")
    return pd.concat([draw_architectures(pair[0], by_compute), draw_families(pair[1], by_samples)], ignore_index=True)


def usual_models(points: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of usual models that are averages over datasets.

    A usual model is supervised, not adversarial, and without flexible width. Its number of parameters is known. The column
    ``held_out`` tells whether a model is held out from scaling laws.
    """
    kind = kinds(points)
    usual = ~points["flex"] & kind.isin(["fitted", "held out"]) & (points["benchmark_name"] == AVERAGE)
    return points.assign(held_out=kind == "held out")[usual & points["backbone_n_params"].notna()]


def draw_architectures(panel: Axes, points: pd.DataFrame) -> pd.DataFrame:
    """Draw one line per architecture over compute. Colours show the number of parameters, and dashes the family."""
    rows = points.sort_values("x")
    size = rows["backbone_n_params"]
    norm, palette = LogNorm(size.min() / 2, 2 * size.max()), plt.get_cmap("magma")
    families = sorted(rows["family"].unique())
    dashes = dict(zip(families, cycle(["-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3))]), strict=False))
    plotted = [rows.assign(kind="model")]
    for (family, arch, source, _), models in rows.groupby(_ARCHITECTURE):
        count = float(models["backbone_n_params"].iloc[0])
        means, colour = models.groupby([*_ARCHITECTURE, "x"], as_index=False)["score"].mean(), palette(norm(count))
        plotted.append(means.assign(kind="mean"))
        panel.plot(means["x"], means["score"], label=f"{arch} ({compact(count)})", color=colour, ls=dashes[family], lw=1.2)
        dots: Style = {"color": colour, "marker": MARKERS[str(source)], "s": 12 + 50 * norm(count), "linewidths": 0.3}
        panel.scatter(models["x"], models["score"], edgecolors="white", alpha=0.8, zorder=3, **dots)
    log_x(panel, rows["x"])
    name_models(panel, rows)
    panel.set_xlabel(MODEL_AXES["compute"].label)
    if rows["backbone_arch"].nunique() <= _MANY:
        panel.legend(fontsize=7)
    else:
        panel.legend([Line2D([], [], color="0.3", ls=dashes[name], lw=1.2) for name in families], families, fontsize=7)
        colour_bar(panel.figure, ScalarMappable(norm, palette), [panel], MODEL_AXES["parameters"].label, aspect=30, pad=0.05)
    shown = ["panel", "kind", "model_id", *_ARCHITECTURE, "x", "score", "n_benchmarks"]
    return pd.concat(plotted, ignore_index=True).assign(panel="a")[shown]


def draw_families(panel: Axes, points: pd.DataFrame) -> pd.DataFrame:
    """Draw the mean of every family over samples with 95 % intervals. Lines of held-out models are dashed."""
    looks = family_looks(points["family"])
    plotted = []
    for (held_out, family), models in points.groupby(["held_out", "family"]):
        shade = looks[str(family)].colour
        marker = MARKERS[models["backbone_source"].iloc[0]] if bool(held_out) else _MARKERS.get(str(family), "h")
        panel.scatter(models["x"], models["score"], color=shade, marker=marker, s=14, alpha=0.4, linewidths=0)
        means = summary(models.sort_values("x"), ["family", "held_out", "x"], "score")
        look: Style = {"ms": 5, "ls": "--", "label": f"{family}, held out"} if bool(held_out) else {"ms": 4, "label": family}
        draw_means(panel, means, "x", color=shade, marker=marker, lw=1.8, **look)
        plotted.append(means.rename(columns={"mean": "score"}))
    log_x(panel, points["x"])
    panel.set_xlabel(MODEL_AXES["samples"].label)
    panel.legend(fontsize=7)
    models = points[["model_id", "family", "held_out", "x", "score", "n_benchmarks"]].assign(kind="model")
    return pd.concat([models, *(means.assign(kind="mean") for means in plotted)], ignore_index=True).assign(panel="b")


def compact(count: float) -> str:
    """Abbreviate a number of parameters, as in ``12.3M``."""
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:.3g}{name}"
    return f"{count:.0f}"


def draw_by_dataset(tables: Tables, datasets: Datasets, axis: str) -> Drawn:
    """Draw one panel per family over a scaling axis, with one line per dataset."""
    points = tables["points"]
    points = points[points["fitted"] & (points["benchmark_name"] != AVERAGE)]
    if points.empty:
        raise NothingToShow("figure families", f"no fitted models on the axis {axis}", "models of a suite")
    looks = dataset_looks(points["benchmark_name"], datasets)
    families = sorted(points["family"].unique())
    figure, grid = panels(families, 3, (2.8, 2.2), x=MODEL_AXES[axis].label, y=SCORE, sharex=True, sharey=True)
    plotted = []
    for family, panel in zip(families, grid, strict=True):
        rows = points[points["family"] == family]
        for name, look in looks.items():
            means = summary(rows[rows["benchmark_name"] == name].sort_values("x"), ["family", "benchmark_name", "x"], "score")
            draw_means(panel, means, "x", color=look.colour, marker=look.marker, ms=3.5, lw=1.2, label=look.label)
            plotted.append(means)
        log_x(panel, points["x"])
    legend_above(figure, grid[0], 8)
    return figure, pd.concat(plotted, ignore_index=True)
