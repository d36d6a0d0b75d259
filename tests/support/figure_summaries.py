"""Figures of invented result tables, and summaries of the numbers that they plot.

After a change that is meant to change figures, renew the stored summaries and read the difference::

    python tests/support/figure_summaries.py
"""

import json
import logging
from functools import cache
from pathlib import Path
from typing import Any

import galleries
import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from places import ROOT

mpl.use("agg")

from invented_tables import gated_tables, projection_table, recordings, score_table
from published_tables import LABELS, our_tables

from cortexscale.figures.paper import PAPER
from cortexscale.figures.scaling_laws import PUBLISHED
from cortexscale.plan import Plan
from cortexscale.qc.ceilings import noise_ceilings, released_units
from cortexscale.scaling.allocation import fit_model_and_data
from cortexscale.scaling.experiments import find_experiment, select_rows
from cortexscale.scaling.fit import fit_experiment
from cortexscale.scaling.laws import fit_axis

FOLDER = ROOT / "tests/figures/summaries"
FITTED = ("majajhong", "nsd")
"""Datasets of the pretraining axes. Each costs a second per axis and metric."""
QUANTILES = {"min": 0, "q25": 0.25, "median": 0.5, "q75": 0.75, "max": 1}
FIGURES = (*PAPER, "compute_optimal", "gate_depth", "published_scores", "released_statistics")
"""Figures that have a summary: those of the paper by their names there, and those that are not in the paper."""


@cache
def plan() -> Plan:
    """Plan a study of published tables, with few resamples."""
    published = {"path": "nowhere", "labels": LABELS}
    study = {"study": "summaries", "results": "nowhere", "plan_without_data": True, "fits": {"bootstraps": 5}}
    return Plan(study | {"published": published})


def draw(figure: str) -> tuple[Figure, pd.DataFrame]:
    """Draw a figure as the rule does, and return it with its numbers."""
    drawing = galleries.gallery().drawing(figure)
    if figure == "gate_depth":
        # Gates are two more readouts, which would change the fits and figures of the mapping axis.
        tables = gated_tables(_results()["mapping"])
    else:
        tables = {name: _table(Path(path)) for name, path in drawing.tables.items()}
    return galleries.draw(drawing, tables)


def _table(path: Path) -> pd.DataFrame:
    match path.parent.name:
        case "noise_ceilings":
            return noise_ceilings(recordings(path.stem))
        case "qc":
            return released_units(recording for reader in LABELS for recording in recordings(reader))
        case "tables":
            return _results()[path.stem]
    *fit, what = path.stem.split(".")
    return _fit(".".join(fit))[what] if what in ("curves", "points") else _fit(path.stem)["fits"]


@cache
def _results() -> dict[str, pd.DataFrame]:
    """Invent result tables: all experiments on neural data with few subjects and ROIs, and few models."""
    few = our_tables(size="demo")
    few = {name: few[name] for name in ("pretraining", "layer_search")}
    return our_tables(size="thin") | few | {"projection": projection_table(few["pretraining"])}


@cache
def _fit(fit: str) -> dict[str, pd.DataFrame]:
    axis = fit.partition(".")[0]
    if axis == "spvvs":
        return _published_fits()
    models = _results()["pretraining"]
    models = models[models["benchmark_name"].isin(FITTED)]
    if axis == "model_and_data":
        results = fit_model_and_data(models, plan().fits.resampling())
    else:
        fits = plan().fits
        results = fit_axis(_results().get(axis, models), axis, fits.form(fit), fits.resampling(fit), fits.metric(fit))
    return dict(zip(("fits", "curves", "points"), results, strict=True))


def _published_fits() -> dict[str, pd.DataFrame]:
    """Fit the experiments that the figure of published scores has a place for."""
    scores, fitted = score_table(our_tables(size="thin")["pretraining"]), {"fits": [], "curves": [], "points": []}
    for experiment in (find_experiment(name) for *_, shown in PUBLISHED for name in shown):
        points = select_rows(scores, experiment.name)
        how = {"experiment": experiment.name, "form": experiment.form, "x_scale": experiment.x_scale}
        row, curve = fit_experiment(points["x"].to_numpy(), points["score"].to_numpy(), bootstraps=5, seed=42, **how)
        tables = (pd.DataFrame([row]), curve, points.assign(experiment=experiment.name))
        for parts, table in zip(fitted.values(), tables, strict=True):
            parts.append(table)
    return {name: pd.concat(parts, ignore_index=True) for name, parts in fitted.items()}


def summary(numbers: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Count the values of every column, and add the mean and quantiles of numbers, how many words differ, how many are true."""
    return {name: _column(column) for name, column in numbers.items()}


def _column(column: pd.Series) -> dict[str, Any]:
    values = column.dropna()
    if values.empty or not pd.api.types.is_numeric_dtype(values):
        truths = not values.empty and values.map(lambda value: isinstance(value, bool | np.bool_)).all()
        return {"n": len(values), "true": int(values.sum())} if truths else {"n": len(values), "distinct": values.nunique()}
    if values.dtype == bool:
        return {"n": len(values), "true": int(values.sum())}
    finite = values[np.isfinite(values)].astype(float)
    known = {"mean": finite.mean()} | {name: finite.quantile(share) for name, share in QUANTILES.items()}
    return {"n": len(values)} | {name: float(f"{value:.6g}") for name, value in known.items()}


def stored(figure: str) -> Path:
    return FOLDER / f"{figure}.json"


def renew() -> None:
    """Write a summary of every figure, and remove those of figures that there are no more."""
    FOLDER.mkdir(exist_ok=True)
    for file in set(FOLDER.glob("*.json")) - {stored(figure) for figure in FIGURES}:
        file.unlink()
    for figure in FIGURES:
        drawing, numbers = draw(figure)
        mpl.pyplot.close(drawing)
        lines = [f" {json.dumps(name)}: {json.dumps(column)}" for name, column in summary(numbers).items()]
        stored(figure).write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    renew()
