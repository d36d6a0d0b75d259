"""Figures of the quality of recordings: noise ceilings of one dataset, and released against recomputed statistics."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from cortexscale.errors import InputError
from cortexscale.figures.content import Datasets, Drawn, NothingToShow, Tables
from cortexscale.figures.panels import panels, roi_name
from cortexscale.figures.style import Style, colours, dataset_looks

BINS = 29
"""Number of bins of a histogram. The paper uses 30 edges."""
_MOST_COLUMNS = 6
_CEILING = "Noise ceiling (% of variance)"


def draw_noise_ceilings(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per ROI with one colour per subject: histograms over units or, for EEG and MEG, curves over time.

    Raises an InputError if the table has units of more than one dataset.
    """
    table = tables["noise_ceilings"]
    over_time = bool(table["time"].notna().any())
    table = table[table["nc_percent"].notna() & (table["kept"] | over_time)]
    if table.empty:
        raise NothingToShow("table noise_ceilings", "no unit with a known noise ceiling", "units that are kept")
    names = table["benchmark_name"].unique()
    if len(names) != 1:
        found = f"units of {len(names)} datasets"
        raise InputError("table noise_ceilings", found, "units of one dataset", "draw a dataset from its own table")
    rois, colour = table["roi"].unique().tolist(), colours(sorted(table["subject"].unique()), {})
    columns = min(len(rois), 4 if over_time else _MOST_COLUMNS)
    x, y = ("Time from onset (ms)", _CEILING) if over_time else (_CEILING, "Units")
    titles = [roi_name(roi) for roi in rois]
    figure, grid = panels(titles, columns, (2.3, 1.85), x=x, y=y, sharex=True, sharey=over_time)
    # Bins begin at 70 or 10 %, as in the paper. If a unit is below 10 %, they begin at 0.
    first = next(edge for edge in (70, 10, 0) if edge <= table["nc_percent"].min())
    edges = None if over_time else np.linspace(first, 100, BINS + 1)
    plotted = []
    for roi, panel in zip(rois, grid, strict=True):
        plotted += [numbers.assign(roi=roi) for numbers in _draw_roi(panel, table[table["roi"] == roi], colour, edges)]
        panel.locator_params(axis="y", integer=True)
    if over_time:
        grid[0].set_ylim(0, 100)
    lines = [Line2D([], [], color=shade, lw=2, label=subject) for subject, shade in colour.items()]
    title = datasets[names[0]].label if names[0] in datasets else names[0]
    figure.legend(handles=lines, loc="outside upper center", ncols=min(len(lines), 2 * columns), fontsize=8, title=title)
    return figure, pd.concat(plotted, ignore_index=True).assign(benchmark_name=names[0])


def _draw_roi(panel: Axes, units: pd.DataFrame, colour: dict[str, str], edges: np.ndarray | None) -> list[pd.DataFrame]:
    """Draw one histogram per subject, or one curve over time if ``edges`` is None. Return the plotted numbers."""
    numbers = []
    for subject, rows in units.groupby("subject", observed=True):
        shade = colour[str(subject)]
        if edges is None:
            curve = rows.groupby("time", as_index=False)["nc_percent"].agg(["mean", "size"])
            panel.plot(1000 * curve["time"], curve["mean"], color=shade, lw=1.1)
            curve = curve.rename(columns={"mean": "nc_percent", "size": "channels"})
            numbers.append(curve.assign(subject=subject))
        else:
            counts, _ = np.histogram(rows["nc_percent"], edges)
            panel.stairs(counts, edges, color=shade, fill=True, alpha=0.4 / len(colour))
            panel.stairs(counts, edges, color=shade, lw=1)
            numbers.append(pd.DataFrame({"low": edges[:-1], "high": edges[1:], "units": counts, "subject": subject}))
    return numbers


def draw_released_statistics(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw recomputed against released statistics of units, with one panel per dataset and statistic."""
    units = tables["released_units"]
    groups = list(units.groupby(["benchmark_name", "statistic"], sort=False, observed=True))
    if not groups:
        remedy = "leave released_statistics out of `figures`"
        raise NothingToShow("table released_units", "no units", "units with a released statistic", remedy)
    looks = dataset_looks(units["benchmark_name"], datasets)
    figure, panels = plt.subplots(1, len(groups), figsize=(3.1 * len(groups), 3.9), layout="constrained", squeeze=False)
    for panel, ((name, statistic), points) in zip(panels[0], groups, strict=True):
        for subject, colour in colours(sorted(points["subject"].unique()), {}).items():
            rows = points[points["subject"] == subject]
            difference = (rows["recomputed"] - rows["released"]).abs().median()
            label = f"{subject}: {difference:.2g}"
            panel.scatter(rows["released"], rows["recomputed"], s=4, color=colour, alpha=0.5, lw=0, label=label, rasterized=True)
        panel.axline((points["released"].median(),) * 2, slope=1, color="black", lw=0.7, ls=":")
        panel.set(title=f"{looks[str(name)].label}: {statistic}", xlabel="Released", ylabel="Recomputed")
        below: Style = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.18), "ncols": 2}
        panel.legend(title="Median |difference|", fontsize=7, title_fontsize=7, markerscale=2, **below)
    return figure, units
