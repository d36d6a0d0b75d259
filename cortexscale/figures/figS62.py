"""Figure S62: scaling laws of the mapping axis, one panel per dataset and one curve per readout, with their formulas."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.catalogue.readouts import READOUTS, figure_name
from cortexscale.figures.readouts import X_LABEL, Y_LABEL, draw_law
from cortexscale.figures.style import panel_letter

_MOST_COLUMNS = 3


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Points, laws and bands as in figure 6. F is in tens of stimuli in the formulas, as in the paper."""
    fits, points, curves = (tables[name] for name in ("fits", "points", "curves"))
    names = points["benchmark_name"].unique()
    columns = min(len(names), _MOST_COLUMNS)
    rows = -(-len(names) // columns)
    size = (4.4 * columns, 3.6 * rows)
    figure, grid = plt.subplots(rows, columns, figsize=size, sharey=True, squeeze=False, layout="constrained")
    plotted = []
    for empty in grid.flat[len(names) :]:
        empty.set_axis_off()
    for name, panel, letter in zip(names, grid.flat, "abcdefghijkl", strict=False):
        for readout, colour in READOUTS.items():
            this = [table[(table["family"] == readout) & (table["benchmark_name"] == name)] for table in (points, curves, fits)]
            if len(this[0]):
                label = figure_name(readout) + (f": {formula(this[2].iloc[0])}" if len(this[2]) else "")
                plotted += draw_law(panel, *this[:2], colour, label)
        panel.set(xscale="log", xlabel=X_LABEL, title=labels.get(name, name))
        panel.legend(fontsize=6.5, loc="best")
        panel_letter(panel, letter)
    for row in grid:
        row[0].set_ylabel(Y_LABEL)
    return figure, pd.concat(plotted, ignore_index=True)


def formula(fit: pd.Series) -> str:
    """S = E - A F^-alpha with the fitted constants. Where the law is an exponential they mark no point of it."""
    if np.isfinite(fit["tau_raw"]):
        return f"E = {fit['E']:.2f}, exponential"
    return f"${fit['E']:.2f} - {np.exp(fit['ln_A']):.2f}\\, F^{{-{fit['alpha']:.2f}}}$"
