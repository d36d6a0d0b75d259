"""Figure S10: alignment by the number of dimensions that features are projected to."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.alignment.averages import mean_scores
from cortexscale.errors import InputError
from cortexscale.figures.style import BENCHMARKS, colours


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One panel per model that was projected to several numbers of dimensions; a line per dataset, dashed with all activations.

    A score is the mean over subjects, then ROIs. Lines are means over seeds, in bands from the lowest to the highest.

    Raises:
        InputError: no model was projected to several numbers of dimensions.
    """
    scores = dataset_scores(tables["projection"])
    swept = scores.groupby("model_id", sort=False)["dimensions"].nunique()
    models = swept.index[swept > 1].tolist()
    if not models:
        expected = "several numbers of dimensions for a model"
        raise InputError("table projection", "one per model", expected, "add some to projection_study.models")
    numbers = scores[scores["model_id"].isin(models)].reset_index(drop=True)
    shown = set(numbers["benchmark_name"])
    handles = {name: labels.get(name, name) for name in dict.fromkeys([*labels, *numbers["benchmark_name"]]) if name in shown}
    colour = colours(handles.values(), BENCHMARKS)
    size = (3.6 * len(models) + 0.8, 3.3)
    figure, panels = plt.subplots(1, len(models), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for model, panel in zip(models, panels[0], strict=True):
        for name, handle in handles.items():
            rows = numbers[(numbers["model_id"] == model) & (numbers["benchmark_name"] == name)]
            full = rows["dimensions"].isna()
            by_dimensions = rows[~full].groupby("dimensions")["score"].agg(["mean", "min", "max"])
            x = by_dimensions.index.to_numpy(int)
            panel.plot(x, by_dimensions["mean"], color=colour[handle], lw=1.5, marker="o", ms=3)
            panel.fill_between(x, by_dimensions["min"], by_dimensions["max"], color=colour[handle], alpha=0.15, lw=0)
            panel.axhline(rows.loc[full, "score"].iloc[0], color=colour[handle], lw=0.9, ls="--")
        panel.set(xscale="log", xlabel="Dimensions of the projection")
        panel.set_xticks(x, [f"{dimensions:,}" for dimensions in x], fontsize=7)
        panel.minorticks_off()
        panel.set_title(model, fontsize=8)
    panels[0, 0].set_ylabel("Alignment S (noise-normalised r)")
    lines = [plt.Line2D([], [], color=colour[handle], lw=1.5, marker="o", ms=3, label=handle) for handle in handles.values()]
    lines.append(plt.Line2D([], [], color="black", lw=0.9, ls="--", label="all activations"))
    figure.legend(handles=lines, loc="outside right upper", fontsize=8)
    return figure, numbers


def dataset_scores(table: pd.DataFrame) -> pd.DataFrame:
    """One row per model x dataset x projection: ``score``, subjects averaged, then ROIs."""
    keys = ["model_id", "benchmark_name", "dimensions", "seed"]
    return mean_scores(table, keys, composite_rois=True)
