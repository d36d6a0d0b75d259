"""Figures of invented result tables, and summaries of the numbers that they plot.

After a change that is meant to change figures, renew the stored summaries and read the difference::

    python tests/figure_summaries.py
"""

import importlib
import json
import logging
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

mpl.use("agg")

from published_tables import LABELS, our_tables

from cortexscale.figures import FIGURES
from cortexscale.plan import Plan
from cortexscale.scaling.allocation import fit_model_and_data
from cortexscale.scaling.laws import fit_axis

FOLDER = Path(__file__).parent / "figure_summaries"
FITTED = ("majajhong", "nsd")
"""Datasets of the pretraining axes: each costs a second per axis and metric."""
QUANTILES = {"min": 0, "q25": 0.25, "median": 0.5, "q75": 0.75, "max": 1}


@cache
def plan() -> Plan:
    """A study of published tables, with few resamples."""
    published = {"path": "nowhere", "labels": LABELS}
    study = {"study": "summaries", "results": "nowhere", "plan_without_data": True, "fits": {"bootstraps": 5}}
    return Plan(study | {"published": published})


def drawable() -> list[str]:
    """Figures that need the four result tables and fits to them."""
    return [name for name, source in FIGURES.items() if plan().imported.allows(source)]


def draw(figure: str) -> tuple[Figure, pd.DataFrame]:
    """As the rule does: the figure, and its csv."""
    module = importlib.import_module(f"cortexscale.figures.{FIGURES[figure].module}")
    tables = {name: _table(Path(path)) for name, path in plan().figure_tables(figure).items()}
    return module.draw(tables, plan().figure_labels(figure))


def _table(path: Path) -> pd.DataFrame:
    if path.parent.name == "tables":
        return _results()[path.stem]
    *fit, what = path.stem.split(".")
    return _fit(".".join(fit))[what] if what in ("curves", "points") else _fit(path.stem)["fits"]


@cache
def _results() -> dict[str, pd.DataFrame]:
    """All experiments on neural data, with few subjects and ROIs; few models."""
    few = our_tables(size="demo")
    return our_tables(size="thin") | {name: few[name] for name in ("pretraining", "layer_search")}


@cache
def _fit(fit: str) -> dict[str, pd.DataFrame]:
    axis = fit.partition(".")[0]
    models = _results()["pretraining"]
    models = models[models["benchmark_name"].isin(FITTED)]
    if axis == "model_and_data":
        results = fit_model_and_data(models, plan().fits.resampling)
    else:
        results = fit_axis(_results().get(axis, models), **plan().fits.job(fit))
    return dict(zip(("fits", "curves", "points"), results, strict=True))


def summary(numbers: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Column -> how many values it has; of numbers the mean and quantiles, of words how many differ, of truths how many are."""
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
    for file in set(FOLDER.glob("*.json")) - {stored(figure) for figure in drawable()}:
        file.unlink()
    for figure in drawable():
        drawing, numbers = draw(figure)
        mpl.pyplot.close(drawing)
        lines = [f" {json.dumps(name)}: {json.dumps(column)}" for name, column in summary(numbers).items()]
        stored(figure).write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    renew()
