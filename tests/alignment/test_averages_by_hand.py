"""Averages, ranks of subjects and layers, and the settings of ridge, each computed by hand."""

from itertools import chain
from statistics import mean, stdev
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from cortexscale.alignment import layer, subjects
from cortexscale.alignment.averages import averaged_rows, benchmark_means, mean_scores, over_benchmarks
from cortexscale.alignment.layer_profiles import layer_agreement, layer_profiles
from cortexscale.alignment.subjects import rank_subjects, scored_subjects
from cortexscale.alignment.super_rois import super_roi
from cortexscale.study.fits import AverageSettings
from cortexscale.study.ridge import Alphas, Folds, Ridge
from cortexscale.study.targets import BestSubjects

SCORES = pd.DataFrame(
    [("a", "V1", 0.2), ("b", "V1", 0.4), ("a", "IT", 0.9), ("a", "nsdgeneral", 0.1)], columns=["subject", "roi", "pearsonr_nc"]
).assign(model_id="m", benchmark_name="nsd")


@pytest.mark.parametrize(("composite", "flat", "hierarchical"), [(True, 1.6 / 4, 1.3 / 3), (False, 1.5 / 3, 1.2 / 2)])
def test_rois_that_contain_others_are_averaged_only_if_asked_for(composite, flat, hierarchical):
    by, settings = ["model_id"], AverageSettings(composite_rois=composite)
    rows = averaged_rows(SCORES, settings)
    assert mean_scores(rows, by)["score"].tolist() == pytest.approx([hierarchical])
    assert mean_scores(rows, by, levels=())["score"].tolist() == pytest.approx([flat])
    other = SCORES.assign(benchmark_name="tvsd", pearsonr_nc=0.0)
    third = SCORES.assign(benchmark_name="meg", pearsonr_nc=0.0)
    rows = averaged_rows(pd.concat([SCORES, other, third]), settings)
    found = benchmark_means(rows, "model_id").set_index("benchmark_name")
    assert found["score"].to_dict() == pytest.approx({"nsd": hierarchical, "tvsd": 0, "meg": 0, "average": hierarchical / 3})


def test_seeds_are_averaged_with_the_first_level():
    table = pd.concat([SCORES.assign(seed=0), SCORES[:1].assign(seed=1, pearsonr_nc=0.9)])
    found = mean_scores(table[table["roi"] != "nsdgeneral"], ["model_id"])["score"]
    assert found.tolist() == pytest.approx([(mean([0.2, 0.4, 0.9]) + 0.9) / 2])
    assert over_benchmarks(pd.DataFrame({"m": [1, 1, 1], "score": [0.0, 0.0, 0.9]}), ["m"])["score"].tolist() == pytest.approx(
        [0.3]
    )


def test_subjects_are_ranked_by_all_examined_units_of_the_roi_of_the_choice(monkeypatch, tmp_path):
    """A unit without a ceiling counts as 0. The best over all units, and over units with a ceiling, is another subject."""
    screenings = {
        "one": ([90.0, np.nan, np.nan, 0.0], [True, True, True, False]),
        "two": ([40.0, 35.0, 30.0, 0.0], [True, True, True, False]),
        "three": ([20.0, 20.0, 20.0, 99.0], [True, True, True, False]),
    }
    tables = {name: pd.DataFrame({"nc_percent": nc, "IT": inside}) for name, (nc, inside) in screenings.items()}
    monkeypatch.setattr(subjects, "load_screening", lambda file: tables[file.stem])
    files = [tmp_path / f"{name}.h5" for name in screenings]
    ranked = rank_subjects(files, BestSubjects(count=1, roi="IT"))
    assert ranked["subject"].tolist() == ["two", "one", "three"] and ranked["scored"].tolist() == [True, False, False]
    assert ranked["mean_nc_percent"].tolist() == pytest.approx([35, 30, 20])
    assert rank_subjects(files, None)["mean_nc_percent"].tolist() == pytest.approx([39.75, 26.25, 22.5])
    assert scored_subjects(files, BestSubjects(count=2, roi="IT")) == files[:2], "in the order of the study"


# ---------------------------------------------------------------------------------------------- layers


