"""Parameters and samples at once: the law is found, and compute is divided as no other division does better."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from galleries import some
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from cortexscale.errors import InputError
from cortexscale.figures.scaling_laws import draw_optima
from cortexscale.scaling.allocation import compute_optimal, fit_model_and_data, flops_by_parameters
from cortexscale.scaling.fit import Law, fit_law
from cortexscale.study.fits import FitSettings

TRUE = {"E": 0.6, "alpha": 0.3, "ln_A": 2.0, "beta": 0.2, "ln_B": 1.0}
G, H = 30.0, 1.1
"""FLOPs of a forward pass are G N**H."""
SETTINGS = FitSettings(bootstraps=60, seed=0)


def true_score(n: np.ndarray, d: np.ndarray) -> np.ndarray:
    return TRUE["E"] - np.exp(TRUE["ln_A"]) * n ** -TRUE["alpha"] - np.exp(TRUE["ln_B"]) * d ** -TRUE["beta"]


def planted(n: int, noise: float, seed: int, bootstraps: int = 60) -> tuple[Law, np.ndarray]:
    """A law fitted to models of known truth, and their compute."""
    rng = np.random.default_rng(seed)
    x = 10 ** rng.uniform([5, 2], [8.5, 6], (n, 2))
    score = 1 - (1 - true_score(*x.T)) * np.exp(noise * rng.standard_normal(n))
    law = fit_law(x, score, form="chinchilla", x_scale=(1e2, 1e2), bootstraps=bootstraps, seed=seed)
    return law, x[:, 1] * G * x[:, 0] ** H


def true_optimum(budget: float) -> float:
    """N* by a search, without the closed form."""
    best = minimize_scalar(
        lambda log_n: -true_score(np.exp(log_n), budget / (G * np.exp(log_n) ** H)), bounds=(0, 60), method="bounded"
    )
    return np.exp(best.x)


def test_the_optimum_of_known_truth_is_found():
    law, compute = planted(80, 0.0, 1)
    found = compute_optimal(law, flops_by_parameters(law, compute), np.geomspace(1e10, 1e20, 6))
    for row in found.itertuples():
        assert row.n_params == pytest.approx(true_optimum(row.compute), rel=1e-3)
        assert row.n_samples * G * row.n_params**H == pytest.approx(row.compute, rel=1e-6)
        assert row.score == pytest.approx(true_score(row.n_params, row.n_samples), abs=1e-6)


@settings(max_examples=20)
@given(st.floats(0.05, 2), st.floats(0.05, 2), st.floats(-3, 5), st.floats(-3, 5))
def test_with_flops_in_proportion_to_parameters_it_is_the_closed_form_of_hoffmann(alpha, beta, ln_a, ln_b):
    law, _ = planted(20, 0.0, 2, bootstraps=2)
    law.fit.constants.update(given := {"alpha": alpha, "beta": beta, "ln_A_raw": ln_a, "ln_B_raw": ln_b, "E": 0.5})
    law.fit.bootstrap_constants.update({name: np.full(2, value) for name, value in given.items()})
    k, budgets = 6.0, np.array([1e12, 1e18])
    found = compute_optimal(law, (np.ones(3), np.full(3, np.log(k))), budgets)
    g = (alpha * np.exp(ln_a) / (beta * np.exp(ln_b))) ** (1 / (alpha + beta))
    np.testing.assert_allclose(found["n_params"], g * (budgets / k) ** (beta / (alpha + beta)), rtol=1e-9)
    np.testing.assert_allclose(found["n_samples"], (budgets / k) ** (alpha / (alpha + beta)) / g, rtol=1e-9)
    np.testing.assert_allclose(found["n_params_low"], found["n_params"])


def test_resamples_in_which_a_resource_does_not_help_are_left_out():
    """A resample without an effect of samples would give all compute to parameters, and widen the interval."""
    law, compute = planted(40, 0.02, 4, bootstraps=20)
    costs, budgets = flops_by_parameters(law, compute), np.array([1e12, 1e16])
    expected = compute_optimal(law, costs, budgets)
    for name, values in law.fit.bootstrap_constants.items():
        law.fit.bootstrap_constants[name] = np.r_[values, 1e-9 if name == "beta" else values[0]]
    h, log_g = (np.r_[values, values[1]] for values in costs)
    pd.testing.assert_frame_equal(compute_optimal(law, (h, log_g), budgets), expected)


def test_an_optimum_needs_a_full_sample_in_which_both_resources_help():
    law, compute = planted(40, 0.02, 4, bootstraps=5)
    costs = flops_by_parameters(law, compute)
    fit = SimpleNamespace(constants=law.fit.constants | {"beta": 0.0}, bootstrap_constants=law.fit.bootstrap_constants)
    assert compute_optimal(SimpleNamespace(fit=fit), costs, np.array([1e12])).empty
    none = {name: np.zeros_like(values) for name, values in law.fit.bootstrap_constants.items()}
    fit = SimpleNamespace(constants=law.fit.constants, bootstrap_constants=none)
    assert compute_optimal(SimpleNamespace(fit=fit), costs, np.array([1e12])).empty


def test_the_cost_of_parameters_is_fitted_to_every_resample():
    law, compute = planted(40, 0.01, 3, bootstraps=5)
    flops = compute / law.x[:, 1] * np.exp(0.2 * np.random.default_rng(0).standard_normal(40))
    h, log_g = flops_by_parameters(law, flops * law.x[:, 1])
    drawn = [np.repeat(np.arange(40), counts.astype(int)) for counts in law.counts]
    for rows, slope, intercept in zip([np.arange(40), *drawn], h, log_g, strict=True):
        np.testing.assert_allclose(np.polyfit(np.log(law.x[rows, 0]), np.log(flops[rows]), 1), (slope, intercept), rtol=1e-6)


def test_the_true_optimum_lies_in_the_interval_about_as_often_as_it_says():
    """12 studies: fewer than 8 hits have a chance of 2e-4 at the nominal rate."""
    hits = 0
    for seed in range(12):
        law, compute = planted(60, 0.02, 10 + seed)
        row = compute_optimal(law, flops_by_parameters(law, compute), np.array([1e15])).iloc[0]
        hits += row["n_params_low"] <= true_optimum(1e15) <= row["n_params_high"]
    assert hits >= 8


def pretraining(sizes: int = 4, rises: bool = True) -> pd.DataFrame:
    """Two families of some widths on six training sets, and a model that is held out."""
    rows = [("suite", f, f"{f}{w}", 10.0 ** (4 + w), 10.0 ** (2 + s)) for f in ("A", "B") for w in range(sizes) for s in range(6)]
    rows.append(("timm", "A", "big", 1e9, 1e9))
    named = ["backbone_source", "backbone_arch_family", "backbone_arch", "backbone_n_params", "pretraining_n_samples"]
    table = pd.DataFrame(rows, columns=named)
    n, d = table["backbone_n_params"], table["pretraining_n_samples"]
    return table.assign(
        model_id=table.index.map("m{}".format),
        benchmark_name="tvsd",
        subject="s",
        roi="V1",
        pearsonr_nc=true_score(n, d) if rises else true_score(1e9, d) - 0.01 * np.log10(n),
        pretraining_dataset="d",
        pretraining_samples_per_class=0,
        pretraining_seed=0,
        pretraining_total_flops_estimate=d * G * n**H,
        held_out=table["backbone_source"] != "suite",
        is_selfsupervised_learning=False,
        is_adversarially_finetuned=False,
    )


def test_tables_have_all_families_and_each():
    fits, curves, models = fit_model_and_data(pretraining(), SETTINGS)
    assert set(fits["family"]) == {"all", "A", "B"} and set(fits["benchmark_name"]) == {"tvsd", "average"}
    assert fits["n"].tolist() == [48, 48, 24, 24, 24, 24] and fits["alpha"].to_numpy() == pytest.approx(TRUE["alpha"], abs=1e-3)
    assert fits["flops_exponent"].to_numpy() == pytest.approx(H) and not models["model_id"].eq("m48").any()
    assert curves.groupby(["family", "benchmark_name"]).size().eq(60).all()
    assert (curves["n_params_low"] <= curves["n_params_high"]).all()
    drawn, numbers = draw_optima({"points": models, "curves": curves}, some("tvsd"))
    assert len(drawn.axes) == 3 and numbers["kind"].value_counts().to_dict() == {"optimum": 120, "model": 48}


def test_where_parameters_do_not_help_there_is_no_optimum():
    fits, curves, models = fit_model_and_data(pretraining(rises=False), SETTINGS)
    assert curves.empty and fits["warnings"].str.contains("alpha at its bound of 0").all()
    with pytest.raises(InputError, match="rises with both"):
        draw_optima({"points": models, "curves": curves}, {})
