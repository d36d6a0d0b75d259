"""Scaling laws: the solver finds optima, the forms are what they say, resampling is resampling."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import huber as scipy_huber
from scipy.stats import binom

from cortexscale.errors import InputError
from cortexscale.kernels.power_law import FORMS, choose_form, fit_power_law, resample_counts
from cortexscale.kernels.power_law_forms import Offset, Powers
from cortexscale.kernels.robust_curve import huber
from cortexscale.scaling import fit as law_fit
from cortexscale.scaling.fit import fit_experiment

TRUTH = {  # for X in units of 1
    "reduced": {"E": 0.6, "ln_A": 1.0, "alpha": 0.25},
    "offset": {"E": 0.5, "ln_A": 2.0, "alpha": 0.4, "lambda": 3.0},
    "chinchilla": {"E": 0.55, "ln_A": 0.3, "alpha": 0.35, "ln_B": 0.8, "beta": 0.2},
}


def true_score(form: str, x: np.ndarray) -> np.ndarray:
    true = TRUTH[form]
    first = x[:, 0] if form == "chinchilla" else x
    score = true["E"] - np.exp(true["ln_A"]) * (first + 10 ** true.get("lambda", -np.inf)) ** -true["alpha"]
    return score - np.exp(true["ln_B"]) * x[:, 1] ** -true["beta"] if form == "chinchilla" else score


def points(form: str, n: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """X over six decades (two variables for chinchilla) and scores of the true law with noise in ln(1 - S)."""
    rng = np.random.default_rng(seed)
    x = 10 ** rng.uniform(2, 8, (n, 2) if form == "chinchilla" else n)
    return x, 1 - (1 - true_score(form, x)) * np.exp(noise * rng.standard_t(4, n))


def log_law(form: str, p: np.ndarray, x: np.ndarray) -> np.ndarray:
    """ln(1 - S) as the authors write it."""
    if form == "chinchilla":
        return np.logaddexp(p[0], np.logaddexp(p[1] - p[2] * np.log(x[:, 0]), p[3] - p[4] * np.log(x[:, 1])))
    return np.logaddexp(p[0], p[1] - p[2] * np.log(x + (10 ** p[3] if form == "offset" else 0)))


def loss_of(form: str, p: np.ndarray, x: np.ndarray, score: np.ndarray, counts=1.0, delta: float = 1e-3) -> float:
    return float((counts * scipy_huber(delta, log_law(form, p, x) - np.log1p(-score))).sum())


def test_huber_is_scipys():
    r = np.linspace(-3, 3, 61)
    np.testing.assert_allclose(huber(r, 0.7), scipy_huber(0.7, r), rtol=1e-14)


@pytest.mark.parametrize("form", FORMS)
def test_slopes_are_the_derivatives(form):
    x, _ = points(form, 12, 0, 0)
    law = Offset(x) if form == "offset" else Powers(x.reshape(12, -1))
    theta = np.array([[0.3, -0.5, 0.4, -0.8, 0.2]])[:, : len(FORMS[form])]
    if form == "offset":
        theta[0, 3] = 3.5
    _, slopes = law.curve(theta)
    for i in range(theta.shape[1]):
        step = np.zeros_like(theta)
        step[0, i] = 1e-6
        difference = (law.curve(theta + step)[0] - law.curve(theta - step)[0]) / 2e-6
        np.testing.assert_allclose(slopes[:, i], difference, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_the_inner_parametrisation_is_the_law(form):
    x, _ = points(form, 30, 0, 1)
    law = Offset(x) if form == "offset" else Powers(x.reshape(30, -1))
    theta = law.starts(np.log(np.linspace(0.5, 0.9, 30)))[::7]
    for values, parameters in zip(law.curve(theta)[0], law.parameters(theta), strict=True):
        np.testing.assert_allclose(values, log_law(form, parameters, x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("x_scale", [1.0, 1e3])
def test_known_truth_is_recovered(form, x_scale):
    x, score = points(form, 80, 0, 2)
    scales = (x_scale, 10 * x_scale) if form == "chinchilla" else x_scale
    fit = fit_power_law(x, score, form=form, x_scale=scales)
    true = TRUTH[form]
    for name, value in {"E": true["E"], "alpha": true["alpha"], "ln_A_raw": true["ln_A"]}.items():
        assert fit.constants[name] == pytest.approx(value, abs=1e-5)
    assert fit.constants["ln_A"] == pytest.approx(true["ln_A"] - true["alpha"] * np.log(x_scale), abs=1e-5)
    if form == "offset":
        assert fit.constants["lambda_raw"] == pytest.approx(3, abs=1e-5)
    if form == "chinchilla":
        assert fit.constants["ln_B_raw"] == pytest.approx(true["ln_B"], abs=1e-5)
        assert fit.constants["allocation"] == pytest.approx(0.2 / 0.55, abs=1e-5)
    np.testing.assert_allclose(fit.predict(x), score, atol=1e-7)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("delta", [1e-2, 1e-3, 1e-5])
def test_no_other_optimiser_goes_lower(form, delta):
    x, score = points(form, 70, 0.03, 3)
    counts = resample_counts(70, 3, 0)
    fit = fit_power_law(x, score, form=form, delta=delta, counts=counts)
    assert fit.loss == pytest.approx(loss_of(form, fit.parameters, x, score, delta=delta), rel=1e-9)
    for weights, parameters, loss in zip(
        [1.0, *counts], [fit.parameters, *fit.bootstrap], [fit.loss, *fit.bootstrap_losses], strict=True
    ):
        for start in (parameters, parameters * 1.1, parameters * 0.8):
            other = minimize(
                lambda p, weights=weights: loss_of(form, p, x, score, weights, delta),
                start,
                method="Nelder-Mead",
                options={"maxfev": 2500, "maxiter": 2500, "xatol": 1e-10, "fatol": 1e-15},
            )
            assert loss <= other.fun * (1 + 1e-6)


@pytest.mark.parametrize(("form", "delta"), [("reduced", 1e-5), ("reduced", 1e-3), ("offset", 1e-3)])
def test_the_published_search_goes_no_lower(form, delta):
    """BFGS with finite differences from some of the published starts (benchmarks/fit_all.py has all of them)."""
    x, score = points(form, 60, 0.03, 12)
    fit = fit_power_law(x, score, form=form, x_scale=100.0, delta=delta)
    others = (0, 1, 2)
    starts = list(product((-1, 0, 1), (0, 10, 25), others, *([others] if form == "offset" else [])))[::3]
    with np.errstate(all="ignore"):
        found = [minimize(lambda p: loss_of(form, p, x / 100, score, delta=delta), start, method="BFGS").fun for start in starts]
    assert fit.loss <= np.nanmin(found) * (1 + 1e-6)


def test_a_fifth_of_outliers_does_not_move_the_law():
    x, score = points("reduced", 100, 1e-4, 4)
    score[::5] -= 0.2
    fit = fit_power_law(x, score, form="reduced")
    assert fit.constants["E"] == pytest.approx(0.6, abs=0.01)
    assert fit.constants["alpha"] == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("form", FORMS)
def test_the_law_knows_the_side_of_a_score_above_1_and_not_its_distance(form):
    """Huber's loss is linear far from the law, so a point above the law may be lifted to any score without moving the law."""
    x, score = points(form, 80, 0.05, 11)
    plain = fit_power_law(x, score, form=form, delta=1e-4)
    above = np.flatnonzero(score > plain.predict(x) + 1e-3)[::6]
    assert len(above) >= 3
    at = 10 ** np.random.default_rng(0).uniform(2, 8, np.shape(x))
    for height in (1.0, 1.2, 40.0):
        lifted = score.copy()
        lifted[above] = height
        fit = fit_power_law(x, lifted, form=form, delta=1e-4)
        np.testing.assert_allclose(fit.predict(at), plain.predict(at), atol=2e-5)


