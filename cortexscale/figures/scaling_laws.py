"""Figure 2: alignment against pretraining compute, samples and parameters, with the fitted scaling laws."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.catalogue.metrics import METRICS
from cortexscale.figures.style import BENCHMARK_MARKERS, BENCHMARKS, MARKERS, colours, in_order, log_x, panel_letter
from cortexscale.scaling.laws import DISTANCES
from cortexscale.scaling.points import ALL, worth_showing

_NUMBERS = ["axis", "metric", "kind", "benchmark_name", "model_id", "x", "score", "low", "high", *DISTANCES]


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Points are models, lines are fits to the controlled suite with 95 % bootstrap bands; crosses are held-out models.

    Lines are dotted beyond the models that they were fitted to. The numbers have how far each model lies from the law of its
    benchmark (:func:`cortexscale.scaling.laws.distances`).
    """
    figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.4), sharey=True)
    numbers = draw_axes(panels, tables, labels)
    for letter, panel in zip("abc", panels, strict=True):
        panel_letter(panel, letter)
    figure.tight_layout()
    panels[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)
    return figure, numbers


def draw_axes(panels: Sequence[Axes], tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> pd.DataFrame:
    """Compute, samples and parameters, into a panel each; the first gets the label of all. Returns the numbers."""
    shown = set(tables["compute_points"]["benchmark_name"]) - {"average"}
    names = {name: labels.get(name, name) for name in in_order(shown, labels)} | {"average": "Average"}
    colour = colours(names.values(), BENCHMARKS)
    plotted = []
    for axis, panel in zip(MODEL_AXES, panels, strict=True):
        points = tables[f"{axis}_points"]
        points = points[worth_showing(points, special=False)]
        points = points.assign(kind=np.where(points["fitted"], "model", "held out"))
        curves = tables[f"{axis}_curves"]
        curves = curves[curves["family"] == ALL].assign(kind="fit")
        log_x(panel, points["x"])
        farthest = points.loc[points["fitted"], "x"].max()
        for name, handle in names.items():
            draw_points(panel, points[points["benchmark_name"] == name], colour[handle])
            draw_curve(panel, curves[curves["benchmark_name"] == name], farthest, colour[handle], handle)
        panel.set_xlabel(MODEL_AXES[axis].label)
        plotted += [points, curves]
    numbers = pd.concat(plotted, ignore_index=True)[_NUMBERS]
    scores = numbers.loc[numbers["kind"] != "fit", "score"]
    margin = 0.15 * (scores.max() - scores.min())
    for panel in panels:
        panel.set_ylim(scores.min() - margin, scores.max() + margin)
    panels[0].set_ylabel(f"Alignment S ({METRICS[numbers['metric'].iloc[0]].label})")
    return numbers


def draw_points(panel: Axes, points: pd.DataFrame, colour: str) -> None:
    """Models of one benchmark: small and pale those that are fitted, crosses those held out."""
    for (source, fitted), rows in points.groupby(["backbone_source", "fitted"]):
        look = {"s": 7, "alpha": 0.25, "linewidths": 0} if fitted else {"s": 30, "linewidths": 0.4, "edgecolors": "white"}
        panel.scatter(rows["x"], rows["score"], color=colour, marker=MARKERS[source], zorder=1 if fitted else 3, **look)


def draw_curve(panel: Axes, curve: pd.DataFrame, farthest: float, colour: str, handle: str) -> None:
    """A law and its band, dotted beyond the ``farthest`` X that was fitted; its markers tell it apart without colours."""
    seen = curve["x"] <= farthest
    look = {"color": colour, "lw": 2.5 if handle == "Average" else 1.5}
    marker = {"marker": BENCHMARK_MARKERS.get(handle, "h"), "markevery": 0.2, "ms": 5, "mec": "white", "mew": 0.4}
    panel.plot(curve["x"][seen], curve["score"][seen], label=handle, **look, **marker)
    panel.plot(curve["x"][~seen], curve["score"][~seen], ls=":", **look)
    panel.fill_between(curve["x"], curve["low"], curve["high"], color=colour, alpha=0.15, lw=0)
