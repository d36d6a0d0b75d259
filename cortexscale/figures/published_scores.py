"""Scaling of the published scores (Gokce & Schrimpf 2025): models, fitted laws and 95 % bootstrap bands."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from cortexscale.figures.content import Datasets, Drawn, NothingToShow, Tables
from cortexscale.figures.panels import draw_law, letter_panels
from cortexscale.figures.style import FAMILIES, colours

COMPUTE, SAMPLES, PARAMETERS = "Training compute (FLOPs)", "Training images seen", "Parameters"
MEAN = "Alignment, mean of five benchmarks"
_OF_FAMILY = {f"model_{name.lower()}_avg": (name, FAMILIES[name]) for name in ("ResNet", "EfficientNet", "ConvNeXt", "ViT")}
PANELS = (
    ("Alignment", COMPUTE, {"compute_neuro": ("neural", "#1F4E79"), "compute_behavior": ("behaviour", "#f77f00")}),
    (MEAN, COMPUTE, _OF_FAMILY),
    (MEAN, SAMPLES, {"sample_imagenet_scaling": ("ImageNet", "#2A9D8F"), "sample_ecoset_scaling": ("Ecoset", "#b12a90")}),
    (MEAN, PARAMETERS, {"parameter_scaling": ("all models, full data", "#1b263b")}),
)
"""Panels: label of y, label of x, and experiment -> name and colour. Experiments that were not fitted are left out."""
MOST_OTHERS = 4
"""Largest number of other experiments that get a panel each."""


def draw(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw compute (all models, and by family), samples and parameters from the tables ``fits``, ``curves`` and ``points``."""
    fitted = set(tables["curves"]["experiment"])
    shown = [panel for panel in PANELS if fitted & set(panel[-1])]
    others = sorted(fitted - {name for panel in PANELS for name in panel[-1]})
    if len(others) <= MOST_OTHERS:
        shown += [("Alignment", "X of the experiment", {name: (name, colour)}) for name, colour in colours(others, {}).items()]
    if not shown:
        expected = "an experiment with one X"
        raise NothingToShow("figure published_scores", f"{len(others)} fits", expected, "name other experiments")
    figure, grid = plt.subplots(1, len(shown), figsize=(4.2 * len(shown), 3.4), layout="constrained", squeeze=False)
    plotted = []
    for panel, (y_label, x_label, experiments) in zip(grid[0], shown, strict=True):
        for experiment, (label, colour) in experiments.items():
            if experiment in fitted:
                plotted += _draw_fit(panel, tables, experiment, label, colour)
        panel.set(xscale="log", xlabel=x_label, ylabel=y_label)
        panel.margins(y=0.2)
        panel.legend(loc="upper left", fontsize=7)
    letter_panels(grid[0])
    return figure, pd.concat(plotted, ignore_index=True)


def _draw_fit(panel: Axes, tables: Tables, experiment: str, label: str, colour: str) -> list[pd.DataFrame]:
    """Draw one experiment into a panel and return its numbers."""
    fit, points, curve = (tables[name][tables[name]["experiment"] == experiment] for name in ("fits", "points", "curves"))
    fit = fit.iloc[0]
    limit = f"E = {fit['E']:.2f} [{fit['E_low']:.2f}, {fit['E_high']:.2f}]" if fit["saturates"] else "no saturation"
    panel.scatter(points["x"], points["score"], s=5, color=colour, alpha=0.3, linewidths=0)
    draw_law(panel, curve, points["x"].max(), {"color": colour}, beyond="--", band=0.2, label=f"{label}: {limit}")
    return [points[["experiment", "model_id", "x", "score"]].assign(kind="model"), curve.assign(kind="fit")]
