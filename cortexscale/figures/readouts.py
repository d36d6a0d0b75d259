"""Figures of readouts: alignment against stimuli and parameters, and the depth at which layer gates read."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from scipy.stats import gmean

from cortexscale.catalogue.axes import AXES
from cortexscale.catalogue.readouts import LINEAR, READOUTS, figure_name
from cortexscale.figures.content import Datasets, Drawn, NothingToShow, Tables
from cortexscale.figures.panels import BESIDE, SCORE, draw_law, letter_panels, panels
from cortexscale.figures.style import Style, dataset_looks, log_scale, log_x

BEYOND = 2
"""Curves end at this multiple of the largest number of stimuli."""


def draw_linear(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw points and laws of the linear readout, with one colour per dataset."""
    points, curves = (tables[name][tables[name]["family"] == LINEAR] for name in ("points", "curves"))
    if points.empty:
        remedy = f"add {LINEAR} to mapping.readouts, or leave the figure out"
        raise NothingToShow("figure readouts_linear", f"no {LINEAR} among the readouts", "a linear readout", remedy)
    figure, panel = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
    plotted = []
    for name, look in dataset_looks(points["benchmark_name"], datasets).items():
        rows, curve = (table[table["benchmark_name"] == name] for table in (points, curves))
        plotted += _draw_readout(panel, rows, curve, look.colour, look.label)
    log_scale(panel, "x")
    panel.set(xlabel=AXES["mapping"].label, ylabel=SCORE)
    panel.set_ylim(min(0, points["score"].min()), max(1, points["score"].max()))
    panel.legend(fontsize=8, **BESIDE)
    return figure, pd.concat(plotted, ignore_index=True)


