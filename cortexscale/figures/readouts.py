"""Readouts of unprojected features: alignment against stimuli, with the fitted scaling laws, and against parameters."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cortexscale.catalogue.axes import AXES
from cortexscale.catalogue.readouts import LINEAR, READOUTS, figure_name
from cortexscale.figures.content import FigureDataset, NothingToShow
from cortexscale.figures.panels import SCORE, panels
from cortexscale.figures.style import dataset_looks, log_x, panel_letter

BEYOND = 2
"""Factor of the largest number of stimuli up to which curves run."""


def draw_linear(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw points and laws of the linear readout, one colour per dataset.

    Raises:
        NothingToShow: the study has no linear readout.
    """
    points, curves = (tables[name][tables[name]["family"] == LINEAR] for name in ("points", "curves"))
    if points.empty:
        remedy = f"add {LINEAR} to mapping.readouts, or leave the figure out"
        raise NothingToShow("figure readouts_linear", f"no {LINEAR} among the readouts", "a linear readout", remedy)
    figure, panel = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
    plotted = []
    for name, look in dataset_looks(points["benchmark_name"], datasets).items():
        of_name = (table[table["benchmark_name"] == name] for table in (points, curves))
        plotted += draw_law(panel, *of_name, look.colour, look.label)
    panel.set(xscale="log", xlabel=AXES["mapping"].label, ylabel=SCORE)
    panel.set_ylim(min(0, points["score"].min()), max(1, points["score"].max()))
    panel.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure, pd.concat(plotted, ignore_index=True)


def draw_laws(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel per dataset, with points and laws of every readout and their formulas."""
    fits, points, curves = (tables[name] for name in ("fits", "points", "curves"))
    looks = dataset_looks(points["benchmark_name"], datasets)
    figure, grid = panels([look.label for look in looks.values()], 3, (4.4, 3.6), sharey=True)
    plotted = []
    for name, panel, letter in zip(looks, grid, "abcdefghijkl", strict=False):
        for readout, colour in READOUTS.items():
            this = [table[(table["family"] == readout) & (table["benchmark_name"] == name)] for table in (points, curves, fits)]
            if len(this[0]):
                label = figure_name(readout) + (f": {formula(this[2].iloc[0])}" if len(this[2]) else "")
                plotted += draw_law(panel, *this[:2], colour, label)
        panel.set(xscale="log", xlabel=AXES["mapping"].label)
        panel.legend(fontsize=6.5, loc="best")
        panel_letter(panel, letter)
    figure.supylabel(SCORE, fontsize=9)
    return figure, pd.concat(plotted, ignore_index=True)


def draw_parameters(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw alignment against parameters per subject and ROI: a small point per ROI, and a large point per readout.

    Raises:
        NothingToShow: a published table, which does not count parameters.
    """
    mapping = tables["mapping"]
    if mapping["n_params_per_subject"].isna().all():
        remedy = "leave the figure out of `figures`"
        raise NothingToShow("figure readouts_parameters", "no n_params_per_subject", "readouts of the study", remedy)
    rows = mapping[mapping["data_pct"] == mapping["data_pct"].max()]
    points = rows.groupby(["probe_type", "benchmark_name", "roi"], sort=False, as_index=False).agg(
        n_params=("n_params_per_subject", "mean"), score=("pearsonr_nc", "mean")
    )
    centroids = points.groupby("probe_type", as_index=False).agg(
        n_params=("n_params", lambda n: np.exp(np.log(n).mean())), score=("score", "mean")
    )
    figure, panel = plt.subplots(figsize=(5.2, 3.8), layout="constrained")
    for readout, colour in READOUTS.items():
        of_readout, centroid = (table[table["probe_type"] == readout] for table in (points, centroids))
        if len(of_readout):
            panel.scatter(of_readout["n_params"], of_readout["score"], s=14, color=colour, alpha=0.45, linewidths=0)
            label = f"{figure_name(readout)}, {centroid['n_params'].iloc[0]:.2g}"
            panel.scatter(centroid["n_params"], centroid["score"], s=110, color=colour, edgecolors="white", label=label, zorder=3)
    log_x(panel, points["n_params"])
    panel.set(xlabel="Parameters per subject and ROI", ylabel=SCORE)
    beside = {"loc": "center left", "bbox_to_anchor": (1.02, 0.5)}
    panel.legend(fontsize=7, title="geometric mean of parameters", title_fontsize=7, **beside)
    return figure, pd.concat([points.assign(kind="roi"), centroids.assign(kind="centroid")], ignore_index=True)


def draw_law(panel: Axes, points: pd.DataFrame, curve: pd.DataFrame, colour: str, label: str) -> list[pd.DataFrame]:
    """Draw points, the fitted law and its band of one readout on one dataset. Return the numbers."""
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


def formula(fit: pd.Series) -> str:
    """Return S = E - A F^-alpha with the fitted constants; an exponential has no such constants."""
    if np.isfinite(fit["tau_raw"]):
        return f"E = {fit['E']:.2f}, exponential"
    return f"${fit['E']:.2f} - {np.exp(fit['ln_A']):.2f}\\, F^{{-{fit['alpha']:.2f}}}$"
