"""Figures of alignment after fine-tuning: gains, controls, and alignment against the amount of data of the fine-tuning."""

from collections.abc import Mapping
from itertools import cycle

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from cortexscale.alignment.averages import AVERAGE
from cortexscale.alignment.super_rois import region_order
from cortexscale.figures import finetuning_panels as parts
from cortexscale.figures.content import Datasets, Drawn, NothingToShow, Tables
from cortexscale.figures.panels import ACCURACY, AVERAGE_SCORE, SCORE, SLANTED, legend_above, legend_over, panels
from cortexscale.figures.style import Style, dataset_looks
from cortexscale.models.tuning import SEEN
from cortexscale.scaling.finetuning import best_lora, experiment, finetuning_scores, fractions, full_data, model_sizes, summary

_PERMUTED = parts.Hue("random_shuffle", {False: ("responses to their stimuli", "#1f4e79"), True: ("permuted", "#c9ced6")})
_METHODS = {"full": ("full fine-tuning", "#1f4e79"), "lora": ("LoRA, best of each dataset", "#f4a261")}


# ------------------------------------------------------------------------------------------ averages over datasets


def draw(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per experiment on stimuli, regions and architectures, as far as the study has them."""
    experiments = {"data_pct": draw_fractions, "region": draw_regions, "architecture": draw_architectures}
    return _draw_experiments(tables, datasets, experiments, 3.9)


def draw_controls(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per control, as far as the study has them: permuted stimuli, and the number of subjects."""
    return _draw_experiments(tables, datasets, {"ablation": draw_permuted, "subject": draw_subjects}, 4)


def _draw_experiments(tables: Tables, datasets: Datasets, known: Mapping[str, parts.DrawPanel], width: float) -> Drawn:
    """Draw the experiments that the study has.

    If the study has none of the ``known`` experiments, the first function is called all the same, and raises an InputError that
    names the experiment to add.
    """
    runs = finetuning_scores(tables["finetuning"])
    runs = runs[runs["benchmark_name"] == AVERAGE]
    drawn = [draw_panel for kind, draw_panel in known.items() if kind in set(runs["exp_type"])] or list(known.values())[:1]
    return parts.draw_parts([(draw_panel, runs) for draw_panel in drawn], datasets, width)


def draw_fractions(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw alignment against the number of stimuli. Return the plotted numbers."""
    rows = fractions(runs)
    numbers = _draw_growth(panel, rows, datasets, "fitting_samples")
    base = pd.DataFrame({"finetuning_dataset": ["none"], "mean": [rows["baseline"].iloc[0]], "value": ["score"]})
    return pd.concat([numbers, base], ignore_index=True)


def draw_regions(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw one bar per region on which models were fine-tuned. Return the plotted numbers.

    Regions are in order from early to late, and later regions are darker. Sets of several regions come last.
    """
    rows = experiment(runs, "region")
    means = summary(rows, ["finetuning_dataset", "finetuning_regions"])
    start, ticks, numbers = 0, dict[int, str](), []
    for name, look in dataset_looks(rows["finetuning_dataset"], datasets).items():
        of_dataset = means[means["finetuning_dataset"] == name].set_index("finetuning_regions")
        of_dataset = of_dataset.loc[region_order(of_dataset.index)].reset_index()
        shades = sns.light_palette(look.colour, len(of_dataset) + 2)[2:]
        at = pd.Series(range(start, start + len(of_dataset)))
        panel.bar(at, of_dataset["mean"], 0.8, color=shades, edgecolor="0.3", lw=0.6)
        parts.draw_errors(panel, at, of_dataset)
        together = of_dataset["finetuning_regions"].str.count("_") > 1
        names = of_dataset["finetuning_regions"].where(~together, "together")
        ticks |= dict(zip(at, names, strict=True))
        panel.text(at.mean(), 1.0, look.label, transform=panel.get_xaxis_transform(), ha="center", va="bottom", fontsize=8)
        start += len(of_dataset) + 1
        numbers.append(of_dataset)
    panel.set_xticks(list(ticks), list(ticks.values()), fontsize=8, **SLANTED)
    panel.axhline(0, color="black", lw=0.7)
    panel.set(ylabel=parts.AVERAGE_GAIN)
    return pd.concat(numbers, ignore_index=True).assign(value="delta")


def draw_architectures(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw one bar per architecture, for every dataset of the fine-tuning and for their average. Return the plotted numbers."""
    rows = experiment(runs, "architecture")
    rows = pd.concat([rows, rows.assign(finetuning_dataset=AVERAGE)])
    means = summary(rows, ["finetuning_dataset", "arch"])
    hue = parts.model_hue(sorted(rows["arch"].unique(), key=lambda arch: -means.loc[means["arch"] == arch, "mean"].mean()))
    parts.draw_bars(panel, means, "finetuning_dataset", parts.dataset_labels(rows, datasets), hue)
    panel.set(ylabel=parts.AVERAGE_GAIN)
    legend_over(panel)
    return means.assign(value="delta")


def draw_permuted(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw bars with and without permuted stimuli for every dataset of the fine-tuning. Return the plotted numbers."""
    rows = experiment(runs, "ablation")
    means = summary(rows, ["finetuning_dataset", "random_shuffle"])
    parts.draw_bars(panel, means, "finetuning_dataset", parts.dataset_labels(rows, datasets), _PERMUTED)
    panel.set(ylabel=parts.AVERAGE_GAIN)
    legend_over(panel)
    return means


def draw_subjects(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw alignment against the number of subjects. Return the plotted numbers."""
    rows = experiment(runs, "subject")
    return _draw_growth(panel, rows, datasets, "n_subjects").assign(baseline=rows["baseline"].iloc[0])


def _draw_growth(panel: Axes, rows: pd.DataFrame, datasets: Datasets, x: str) -> pd.DataFrame:
    numbers = parts.draw_growth(panel, rows, datasets, x)
    panel.set(xlabel=parts.GROWTH[x], ylabel=AVERAGE_SCORE)
    panel.legend(fontsize=7)
    return numbers


def draw_lora(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw bars of full fine-tuning and of the best LoRA setting, for every dataset of the fine-tuning and for their average."""
    runs = finetuning_scores(tables["finetuning"])
    methods = {"full": full_data(runs), "lora": best_lora(runs, per_dataset=True)}
    rows = pd.concat([rows.assign(method=name) for name, rows in methods.items()])
    rows = rows[rows["benchmark_name"] == AVERAGE]
    rows = pd.concat([rows, rows.assign(finetuning_dataset=AVERAGE, lora_rank=None, learning_rate=None)])
    means = summary(rows, ["finetuning_dataset", "method", "lora_rank", "learning_rate"])
    figure, panel = plt.subplots(figsize=(5.4, 3.2), layout="constrained")
    parts.draw_bars(panel, means, "finetuning_dataset", parts.dataset_labels(rows, datasets), parts.Hue("method", _METHODS))
    panel.set(ylabel=parts.AVERAGE_GAIN)
    legend_over(panel)
    return figure, means


# ------------------------------------------------------------------------------------------ dataset by dataset


def draw_transfer(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw one panel per dataset of the fine-tuning, with one bar per dataset on which models are scored."""
    rows = full_data(finetuning_scores(tables["finetuning"]))
    rows = rows[rows["benchmark_name"] != AVERAGE]
    means = summary(rows, ["finetuning_dataset", "benchmark_name"])
    trained, tested = parts.dataset_labels(rows, datasets), dataset_looks(rows["benchmark_name"], datasets)
    figure, grid = panels(list(trained.values()), 3, (2.7, 1.9), y=parts.GAIN, sharex=True, sharey=True)
    for name, panel in zip(trained, grid, strict=True):
        bars = means[means["finetuning_dataset"] == name].set_index("benchmark_name").loc[list(tested)].reset_index()
        edges = (bars["benchmark_name"] == name).map({True: "black", False: "none"})
        panel.bar(bars.index, bars["mean"], 0.8, color=[look.colour for look in tested.values()], edgecolor=edges, lw=1.4)
        parts.draw_errors(panel, bars.index, bars)
        panel.axhline(0, color="black", lw=0.7)
        panel.set_xticks(bars.index, [look.label for look in tested.values()], **SLANTED)
        for place, seen in enumerate(bars.get(SEEN, pd.Series(dtype=float))):
            if seen > 0:
                grey: Style = {"ha": "center", "va": "top", "fontsize": 6, "color": "0.45"}
                panel.text(place, 0.99, f"{seen:.0%}", transform=panel.get_xaxis_transform(), **grey)
    return figure, means


def draw_permuted_by_dataset(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw bars with and without permuted stimuli for every dataset on which models are scored."""
    rows = experiment(finetuning_scores(tables["finetuning"]), "ablation")
    return _draw_gains_by_dataset(rows, datasets, _PERMUTED, "interval")


def draw_sizes(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw a bar for every model size on every dataset: the mean over datasets of the fine-tuning and over seeds."""
    rows = model_sizes(finetuning_scores(tables["finetuning"]))
    means = summary(rows, ["benchmark_name", "arch"])
    figure, panel = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    hue = parts.model_hue(rows.sort_values("baseline_acc")["arch"])
    parts.draw_bars(panel, means, "benchmark_name", parts.dataset_labels(rows, datasets, "benchmark_name"), hue, error="sem")
    panel.set(ylabel=parts.GAIN)
    legend_over(panel)
    return figure, means


def draw_sizes_by_dataset(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw the bars of :func:`draw_sizes` separately for every dataset of the fine-tuning. Bars are means over seeds."""
    rows = model_sizes(finetuning_scores(tables["finetuning"]))
    return _draw_gains_by_dataset(rows, datasets, parts.model_hue(rows.sort_values("baseline_acc")["arch"]), "sem")


def _draw_gains_by_dataset(runs: pd.DataFrame, datasets: Datasets, hue: parts.Hue, error: str) -> Drawn:
    """Draw one panel per dataset of the fine-tuning, with bars for every dataset of the scores and for the average."""
    means = summary(runs, ["finetuning_dataset", "benchmark_name", hue.column])
    trained, tested = parts.dataset_labels(runs, datasets), parts.dataset_labels(runs, datasets, "benchmark_name")
    figure, grid = panels(list(trained.values()), 3, (3, 1.9), y=parts.GAIN, sharex=True, sharey=True)
    for name, panel in zip(trained, grid, strict=True):
        parts.draw_bars(panel, means[means["finetuning_dataset"] == name], "benchmark_name", tested, hue, error)
    legend_above(figure, grid[0])
    return figure, means


# ------------------------------------------------------------------------------------------ growing data


def draw_samples(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw alignment against the number of stimuli, in one panel per dataset on which models are scored."""
    rows = fractions(finetuning_scores(tables["finetuning"]))
    return _draw_growth_by_dataset(rows, datasets, "fitting_samples", (2.5, 2.1))


def draw_subjects_by_dataset(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw alignment against the number of subjects, in one panel per dataset on which models are scored."""
    rows = experiment(finetuning_scores(tables["finetuning"]), "subject")
    return _draw_growth_by_dataset(rows, datasets, "n_subjects", (2.4, 1.9))


def _draw_growth_by_dataset(rows: pd.DataFrame, datasets: Datasets, x: str, size: tuple[float, float]) -> Drawn:
    rows = rows[rows["benchmark_name"] != AVERAGE]
    tested = parts.dataset_labels(rows, datasets, "benchmark_name")
    figure, grid = panels(list(tested.values()), 4, size, x=parts.GROWTH[x], y=SCORE, sharex=True)
    plotted = []
    for name, panel in zip(tested, grid, strict=True):
        of_benchmark = rows[rows["benchmark_name"] == name]
        numbers = parts.draw_growth(panel, of_benchmark, datasets, x, strong=name)
        plotted.append(numbers.assign(benchmark_name=name, baseline=of_benchmark["baseline"].iloc[0]))
        panel.locator_params(axis="y", nbins=5)
    legend_above(figure, grid[0], 7)
    return figure, pd.concat(plotted, ignore_index=True)


def draw_accuracy(tables: Tables, datasets: Datasets) -> Drawn:
    """Draw task accuracy against the number of stimuli, with one line per dataset of the fine-tuning."""
    rows = _with_accuracy(fractions(finetuning_scores(tables["finetuning"])), "finetuning_accuracy")
    rows = rows[rows["benchmark_name"] == AVERAGE]
    figure, panel = plt.subplots(figsize=(4.4, 3.4), layout="constrained")
    numbers = parts.draw_growth(panel, rows, datasets, "fitting_samples", "task_evaluation_acc")
    panel.set(xlabel=parts.GROWTH["fitting_samples"], ylabel=ACCURACY)
    panel.legend(fontsize=7)
    return figure, numbers.assign(baseline=rows["baseline_acc"].iloc[0])


def draw_all_paths(tables: Tables, datasets: Datasets) -> Drawn:
    """Call :func:`draw_paths` for one panel per dataset on which models are scored, and for one panel with the average."""
    rows = _with_accuracy(fractions(finetuning_scores(tables["finetuning"])), "finetuning_paths")
    tested = parts.dataset_labels(rows, datasets, "benchmark_name")
    figure, grid = panels(list(tested.values()), 3, (2.8, 2.2), x=ACCURACY, y=SCORE, sharex=True)
    plotted = []
    for name, panel in zip(tested, grid, strict=True):
        numbers = draw_paths(panel, rows[rows["benchmark_name"] == name], datasets)
        plotted.append(numbers.assign(benchmark_name=name))
        panel.locator_params(nbins=5)
    legend_above(figure, grid[0], 7)
    return figure, pd.concat(plotted, ignore_index=True)


def _with_accuracy(runs: pd.DataFrame, figure: str) -> pd.DataFrame:
    """Select the runs whose task accuracy is known. The accuracy is known only for models with labelled images."""
    known = runs[rated(runs)]
    if known.empty:
        found, remedy = "no run with a known task accuracy", "give labelled images (finetuning.images), or leave the figure out"
        raise NothingToShow(f"figure {figure}", found, "models with labelled images of their task", remedy)
    return known


def rated(runs: pd.DataFrame) -> pd.Series:
    """Tell whether the task accuracy is known both before and after each fine-tuning, which needs labelled images."""
    return runs[["task_evaluation_acc", "baseline_acc"]].notna().all(axis=1)


def draw_paths(panel: Axes, runs: pd.DataFrame, datasets: Datasets) -> pd.DataFrame:
    """Draw how accuracy and alignment of a model move as the data grow, and return the plotted numbers.

    Every dataset of the fine-tuning has one line, from the base model (star) to the model that was fine-tuned on all data. Points
    are means over seeds. The last point has 95 % bootstrap intervals of accuracy and alignment. All runs must be of one model
    that was scored on one dataset.
    """
    numbers = []
    for name, look in dataset_looks(runs["finetuning_dataset"], datasets).items():
        rows = runs[runs["finetuning_dataset"] == name].sort_values("fitting_samples")
        numbers.append(_draw_path(panel, rows, ["finetuning_dataset", "fitting_samples"], look.colour, look.marker, look.label))
    accuracy, score = runs["baseline_acc"].iloc[0], runs["baseline"].iloc[0]
    panel.plot(accuracy, score, "*", color="black", ms=9, zorder=4, label="base model")
    base = pd.DataFrame({"fitting_samples": [0], "accuracy": [accuracy], "score": [score]})
    return pd.concat([base, *numbers], ignore_index=True)


def draw_moves(panel: Axes, runs: pd.DataFrame) -> pd.DataFrame:
    """Draw a line from every base model (star) to the mean of its fine-tuned models, and return the plotted numbers.

    The mean is over datasets of the fine-tuning and seeds, with 95 % bootstrap intervals. All runs must be scored on one dataset.
    """
    numbers = []
    for (arch, (name, colour)), marker in zip(parts.model_hue(runs["arch"]).looks.items(), cycle("o^sDvP")):
        rows = runs[runs["arch"] == arch]
        base = {"baseline_acc": rows["baseline_acc"].iloc[0], "baseline": rows["baseline"].iloc[0]}
        numbers.append(_draw_path(panel, rows, ["arch"], colour, marker, name).assign(**base))
        panel.plot(*base.values(), "*", color=colour, mec="black", ms=9, zorder=4)
    return pd.concat(numbers, ignore_index=True)


def _draw_path(panel: Axes, rows: pd.DataFrame, by: list[str], colour: str, marker: str, label: str) -> pd.DataFrame:
    """Draw a line from the base model through the means of all groups. Return means and intervals of accuracy and alignment."""
    found = {"accuracy": summary(rows, by, "task_evaluation_acc"), "score": summary(rows, by, "score")}
    means = found["score"][by]
    for value, of_value in found.items():
        means = means.assign(**{value: of_value["mean"], f"{value}_low": of_value["low"], f"{value}_high": of_value["high"]})
    x, y = [rows["baseline_acc"].iloc[0], *means["accuracy"]], [rows["baseline"].iloc[0], *means["score"]]
    panel.plot(x, y, color=colour, lw=1.2)
    panel.plot(x[1:], y[1:], color=colour, marker=marker, ms=4, lw=0, label=label)
    end = means.tail(1)
    x_error, y_error = ([end[value] - end[f"{value}_low"], end[f"{value}_high"] - end[value]] for value in found)
    panel.errorbar(end["accuracy"], end["score"], y_error, x_error, fmt="none", ecolor=colour, elinewidth=0.9)
    return means.assign(n=found["score"]["n"])
