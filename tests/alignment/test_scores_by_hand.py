"""Choices, counts and averages of the layer search and of scores, on numbers that can be checked by hand."""

from dataclasses import replace
from statistics import geometric_mean, mean, stdev
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold

from cortexscale.alignment.commit import commit_rois
from cortexscale.alignment.layer import chosen_penalties, group_means
from cortexscale.alignment.score_rows import Predictions, penalty_columns, score_rows
from cortexscale.alignment.search import search_layers
from cortexscale.alignment.similarity import similarity_columns
from cortexscale.alignment.targets import Targets
from cortexscale.kernels.gram import gram
from cortexscale.kernels.similarity import response_geometry
from cortexscale.study.ridge import Alphas, Ridge

GRID = (10.0, 100.0, 1000.0, 10_000.0)
FOUR = Ridge(alphas=Alphas(low=1, high=4, count=4, search="full"))


def searched(*layers: tuple[str, int, list[float]]) -> pd.DataFrame:
    """Scores of layers in V1, one for each subject. A layer is given by its name, position and scores."""
    rows = [("V1", f"s{n}", name, place, place / 10, score) for name, place, of in layers for n, score in enumerate(of)]
    return pd.DataFrame(rows, columns=["roi", "subject", "layer_name", "layer_position", "layer_position_normalized", "cv_score"])


@pytest.mark.parametrize("order", [1, -1])
def test_of_layers_that_score_the_same_the_shallower_is_chosen(order):
    layers = [("deep", 9, [0.5, 0.25]), ("shallow", 2, [0.25, 0.5]), ("middle", 5, [0.375, 0.375])]
    chosen = commit_rois(searched(*layers[::order]))["V1"]
    assert (chosen.layer_name, chosen.layer_position, chosen.layer_position_normalized) == ("shallow", 2, 0.2)
    assert (chosen.score, chosen.margin, chosen.runner_up) == (0.375, 0, "middle")


def test_a_layer_is_chosen_by_its_mean_over_subjects_and_not_by_its_best_subject():
    chosen = commit_rois(searched(("one subject's", 1, [0.9, 0.1]), ("both subjects'", 5, [0.6, 0.6])))["V1"]
    assert chosen.layer_name == "both subjects'" and chosen.score == pytest.approx(0.6)
    assert chosen.runner_up == "one subject's" and chosen.margin == pytest.approx(0.1)


def test_a_layer_without_a_score_for_one_subject_is_not_chosen_for_the_others():
    chosen = commit_rois(searched(("dead", 1, [np.nan, 0.9]), ("alive", 5, [0.2, 0.2])))["V1"]
    assert chosen.layer_name == "alive" and chosen.runner_up is None and chosen.margin is None


# ---------------------------------------------------------------------------------------------- targets by hand


def targets(members: list[list[int]], nc_percent: list[float], n_train: int = 30, n_test: int = 12) -> Targets:
    """Random responses of one subject's ROIs ``r0``, ``r1`` and so on, each with some of the units."""
    rng, n_units = np.random.default_rng(0), len(nc_percent)
    groups = pd.DataFrame({"benchmark_name": "d", "subject": "s", "roi": [f"r{n}" for n in range(len(members))]})
    return Targets(
        dataset="d",
        train_rows=np.arange(n_train),
        test_rows=np.arange(n_train, n_train + n_test),
        train_concepts=np.arange(n_train).astype(str),
        train=rng.standard_normal((n_train, n_units)).astype(np.float32),
        test=rng.standard_normal((n_test, n_units)).astype(np.float32),
        nc_percent=np.array(nc_percent, dtype=float),
        groups=groups.assign(n_units=[len(of) for of in members]),
        members=np.array([[unit in of for unit in range(n_units)] for of in members]),
        unit_names=np.array([f"u{unit}" for unit in range(n_units)]),
        perfect=np.full((len(members), n_units), np.nan),
    )


def test_scores_above_1_are_those_of_normalised_r_and_are_kept_in_the_mean():
    """With ceilings of 25 % and 64 %, r is divided by 0.5 and 0.8."""
    target = targets([[0, 1, 2], [2, 3]], [25, 64, 25, 64])
    r = np.array([0.6, 0.8, 0.5, 0.5, 0.9])  # of the units 0, 1, 2 of r0, and 2, 3 of r1
    rows, units = score_rows(target, Predictions(r), {})
    assert units["pearsonr_nc"].tolist() == pytest.approx([1.2, 1.0, 1.0, 1.0, 1.125])
    assert units["unit"].tolist() == ["u0", "u1", "u2", "u2", "u3"] and units["roi"].tolist() == ["r0"] * 3 + ["r1"] * 2
    assert rows["n_units_above_1"].tolist() == [1, 1]
    assert rows["pearsonr"].tolist() == pytest.approx([1.9 / 3, 0.7])
    assert rows["pearsonr_nc"].tolist() == pytest.approx([3.2 / 3, 1.0625])
    assert rows["noise_ceiling"].tolist() == pytest.approx([(0.5 + 0.8 + 0.5) / 3, (0.5 + 0.8) / 2])
    assert rows["n_test"].tolist() == [12, 12]


