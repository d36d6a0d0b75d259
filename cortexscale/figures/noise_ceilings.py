"""Figures S1 to S8: noise ceilings of one dataset by ROI and subject, as histograms over units or, for M/EEG, over time."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cortexscale.errors import InputError
from cortexscale.figures.style import colours

BINS = 29
"""Between the 30 edges of the paper's histograms."""
_FIRST_EDGES = (70, 10, 0)
_MOST_COLUMNS = 6
_NAMES = {"occipital_parietal": "occipital + parietal"}


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One panel per ROI, one colour per subject, from the table ``noise_ceilings`` of one dataset.

    Histograms count the units that passed the selection. Curves average over all channels of a ROI, selected or not, at
    each time.

    Raises:
        InputError: the table has no unit to draw, or more than one dataset.
    """
    table = tables["noise_ceilings"]
    over_time = table["time"].notna().any()
    table = table[table["nc_percent"].notna() & (table["kept"] | over_time)]
    names = table["benchmark_name"].unique()
    if len(names) != 1:
        found = f"units of {len(names)} datasets"
        raise InputError("table noise_ceilings", found, "units of one dataset", "draw a dataset from its own table")
    rois, colour = table["roi"].unique().tolist(), colours(sorted(table["subject"].unique()), {})
    columns = min(len(rois), 4 if over_time else _MOST_COLUMNS)
    rows = -(-len(rois) // columns)
    size = (2.3 * columns + 0.4, 1.7 * rows + 0.9)
    figure, grid = plt.subplots(rows, columns, figsize=size, sharex=True, sharey=over_time, squeeze=False, layout="constrained")
    panels = dict(zip(rois, grid.flat, strict=False))
    for empty in grid.flat[len(rois) :]:
        empty.set_axis_off()
    plotted = [
        numbers.assign(roi=roi)
        for roi, panel in panels.items()
        for numbers in _draw_roi(panel, table[table["roi"] == roi], colour, None if over_time else _edges(table["nc_percent"]))
    ]
    for roi, panel in panels.items():
        panel.set_title(_NAMES.get(roi, roi.replace("_", " ")), fontsize=9)
        panel.tick_params(labelsize=8)
        panel.yaxis.get_major_locator().set_params(integer=True)
    for number, panel in enumerate(grid.flat[: len(rois)]):
        # An empty place below leaves a panel without the tick labels that a shared axis has in the last row only.
        panel.tick_params(labelbottom=number + columns >= len(rois))
    if over_time:
        figure.supxlabel("Time from onset (ms)", fontsize=9)
        figure.supylabel("Noise ceiling (% of variance)", fontsize=9)
        grid.flat[0].set_ylim(0, 100)
    else:
        figure.supxlabel("Noise ceiling (% of variance)", fontsize=9)
        figure.supylabel("Units", fontsize=9)
    handles = [plt.Line2D([], [], color=shade, lw=2, label=subject) for subject, shade in colour.items()]
    title = labels.get(names[0], names[0])
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 2 * columns), fontsize=8, title=title)
    return figure, pd.concat(plotted, ignore_index=True).assign(benchmark_name=names[0])


def _draw_roi(panel: Axes, units: pd.DataFrame, colour: dict[str, str], edges: np.ndarray | None) -> list[pd.DataFrame]:
    """One ROI into its panel: a histogram per subject, or a curve over time without ``edges``. Returns the numbers."""
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
    """From 70 or 10 %, as in the paper, unless a unit is below that."""
    first = next(edge for edge in _FIRST_EDGES if edge <= nc_percent.min())
    return np.linspace(first, 100, BINS + 1)
