"""Noise ceilings of one dataset by ROI and subject, as histograms over units or, for EEG and MEG, over time."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cortexscale.errors import InputError
from cortexscale.figures.content import FigureDataset
from cortexscale.figures.panels import panels, roi_name
from cortexscale.figures.style import colours

BINS = 29
"""Number of bins between the 30 edges of the paper's histograms."""
_FIRST_EDGES = (70, 10, 0)
_MOST_COLUMNS = 6


def draw(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel per ROI, with one colour per subject, from the table ``noise_ceilings`` of one dataset.

    Raises:
        InputError: the table has no unit to draw, or units of more than one dataset.
    """
    table = tables["noise_ceilings"]
    over_time = bool(table["time"].notna().any())
    table = table[table["nc_percent"].notna() & (table["kept"] | over_time)]
    names = table["benchmark_name"].unique()
    if len(names) != 1:
        found = f"units of {len(names)} datasets"
        raise InputError("table noise_ceilings", found, "units of one dataset", "draw a dataset from its own table")
    rois, colour = table["roi"].unique().tolist(), colours(sorted(table["subject"].unique()), {})
    columns = min(len(rois), 4 if over_time else _MOST_COLUMNS)
    figure, grid = panels([roi_name(roi) for roi in rois], columns, (2.3, 1.85), sharex=True, sharey=over_time)
    plotted = []
    for roi, panel in zip(rois, grid, strict=True):
        edges = None if over_time else _edges(table["nc_percent"])
        plotted += [numbers.assign(roi=roi) for numbers in _draw_roi(panel, table[table["roi"] == roi], colour, edges)]
        panel.locator_params(axis="y", integer=True)
    if over_time:
        figure.supxlabel("Time from onset (ms)", fontsize=9)
        figure.supylabel("Noise ceiling (% of variance)", fontsize=9)
        grid[0].set_ylim(0, 100)
    else:
        figure.supxlabel("Noise ceiling (% of variance)", fontsize=9)
        figure.supylabel("Units", fontsize=9)
    lines = [plt.Line2D([], [], color=shade, lw=2, label=subject) for subject, shade in colour.items()]
    title = datasets[names[0]].label if names[0] in datasets else names[0]
    figure.legend(handles=lines, loc="outside upper center", ncols=min(len(lines), 2 * columns), fontsize=8, title=title)
    return figure, pd.concat(plotted, ignore_index=True).assign(benchmark_name=names[0])


def _draw_roi(panel: Axes, units: pd.DataFrame, colour: dict[str, str], edges: np.ndarray | None) -> list[pd.DataFrame]:
    """Draw a histogram per subject, or a curve over time without ``edges``, and return the numbers."""
    numbers = []
    for subject, rows in units.groupby("subject", observed=True):
        if edges is None:
            curve = rows.groupby("time", as_index=False)["nc_percent"].agg(["mean", "size"])
            panel.plot(1000 * curve["time"], curve["mean"], color=colour[subject], lw=1.1)
            curve = curve.rename(columns={"mean": "nc_percent", "size": "channels"})
            numbers.append(curve.assign(subject=subject))
        else:
            counts, _ = np.histogram(rows["nc_percent"], edges)
            panel.stairs(counts, edges, color=colour[subject], fill=True, alpha=0.4 / len(colour))
            panel.stairs(counts, edges, color=colour[subject], lw=1)
            numbers.append(pd.DataFrame({"low": edges[:-1], "high": edges[1:], "units": counts, "subject": subject}))
    return numbers


def _edges(nc_percent: pd.Series) -> np.ndarray:
    """Return edges of bins that begin at 70 or 10 %, as in the paper, or at 0 if a unit is below that."""
    first = next(edge for edge in _FIRST_EDGES if edge <= nc_percent.min())
    return np.linspace(first, 100, BINS + 1)
