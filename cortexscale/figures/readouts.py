"""Figure 6: alignment of the linear readout against the stimuli that it is fitted to, with the fitted scaling laws."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cortexscale.catalogue.readouts import LINEAR
from cortexscale.errors import InputError
from cortexscale.figures.style import BENCHMARKS, colours

BEYOND = 2
"""Curves run to so many times the largest number of stimuli."""
X_LABEL = "Stimuli F that the readout is fitted to"
Y_LABEL = "Alignment S (noise-normalised r)"


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Points are fits to a fraction and seed, of all subjects with that many stimuli. Curves are dotted beyond them.

    Raises:
        InputError: the study has no linear readout.
    """
    points, curves = (tables[name][tables[name]["family"] == LINEAR] for name in ("points", "curves"))
    if points.empty:
        found = f"no {LINEAR} among the readouts"
        raise InputError("figure fig6", found, "a linear readout", f"add {LINEAR} to mapping.readouts, or leave the figure out")
    figure, panel = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
    handles = {name: labels.get(name, name) for name in points["benchmark_name"].unique()}
    colour, plotted = colours(handles.values(), BENCHMARKS), []
    for name, handle in handles.items():
        of_name = (table[table["benchmark_name"] == name] for table in (points, curves))
        plotted += draw_law(panel, *of_name, colour[handle], handle)
    panel.set(xscale="log", xlabel=X_LABEL, ylabel=Y_LABEL)
    panel.set_ylim(min(0, points["score"].min()), max(1, points["score"].max()))
    panel.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure, pd.concat(plotted, ignore_index=True)


def draw_law(panel: Axes, points: pd.DataFrame, curve: pd.DataFrame, colour: str, label: str) -> list[pd.DataFrame]:
    """One readout of one dataset: points, the fitted law and its band. Returns the numbers."""
    panel.scatter(points["x"], points["score"], s=12, color=colour, alpha=0.5, linewidths=0)
    most = points["x"].max()
    curve = curve[curve["x"] <= BEYOND * most]
    seen = curve["x"] <= most
    panel.plot(curve["x"][seen], curve["score"][seen], color=colour, lw=1.5, label=label)
    panel.plot(curve["x"][~seen], curve["score"][~seen], color=colour, lw=1.5, ls=":")
    panel.fill_between(curve["x"], curve["low"], curve["high"], color=colour, alpha=0.15, lw=0)
    names = ["family", "benchmark_name", "x", "score"]
    fitted = points[[*names, "data_pct", "seed"]].assign(kind="readout")
    return [fitted, curve[[*names, "low", "high"]].assign(kind="fit")] if len(curve) else [fitted]
