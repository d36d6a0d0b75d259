"""Change in alignment on every dataset after fine-tuning on one of them."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.alignment.averages import AVERAGE
from cortexscale.figures.content import FigureDataset
from cortexscale.figures.finetuning_panels import GAIN, dataset_labels, draw_errors
from cortexscale.figures.panels import panels
from cortexscale.figures.style import dataset_looks
from cortexscale.scaling.finetuning import finetuning_scores, full_data, summary


def draw(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel per dataset of the fine-tuning, with one bar per dataset that models are scored on.

    Raises:
        InputError: the study has no data fractions.
    """
    rows = full_data(finetuning_scores(tables["finetuning"]))
    rows = rows[rows["benchmark_name"] != AVERAGE]
    means = summary(rows, ["finetuning_dataset", "benchmark_name"])
    trained, tested = dataset_labels(rows, datasets), dataset_looks(rows["benchmark_name"], datasets)
    figure, grid = panels(list(trained.values()), 3, (2.7, 1.9), sharex=True, sharey=True)
    for name, panel in zip(trained, grid, strict=True):
        bars = means[means["finetuning_dataset"] == name].set_index("benchmark_name").loc[list(tested)].reset_index()
        edges = (bars["benchmark_name"] == name).map({True: "black", False: "none"})
        panel.bar(bars.index, bars["mean"], 0.8, color=[look.colour for look in tested.values()], edgecolor=edges, lw=1.4)
        draw_errors(panel, bars.index, bars)
        panel.axhline(0, color="black", lw=0.7)
        panel.set_xticks(bars.index, [look.label for look in tested.values()], rotation=45, ha="right", rotation_mode="anchor")
    figure.supylabel(GAIN, fontsize=9)
    return figure, means
