"""Gains of fine-tuning and the choice of runs, on a few runs whose means can be computed by hand."""

import numpy as np
import pandas as pd
import pytest
from few_runs import GROWTH, LORA, run, runs_of

from cortexscale.scaling.finetuning import (
    best_lora,
    finetuning_scores,
    fractions,
    full_data,
    lora_and_full,
    model_sizes,
    rate_sweep,
    summary,
)


def test_a_gain_is_the_score_minus_that_of_the_own_base_model():
    found = runs_of(*GROWTH).set_index(["base_model_id", "finetuning_dataset", "data_pct", "seed", "benchmark_name"])
    columns = ["score", "baseline", "delta", "baseline_acc", "task_evaluation_acc", "n_subjects"]
    assert found.loc[("small", "tvsd", 1.0, 1, "nsd"), columns].tolist() == pytest.approx([0.43, 0.4, 0.03, 0.7, 0.6, 2])
    assert found.loc[("small", "tvsd", 1.0, 1, "average"), columns].tolist() == pytest.approx([0.47, 0.45, 0.02, 0.7, 0.6, 2])
    assert found.loc[("other", "tvsd", 100.0, 0, "average"), columns].tolist() == pytest.approx([1.15, 0.25, 0.9, 0.6, 0.5, 2])


def test_gains_are_means_over_subjects_then_rois_that_contain_others_too():
    """Of V1 there are two subjects, of IT and of the whole brain one."""

    def scored(kind: str, model: str, v1: tuple[float, float], it: float, whole: float) -> pd.DataFrame:
        table = pd.DataFrame([("a", "V1", v1[0]), ("b", "V1", v1[1]), ("a", "IT", it), ("a", "whole_brain", whole)])
        known = run(kind, "small", (0, 0))[0] | {"model_id": model, "benchmark_name": "tvsd"}
        return table.set_axis(["subject", "roi", "pearsonr_nc"], axis=1).assign(
            **{key: value for key, value in known.items() if key not in ("subject", "roi", "pearsonr_nc")}
        )

    table = pd.concat([scored("baseline", "small", (0.1, 0.3), 0.5, 0.8), scored("data_pct", "run", (0.2, 0.4), 0.6, 1.0)])
    found = finetuning_scores(table)
    assert found["baseline"].tolist() == pytest.approx([(0.2 + 0.5 + 0.8) / 3] * 2)
    assert found["score"].tolist() == pytest.approx([(0.3 + 0.6 + 1.0) / 3] * 2)
    assert found["n_subjects"].tolist() == [2, 2]


def test_all_seeds_of_a_percentage_are_at_their_mean_number_of_stimuli():
    found = fractions(runs_of(*GROWTH))
    assert set(found["base_model_id"]) == {"small"}
    of_percent = found.groupby(["finetuning_dataset", "data_pct"])["fitting_samples"].unique().map(list).to_dict()
    assert of_percent == {("tvsd", 1.0): [12.0], ("tvsd", 100.0): [1000.0], ("nsd", 100.0): [500.0]}
    assert set(full_data(runs_of(*GROWTH))["data_pct"]) == {100.0}


def test_lora_is_chosen_over_all_datasets_or_for_each_and_compared_with_full_fine_tuning():
    runs = runs_of(*LORA)
    assert set(best_lora(runs)["lora_rank"]) == {16}, "the best of the ranks that both datasets have, over all benchmarks"
    each = best_lora(runs, per_dataset=True).groupby("finetuning_dataset")["lora_rank"].unique().map(list).to_dict()
    assert each == {"tvsd": [32], "nsd": [16]}
    pairs = lora_and_full(runs).set_index(["finetuning_dataset", "benchmark_name"])
    assert pairs.loc[("tvsd", "tvsd"), ["full", "lora", "difference"]].tolist() == pytest.approx([0.03, 0.0, -0.03])
    assert pairs.loc[("nsd", "average"), ["full", "lora", "difference"]].tolist() == pytest.approx([0.2, 0.1, -0.1])


def test_rates_are_of_the_model_with_most_settings_and_sizes_have_the_setting_that_most_models_share():
    settings = [(20, 1e-5), (50, 1e-5), (20, 1e-4)]
    runs = [run("explore", "small", (0.1, 0.1), epochs=epochs, learning_rate=rate) for epochs, rate in settings]
    runs += [run("explore", "other", (0.2, 0.2), seed=seed) for seed in range(5)]
    assert set(rate_sweep(runs_of(*runs))["base_model_id"]) == {"small"}
    sizes = model_sizes(runs_of(*runs))
    assert set(sizes["base_model_id"]) == {"small", "other"}
    assert set(zip(sizes["epochs"], sizes["learning_rate"], strict=True)) == {(20, 1e-5)}


def test_means_have_the_interval_of_1000_resamples_and_a_standard_error():
    """Of two values, a resample has the mean 0, 1/2 or 1 with probability 1/4, 1/2 and 1/4."""
    table = pd.DataFrame({"group": ["a", "a", "b"], "delta": [0.0, 1.0, 3.0]})
    found = summary(table, ["group"]).set_index("group")
    assert found.loc["a"].tolist() == [0.5, 0.0, 1.0, 0.5, 2] and found.loc["b", ["mean", "n"]].tolist() == [3, 1]
    values = np.arange(40.0)
    low, high = summary(pd.DataFrame({"group": 1, "delta": values}), ["group"]).loc[0, ["low", "high"]]
    drawn = np.random.default_rng(0).integers(40, size=(1000, 40))
    assert [low, high] == pytest.approx(np.quantile(values[drawn].mean(axis=1), [0.025, 0.975]))
