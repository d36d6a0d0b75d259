"""Accuracy and alignment together: where fine-tuning moves a model."""

import pandas as pd
from matplotlib.axes import Axes

from cortexscale.figures.finetuning_panels import handles, markers, model_colours, model_names
from cortexscale.figures.style import BENCHMARKS, colours
from cortexscale.scaling.finetuning import summary

_NUMBERS = ["accuracy", "accuracy_low", "accuracy_high", "score", "score_low", "score_high", "n"]


def draw_paths(panel: Axes, runs: pd.DataFrame, labels: dict[str, str]) -> pd.DataFrame:
    """From the base model (star) over growing fractions to all data, one line per dataset of the fine-tuning: means over seeds,
    with 95 % bootstrap intervals of both where all data are used. Returns the numbers.

    Args:
        runs: of one model and one benchmark.
    """
    shown = handles(runs, labels)
    colour, marker = colours(shown.values(), BENCHMARKS), markers(list(shown.values()))
    numbers = []
    for name, handle in shown.items():
        rows = runs[runs["finetuning_dataset"] == name].sort_values("fitting_samples")
        numbers.append(_both(rows, ["finetuning_dataset", "fitting_samples"]))
        _draw(panel, numbers[-1], rows, colour[handle], marker[handle], handle)
    panel.plot(runs["baseline_acc"].iloc[0], runs["baseline"].iloc[0], "*", color="black", ms=9, zorder=4, label="base model")
    base = {"fitting_samples": [0], "accuracy": [runs["baseline_acc"].iloc[0]], "score": [runs["baseline"].iloc[0]]}
    return pd.concat([pd.DataFrame(base), *numbers], ignore_index=True)


def draw_moves(panel: Axes, runs: pd.DataFrame) -> pd.DataFrame:
    """From every base model (star) to the mean of its fine-tuned models, over datasets and seeds, with 95 % bootstrap intervals.
    Returns the numbers.

    Args:
        runs: of one benchmark.
    """
    names = model_names(runs["arch"])
    colour, marker = model_colours(names.values()), markers(list(names.values()))
    numbers = []
    for arch, name in names.items():
        rows = runs[runs["arch"] == arch]
        means = _both(rows, ["arch"])
        _draw(panel, means, rows, colour[name], marker[name], name)
        panel.plot(rows["baseline_acc"].iloc[0], rows["baseline"].iloc[0], "*", color=colour[name], mec="black", ms=9, zorder=4)
        numbers.append(means.assign(baseline_acc=rows["baseline_acc"].iloc[0], baseline=rows["baseline"].iloc[0]))
    return pd.concat(numbers, ignore_index=True)


def _both(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Means and intervals of accuracy and alignment."""
    accuracy, score = (summary(rows, by, value) for value in ("task_evaluation_acc", "score"))
    accuracy = accuracy.rename(columns={"mean": "accuracy", "low": "accuracy_low", "high": "accuracy_high"})
    score = score.rename(columns={"mean": "score", "low": "score_low", "high": "score_high"})
    return pd.concat([accuracy, score[["score", "score_low", "score_high"]]], axis=1)[[*by, *_NUMBERS]]


def _draw(panel: Axes, means: pd.DataFrame, rows: pd.DataFrame, colour: str, marker: str, label: str) -> None:
    x, y = [[rows[base].iloc[0], *means[mean]] for base, mean in (("baseline_acc", "accuracy"), ("baseline", "score"))]
    panel.plot(x, y, color=colour, lw=1.2)
    panel.plot(x[1:], y[1:], color=colour, marker=marker, ms=4, lw=0, label=label)
    end = means.iloc[-1]
    reach = [[[end[v] - end[f"{v}_low"]], [end[f"{v}_high"] - end[v]]] for v in ("accuracy", "score")]
    panel.errorbar(end["accuracy"], end["score"], reach[1], reach[0], fmt="none", ecolor=colour, elinewidth=0.9)
