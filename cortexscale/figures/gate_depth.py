"""Depth at which layer gates read, beside the committed layers."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.content import FigureDataset, NothingToShow
from cortexscale.figures.style import dataset_looks, panel_letter


def draw(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw one column per ROI, sorted by expected depth: weights of the layers above, and the entropy of the gates below.

    Raises:
        NothingToShow: the study has no layer gate.
    """
    gates = tables["gates"]
    if gates.empty:
        remedy = "add layer_gate_shared to mapping.readouts, or leave the figure out"
        raise NothingToShow("figure gate_depth", "no layer gate among the readouts", "a layer gate", remedy)
    gates = gates[(gates["data_pct"] == gates["data_pct"].max()) & (gates["probe_type"] == gates["probe_type"].max())]
    weights = gates.groupby(["benchmark_name", "roi", "layer_name"], sort=False, as_index=False).agg(
        depth=("layer_position_normalized", "first"), committed=("committed", "first"), gate=("gate", "mean")
    )
    at = ["benchmark_name", "roi"]
    scores = tables["mapping"].merge(gates[["probe_type", "data_pct"]].drop_duplicates(), on=["probe_type", "data_pct"])
    depths = scores.groupby(at, as_index=False)[["expected_depth", "depth_sd", "gate_entropy"]].mean()
    depths = depths.merge(weights.loc[weights["committed"], [*at, "depth"]].rename(columns={"depth": "committed_depth"}), on=at)
    depths["relative_entropy"] = depths["gate_entropy"] / np.log(weights["layer_name"].nunique())
    looks = dataset_looks(gates["benchmark_name"], datasets)
    names = list(looks)
    widths = [max(2, (depths["benchmark_name"] == name).sum()) for name in names]
    figure, grid = plt.subplots(
        2,
        len(names),
        figsize=(0.55 * sum(widths) + 2.4, 4.4),
        sharex="col",
        sharey="row",
        squeeze=False,
        width_ratios=widths,
        height_ratios=[3, 1],
        layout="constrained",
    )
    largest, image = weights["gate"].max(), None
    for (above, below), name, letter in zip(grid.T, names, "abcdefghijkl", strict=False):
        of_name = depths[depths["benchmark_name"] == name].sort_values("expected_depth")
        table = weights[weights["benchmark_name"] == name].pivot(index="depth", columns="roi", values="gate")[of_name["roi"]]
        middles = (table.index[1:] + table.index[:-1]) / 2
        edges = np.array([max(0, 2 * table.index[0] - middles[0]), *middles, 1.0])
        x = np.arange(len(of_name))
        image = above.pcolormesh(np.arange(len(x) + 1) - 0.5, edges, table, cmap="Greys", vmin=0, vmax=largest)
        depth, sd = of_name["expected_depth"], of_name["depth_sd"]
        above.errorbar(x, depth, sd, fmt="o", color="#e63946", ms=5, lw=1.2, label="gate: expected depth ± sd")
        above.scatter(x, of_name["committed_depth"], marker="D", s=28, color="#1d3557", zorder=3, label="committed layer")
        above.set_title(looks[name].label)
        panel_letter(above, letter)
        below.bar(x, of_name["relative_entropy"], color="#8d99ae", width=0.6)
        below.set_xticks(x, of_name["roi"].str.replace("_", " "), rotation=45, ha="right")
    grid[0, 0].set(ylabel="Depth in the network", ylim=(0, 1.05))
    grid[1, 0].set(ylabel="Entropy\n(1: even)", ylim=(0, 1))
    figure.colorbar(image, ax=grid[0, -1], label="weight of the layer")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=8)
    return figure, pd.concat([depths.assign(kind="roi"), weights.assign(kind="layer")], ignore_index=True)
