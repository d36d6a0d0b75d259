"""Fine-tuning in the demo study: what responses of the simulated brain teach, permuted ones destroy. Reads `results/`."""

import pandas as pd
import pytest
import yaml
from places import COMPLETE, COMPLETE_RESULTS

from cortexscale.stores import read_table

RESULTS = COMPLETE_RESULTS
CONFIG = yaml.safe_load(COMPLETE.read_text())
FINETUNING = CONFIG["finetuning"]
TARGETS, BENCHMARKS = FINETUNING["targets"], FINETUNING["benchmarks"]
FITTED = list(TARGETS)

pytestmark = [
    pytest.mark.complete,
    pytest.mark.skipif(
        not (RESULTS / "tables/finetuning.parquet").exists(), reason="the complete study has not run: make complete"
    ),
]


@pytest.fixture(scope="module")
def finetuning() -> pd.DataFrame:
    return read_table(RESULTS / "tables/finetuning.parquet")


@pytest.fixture(scope="module")
def gains(finetuning) -> pd.DataFrame:
    """What every model gained on its base model, by benchmark: mean over subjects, then ROIs."""
    run = ["exp_type", "model_id", "base_model_id", "finetuning_dataset", "data_pct", "seed", "benchmark_name"]
    by_roi = finetuning.groupby([*run, "roi"], dropna=False)["pearsonr_nc"].mean()
    scores = by_roi.groupby(run, dropna=False).mean().reset_index()
    base = scores[scores["exp_type"] == "finetuning_baseline"].set_index(["model_id", "benchmark_name"])["pearsonr_nc"]
    tuned = scores[scores["exp_type"] != "finetuning_baseline"]
    pairs = pd.MultiIndex.from_frame(tuned[["base_model_id", "benchmark_name"]])
    return tuned.assign(delta=tuned["pearsonr_nc"] - base.reindex(pairs).to_numpy())


@pytest.fixture(scope="module")
def full(gains) -> pd.DataFrame:
    """Of the runs on all training stimuli, by fine-tuning dataset, seed and benchmark."""
    rows = gains.query("exp_type == 'finetuning_data_pct' and data_pct == 100")
    return rows.set_index(["finetuning_dataset", "seed", "benchmark_name"]).sort_index()


def test_every_experiment_is_in_the_table(finetuning):
    assert set(finetuning["exp_type"]) == {"finetuning_baseline", *(f"finetuning_{name}" for name in FINETUNING["experiments"])}
    assert set(finetuning["benchmark_name"]) == set(BENCHMARKS) and finetuning["pearsonr_nc"].notna().all()
    assert not finetuning.duplicated(["exp_type", "model_id", "benchmark_name", "subject", "roi"]).any()


@pytest.mark.parametrize("dataset", FITTED)
@pytest.mark.parametrize("seed", FINETUNING["seeds"])
def test_alignment_rises_where_it_was_fitted_and_on_the_other_dataset_of_the_same_brain(full, dataset, seed):
    for benchmark in FITTED:
        assert full.loc[(dataset, seed, benchmark), "delta"] > 0.005, benchmark
    assert full.loc[(dataset, seed), "delta"].mean() > 0


@pytest.mark.parametrize("dataset", FITTED)
def test_the_fitted_area_gains_most(finetuning, dataset):
    rows = finetuning[finetuning["benchmark_name"] == dataset]
    runs = rows.query("exp_type == 'finetuning_data_pct' and data_pct == 100 and finetuning_dataset == @dataset")
    base = rows.query("exp_type == 'finetuning_baseline' and model_id == @runs.base_model_id.iloc[0]")
    by_roi = (frame.groupby("roi")["pearsonr_nc"].mean() for frame in (runs, base))
    gain = next(by_roi) - next(by_roi)
    assert gain.idxmax() in TARGETS[dataset] and gain.max() > 0.02


def test_permuted_pairs_lose_alignment_everywhere_that_true_pairs_gain_it(gains, full):
    permuted = gains.query("exp_type == 'finetuning_ablation' and benchmark_name in @FITTED")
    assert len(permuted) == len(FITTED) * len(FINETUNING["seeds"])
    for run in permuted.itertuples():
        assert run.delta < 0 < full.loc[(run.finetuning_dataset, run.seed, run.benchmark_name), "delta"]


@pytest.mark.parametrize("seed", FINETUNING["seeds"])
def test_the_task_is_forgotten_faster_without_its_images(finetuning, seed):
    runs = finetuning.query("finetuning_dataset == 'tvsd' and data_pct == 100 and seed == @seed")
    accuracy = runs.groupby("exp_type")["task_evaluation_acc"].first()
    assert accuracy["finetuning_data_pct"] > accuracy["finetuning_forgetting"]


def test_more_stimuli_teach_more(gains):
    fractions = gains.query("exp_type == 'finetuning_data_pct' and benchmark_name == finetuning_dataset")
    by_fraction = fractions.pivot_table(index=["finetuning_dataset", "seed"], columns="data_pct", values="delta")
    assert len(by_fraction) == len(FITTED) * len(FINETUNING["seeds"])
    assert (by_fraction[100] > by_fraction[10]).all(), by_fraction


def test_adapters_move_fewer_parameters_and_learn_as_well(finetuning, gains):
    lora = gains.query("exp_type == 'finetuning_lora' and benchmark_name == finetuning_dataset")
    assert len(lora) and (lora["delta"] > 0.005).all()
    moved = finetuning.dropna(subset="n_trainable_params").groupby("exp_type")["n_trainable_params"].first()
    assert moved["finetuning_lora"] < moved["finetuning_data_pct"] / 2


@pytest.mark.parametrize("area", ["V1", "IT"])
def test_a_region_gains_most_when_it_is_fitted(finetuning, area):
    rows = finetuning.query("benchmark_name == 'tvsd' and roi == @area and exp_type == 'finetuning_region'")
    scores = rows.groupby("finetuning_regions")["pearsonr_nc"].mean()
    assert set(scores.index) == {"V1", "IT"} and scores.idxmax() == area


def test_base_models_score_as_with_projected_features(finetuning):
    """The layers are hardly wider than the projection."""
    base = finetuning[finetuning["exp_type"] == "finetuning_baseline"]
    pretraining = read_table(RESULTS / "tables/pretraining.parquet")
    pairs = base.merge(pretraining, on=["model_id", "benchmark_name", "subject", "roi"], validate="one_to_one")
    assert len(pairs) == len(base) and (pairs["layer_name_x"] == pairs["layer_name_y"]).all()
    assert abs(pairs["pearsonr_x"] - pairs["pearsonr_y"]).max() < 0.03
    assert (pairs["task_evaluation_acc_x"] == pairs["task_evaluation_acc_y"]).all()


def test_the_pretraining_axes_do_not_see_fine_tuned_models():
    for table in ("pretraining", "model_cards"):
        assert not read_table(RESULTS / f"tables/{table}.parquet")["model_id"].str.contains("+", regex=False).any()
