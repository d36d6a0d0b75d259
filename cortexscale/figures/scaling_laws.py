"""Alignment against pretraining compute, samples and parameters, with the fitted scaling laws."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cortexscale.alignment.averages import AVERAGE
from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.catalogue.metrics import METRICS
from cortexscale.figures.content import FigureDataset, NothingToShow
from cortexscale.figures.convergence import draw_convergence
from cortexscale.figures.panels import FEW_MODELS, name_models
from cortexscale.figures.style import FAMILIES, FAMILY_MARKERS, MARKERS, Look, colours, dataset_looks, log_x, panel_letter
from cortexscale.scaling.laws import DISTANCES
from cortexscale.scaling.points import ALL, worth_showing

_NUMBERS = ["axis", "metric", "kind", "benchmark_name", "model_id", "x", "score", "low", "high", *DISTANCES]
_LAW = "0.2"
"""Colour of the law where colours tell families apart."""
_HELD_OUT = {"o": "held out", "X": "held out", "D": "held out, own model"}
"""Marker -> its name in the legend."""


def draw(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel per axis of pretraining.

    The numbers have the distance of each model from the law of its dataset (:func:`cortexscale.scaling.laws.distances`).

    Raises:
        NothingToShow: no model has a place on any axis.
    """
    figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.4), sharey=True, layout="constrained")
    numbers = draw_axes(panels, tables, datasets)
    for letter, panel in zip("abc", panels, strict=True):
        panel_letter(panel, letter)
    return figure, numbers


def draw_with_convergence(
    tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]
) -> tuple[Figure, pd.DataFrame]:
    """Draw scaling laws (a to c) above the convergence of architectures and families (d, e).

    Raises:
        NothingToShow: no model has a place on any axis.
    """
    figure, panels = plt.subplot_mosaic("aabbcc;dddeee", figsize=(10.5, 6.6), layout="constrained")
    laws = draw_axes([panels[letter] for letter in "abc"], tables, datasets)
    convergence = draw_convergence((panels["d"], panels["e"]), tables)
    for letter, panel in panels.items():
        panel_letter(panel, letter)
    panels["e"].sharey(panels["d"])
    convergence["panel"] = convergence["panel"].map({"a": "d", "b": "e"})
    laws["panel"] = laws["axis"].map({"compute": "a", "samples": "b", "parameters": "c"})
    return figure, pd.concat([laws, convergence], ignore_index=True)


