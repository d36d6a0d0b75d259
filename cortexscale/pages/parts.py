"""The parts of the explore page: models, fine-tuning runs and readouts with their scores, and the scaling laws of each axis.

The argument ``averages`` has the settings of averages over ROIs and datasets, which are those of the fits.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from cortexscale.alignment.averages import averaged_rows, benchmark_means
from cortexscale.catalogue.axes import AXES, MODEL_AXES, axes_of
from cortexscale.catalogue.metrics import ALIGNMENT, FITTED, METRICS
from cortexscale.catalogue.readouts import figure_name
from cortexscale.models.roles import families
from cortexscale.scaling.points import MODEL_COLUMNS, axis_points, mapping_points, worth_showing
from cortexscale.study.fits import AverageSettings

LABELS = {name: METRICS[name] for name in FITTED} | {ALIGNMENT: f"Alignment S ({METRICS[ALIGNMENT]})"}
"""Metric that the page offers -> label."""
_FITTED = "finetuning_data_pct"
UNIT = 1e-4
"""Scores are stored as integer multiples of this unit, because integers take half as much space as decimal numbers."""
Part = dict[str, Any]
"""All models, all fine-tuning runs or all readouts with their scores, in the form that the page reads."""
_Scores = dict[str, dict[str, pd.Series]]
"""Metric -> place -> scores, whose index has the models, runs or readouts. A place is ``average``, a benchmark, or
``benchmark/ROI``."""
CARD = {
    "backbone_arch": "Architecture",
    "backbone_n_params": "Parameters",
    "backbone_flops": "FLOPs of one image",
    "image_size": "Image size (pixels)",
    "pretraining_dataset": "Pretraining data",
    "pretraining_objective": "Objective",
    "pretraining_n_samples": "Pretraining images D",
    "pretraining_seed": "Seed",
    "pretraining_total_flops_estimate": "Pretraining compute C (FLOPs)",
    "task_evaluation_acc": "Task accuracy",
}
RUN = {
    "base_model_id": "Base model",
    "finetuning_regions": "Regions",
    "finetuning_subjects": "Subjects",
    "data_pct": "Training stimuli (%)",
    "seed": "Seed",
    "epochs": "Epochs",
    "learning_rate": "Learning rate",
    "lora_rank": "LoRA rank",
    "n_trainable_params": "Trained parameters",
    "task_evaluation_acc": "Task accuracy",
}
READOUT = {
    "data_pct": "Training stimuli (%)",
    "fitting_samples": "Training stimuli",
    "seed": "Seed",
    "n_params_per_subject": "Parameters of a subject",
}


def pretraining_part(table: pd.DataFrame, averages: AverageSettings) -> Part:
    """Collect all models, with their X values on the axes of pretraining."""
    card = [column for column in CARD if column in table and column not in MODEL_COLUMNS]
    models = table[[*MODEL_COLUMNS, *card]].drop_duplicates("model_id", ignore_index=True)
    part = _part("model", models, _scores(table, averages), models["model_id"], CARD)
    part["family"] = {"label": "Family", "of": _texts(families(models))}
    part["source"] = {"label": "Source", "of": _texts(models["backbone_source"])}
    for axis in MODEL_AXES:
        points = axis_points(models.assign(score=0.0), axis)
        points = points[worth_showing(points, special=True)].reindex(models.index)
        part["axes"][axis] = _axis(axis, points["x"], points["fitted"].eq(True))
    return part


def finetuning_part(table: pd.DataFrame, averages: AverageSettings, labels: Mapping[str, str]) -> Part:
    """Collect all fine-tuning runs, with their X values on the fine-tuning axis. Baselines have no X value and are left out."""
    table = table[table["fitting_samples"].notna()]
    known = ["model_id", "exp_type", "finetuning_dataset", "fitting_samples", *(column for column in RUN if column in table)]
    runs = table[known].sort_values("exp_type", key=lambda kind: kind != _FITTED, kind="stable")  # experiments can share a run
    runs = runs.drop_duplicates("model_id", ignore_index=True)
    part = _part("run", runs, _scores(table, averages), runs["model_id"], RUN)
    part["family"] = {"label": "Fine-tuned on", "of": _texts(runs["finetuning_dataset"].replace(dict(labels)))}
    experiments = _texts(runs["exp_type"].str.removeprefix("finetuning_").str.replace("_", " "))
    part["source"] = {"label": "Experiment", "of": experiments, "first": ["data pct"]}
    for axis in axes_of("finetuning"):
        part["axes"][axis] = _axis(axis, runs[AXES[axis].column], runs["exp_type"] == _FITTED)
    return part


def mapping_part(table: pd.DataFrame, averages: AverageSettings) -> Part:
    """Collect all readouts, with their X values on the mapping axis.

    Readouts differ in kind, dataset, number of stimuli or seed.
    """
    keys = ["probe_type", "benchmark_name", "fitting_samples", "data_pct", "seed"]
    card = ["model_id", *(column for column in READOUT if column in table and column not in keys)]
    readouts = table[[*keys, *card]].drop_duplicates(keys, ignore_index=True)
    ids = _fitted_readouts(readouts.rename(columns={"probe_type": "family", "fitting_samples": "x"}))
    rows = table.merge(readouts[keys].assign(readout=ids), on=keys, validate="many_to_one")
    means = {}
    for metric in _metrics(table):
        points = mapping_points(averaged_rows(table, averages), "mapping", metric)
        means[metric] = points["score"].set_axis([_fitted_readouts(points), points["benchmark_name"]])
    part = _part("readout", readouts, _places(means, rows, "readout"), ids, READOUT)
    part["family"] = {"label": "Readout", "of": _texts(readouts["probe_type"].map(figure_name))}
    part["source"] = {"label": "Features of", "of": _texts(readouts["model_id"])}
    for axis in axes_of("mapping"):
        part["axes"][axis] = _axis(axis, readouts[AXES[axis].column], pd.Series(True, readouts.index))
    return part


def _part(noun: str, items: pd.DataFrame, scores: _Scores, ids: pd.Series, card: Mapping[str, str]) -> Part:
    of_ids = {metric: {place: _integers(of.reindex(ids)) for place, of in places.items()} for metric, places in scores.items()}
    facts = {label: _numbers(items[name]) for name, label in card.items() if name in items and items[name].notna().any()}
    return {"noun": noun, "id": ids.tolist(), "card": facts, "scores": of_ids, "axes": {}}


def _axis(name: str, x: pd.Series, fitted: pd.Series) -> dict[str, Any]:
    """Collect one axis of a part: its label and symbol, the X value of every item, and whether laws are fitted to each item."""
    axis = AXES[name]
    return {"label": axis.label, "symbol": axis.symbol, "x": _numbers(x), "fitted": fitted.astype(int).tolist()}


def _scores(table: pd.DataFrame, averages: AverageSettings) -> _Scores:
    """Return the scores of all models at every place."""
    means = {}
    for metric in _metrics(table):
        scores = benchmark_means(averaged_rows(table, averages), "model_id", metric)
        means[metric] = scores.set_index(["model_id", "benchmark_name"])["score"]
    return _places(means, table, "model_id")


def _places(means: Mapping[str, pd.Series], rows: pd.DataFrame, item: str) -> _Scores:
    """Return the scores at every place: ``means`` at benchmarks, and means of ``rows`` over subjects at ROIs."""
    rois = rows.groupby([item, "benchmark_name", "roi"], sort=False)[list(means)].mean().reset_index()
    places = rois.pop("benchmark_name") + "/" + rois.pop("roi")
    rois = rois.set_index([rois.pop(item), places])
    return {
        metric: {
            str(place): scores.droplevel(1)
            for level in (whole, rois[metric])
            for place, scores in level.groupby(level=1, sort=False)
        }
        for metric, whole in means.items()
    }


def _metrics(table: pd.DataFrame) -> list[str]:
    return [metric for metric in FITTED if metric in table and table[metric].notna().any()]


def _fitted_readouts(points: pd.DataFrame) -> pd.Series:
    """Return the name of the readout for every point that :func:`cortexscale.scaling.points.mapping_points` returns."""
    name = points["family"].map(figure_name) + ", " + points["benchmark_name"] + ", "
    name += points["data_pct"].map("{:g} %".format) + " = " + points["x"].map("{:g}".format) + " stimuli"
    return name + ", seed " + points["seed"].astype(str)


def laws(fits: pd.DataFrame, curves: pd.DataFrame, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Collect the scaling laws of one axis and metric, with constants, intervals and curves."""
    names = ["axis", "metric", "family", "benchmark_name"]
    facts = ["form", "n", "x_scale", "tau_raw", "bootstrap_unit", "bootstraps", "warnings"]
    facts += [f"{name}{end}" for name in ("E", "ln_A", "lambda", "alpha") for end in ("", "_low", "_high")]
    lines = dict(tuple(curves.groupby(names)))
    found = []
    for row in fits.to_dict("records"):
        line = lines[tuple(row[name] for name in names)]
        drawn = {name: [float(f"{value:.5g}") for value in line[name]] for name in ("x", "score", "low", "high")}
        found.append({name: _plain(row[name]) for name in (*names, *facts) if name in row} | drawn)
        found[-1]["family"] = figure_name(row["family"]) if row["axis"] == "mapping" else labels.get(row["family"], row["family"])
    return found


def distances(points: pd.DataFrame, ids: Sequence[str]) -> dict[str, list[int | None]]:
    """Return benchmark -> distance of every model from the law of all families, in units of :data:`UNIT`."""
    wide = points.pivot(index="model_id", columns="benchmark_name", values="residual").reindex(list(ids))
    return {str(benchmark): _integers(of) for benchmark, of in wide.items()}


def _integers(scores: pd.Series) -> list[int | None]:
    return [None if np.isnan(value) else round(value / UNIT) for value in scores.astype(float)]


def _texts(column: pd.Series) -> list[str]:
    return column.fillna("unknown").astype(str).tolist()


def _numbers(column: pd.Series) -> list[Any]:
    return [_plain(value) for value in column.tolist()]


def _plain(value: Any) -> Any:
    """Convert a value for JSON. Nan and infinity become None, and whole numbers lose their decimal point."""
    if isinstance(value, str | bool):
        return value
    if pd.isna(value) or np.isinf(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(f"{value:.6g}")
