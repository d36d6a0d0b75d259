"""The demo study recovers what it planted. Reads `results/`, which `make test` makes first."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import spearmanr

from cortexscale.alignment.layer import RidgeSettings
from cortexscale.alignment.score import score_alignment
from cortexscale.alignment.targets import shared_targets
from cortexscale.features.store import FeatureStore
from cortexscale.recording import Recording, load_recording
from cortexscale.scaling.axes import AXES, axis_points, benchmark_scores
from cortexscale.scaling.fit import fit_experiment
from cortexscale.simulation.visual_system import TVSD_AREAS, nsd_area
from cortexscale.stores import read_table, table_provenance

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"

pytestmark = [
    pytest.mark.demo,
    pytest.mark.skipif(not (RESULTS / "figures/fig3.csv").exists(), reason="the demo study has not run: make demo"),
]


@pytest.fixture(scope="module")
def config() -> dict:
    return yaml.safe_load((ROOT / "config/config.yaml").read_text())


@pytest.fixture(scope="module")
def settings(config) -> RidgeSettings:
    return RidgeSettings.from_config(config["ridge"])


@pytest.fixture(scope="module")
def recordings() -> dict[str, list[Recording]]:
    return {name: [load_recording(file) for file in sorted((RESULTS / "neural" / name).glob("*.h5"))] for name in ("tvsd", "nsd")}


@pytest.fixture(scope="module")
def truths() -> dict[str, list[Recording]]:
    return {
        name: [load_recording(file) for file in sorted((RESULTS / "raw/truth" / name).glob("*.h5"))] for name in ("tvsd", "nsd")
    }


@pytest.fixture(scope="module")
def stimuli() -> dict[str, pd.DataFrame]:
    return {"tvsd": read_table(RESULTS / "stimuli/things.parquet"), "nsd": read_table(RESULTS / "stimuli/nsd.parquet")}


@pytest.fixture(scope="module")
def pretraining() -> pd.DataFrame:
    return read_table(RESULTS / "tables/pretraining.parquet")


def noise_free(recording: Recording, truth: Recording) -> Recording:
    """The recording as it was read, but tested on the signal itself, whose ceiling is 100 %."""
    columns = pd.Index(truth.units["unit"]).get_indexer(recording.units["unit"])
    rows = pd.Index(truth.test.stimulus_ids).get_indexer(recording.test.stimulus_ids)
    assert (columns >= 0).all() and (rows >= 0).all()
    test = replace(recording.test, responses=truth.test.responses[np.ix_(rows, columns)])
    return replace(recording, test=test, units=recording.units.assign(nc_percent=100.0))


@pytest.mark.parametrize("dataset", ["tvsd", "nsd"])
def test_noise_ceilings_are_those_of_the_simulation(recordings, truths, dataset):
    for recording, truth in zip(recordings[dataset], truths[dataset], strict=True):
        assert recording.subject == truth.subject
        true = truth.units.set_index("unit")["nc_percent"].reindex(recording.units["unit"]).to_numpy()
        error = recording.units["nc_percent"].to_numpy() - true
        assert abs(error.mean()) < 2, "percent of variance, mean over units"
        assert np.sqrt(np.mean(error**2)) < 6
        assert np.corrcoef(true, true + error)[0, 1] > 0.8


def test_only_live_electrodes_are_kept(recordings, truths):
    for recording, truth in zip(recordings["tvsd"], truths["tvsd"], strict=True):
        assert set(recording.units["unit"]) <= set(truth.units["unit"])
        assert len(recording.units) > 0.95 * len(truth.units)


def test_a_label_that_a_subject_lacks_is_an_empty_roi(recordings):
    third = next(recording for recording in recordings["nsd"] if recording.subject == "subj03")
    assert not third.rois["FFA-2"].any() and third.rois["FFA-1"].any()
    assert third.train.repetitions.min() < 3 == third.train.repetitions.max()


def test_it_commits_to_deeper_layers_than_v1():
    depths = []
    for file in sorted((RESULTS / "commitments/tvsd").glob("*.json")):
        rois = json.loads(file.read_text())["rois"]
        depths.append((rois["V1"]["layer_position_normalized"], rois["IT"]["layer_position_normalized"]))
    assert len(depths) == 9
    assert sum(it > v1 for v1, it in depths) >= 7, depths


@pytest.mark.parametrize("dataset", ["tvsd", "nsd"])
def test_the_generating_features_reach_the_ceiling_and_others_do_not(recordings, stimuli, settings, dataset):
    store = FeatureStore(RESULTS / f"raw/truth/{'things' if dataset == 'tvsd' else 'nsd'}.zarr.zip")
    areas = TVSD_AREAS if dataset == "tvsd" else {roi: nsd_area(roi) for roi in ("V1v", "V1d", "hV4", "FFA-1")}
    targets = shared_targets(recordings[dataset], stimuli[dataset], list(areas))

    def scores(area_of: dict[str, str]) -> pd.DataFrame:
        place = {"layer_position": 1, "layer_position_normalized": 1.0, "score": 1.0, "margin": None}
        commitment = {roi: {"layer_name": area, **place} for roi, area in area_of.items()}
        return score_alignment(store, targets, commitment, settings)[0].set_index(["subject", "roi"])["pearsonr_nc"].sort_index()

    right = scores(areas)
    # One entry has a standard error of at most about 0.025: (1 - 0.55) / sqrt(60 images) / 0.74 over some 6
    # independent units.
    assert 0.94 < right.mean() < 1.02, right
    assert right.between(right.mean() - 3 * 0.025, right.mean() + 3 * 0.025).all(), right
    wrong = scores({roi: "early" if area == "late" else "late" for roi, area in areas.items()})
    assert (right - wrong > 0.1).all(), wrong


@pytest.mark.parametrize("dataset", ["tvsd", "nsd"])
def test_permuted_stimuli_lose_all_alignment(recordings, stimuli, settings, dataset):
    store = FeatureStore(RESULTS / f"raw/truth/{'things' if dataset == 'tvsd' else 'nsd'}.zarr.zip")
    rng = np.random.default_rng(0)
    shuffled = [
        replace(recording, train=replace(recording.train, stimulus_ids=rng.permutation(recording.train.stimulus_ids)))
        for recording in recordings[dataset]
    ]
    place = {"layer_position": 1, "layer_position_normalized": 1.0, "score": 1.0, "margin": None}
    rois = ["V1", "V4", "IT"] if dataset == "tvsd" else ["V1v", "hV4", "FFA-1"]
    commitment = {roi: {"layer_name": area, **place} for roi, area in zip(rois, ("early", "middle", "late"), strict=True)}
    table, _ = score_alignment(store, shared_targets(shuffled, stimuli[dataset], rois), commitment, settings)
    standard_error = 1 / np.sqrt(table["n_test"].iloc[0] * len(table) / 4)  # units of a ROI share few dimensions
    assert abs(table["pearsonr"].mean()) < 3 * standard_error
    assert table["pearsonr"].mean() < 0.15


@pytest.mark.parametrize("benchmark", ["tvsd", "nsd", "average"])
def test_alignment_rises_with_the_training_set(pretraining, benchmark):
    scores = benchmark_scores(pretraining)
    scores = scores[(scores["benchmark_name"] == benchmark) & ~scores["backbone_arch_family"].str.endswith("Flex")]
    assert scores["backbone_arch"].nunique() == 6
    grown = 0
    for _, models in scores.groupby("backbone_arch"):
        models = models.sort_values("pretraining_n_samples")
        assert len(models) == 5
        assert spearmanr(models["pretraining_n_samples"], models["score"]).statistic > 0.5, models
        grown += models["score"].iloc[-1] > models["score"].iloc[0] + 0.02
    assert grown >= 5


def test_the_fitted_curve_lies_in_the_band_of_the_truth(recordings, truths, stimuli, settings, pretraining, config):
    """The scaling law of the noise-normalised scores is that of the scores against the noise-free brain."""
    rows = []
    for dataset, set_ in (("tvsd", "things"), ("nsd", "nsd")):
        rois = config["datasets"][dataset]["rois"]
        pairs = zip(recordings[dataset], truths[dataset], strict=True)
        targets = shared_targets([noise_free(*pair) for pair in pairs], stimuli[dataset], rois)
        for file in sorted((RESULTS / "alignment" / dataset).glob("*[0-9].parquet")):
            commitment = {
                row["roi"]: {
                    "layer_name": row["layer_name"],
                    "layer_position": 1,
                    "layer_position_normalized": 1.0,
                    "score": 0,
                    "margin": 0,
                }
                for _, row in read_table(file).drop_duplicates("roi").iterrows()
            }
            table, _ = score_alignment(
                FeatureStore(RESULTS / f"features/{set_}/{file.stem}.zarr.zip"), targets, commitment, settings
            )
            rows.append(table.assign(benchmark_name=dataset, model_id=file.stem))
    columns = [column for column in pretraining if column.startswith(("backbone", "pretraining"))]
    cards = pretraining.drop_duplicates("model_id")[["model_id", *columns]]
    true = axis_points(benchmark_scores(pd.concat(rows).merge(cards, on="model_id")), "samples")
    true = true[true["fitted"]]
    for benchmark, models in true.groupby("benchmark_name"):
        curve = read_table(RESULTS / "fits/samples.curves.parquet")
        curve = curve[(curve["benchmark_name"] == benchmark) & (curve["family"] == "all") & (curve["x"] <= models["x"].max())]
        _, truth = fit_experiment(
            models["x"].to_numpy(),
            models["score"].to_numpy(),
            form=config["fits"]["axes"]["samples"],
            x_scale=AXES["samples"].scale,
            delta=config["fits"]["delta"],
            bootstraps=1000,
            seed=1,
        )
        low, high = (np.interp(np.log(curve["x"]), np.log(truth["x"]), truth[side]) for side in ("low", "high"))
        assert ((curve["score"] >= low) & (curve["score"] <= high)).all(), benchmark


def test_every_score_says_what_made_it(pretraining):
    for file in (RESULTS / "alignment/tvsd").glob("*.units.parquet"):
        made_by = table_provenance(file)
        assert {"inputs", "features", "ridge", "code", "packages"} <= set(made_by)
        assert made_by["features"]["model"] == file.name.removesuffix(".units.parquet")
    assert (pretraining["n_units"] > 0).all() and pretraining["pearsonr_nc"].notna().all()


@pytest.mark.parametrize("figure", ["fig2", "fig3"])
def test_figures_come_with_their_numbers(pretraining, figure):
    for kind in ("pdf", "png", "svg"):
        assert (RESULTS / f"figures/{figure}.{kind}").stat().st_size > 5000
    numbers = pd.read_csv(RESULTS / f"figures/{figure}.csv")
    scores = benchmark_scores(pretraining).set_index(["model_id", "benchmark_name"])["score"]
    plotted = numbers.dropna(subset=["model_id"]).assign(benchmark_name=lambda t: t.get("benchmark_name", "average"))
    shown = pretraining[~pretraining["backbone_arch_family"].str.endswith("Flex")] if figure == "fig3" else pretraining
    assert set(plotted["model_id"]) == set(shown["model_id"])
    expected = scores.reindex(pd.MultiIndex.from_frame(plotted[["model_id", "benchmark_name"]]))
    np.testing.assert_allclose(plotted["score"], expected, rtol=1e-9)