def draw_axes(panels: Sequence[Axes], tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> pd.DataFrame:
    """Draw points and laws of every axis, and the legend beside the last panel. Return the numbers.

    Colours tell datasets apart, or families where all models are scored on one dataset.
    """
    points = {axis: _points(tables[f"{axis}_points"]) for axis in MODEL_AXES}
    curves = {axis: tables[f"{axis}_curves"] for axis in MODEL_AXES}
    curves = {axis: curve[curve["family"] == ALL].assign(kind="fit") for axis, curve in curves.items()}
    everything = pd.concat(points.values(), ignore_index=True)
    if everything.empty:
        expected = "models whose size or training is known"
        raise NothingToShow("figure scaling_laws", "no model on any axis", expected, "leave the figure out of `figures`")
    names = set(everything["benchmark_name"]) - {AVERAGE}
    by_family = len(names) == 1
    if by_family:
        points, curves = ({axis: t[t["benchmark_name"].isin(names)] for axis, t in of.items()} for of in (points, curves))
    laws = dataset_looks(names if by_family else names | {AVERAGE}, datasets)
    groups = _family_looks(everything["family"]) if by_family else laws
    for axis, panel in zip(MODEL_AXES, panels, strict=True):
        for name, look in groups.items():
            draw_points(panel, points[axis][points[axis]["family" if by_family else "benchmark_name"] == name], look.colour)
        farthest = points[axis].loc[points[axis]["fitted"], "x"].max()
        for name, look in laws.items():
            curve = curves[axis][curves[axis]["benchmark_name"] == name]
            colour, marker = (_LAW, "") if by_family else (look.colour, look.marker)  # markers would look like models
            draw_curve(panel, curve, farthest, colour, marker, bold=name == AVERAGE)
        if len(points[axis]):
            log_x(panel, points[axis]["x"])
            name_models(panel, points[axis])
        panel.set_xlabel(MODEL_AXES[axis].label)
    numbers = pd.concat([each for axis in MODEL_AXES for each in (points[axis], curves[axis])], ignore_index=True)[_NUMBERS]
    scores = numbers.loc[numbers["kind"] != "fit", "score"]
    margin = 0.15 * (scores.max() - scores.min() or 1)
    for panel in panels:
        panel.set_ylim(scores.min() - margin, scores.max() + margin)
    panels[0].set_ylabel(f"Alignment S ({METRICS[numbers['metric'].iloc[0]].label})")
    fitted = set(numbers.loc[numbers["kind"] == "fit", "benchmark_name"])
    lines = [_line(look, fitted=not by_family and name in fitted, bold=name == AVERAGE) for name, look in groups.items()]
    if by_family:
        lines += [Line2D([], [], color=_LAW, lw=1.5, label=f"{look.label}: law") for name, look in laws.items() if name in fitted]
    held_out = everything.loc[everything["kind"] == "held out", "backbone_source"].map(MARKERS).unique()
    lines += [Line2D([], [], color="0.5", marker=marker, lw=0, ms=5, label=_HELD_OUT[marker]) for marker in held_out]
    panels[-1].legend(handles=lines, loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)
    return numbers


def _points(points: pd.DataFrame) -> pd.DataFrame:
    points = points[worth_showing(points, special=False)]
    return points.assign(kind=np.where(points["fitted"], "model", "held out"))


def _family_looks(families: pd.Series) -> dict[str, Look]:
    colour = colours(sorted(families.unique()), FAMILIES)
    return {name: Look(name, shade, FAMILY_MARKERS.get(name, "h")) for name, shade in colour.items()}


def _line(look: Look, *, fitted: bool, bold: bool) -> Line2D:
    """Return the line of a law for the legend, or a point where there is no law."""
    if not fitted:
        return Line2D([], [], color=look.colour, marker="o", lw=0, ms=4, label=look.label)
    return Line2D(
        [], [], color=look.colour, marker=look.marker, lw=2.5 if bold else 1.5, ms=5, mec="white", mew=0.4, label=look.label
    )


def draw_points(panel: Axes, points: pd.DataFrame, colour: str) -> None:
    """Draw the models of one dataset or family: small those that are fitted, and pale if they are many; others larger."""
    many = len(points) > FEW_MODELS
    for (source, fitted), rows in points.groupby(["backbone_source", "fitted"]):
        small = {"s": 7 if many else 16, "alpha": 0.25 if many else 0.8, "linewidths": 0}
        look = small if fitted else {"s": 30, "linewidths": 0.4, "edgecolors": "white"}
        panel.scatter(rows["x"], rows["score"], color=colour, marker=MARKERS[source], zorder=1 if fitted else 3, **look)


def draw_curve(panel: Axes, curve: pd.DataFrame, farthest: float, colour: str, marker: str, *, bold: bool) -> None:
    """Draw a law and its band, dotted beyond the ``farthest`` X that was fitted; its markers tell it apart without colours."""
    seen = curve["x"] <= farthest
    look = {"color": colour, "lw": 2.5 if bold else 1.5}
    panel.plot(curve["x"][seen], curve["score"][seen], marker=marker, markevery=0.2, ms=5, mec="white", mew=0.4, **look)
    panel.plot(curve["x"][~seen], curve["score"][~seen], ls=":", **look)
    panel.fill_between(curve["x"], curve["low"], curve["high"], color=colour, alpha=0.15, lw=0)
