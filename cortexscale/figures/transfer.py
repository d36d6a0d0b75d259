"""Figure 5: fine-tuning on one dataset changes alignment on all."""

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_panels import GAIN, draw_errors, handles
from cortexscale.figures.panels import panels
from cortexscale.figures.style import BENCHMARKS, colours
from cortexscale.scaling.finetuning import AVERAGE, finetuning_scores, full_data, summary


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One panel per dataset of the fine-tuning, a bar per benchmark: mean over seeds at the largest fraction, with its 95 %
    bootstrap interval. The dataset itself has a black edge.

    Raises:
        InputError: the study has no data fractions.
    """
    rows = full_data(finetuning_scores(tables["finetuning"]))
    rows = rows[rows["benchmark_name"] != AVERAGE]
    means = summary(rows, ["finetuning_dataset", "benchmark_name"])
    shown, tested = handles(rows, labels), handles(rows, labels, "benchmark_name")
    colour = colours(tested.values(), BENCHMARKS)
    figure, grid = panels(list(shown.values()), 3, (2.7, 1.9), sharex=True, sharey=True)
    for name, panel in zip(shown, grid, strict=True):
        bars = means[means["finetuning_dataset"] == name].set_index("benchmark_name").loc[list(tested)].reset_index()
        own = bars["benchmark_name"] == name
        edges = own.map({True: "black", False: "none"})
        panel.bar(bars.index, bars["mean"], 0.8, color=list(colour.values()), edgecolor=edges, lw=1.4)
        draw_errors(panel, bars.index, bars)
        panel.axhline(0, color="black", lw=0.7)
        panel.set_xticks(bars.index, list(tested.values()), rotation=45, ha="right", rotation_mode="anchor")
    figure.supylabel(GAIN, fontsize=9)
    return figure, means
