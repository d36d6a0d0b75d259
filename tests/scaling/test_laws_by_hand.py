"""Averages, limits and percentiles of scaling laws, on tables and laws that are known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gmean, norm

from cortexscale.alignment.averages import averaged_rows
from cortexscale.kernels.power_law import PowerLawFit
from cortexscale.scaling import laws
from cortexscale.scaling.allocation import BUDGETS, compute_optimal, fit_model_and_data
from cortexscale.scaling.fit import constants_of, fit_experiment, warnings_of
from cortexscale.scaling.laws import FRACTION_CLUSTERS, MODEL_CLUSTERS, cluster_labels, fit_axis
from cortexscale.scaling.mapping import readout_table
from cortexscale.scaling.points import axis_points, benchmark_scores, finetuning_points, mapping_points
from cortexscale.study.fits import FitSettings

PLACES = [("a", "V1", 0.2), ("b", "V1", 0.4), ("a", "IT", 0.9), ("a", "whole_brain", 0.1)]
"""Subject, ROI and score: of V1 there are two subjects."""
FLAT, HIERARCHICAL = {True: 1.6 / 4, False: 1.5 / 3}, {True: (0.3 + 0.9 + 0.1) / 3, False: (0.3 + 0.9) / 2}
"""Mean of all rows, and mean over subjects and then ROIs: with the whole brain or without."""


def scored(**columns: object) -> pd.DataFrame:
    table = pd.DataFrame(PLACES, columns=["subject", "roi", "pearsonr_nc"])
    return table.assign(**{"benchmark_name": "tvsd", **columns})


def readouts(**columns: object) -> pd.DataFrame:
    plain = {"probe_type": "linear_individual", "probe_name": "Linear", "fitting_samples": 100, "data_pct": 100.0, "seed": 0}
    return scored(**plain | columns)


def model(**columns: object) -> pd.DataFrame:
    plain = {"model_id": "m", "backbone_source": "spvvs", "backbone_arch": "v", "backbone_arch_family": "ViT", "held_out": False}
    plain |= {"backbone_n_params": 1e6, "pretraining_dataset": "imagenet", "pretraining_samples_per_class": 0.0}
    plain |= {"pretraining_seed": 0, "pretraining_n_samples": 1e6, "pretraining_total_flops_estimate": 1e15}
    plain |= {"is_selfsupervised_learning": False, "is_adversarially_finetuned": False}
    return scored(**plain | columns)


# ---------------------------------------------------------------------------------------------- averages


@pytest.mark.parametrize("composite", [True, False])
def test_points_of_readouts_are_means_of_all_rows_and_those_of_models_of_rois(composite):
    settings = FitSettings(composite_rois=composite, bootstraps=2)
    found = mapping_points(averaged_rows(readouts(), settings), "mapping")
    assert found["score"].tolist() == pytest.approx([FLAT[composite]])
    tuned = model(
        exp_type="finetuning_data_pct", finetuning_dataset="nsd", fitting_samples=10, data_pct=1.0, base_model_id="b", seed=0
    )
    other = tuned.assign(exp_type="finetuning_region", model_id="other", pearsonr_nc=0.0)
    found = finetuning_points(averaged_rows(pd.concat([tuned, other]), settings), "finetuning")
    assert found["score"].tolist() == pytest.approx([HIERARCHICAL[composite]] * 2), "the dataset and the average"
    for _, _, points in (fit_axis(model(), "samples", "reduced", settings), fit_model_and_data(model(), settings)):
        assert points["score"].tolist() == pytest.approx([HIERARCHICAL[composite]] * 2)


def test_readouts_are_compared_on_all_stimuli_by_means_of_all_rows():
    sizes = [100.0, 300.0, 20_000.0, 2_000_000.0]
    shown = pd.concat([readouts(n_params_per_subject=sizes), readouts(data_pct=10.0, pearsonr_nc=0.0, n_params_per_subject=1.0)])
    other = readouts(benchmark_name="nsd", pearsonr_nc=0.6, n_params_per_subject=sizes)
    table = readout_table(pd.concat([shown, other]), pd.DataFrame()).set_index("benchmark_name")
    assert table["score"].to_dict() == pytest.approx({"tvsd": 0.4, "nsd": 0.6, "average": 0.5})
    assert table.loc["average", "n_params_geometric_mean"] == pytest.approx(gmean(sizes))
    assert table.loc["average", "n_params_mean"] == pytest.approx(np.mean(sizes))


def test_models_of_an_unknown_subset_count_as_full_data_and_flexible_ones_as_their_family():
    kinds = {"unknown": {"pretraining_samples_per_class": np.nan}, "few": {"pretraining_samples_per_class": 10.0}}
    kinds |= {"flexible": {"backbone_arch_family": "ViTFlex"}, "full": {}}
    table = pd.concat([model(model_id=name, **columns) for name, columns in kinds.items()])
    scores = benchmark_scores(table)
    fitted = {axis: set(axis_points(scores, axis).query("fitted")["model_id"]) for axis in ("compute", "samples", "parameters")}
    assert fitted["compute"] == set(kinds) and fitted["samples"] == set(kinds) - {"flexible"}
    assert fitted["parameters"] == set(kinds) - {"few"}
    assert set(axis_points(scores, "samples")["family"]) == {"ViT"}


# ---------------------------------------------------------------------------------------------- settings and limits


def suite(n: int) -> pd.DataFrame:
    """Models on 1, 10, 100 and so on images, about a law."""
    scores = 0.5 - 0.3 * 0.7 ** np.arange(n) + 0.01 * np.cos(np.pi * np.arange(n))
    return pd.concat(
        [model(model_id=f"m{k}", pretraining_n_samples=10.0**k, pearsonr_nc=score) for k, score in enumerate(scores)]
    )


def test_settings_of_fits_reach_every_law(monkeypatch):
    given, fit = [], laws.fit_law
    monkeypatch.setattr(laws, "fit_law", lambda *points, **how: given.append(how) or fit(*points, **how))
    settings = FitSettings(bootstraps=3, delta=0.02, seed=7, bootstrap_unit="config")
    fits, curves, _ = fit_axis(suite(9), "samples", "reduced", settings)
    for how in given:
        assert (how["bootstraps"], how["delta"], how["seed"], how["bootstrap_unit"]) == (3, 0.02, 7, "config")
        assert (how["x_scale"], how["form"]) == (1e2, "reduced")
    assert fits[["bootstraps", "delta", "seed"]].drop_duplicates().to_numpy().tolist() == [[3, 0.02, 7]]
    at = curves.query("family == 'all' and benchmark_name == 'average'")["x"]
    assert (at.min(), at.max(), len(at)) == (1, pytest.approx(1e9), 100), "to ten times the largest X, in 100 steps"


def test_a_law_needs_three_points_for_each_parameter():
    for form, n, fitted in (("reduced", 8, 0), ("reduced", 9, 4), ("offset", 11, 0), ("offset", 12, 4), ("auto", 11, 0)):
        fits, _, _ = fit_axis(suite(n), "samples", form, FitSettings(bootstraps=2))
        assert len(fits) == fitted, "all families and the only one, on the dataset and the average"


def test_units_of_the_bootstrap():
    """Models of one configuration differ in the seed, and fine-tunings or readouts of one percentage too."""
    table = pd.DataFrame({"backbone_arch": ["v", "v", "v", "w"], "pretraining_dataset": ["i", "i", "e", "i"]})
    table["pretraining_samples_per_class"] = [1, 3, 1, 1]
    assert cluster_labels(table, "config", MODEL_CLUSTERS)[1].nunique() == 4
    assert cluster_labels(table.assign(pretraining_samples_per_class=1), "config", MODEL_CLUSTERS)[1].nunique() == 3
    assert cluster_labels(table, "architecture", MODEL_CLUSTERS)[1].nunique() == 2
    table = pd.DataFrame({"data_pct": [1, 1, 10, 10], "x": [10, 12, 100, 100]})
    assert cluster_labels(table, "config", FRACTION_CLUSTERS)[1].nunique() == 3


def test_the_spread_of_normal_residuals_is_their_standard_deviation():
    assert pytest.approx(1 / norm.ppf(0.75), abs=5e-5) == laws.NORMAL


# ---------------------------------------------------------------------------------------------- known laws


def known(E: np.ndarray, alpha: np.ndarray | float = 1.0, n: int = 0) -> PowerLawFit:
    """A law whose resamples have these E and exponents. The first law is that of all points."""
    E, alpha = np.broadcast_arrays(np.asarray(E, float), alpha)
    parameters = np.column_stack([np.log1p(-E), np.zeros(len(E)), alpha])
    return PowerLawFit("reduced", parameters[0], 0.0, np.ones(1), parameters[n:], np.zeros(len(E) - n))


X = np.geomspace(1, 1e4, 20)


@pytest.mark.parametrize(("capped", "told"), [(2, False), (3, True)])
def test_more_than_a_fortieth_of_the_resamples_at_a_bound_are_told(capped, told):
    """2.5 % of 100 resamples lie beyond either end of a 95 % interval."""
    E = np.full(101, 0.5)
    E[1 : 1 + capped] = 1 - 1e-9
    assert ("E at its cap of 1" in " ".join(warnings_of(known(E, n=1), X, 20, "row"))) == told
    alpha = np.ones(101)
    alpha[1 : 1 + capped] = 1e-9
    assert ("alpha at its bound of 0" in " ".join(warnings_of(known(np.full(101, 0.5), alpha, 1), X, 20, "row"))) == told


@pytest.mark.parametrize(("distance", "told"), [(1e-5, False), (1e-7, True)])
def test_bounds_are_reached_within_a_millionth(distance, told):
    assert ("the points show no saturation" in " ".join(warnings_of(known(np.full(9, 1 - distance)), X, 20, "row"))) == told
    assert ("does not rise with X" in " ".join(warnings_of(known(np.full(9, 0.5), distance), X, 20, "row"))) == told


def test_fewer_than_twelve_points_or_units_are_told():
    fit = known(np.full(9, 0.5))
    assert warnings_of(fit, X[:12], 12, "config") == []
    assert warnings_of(fit, X[:11], 11, "config") == ["11 points, fewer than 12", "11 units (config) to resample, fewer than 12"]


def test_intervals_of_constants_have_95_percent():
    E = 0.1 + 5e-4 * np.arange(1001)
    found = constants_of(known(E))
    assert [found["E_low"], found["E_high"]] == pytest.approx(E[[25, 975]])


def test_intervals_of_the_optimum_have_95_percent():
    """Laws differ in E alone, and so do their scores at the optimum."""
    E = 0.1 + 5e-4 * np.arange(1001)
    same = {name: np.full(1001, value) for name, value in (("alpha", 0.3), ("beta", 0.2), ("ln_A_raw", 1.0), ("ln_B_raw", 2.0))}
    fit = SimpleNamespace(
        constants={name: values[0] for name, values in same.items()} | {"E": 0.3}, bootstrap_constants=same | {"E": E}
    )
    costs = np.ones(1002), np.zeros(1002)
    found = compute_optimal(SimpleNamespace(fit=fit), costs, np.geomspace(1e10, 1e12, BUDGETS))
    assert len(found) == 60
    assert (found["score_low"] - found["score"]).tolist() == pytest.approx([E[25] - 0.3] * 60)
    assert (found["score_high"] - found["score"]).tolist() == pytest.approx([E[975] - 0.3] * 60)
    np.testing.assert_allclose(found["n_params"] * found["n_samples"], found["compute"], rtol=1e-9)


def test_curves_of_published_scores_end_at_ten_times_the_largest_x():
    _, curve = fit_experiment(X, 0.7 - 0.5 * X**-0.3, form="reduced", x_scale=1.0, bootstraps=2)
    assert (curve["x"].min(), curve["x"].max(), len(curve)) == (pytest.approx(1), pytest.approx(1e5), 100)