def test_scores_above_1_do_not_bias_the_law():
    """Without its scores above 1, a truth near 1 is estimated too low by many standard errors."""
    rng, at = np.random.default_rng(0), np.array([1e4, 1e6])
    errors: dict[str, list[np.ndarray]] = {"all": [], "below 1": []}
    for _ in range(25):
        x = 10 ** rng.uniform(0, 6, 120)
        score = 0.97 - 0.5 * x**-0.3 + rng.normal(0, 0.05, 120)
        for name, kept in (("all", slice(None)), ("below 1", score < 1)):
            errors[name].append(fit_power_law(x[kept], score[kept], form="reduced").predict(at) - (0.97 - 0.5 * at**-0.3))
    bias = {name: np.mean(of, axis=0) / (np.std(of, axis=0, ddof=1) / 5) for name, of in errors.items()}
    assert (np.abs(bias["all"]) < 3).all() and (bias["below 1"] < -3).all()


@pytest.mark.parametrize("form", ["reduced", "offset"])
def test_scores_that_fall_with_x_never_give_an_exponent_below_0(form):
    """A negative exponent would send the law to minus infinity at large X."""
    x = np.geomspace(1, 1e6, 40)
    noise = 0.02 * np.random.default_rng(0).standard_normal(40)
    fit = fit_power_law(x, 0.5 - 0.05 * np.log10(x) + noise, form=form, counts=resample_counts(40, 50, 0))
    assert fit.constants["alpha"] >= 0 and (fit.bootstrap_constants["alpha"] >= 0).all()
    assert (np.diff(fit.curves(fit.bootstrap, np.geomspace(1, 1e12, 60)), axis=1) >= -1e-12).all()