def draw_laws(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per dataset, with points, laws and formulas of every readout."""
    fits, points, curves = (tables[name] for name in ("fits", "points", "curves"))
    looks = dataset_looks(points["benchmark_name"], datasets)
    figure, grid = panels([look.label for look in looks.values()], 3, (4.4, 3.6), y=SCORE, sharey=True)
    plotted = []
    for name, panel in zip(looks, grid, strict=True):
        for readout, colour in READOUTS.items():
            rows, curve, fit = (
                table[(table["family"] == readout) & (table["benchmark_name"] == name)] for table in (points, curves, fits)
            )
            if len(rows):
                label = figure_name(readout) + (f": {formula(fit.iloc[0])}" if len(fit) else "")
                plotted += _draw_readout(panel, rows, curve, colour, label)
        log_scale(panel, "x")
        panel.set_xlabel(AXES["mapping"].label)
        for text in panel.legend(fontsize=6.5, loc="best").get_texts():
            text.set_parse_math(True)
    letter_panels(grid)
    return figure, pd.concat(plotted, ignore_index=True)


def _draw_readout(panel: Axes, points: pd.DataFrame, curve: pd.DataFrame, colour: str, label: str) -> list[pd.DataFrame]:
    """Draw points and the fitted law of one readout on one dataset. Return the plotted numbers."""
    panel.scatter(points["x"], points["score"], s=12, color=colour, alpha=0.5, linewidths=0)
    most = points["x"].max()
    curve = curve[curve["x"] <= BEYOND * most]
    draw_law(panel, curve, most, {"color": colour, "lw": 1.5}, label=label)
    names = ["family", "benchmark_name", "x", "score"]
    fitted = points[[*names, "data_pct", "seed"]].assign(kind="readout")
    return [fitted, curve[[*names, "low", "high"]].assign(kind="fit")] if len(curve) else [fitted]


def formula(fit: pd.Series) -> str:
    """Return the formula S = E - A F^-alpha with the fitted constants. For an exponential law only E is given."""
    if np.isfinite(fit["tau_raw"]):
        return f"E = {fit['E']:.2f}, exponential"
    return f"${fit['E']:.2f} - {np.exp(fit['ln_A']):.2f}\\, F^{{-{fit['alpha']:.2f}}}$"


def draw_parameters(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw alignment against the number of parameters per subject and ROI.

    Every ROI has a small point, and every readout a large one.
    """
    mapping = tables["mapping"]
    if mapping["n_params_per_subject"].isna().all():
        raise NothingToShow("figure readouts_parameters", "no n_params_per_subject", "readouts of the study")
    rows = mapping[mapping["data_pct"] == mapping["data_pct"].max()]
    points = rows.groupby(["probe_type", "benchmark_name", "roi"], sort=False, as_index=False).agg(
        n_params=("n_params_per_subject", "mean"), score=("pearsonr_nc", "mean")
    )
    centroids = points.groupby("probe_type", as_index=False).agg(n_params=("n_params", gmean), score=("score", "mean"))
    figure, panel = plt.subplots(figsize=(5.2, 3.8), layout="constrained")
    for readout, colour in READOUTS.items():
        of_readout, centroid = (table[table["probe_type"] == readout] for table in (points, centroids))
        if len(of_readout):
            panel.scatter(of_readout["n_params"], of_readout["score"], s=14, color=colour, alpha=0.45, linewidths=0)
            label = f"{figure_name(readout)}, {centroid['n_params'].iloc[0]:.2g}"
            panel.scatter(centroid["n_params"], centroid["score"], s=110, color=colour, edgecolors="white", label=label, zorder=3)
    log_x(panel, points["n_params"])
    panel.set(xlabel="Parameters per subject and ROI", ylabel=SCORE)
    panel.legend(fontsize=7, title="geometric mean of parameters", title_fontsize=7, **BESIDE)
    return figure, pd.concat([points.assign(kind="roi"), centroids.assign(kind="centroid")], ignore_index=True)


def draw_gates(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one column per ROI, with the weights of layers in the upper row and the entropy of gates in the lower row.

    Columns are sorted by expected depth.
    """
    gates = tables["gates"]
    if gates.empty:
        remedy = "add layer_gate_shared to mapping.readouts, or leave the figure out"
        raise NothingToShow("figure gate_depth", "no layer gate among the readouts", "a layer gate", remedy)
    gates = gates[(gates["data_pct"] == gates["data_pct"].max()) & (gates["probe_type"] == gates["probe_type"].max())]
    at = ["benchmark_name", "roi"]
    weights = gates.groupby([*at, "layer_name"], sort=False, as_index=False).agg(
        depth=("layer_position_normalized", "first"), committed=("committed", "first"), gate=("gate", "mean")
    )
    scores = tables["mapping"].merge(gates[["probe_type", "data_pct"]].drop_duplicates(), on=["probe_type", "data_pct"])
    depths = scores.groupby(at, as_index=False)[["expected_depth", "depth_sd", "gate_entropy"]].mean()
    depths = depths.merge(weights.loc[weights["committed"], [*at, "depth"]].rename(columns={"depth": "committed_depth"}), on=at)
    depths["relative_entropy"] = depths["gate_entropy"] / np.log(max(weights["layer_name"].nunique(), 2))
    looks = dataset_looks(gates["benchmark_name"], datasets)
    widths = [max(2, (depths["benchmark_name"] == name).sum()) for name in looks]
    shape: Style = {"width_ratios": widths, "height_ratios": [3, 1], "figsize": (0.55 * sum(widths) + 2.4, 4.4)}
    shape |= {"sharex": "col", "sharey": "row", "squeeze": False, "layout": "constrained"}
    figure, grid = plt.subplots(2, len(looks), **shape)
    greatest = weights.groupby([*at, "depth"])["gate"].sum().max()
    greys = ScalarMappable(Normalize(0, greatest), "Greys")
    for (above, below), (name, look) in zip(grid.T, looks.items(), strict=True):
        of_name = depths[depths["benchmark_name"] == name].sort_values("expected_depth")
        # A stage and its last block have the same depth, so their weights are added.
        of_depth = weights[weights["benchmark_name"] == name].groupby(["depth", "roi"])["gate"].sum()
        table = of_depth.unstack("roi")[of_name["roi"]]
        middles = (table.index[1:] + table.index[:-1]) / 2
        edges = np.array([max(0, 2 * table.index[0] - middles[0]) if len(middles) else 0, *middles, 1.0])
        x = np.arange(len(of_name))
        above.pcolormesh(np.arange(len(x) + 1) - 0.5, edges, table, cmap=greys.cmap, norm=greys.norm)
        depth, sd = of_name["expected_depth"], of_name["depth_sd"]
        above.errorbar(x, depth, sd, fmt="o", color="#e63946", ms=5, lw=1.2, label="gate: expected depth ± sd")
        above.scatter(x, of_name["committed_depth"], marker="D", s=28, color="#1d3557", zorder=3, label="committed layer")
        above.set_title(look.label)
        below.bar(x, of_name["relative_entropy"], color="#8d99ae", width=0.6)
        below.set_xticks(x, of_name["roi"].str.replace("_", " "), rotation=45, ha="right")
    letter_panels(grid[0])
    grid[0, 0].set(ylabel="Depth in the network", ylim=(0, 1.05))
    grid[1, 0].set(ylabel="Entropy\n(1: even)", ylim=(0, 1))
    figure.colorbar(greys, ax=grid[0, -1], label="weight of the layer")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=8)
    return figure, pd.concat([depths.assign(kind="roi"), weights.assign(kind="layer")], ignore_index=True)
