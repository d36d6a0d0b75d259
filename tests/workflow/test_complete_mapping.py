"""The mapping axis of the demo study: what the simulated brains contain, readouts find. Reads `results/`."""

import numpy as np
import pandas as pd
import pytest
import yaml
from places import COMPLETE, COMPLETE_RESULTS
from scipy.stats import spearmanr

from cortexscale.alignment.subjects import load_targets
from cortexscale.readouts.saved import load_readout
from cortexscale.readouts.token_store import TokenStore
from cortexscale.scaling.points import mapping_points
from cortexscale.stores import read_table
from cortexscale.study.targets import DatasetTargets

RESULTS = COMPLETE_RESULTS
CONFIG = yaml.safe_load(COMPLETE.read_text())
MAPPING = CONFIG["mapping"]
PLACES = [(dataset, readout) for dataset in MAPPING["datasets"] for readout in MAPPING["readouts"]]

pytestmark = [
    pytest.mark.complete,
    pytest.mark.skipif(not (RESULTS / "figures/fig6.csv").exists(), reason="the complete study has not run: make complete"),
]


@pytest.fixture(scope="module")
def mapping() -> pd.DataFrame:
    return read_table(RESULTS / "tables/mapping.parquet")


@pytest.fixture(scope="module")
def at_full_data(mapping) -> pd.DataFrame:
    return mapping[mapping["data_pct"] == 100]


@pytest.mark.parametrize(("dataset", "readout"), PLACES)
def test_alignment_rises_with_mapping_data(mapping, dataset, readout):
    points = mapping_points(mapping, "mapping").query("family == @readout and benchmark_name == @dataset")
    assert spearmanr(points["data_pct"], points["score"]).statistic > 0.9
    means = points.groupby("data_pct")["score"].mean()
    assert means[100] > means[3] + 0.2


@pytest.mark.parametrize("dataset", MAPPING["datasets"])
def test_the_linear_readout_scores_as_ridge_on_projected_features(at_full_data, dataset):
    """Layers are little wider than the projection: the same readout, but for a random projection."""
    pretraining = read_table(RESULTS / "tables/pretraining.parquet").query("model_id == @MAPPING['model']")
    linear = at_full_data.query("probe_type == 'linear_individual' and benchmark_name == @dataset and seed == 0")
    pairs = linear.merge(pretraining, on=["benchmark_name", "subject", "roi"], validate="one_to_one")
    assert len(pairs) == len(linear) and (pairs["layer_name_x"] == pairs["layer_name_y"]).all()
    assert abs(pairs["pearsonr_x"] - pairs["pearsonr_y"]).max() < 0.03
    for measure in ("rsa", "cka"):
        assert abs(pairs[f"{measure}_ve_test_x"] - pairs[f"{measure}_ve_test_y"]).max() < 0.05


def test_subjects_who_share_a_trunk_are_predicted_better(at_full_data):
    """The simulated subjects see through the same hidden network."""
    scores = at_full_data.pivot_table(index=["benchmark_name", "seed"], columns="probe_type", values="pearsonr_nc")
    assert (scores["attention_shared"] - scores["attention_individual"]).mean() > 0


@pytest.mark.parametrize(("dataset", "early", "late"), [("tvsd", "V1", "IT")])
def test_gates_read_deeper_for_higher_areas_as_the_layer_search_found(at_full_data, dataset, early, late):
    gates = at_full_data.query("probe_type == 'layer_gate_shared' and benchmark_name == @dataset")
    for _, of_seed in gates.groupby("seed"):
        depth = of_seed.groupby("roi")["expected_depth"].mean()
        assert depth[late] > depth[early] + 0.04
    linear = at_full_data.query("probe_type == 'linear_individual' and benchmark_name == @dataset")
    committed = linear.groupby("roi")["layer_position_normalized"].first()
    assert spearmanr(gates.groupby("roi")["expected_depth"].mean()[committed.index], committed).statistic > 0.5
    shares = read_table(RESULTS / "tables/gates.parquet").query(
        "benchmark_name == @dataset and roi == @early and data_pct == 100"
    )
    layers = shares.groupby("layer_name").agg({"gate": "mean", "layer_position_normalized": "first"})
    assert layers["gate"].idxmax() == layers["layer_position_normalized"].idxmin()


@pytest.mark.parametrize(("dataset", "readout"), PLACES)
def test_saved_readouts_reproduce_the_scores_of_the_stage(at_full_data, dataset, readout):
    stimuli = CONFIG["datasets"][dataset]["stimuli"]
    store, images = TokenStore(RESULTS / f"tokens/{stimuli}/{MAPPING['model']}.zarr.zip"), RESULTS / f"stimuli/{stimuli}.parquet"
    wanted = {dataset: DatasetTargets(CONFIG["datasets"][dataset]["rois"])}
    targets = load_targets(sorted((RESULTS / "neural" / dataset).glob("*.h5")), wanted, read_table(images))

    scores = at_full_data.query("probe_type == @readout and benchmark_name == @dataset and seed == 0")
    scores, seen = scores.set_index(["subject", "roi"])["pearsonr"], 0
    for file in sorted((RESULTS / "readouts" / dataset / readout).rglob("*.safetensors")):
        saved = load_readout(file)
        for target in targets:
            for group, entry in target.groups[target.groups["roi"] == saved.facts.roi].iterrows():
                if entry["subject"] in saved.subjects:
                    predicted = saved.predict(store.tokens(saved.facts.layer).read(target.test_rows), entry["subject"])
                    observed = target.test[:, target.members[group]]
                    r = [np.corrcoef(*pair)[0, 1] for pair in zip(predicted.T, observed.T, strict=True)]
                    assert np.mean(r) == pytest.approx(scores[entry["subject"], saved.facts.roi], abs=1e-4)
                    seen += 1
    assert seen == len(scores) > 0


def test_the_law_of_the_linear_readout_predicts_what_it_was_fitted_to():
    curves = read_table(RESULTS / "fits/mapping.curves.parquet").query(
        "family == 'linear_individual' and benchmark_name == 'tvsd'"
    )
    points = read_table(RESULTS / "fits/mapping.points.parquet").query(
        "family == 'linear_individual' and benchmark_name == 'tvsd'"
    )
    predicted = np.interp(np.log(points["x"]), np.log(curves["x"]), curves["score"])
    assert abs(predicted - points["score"]).max() < 0.03
    assert set(read_table(RESULTS / "tables/table2.parquet")["benchmark_name"]) == {*MAPPING["datasets"], "average"}