def test_the_calibrated_score_is_a_ratio_of_sums():
    """With 11 test stimuli, chance is r^2 = 0.1: (0.36 + 0.16 - 0.2) / (0.5 + 0.5 - 0.2) = 0.4 for r0; a perfect r1 scores 1."""
    target = targets([[0, 1], [1]], [98, 99], n_test=11)
    perfect = np.array([[0.5, 0.5], [np.nan, 0.25]])
    rows, _ = score_rows(replace(target, perfect=perfect), Predictions(np.array([0.6, 0.4, 0.5])), {})
    assert rows["score_calibrated"].tolist() == pytest.approx([np.sqrt(0.4), 1])
    assert rows[["score_calibrated_low", "score_calibrated_high"]].isna().all(axis=None), "no predictions were kept"
    unknown, _ = score_rows(target, Predictions(np.array([0.6, 0.4, 0.5]), target.test[:, [0, 1, 1]]), {})
    assert unknown.filter(like="score_calibrated").isna().all(axis=None)


def test_another_regression_is_normalised_by_the_same_ceilings():
    target = targets([[0, 1]], [25, 64])
    rows, units = score_rows(target, Predictions(np.zeros(2), others={"pls": np.array([0.25, 0.4])}), {"n_train": 30})
    assert units["pls_nc"].tolist() == pytest.approx([0.5, 0.5])
    assert rows.loc[0, ["pls", "pls_nc", "n_train", "n_units_above_1"]].tolist() == pytest.approx([0.325, 0.5, 30, 0])


def test_means_are_over_the_units_of_each_group():
    values = np.array([[1.0, 2, 6, 4, 8], [0, 0, 3, 1, 1]])
    np.testing.assert_allclose(group_means(values, np.array([0, 0, 0, 1, 1])), [[3, 6], [1, 1]])


# ---------------------------------------------------------------------------------------------- penalties


def test_a_penalty_at_either_end_of_the_grid_is_told():
    fit = SimpleNamespace(chosen=np.array([[3, 0, 0, 0], [0, 1, 2, 3]]))  # the last row is that of all training stimuli
    penalties, at_edge = chosen_penalties(fit, FOUR)
    assert penalties.tolist() == pytest.approx(list(GRID)) and at_edge.tolist() == [True, False, False, True]
    found = penalty_columns(penalties, at_edge, np.array([0, 0, 1, 1]))
    assert found["alpha"].tolist() == pytest.approx([geometric_mean(GRID[:2]), geometric_mean(GRID[2:])])
    assert found["alpha_at_edge"].tolist() == [0.5, 0.5]


# ---------------------------------------------------------------------------------------------- the outer folds


class FeaturesInMemory:
    """A store of one layer."""

    layers: ClassVar = {"layer": {"position": 4, "depth": 0.4}}

    def __init__(self, features: np.ndarray):
        self.features = features

    def kernels(self, layer, wanted, dtype, device):
        for rows in wanted:
            yield gram([self.features[rows]], dtype=dtype, device=device)


def test_the_spread_over_folds_is_that_of_a_sample():
    """Five scores by scikit-learn, in the standard library's sample standard deviation."""
    target = targets([[0, 1, 2]], [40, 60, 90])
    target.train[:] += np.random.default_rng(1).standard_normal((30, 1)).astype(np.float32)
    X = np.hstack([target.train[:, :1] + 1, np.random.default_rng(2).standard_normal((30, 6))])
    features = np.vstack([X, np.zeros((12, 7))])
    found = search_layers(FeaturesInMemory(features), [target], FOUR).iloc[0]
    scores = []
    for train, rest in KFold(5).split(X):
        predicted = RidgeCV(GRID).fit(X[train], target.train[train]).predict(X[rest])
        r = [np.corrcoef(predicted[:, unit], target.train[rest][:, unit])[0, 1] for unit in range(3)]
        scores.append(mean(np.array(r) / np.sqrt(target.nc_percent / 100)))
    assert found["cv_score"] == pytest.approx(mean(scores), abs=1e-6)
    assert found["cv_score_sd"] == pytest.approx(stdev(scores), abs=1e-6)
    assert (found["layer_position"], found["layer_position_normalized"], found["n_train"]) == (4, 0.4, 30)


def test_a_constant_layer_has_no_scores(caplog):
    found = search_layers(FeaturesInMemory(np.full((42, 3), 7.0)), [targets([[0]], [40])], FOUR).iloc[0]
    assert np.isnan(found[["cv_score", "cv_score_sd"]].astype(float)).all() and "dead or constant" in caplog.text


# ---------------------------------------------------------------------------------------------- splits of similarity


def test_each_split_is_compared_with_the_predictions_of_its_own_stimuli(monkeypatch):
    """Predictions equal the test responses, and training responses in another order."""
    target = targets([[0, 1, 2]], [50, 50, 50], n_train=12, n_test=12)
    shuffled = np.random.default_rng(3).permutation(12)
    predictions = {"train": target.train[shuffled], "test": target.test}
    geometries = {split: response_geometry(torch.from_numpy(getattr(target, split))) for split in ("train", "test")}
    monkeypatch.setattr(Targets, "geometry", lambda self, group, split: geometries[split])
    found = similarity_columns(target, predictions, ["train", "test"], None)
    for measure in ("rsa", "cka"):
        assert found[f"{measure}_ve_test"][0] == pytest.approx(1)
        assert found[f"{measure}_ve_train_held_out"][0] < 0.9
        assert np.isnan([found[f"{measure}_c_test"][0], found[f"{measure}_c_train"][0]]).all()
    scored, _ = score_rows(
        target, Predictions(np.zeros(3), test=target.test, heldout=target.train[shuffled]), {}, splits=["train", "test"]
    )
    assert scored.loc[0, "rsa_ve_test"] == pytest.approx(1) and scored.loc[0, "rsa_ve_train_held_out"] < 0.9
