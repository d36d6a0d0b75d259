"""Scaling laws S = E - A N**-alpha - B D**-beta of parameters and samples, and the best split of compute between N and D.

S is the score at N parameters and D samples. Hoffmann et al. (2022) introduced the form. The law is fitted as by Gokce & Schrimpf
(2025). Compute is C = D F(N), where F(N) is the FLOPs of a forward pass, as on the compute axis of the paper.
"""

import logging

import numpy as np
import pandas as pd

from cortexscale.alignment.averages import averaged_rows
from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.scaling.fit import FLAT, Law
from cortexscale.scaling.laws import BEYOND, MODEL_CLUSTERS, fit_families, fits_table, stacked
from cortexscale.scaling.points import ALL, axis_points, benchmark_scores, law_families, no_law_because
from cortexscale.study.fits import FitSettings

log = logging.getLogger(__name__)

AXIS = "model_and_data"
BUDGETS = 60
QUANTITIES = ("n_params", "n_samples", "score")
COLUMNS = [f"{name}{end}" for name in QUANTITIES for end in ("", "_low", "_high")]


def fit_model_and_data(pretraining: pd.DataFrame, settings: FitSettings) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Fit laws of parameters and samples to all families together, and to each family.

    Returns:
        Three tables. The first table has one fit per family and benchmark. Its columns are those of
        :func:`cortexscale.scaling.fit.fit_law`. N is X, D is the second X, and ``flops_exponent`` is h in F ~ N**h. The second
        table has the curves of :func:`compute_optimal`. The third table has the models, with ``x`` (N), ``x2`` (D) and
        ``compute``.
    """
    scores = benchmark_scores(averaged_rows(pretraining, settings))
    parameters, samples = MODEL_AXES["parameters"], MODEL_AXES["samples"]
    models = axis_points(scores, "compute").rename(columns={"x": "compute"})
    models = models.assign(x=models[parameters.column].astype(float), x2=models[samples.column].astype(float))
    models = models.dropna(subset=["x", "x2"])
    why = no_law_because(models)
    models = models[models["fitted"]]
    families, scales = law_families(models, "compute"), (parameters.scale, samples.scale)
    laws = fit_families(families, AXIS, "chinchilla", scales, settings, MODEL_CLUSTERS, x=("x", "x2"))
    if not laws:
        log.warning("%s: no fit, because %s", AXIS, why)
    curves = {}
    for (family, benchmark), law in laws.items():
        rows = models if family == ALL else models[models["family"] == family]
        rows = rows[rows["benchmark_name"] == benchmark]
        compute = rows["compute"].to_numpy()
        costs = flops_by_parameters(law, compute)
        law.row["flops_exponent"] = costs[0][0]
        budgets = np.geomspace(compute.min(), BEYOND * compute.max(), BUDGETS)
        curves[family, benchmark] = compute_optimal(law, costs, budgets)
    return fits_table(laws, axis=AXIS), stacked(curves, ("compute", *COLUMNS), axis=AXIS), models


def flops_by_parameters(law: Law, compute: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit g N**h to the FLOPs of a forward pass, by least squares of logarithms, for all models and for each resample.

    ``compute`` (n,) is C of the models of the law. Return h and ln g, each of shape (1 + resamples,). The first values belong to
    the full sample.
    """
    log_n, log_flops = np.log(law.x[:, 0]), np.log(compute / law.x[:, 1])
    weights = np.vstack([np.ones(len(log_n)), law.counts])
    weights /= weights.sum(axis=1, keepdims=True)
    mean_n, mean_flops = weights @ log_n, weights @ log_flops
    variance = np.maximum(weights @ log_n**2 - mean_n**2, 1e-12)
    h = (weights @ (log_n * log_flops) - mean_n * mean_flops) / variance
    return h, mean_flops - h * mean_n


def compute_optimal(law: Law, costs: tuple[np.ndarray, np.ndarray], budgets: np.ndarray) -> pd.DataFrame:
    """Find the numbers of parameters N and samples D with the highest score for each budget of compute C, in FLOPs.

    For a given C = D g N**h, the misalignment A N**-alpha + B D**-beta is smallest where alpha A N**-alpha = h beta B D**-beta.
    The best N is therefore (alpha A / (h beta B))**(1 / p) (C / g)**(beta / p) with p = alpha + h beta; for h = 1 this is
    equation 4 of Hoffmann et al. (2022). ``costs`` are h and ln g. Columns with ``_low`` and ``_high`` are the 2.5th and 97.5th
    percentiles over resamples. If an exponent is 0, the other resource would get all compute: then the table has no rows.
    Resamples with such an exponent are left out.
    """
    h, log_g = costs
    full, resampled = law.fit.constants, law.fit.bootstrap_constants
    constants = {name: np.r_[full[name], resampled[name]][:, None] for name in ("E", "alpha", "ln_A_raw", "beta", "ln_B_raw")}
    alpha, beta, h = constants["alpha"], constants["beta"], h[:, None]
    room = np.log(budgets) - log_g[:, None]
    identified = ((alpha > FLAT) & (beta > FLAT) & (h > 0))[:, 0]
    columns = {"compute": budgets}
    if not (identified[0] and identified[1:].any()):
        return pd.DataFrame(columns=["compute", *COLUMNS]).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(alpha / (h * beta)) + constants["ln_A_raw"] - constants["ln_B_raw"]
        log_n = (ratio + beta * room) / (alpha + h * beta)
        log_d = room - h * log_n
        score = constants["E"] - np.exp(constants["ln_A_raw"] - alpha * log_n) - np.exp(constants["ln_B_raw"] - beta * log_d)
    for name, values in zip(QUANTITIES, (np.exp(log_n), np.exp(log_d), score), strict=True):
        low, high = np.percentile(values[1:][identified[1:]], (2.5, 97.5), axis=0)
        columns |= {name: values[0], f"{name}_low": low, f"{name}_high": high}
    return pd.DataFrame(columns)
