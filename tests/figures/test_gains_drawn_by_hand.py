"""Gains of fine-tuning and the figures that show them, on a few runs whose means can be computed by hand."""

from statistics import mean, stdev

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("agg")

import matplotlib.pyplot as plt
from few_runs import BASES, GROWTH, LORA, NAMES, finetuned, run, runs_of
from galleries import some
from matplotlib.axes import Axes
from matplotlib.container import BarContainer, ErrorbarContainer

from cortexscale.figures import accuracy, finetuning, finetuning_heat, finetuning_panels
from cortexscale.scaling.finetuning import (
    best_lora,
    lora_and_full,
    model_sizes,
    rate_sweep,
)

DATASETS = some("tvsd", "nsd")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def marks(panel: Axes) -> list[list[float]]:
    """Return the heights of every group of bars, or else y of every line."""
    bars = [group for group in panel.containers if isinstance(group, BarContainer)]
    if bars:
        return [[bar.get_height() for bar in group] for group in bars]
    return [np.asarray(line.get_ydata(), float).tolist() for line in panel.get_lines()]


def errors(panel: Axes) -> list[list[float]]:
    """Return the lower and upper ends of all error bars."""
    bars = [group for group in panel.containers if isinstance(group, ErrorbarContainer)]
    return [sorted(segment[:, 1].tolist()) for group in bars for segment in group[2][-1].get_segments()]


def average(runs: pd.DataFrame) -> pd.DataFrame:
    return runs[runs["benchmark_name"] == "average"]


def panel() -> Axes:
    return plt.subplots()[1]


# ---------------------------------------------------------------------------------------------- figures


def test_alignment_grows_from_the_line_of_its_own_base_model():
    where = panel()
    numbers = finetuning.draw_fractions(where, average(runs_of(*GROWTH)), DATASETS)
    base = numbers[numbers["finetuning_dataset"] == "none"]
    assert base["mean"].tolist() == pytest.approx([0.45])
    line, tvsd, nsd = marks(where)
    assert line == pytest.approx([0.45, 0.45]) and tvsd == pytest.approx([0.465, 0.49]) and nsd == pytest.approx([0.65])


def test_accuracy_falls_from_that_of_its_own_base_model():
    figure, numbers = finetuning.draw_accuracy({"finetuning": finetuned(*GROWTH)}, DATASETS)
    assert numbers["baseline"].tolist() == pytest.approx([0.7] * 3) and numbers["mean"].tolist() == pytest.approx([0.6] * 3)
    assert marks(figure.axes[0])[0] == pytest.approx([0.7, 0.7])


def test_paths_begin_at_their_own_base_model():
    figure, numbers = finetuning.draw_all_paths({"finetuning": finetuned(*GROWTH)}, DATASETS)
    last = numbers[numbers["benchmark_name"] == "average"]
    assert last["accuracy"].tolist() == pytest.approx([0.7, 0.6, 0.6, 0.6])
    assert last["score"].tolist() == pytest.approx([0.45, 0.465, 0.49, 0.65])
    path = figure.axes[-1].get_lines()[0]
    assert path.get_xdata() == pytest.approx([0.7, 0.6, 0.6]) and path.get_ydata() == pytest.approx([0.45, 0.465, 0.49])


def test_every_architecture_moves_from_its_own_base_model():
    runs = runs_of(*GROWTH, run("architecture", "other", (0.1, 0.1)), run("architecture", "other", (0.1, 0.3), seed=1))
    where = panel()
    numbers = accuracy.draw_step(where, runs, DATASETS).set_index("arch")
    small = mean([0.03, 0.05, 0.2])
    assert numbers.loc["deit_small", ["baseline", "score"]].tolist() == pytest.approx([0.45, 0.45 + small])
    assert numbers.loc["resnet50", ["baseline", "score", "baseline_acc", "accuracy"]].tolist() == pytest.approx(
        [0.25, 0.4, 0.6, 0.5]
    )


def test_architectures_are_compared_on_every_dataset_and_over_all():
    """Only TVSD has both architectures."""
    runs = average(runs_of(*GROWTH, run("architecture", "other", (0.1, 0.1)), run("architecture", "other", (0.1, 0.3), seed=1)))
    where = panel()
    numbers = finetuning.draw_architectures(where, runs, DATASETS).set_index(["finetuning_dataset", "arch"])["mean"]
    assert numbers.to_dict() == pytest.approx(
        {(name, arch): gain for name in ("tvsd", "average") for arch, gain in (("resnet50", 0.15), ("deit_small", 0.04))}
    )
    assert marks(where) == [pytest.approx([gain, gain]) for gain in (0.15, 0.04)], "a dataset and the average"


def test_regions_come_from_early_to_late_with_the_full_data_of_the_same_model():
    runs = average(runs_of(*GROWTH, run("region", "small", (0.0, 0.02), finetuning_regions="V1")))
    where = panel()
    numbers = finetuning.draw_regions(where, runs, DATASETS)
    assert numbers["finetuning_regions"].tolist() == ["V1", "IT"] and numbers["mean"].tolist() == pytest.approx([0.01, 0.04])
    assert marks(where) == [pytest.approx([0.01, 0.04])]


def test_controls_are_drawn_beside_the_runs_that_they_control():
    control = run("ablation", "small", (-0.02, 0.0), random_shuffle=True)
    few = [run("subject", "small", (0.0, gain), finetuning_subjects="randsubj_1", seed=n) for n, gain in enumerate((0.0, 0.04))]
    runs = average(runs_of(*GROWTH, control, *few))
    where = panel()
    assert finetuning.draw_permuted(where, runs, DATASETS).set_index("random_shuffle")["mean"].to_dict() == pytest.approx(
        {True: -0.01, False: 0.04}
    )
    assert marks(where) == [pytest.approx([0.04]), pytest.approx([-0.01])]
    where = panel()
    numbers = finetuning.draw_subjects(where, runs, DATASETS)
    assert numbers[["n_subjects", "mean", "baseline"]].to_numpy().tolist() == [
        pytest.approx([1, 0.46, 0.45]),
        pytest.approx([2, 0.49, 0.45]),
    ]
    assert marks(where)[0] == pytest.approx([0.45, 0.45])