@settings(max_examples=15)
@given(st.sampled_from(["reduced", "offset"]), st.floats(-8, 8), st.integers(0, 1000))
def test_units_of_x_only_rename_the_constants(form, decades, seed):
    x, score = points(form, 50, 0.02, seed)
    one, other = fit_power_law(x, score, form=form), fit_power_law(x * 10**decades, score, form=form)
    assert other.loss == pytest.approx(one.loss, rel=1e-7)
    np.testing.assert_allclose(other.predict(x * 10**decades), one.predict(x), atol=1e-4)


@pytest.mark.slow
@settings(max_examples=15)
@given(st.sampled_from(["reduced", "offset"]), st.integers(0, 1000))
def test_counts_are_a_resample(form, seed):
    x, score = points(form, 40, 0.02, seed)
    drawn = np.random.default_rng(seed).integers(0, 40, (4, 40))
    fit = fit_power_law(x, score, form=form, counts=resample_counts(40, 4, seed))
    for rows, parameters, loss in zip(drawn, fit.bootstrap, fit.bootstrap_losses, strict=True):
        assert loss == pytest.approx(loss_of(form, parameters, x[rows], score[rows]), rel=1e-9)
        assert loss <= fit_power_law(x[rows], score[rows], form=form).loss * (1 + 1e-4)


@settings(max_examples=15)
@given(st.sampled_from(["reduced", "offset"]), st.integers(0, 1000))
def test_curves_rise_and_bands_are_ordered(form, seed):
    x, score = points(form, 60, 0.01, seed)
    fit = fit_power_law(x, score, form=form, counts=resample_counts(60, 20, seed))
    at = np.geomspace(x.min(), 10 * x.max(), 50)
    assert (np.diff(fit.predict(at)) > 0).all()
    assert fit.constants["E"] <= 1 and (fit.predict(at) < fit.constants["E"]).all()
    low, high = fit.band(at)
    assert (low <= high).all()