def searched(*rows: tuple[str, str, str, float, float]) -> pd.DataFrame:
    columns = ["benchmark_name", "roi", "subject", "layer_position_normalized", "cv_score"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(model_id="m", layer_name=table["layer_position_normalized"].map("l{}".format))


def test_profiles_have_means_and_standard_errors_over_subjects():
    table = searched(*(("nsd", "V1", subject, 0.5, score) for subject, score in zip("abc", (0.1, 0.2, 0.6), strict=True)))
    found = layer_profiles(table, "nsd").iloc[0]
    assert [found["mean"], found["sem"]] == pytest.approx([0.3, stdev([0.1, 0.2, 0.6]) / 3**0.5])


def test_layers_agree_by_means_over_subjects_and_then_rois():
    """V1 has two subjects and V2 one. The best layer has rank 0 and the worst 1."""
    rows = [(0.1, 0.5, 0.3), (0.3, 0.3, 0.1), (0.8, 0.2, 0.9)]
    places = [("V1", "a"), ("V1", "b"), ("V2", "a")]
    ours = [("nsd", *place, depth, score) for depth, row in enumerate(rows) for place, score in zip(places, row, strict=True)]
    theirs = [("tvsd", "V1", "x", depth, score) for depth, score in enumerate((0.7, 0.2, 0.5))]
    found = layer_agreement(searched(*ours, *theirs), "nsd", ["tvsd"]).sort_values("layer_position_normalized")
    assert found["score"].tolist() == pytest.approx([0.3, 0.2, 0.7]) and found["rank"].tolist() == [0.5, 1, 0]
    assert found["score_other"].tolist() == pytest.approx([0.7, 0.2, 0.5]) and found["rank_other"].tolist() == [0, 1, 0.5]


@pytest.mark.parametrize(
    ("place", "rois"),
    [
        ("Early", ["V1", "V2", "V1v", "V2d", "early"]),
        ("Mid", ["V3", "V4", "hV4", "V3a", "V3d", "midventral", "midlateral", "midparietal"]),
        ("High", ["IT", "LO1", "lFFA", "ventral", "lateral", "parietal", "VO1", "TO1", "EBA"]),
    ],
)
def test_super_rois_are_those_of_appendix_d(place, rois):
    assert {super_roi(roi) for roi in rois} == {place}


# ---------------------------------------------------------------------------------------------- settings of ridge


def test_folds_are_those_of_the_settings():
    target = SimpleNamespace(train_rows=np.arange(12), train_concepts=np.repeat(list("abcdef"), 2))

    def folds(**settings: object) -> list[list[int]]:
        return [fold.tolist() for fold in layer.held_out(Folds(**settings), target)]

    assert folds(count=3) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]] == folds(count=3, seed=1)
    shuffled = folds(count=3, kind="shuffled")
    assert sorted(chain(*shuffled)) == list(range(12)) and shuffled != folds(count=3) != folds(count=3, kind="shuffled", seed=1)
    assert shuffled != folds(count=3, kind="shuffled", seed=1)
    for seed in (0, 1):
        grouped = folds(count=3, kind="grouped", seed=seed)
        assert all(set(fold) == {stimulus ^ 1 for stimulus in fold} for fold in grouped), "a concept has two stimuli in a row"
    assert folds(count=3, kind="grouped", seed=0) != folds(count=3, kind="grouped", seed=1)


def test_settings_of_ridge_reach_the_fit(monkeypatch):
    given = []
    monkeypatch.setattr(layer, "nested_ridge", lambda *arrays, **how: given.append((arrays, how)))
    n, m = 6, 2
    K = torch.arange((n + m) ** 2.0).reshape(n + m, n + m)
    asked = []

    class Store:
        def kernels(self, name, wanted, dtype, device):
            asked.append((name, [rows.tolist() for rows in wanted], dtype))
            return [SimpleNamespace(K=K)]

    target = SimpleNamespace(train_rows=np.arange(n), test_rows=np.arange(n, n + m), responses="responses", train_concepts=None)
    ridge = Ridge(
        alphas=Alphas(low=0, high=2, count=3, search="full"), alpha_per="unit", precision="float32", folds=Folds(count=2)
    )
    list(layer.layer_fits(Store(), "l", [target], ridge, folds=True, test=True, predictions=True))
    list(layer.layer_fits(Store(), "l", [target], Ridge(precision="float64")))
    ((kernel, responses, alphas, folds), how), ((_, _, of_paper, none), plain) = given
    assert torch.equal(kernel, K[:n, :n]) and torch.equal(how["cross"], K[n:, :n]) and responses == "responses"
    assert list(alphas) == pytest.approx([1, 10, 100]) and [fold.tolist() for fold in folds] == [[0, 1, 2], [3, 4, 5]]
    assert (how["search"], how["alpha_per"], how["predictions"]) == ("full", "unit", True)
    assert (plain["search"], plain["alpha_per"], plain["predictions"], plain["cross"], none) == (
        "adaptive",
        "group",
        False,
        None,
        [],
    )
    assert len(of_paper) == 10
    assert asked == [("l", [list(range(8))], torch.float32), ("l", [list(range(6))], torch.float64)]