def test_transfer_shows_the_gain_on_each_dataset():
    figure, numbers = finetuning.draw_transfer({"finetuning": finetuned(*GROWTH)}, DATASETS)
    found = numbers.set_index(["finetuning_dataset", "benchmark_name"])["mean"].to_dict()
    assert found == pytest.approx({("tvsd", "tvsd"): 0.03, ("tvsd", "nsd"): 0.05, ("nsd", "tvsd"): 0.1, ("nsd", "nsd"): 0.3})
    assert [marks(where) for where in figure.axes] == [[pytest.approx([0.03, 0.05])], [pytest.approx([0.1, 0.3])]]
    low, high = errors(figure.axes[0])[0]
    assert (low, high) == pytest.approx((0.02, 0.04)), "the interval of two values reaches from one to the other"


def test_error_bars_reach_from_the_low_to_the_high_end_or_by_a_standard_error():
    means = pd.DataFrame({"mean": [0.03], "low": [0.0], "high": [0.09], "sem": [0.01]})
    for error, ends in (("interval", [0, 0.09]), ("sem", [0.02, 0.04])):
        where = panel()
        finetuning_panels.draw_errors(where, [0], means, error)
        assert errors(where) == [pytest.approx(ends)]


SIZES = (
    run("explore", "small", (0.9, 0.9), learning_rate=1e-3),
    *(run("explore", base, gains, seed=n) for base in BASES for n, gains in enumerate([(0.1, 0.3), (0.2, 0.6), (0.6, 0.6)])),
)


@pytest.mark.parametrize("draw", [finetuning.draw_sizes, finetuning.draw_sizes_by_dataset])
def test_sizes_have_standard_errors(draw):
    """Errors are over datasets of the fine-tuning and seeds (figures S50 and S51)."""
    assert set(model_sizes(runs_of(*SIZES))["learning_rate"]) == {1e-5}
    figure, numbers = draw({"finetuning": finetuned(*SIZES)}, DATASETS)
    found = numbers[numbers["benchmark_name"] == "tvsd"].iloc[0]
    expected, error = mean([0.1, 0.2, 0.6]), stdev([0.1, 0.2, 0.6]) / 3**0.5
    assert (found["mean"], found["sem"]) == pytest.approx((expected, error))
    assert errors(figure.axes[0])[0] == pytest.approx([expected - error, expected + error])


def test_heat_maps_show_a_hundred_times_the_mean_gain():
    rates = [
        run("explore", "small", (gain, gain), seed=n, epochs=epochs) for epochs in (20, 50) for n, gain in enumerate((0.01, 0.03))
    ]
    rates += [run("explore", "other", (0.9, 0.9))]
    assert set(rate_sweep(runs_of(*rates))["base_model_id"]) == {"small"}
    figure, numbers = finetuning_heat.draw_sweep({"finetuning": finetuned(*rates)}, DATASETS, rows="epochs", facets="average")
    assert numbers["mean"].tolist() == pytest.approx([2, 2])
    assert figure.axes[0].images[0].get_array().ravel().tolist() == pytest.approx([2, 2])
    _, numbers = finetuning_heat.draw_sweep({"finetuning": finetuned(*rates)}, DATASETS, rows="epochs", facets="same_dataset")
    assert set(numbers["finetuning_dataset"]) == {"tvsd"} and numbers["n"].tolist() == [2, 2]


def test_lora_is_compared_at_the_setting_that_is_best_over_all_datasets():
    assert set(best_lora(runs_of(*LORA))["lora_rank"]) == {16}
    pairs = lora_and_full(runs_of(*LORA)).set_index(["finetuning_dataset", "benchmark_name"])
    assert pairs.loc[("tvsd", "tvsd"), ["full", "lora", "difference"]].tolist() == pytest.approx([0.03, 0.0, -0.03])
    assert pairs.loc[("nsd", "average"), ["full", "lora", "difference"]].tolist() == pytest.approx([0.2, 0.1, -0.1])
    figure, _ = finetuning_heat.draw_lora_against_full({"finetuning": finetuned(*LORA)}, DATASETS)
    cells = figure.axes[0].images[0].get_array()
    assert cells[0].tolist() == pytest.approx([-3, 7, 2]) and cells[1].tolist() == pytest.approx([-6, -14, -10])


def test_the_best_lora_of_each_dataset_is_drawn_beside_full_fine_tuning():
    """Each dataset has its own best rank, also one that other datasets lack (figure S61)."""
    _, numbers = finetuning.draw_lora({"finetuning": finetuned(*LORA)}, DATASETS)
    found = numbers.set_index(["method", "finetuning_dataset"])["mean"].to_dict()
    expected = {("full", "tvsd"): 0.04, ("full", "nsd"): 0.2, ("full", "average"): mean([0.03, 0.05, 0.2])}
    assert {key: found[key] for key in expected} == pytest.approx(expected)
    ranks = numbers[numbers["method"] == "lora"].set_index("finetuning_dataset")
    assert ranks["mean"].to_dict() == pytest.approx({"tvsd": 0.9, "nsd": 0.1, "average": 0.5})
    assert ranks.loc[list(NAMES), "lora_rank"].tolist() == [32, 16]