@pytest.mark.slow
@pytest.mark.parametrize(("form", "studies"), [("reduced", 60), ("offset", 40)])
def test_bands_hold_the_truth_about_as_often_as_they_say(form, studies):
    """The counts may differ from the nominal rate by what has a chance of 1e-4. Most bands fail first at the ends of X."""
    at = np.array([1e2, 1e5, 1e8])
    hits = {percent: np.zeros(len(at)) for percent in (95, 50)}
    for study in range(studies):
        x, score = points(form, 60, 0.02, 100 + study)
        fit = fit_power_law(x, score, form=form, counts=resample_counts(60, 100, study))
        for percent, count in hits.items():
            low, high = fit.band(at, (50 - percent / 2, 50 + percent / 2))
            count += (low <= true_score(form, at)) & (true_score(form, at) <= high)
    for percent, count in hits.items():
        low, high = binom.ppf((1e-4, 1 - 1e-4), studies, percent / 100)
        assert ((count >= low) & (count <= high)).all(), (percent, count)


def test_no_saturation_is_an_edge_and_not_infinity():
    x = np.geomspace(1, 1e6, 60)
    row, _ = fit_experiment(x, 1 - 1.3 * x**-0.06, form="reduced", x_scale=1.0, bootstraps=20)
    assert not row["saturates"] and row["E"] == pytest.approx(1, abs=1e-9)
    assert row["alpha"] == pytest.approx(0.06, abs=1e-6) and np.isfinite(row["ln_A"])


def test_the_exponential_limit_has_its_constant():
    x = np.geomspace(1e14, 1e20, 80)
    row, curve = fit_experiment(x, 0.5 - 0.4 * np.exp(-x / 7e17), form="offset", x_scale=1e13, bootstraps=20)
    assert row["alpha"] > 5 and row["tau_raw"] == pytest.approx(7e17, rel=1e-3)
    np.testing.assert_allclose(curve["score"], 0.5 - 0.4 * np.exp(-curve["x"] / 7e17), atol=1e-4)


def test_rows_are_drawn_as_published_and_clusters_whole():
    drawn = np.random.default_rng(42).integers(0, 30, (5, 30))
    np.testing.assert_array_equal(resample_counts(30, 5, 42), [np.bincount(rows, minlength=30) for rows in drawn])
    clusters = np.repeat(["b", "a", "c"], [5, 1, 3])
    counts = resample_counts(9, 50, 0, clusters)
    for label in "abc":
        assert (np.ptp(counts[:, clusters == label], axis=1) == 0).all()
    assert (counts[:, [0, 5, 6]].sum(axis=1) == 3).all()


def test_copies_of_a_model_narrow_the_band_of_rows_but_not_of_clusters():
    x, score = points("reduced", 40, 0.03, 5)
    x, score, model = np.repeat(x, 4), np.repeat(score, 4), np.repeat(np.arange(40), 4)
    width = {}
    for unit in ("row", "config"):
        _, curve = fit_experiment(x, score, form="reduced", x_scale=1.0, bootstraps=200, bootstrap_unit=unit, clusters=model)
        width[unit] = (curve["high"] - curve["low"]).mean()
    assert width["config"] > 1.5 * width["row"]


@pytest.mark.parametrize("form", ["reduced", "offset"])
def test_cross_validation_finds_the_form(form):
    x, score = points(form, 120, 0.01, 1)
    found, losses = choose_form(x, score, np.arange(120) // 3)
    assert found == form and losses[form] == min(losses.values())
    row, _ = fit_experiment(x, score, form="auto", x_scale=1.0, bootstraps=5, clusters=np.arange(120) // 3)
    assert row["form"] == found


def test_cross_validation_of_single_points_needs_no_labels_and_with_labels_keeps_them_together(monkeypatch):
    x, score = points("reduced", 40, 0.01, 1)
    labels, given = np.arange(40) // 4, []
    monkeypatch.setattr(law_fit, "choose_form", lambda x, score, groups, delta: given.append(groups) or ("reduced", {}))
    for clusters in (None, labels):
        fit_experiment(x, score, form="auto", x_scale=1.0, bootstraps=2, clusters=clusters)
    np.testing.assert_array_equal(given, [np.arange(40), labels])


def test_cross_validation_scores_groups_that_the_fit_has_not_seen():
    x, score = points("offset", 90, 0.01, 1)
    groups = np.digitize(x, np.quantile(x, [1 / 3, 2 / 3]))
    _, losses = choose_form(x, score, groups)
    for form, loss in losses.items():
        expected = 0.0
        for group in range(3):
            p = fit_power_law(x[groups != group], score[groups != group], form=form).parameters
            expected += loss_of(form, p, x[groups == group], score[groups == group]) / 90
        assert loss == pytest.approx(expected, rel=1e-3)


def test_cross_validation_needs_groups():
    x, score = points("reduced", 20, 0.01, 7)
    with pytest.raises(ValueError, match="one group only"):
        choose_form(x, score, np.zeros(20))


X, SCORE = points("reduced", 20, 0.01, 8)


@pytest.mark.parametrize(
    ("x", "score", "form", "message"),
    [
        (X, np.where(np.arange(20) == 7, np.inf, SCORE), "reduced", "1 of 20 scores .* inf in row 7"),
        (X, SCORE + 1, "reduced", "none of 20 scores is below 1"),
        (X, np.where(np.arange(20) == 3, np.nan, SCORE), "reduced", "nan in row 3"),
        (np.where(np.arange(20) == 4, 0.0, X), SCORE, "offset", "1 of 20 X .* row 4"),
        (np.where(np.arange(20) == 4, -1.0, X), SCORE, "reduced", "1 of 20 X"),
        (X, SCORE, "cubic", "no form 'cubic'"),
        (X, SCORE, "chinchilla", r"2 column"),
        (X[:3], SCORE[:3], "offset", "3 points .* 4 parameters"),
        (np.ones(20), SCORE, "reduced", "1 values of X"),
    ],
)
def test_points_that_cannot_be_fitted_are_named(x, score, form, message):
    with pytest.raises(ValueError, match=message):
        fit_power_law(x, score, form=form)
    with pytest.raises(InputError, match=f"fit of mine(.|\n)*{message}"):
        fit_experiment(x, score, form=form, x_scale=1.0, experiment="mine", bootstraps=2)


def test_a_row_has_its_columns_and_the_curve_its_range():
    x, score = points("offset", 40, 0.01, 9)
    row, curve = fit_experiment(x, score, form="offset", x_scale=100.0, bootstraps=30, seed=3, experiment="mine", extend=4)
    wanted = "experiment form n E ln_A lambda alpha x_scale loss E_low E_high alpha_low alpha_high lambda_low lambda_high"
    wanted += " ln_A_low ln_A_high ln_A_raw lambda_raw tau_raw saturates bootstraps bootstrap_unit seed"
    assert set(wanted.split()) <= set(row)
    assert (row["experiment"], row["n"], row["bootstraps"], row["bootstrap_unit"], row["seed"]) == ("mine", 40, 30, "row", 3)
    assert row["E_low"] <= row["E"] <= row["E_high"] and row["lambda_raw"] == pytest.approx(row["lambda"] + 2)
    assert list(curve) == ["experiment", "x", "score", "low", "high"] and len(curve) == 100
    assert curve["x"].iloc[[0, -1]].tolist() == pytest.approx([x.min(), 4 * x.max()])
    again, _ = fit_experiment(x, score, form="offset", x_scale=100.0, bootstraps=30, seed=3, experiment="mine", extend=4)
    assert str(again) == str(row), "same seed, same numbers"


def test_no_points_are_an_error_with_a_name():
    with pytest.raises(InputError, match=r"fit of mine(.|\n)*no points"):
        fit_experiment(X[:0], SCORE[:0], form="auto", x_scale=1.0, experiment="mine")


def test_cluster_units_need_labels():
    with pytest.raises(InputError, match="give clusters"):
        fit_experiment(X, SCORE, form="reduced", x_scale=1.0, bootstrap_unit="architecture")
