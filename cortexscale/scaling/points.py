"""The points of a scaling axis: the X, score and family of every model, fine-tuning run or readout."""

import logging

import numpy as np
import pandas as pd

from cortexscale.alignment.averages import benchmark_means, mean_scores
from cortexscale.catalogue.axes import AXES, MODEL_AXES
from cortexscale.catalogue.metrics import ALIGNMENT
from cortexscale.models.inventory import SUITES
from cortexscale.models.roles import KINDS, are_flex, common_base, families, kinds

log = logging.getLogger(__name__)

ALL = "all"
"""Family name of the law that is fitted to all families together, as in figure 2."""
MODEL_COLUMNS = ["model_id", "backbone_source", "backbone_arch", "backbone_arch_family", "backbone_n_params"]
MODEL_COLUMNS += ["pretraining_dataset", "pretraining_samples_per_class", "pretraining_seed", "pretraining_n_samples"]
MODEL_COLUMNS += ["pretraining_total_flops_estimate", "held_out", "is_selfsupervised_learning", "is_adversarially_finetuned"]
_READOUT = ["probe_type", "benchmark_name", "fitting_samples", "data_pct", "seed"]
_RUN = ["model_id", "finetuning_dataset", "fitting_samples", "data_pct", "seed"]


def benchmark_scores(pretraining: pd.DataFrame, metric: str = ALIGNMENT) -> pd.DataFrame:
    """Average the scores of each model on each benchmark and over all benchmarks.

    The columns are ``MODEL_COLUMNS``, ``benchmark_name``, ``score`` and ``n_benchmarks``.
    """
    models = pretraining[MODEL_COLUMNS].drop_duplicates("model_id")
    scores = benchmark_means(pretraining, "model_id", metric)
    return scores.merge(models, on="model_id", validate="many_to_one")


def axis_points(scores: pd.DataFrame, axis: str) -> pd.DataFrame:
    """Select the models with a score and an X on an axis of pretraining, and add ``x``, ``family``, ``flex`` and ``fitted``.

    A family of flexible width belongs to the family of which it is a variant. A model is ``fitted`` if it is not held out and is
    of the kind that varies along this axis. A model with an unknown number of samples per class counts as trained on full data.
    A model whose X is 0, negative or infinite has no point on a logarithmic axis, and a warning names it.
    """
    spec, flex, fitted = MODEL_AXES[axis], are_flex(scores), kinds(scores) == "fitted"
    if spec.full_data_only:
        fitted &= scores["pretraining_samples_per_class"].fillna(0) == 0
    if not spec.with_flex:
        fitted &= ~flex
    x = scores[spec.column].astype(float)
    wrong = ~((x > 0) & np.isfinite(x)) & x.notna()
    if wrong.any():
        models = scores.loc[wrong, "model_id"].drop_duplicates().tolist()
        log.warning("axis %s has no point of %s: %s is not above 0", axis, ", ".join(models[:5]), spec.column)
    x = x.mask(wrong)
    points = scores.assign(x=x, family=families(scores), flex=flex, fitted=fitted)
    return points.dropna(subset=["x", "score"])


def worth_showing(points: pd.DataFrame, *, special: bool) -> pd.Series:
    """Tell whether a figure of an axis shows a point. ``special`` includes self-supervised and adversarial models of suites."""
    kind = kinds(points)
    hidden = kind == "fitted"  # models of suites that do not vary along the axis
    if not special:
        hidden |= kind.isin(["adversarial", "self-supervised"]) & points["backbone_source"].isin(SUITES)
    return points["fitted"] | ~hidden


def no_law_because(points: pd.DataFrame) -> str:
    """Explain why no law could be fitted to the models of an axis."""
    models = points.drop_duplicates("model_id")
    if len(models) and kinds(models).ne("fitted").all():
        return f"all {len(models)} models are held out; `fit: true` on their entries of `models` makes them points of the laws"
    return f"{models['fitted'].sum()} of {len(models)} models are points of the laws, which are too few or do not differ in X"


def law_families(points: pd.DataFrame, axis: str) -> list[tuple[str, pd.DataFrame]]:
    """List the sets of points to which laws are fitted: all families together, and each family that varies along the axis."""
    fitted = points[points["fitted"]]
    members = [(str(name), models) for name, models in fitted.groupby("family")]
    if MODEL_AXES[axis].across_architectures:
        members = [(name, models) for name, models in members if models["backbone_arch"].nunique() > 1]
    return [(ALL, fitted), *members]


def mapping_points(mapping: pd.DataFrame, axis: str, metric: str = ALIGNMENT) -> pd.DataFrame:
    """Make one point per readout, dataset, number of stimuli and seed: the mean over all rows, which are subjects and ROIs.

    If subjects have different numbers of stimuli, as in NSD, every number of stimuli has its own point. Rows have equal weights
    here, while on the axes of pretraining ROIs have equal weights.
    """
    return _with_x(mean_scores(mapping, _READOUT, metric, levels=()), axis)


def finetuning_points(finetuning: pd.DataFrame, axis: str, metric: str = ALIGNMENT) -> pd.DataFrame:
    """Make the points of the experiment on the amount of data.

    Each fine-tuned model has one point for each benchmark and one for the average over benchmarks. If the experiment
    has several base models, only the base model with the most scores is used.
    """
    rows = common_base(finetuning[finetuning["exp_type"] == "finetuning_data_pct"])
    means = benchmark_means(rows, "model_id", metric)
    return _with_x(means.merge(rows[_RUN].drop_duplicates("model_id"), on="model_id", validate="many_to_one"), axis)


def _with_x(points: pd.DataFrame, axis: str) -> pd.DataFrame:
    spec = AXES[axis]
    points = points.dropna(subset="score").rename(columns={spec.family: "family"})
    return points.assign(x=points.pop(spec.column).astype(float))


def points_of(table: pd.DataFrame, axis: str, metric: str) -> pd.DataFrame:
    """Make the points of any axis from the result table of the axis."""
    if axis in MODEL_AXES:
        return axis_points(benchmark_scores(table, metric), axis)
    make = {"finetuning": finetuning_points, "mapping": mapping_points}[AXES[axis].table]
    return make(table, axis, metric)


def selected_scores(pretraining: pd.DataFrame) -> pd.DataFrame:
    """Select the scores of the largest model of every kind and family (paper, appendix E.2), and give models unique names.

    Among models of the same size, models trained on ImageNet are preferred, because adversarial copies are trained on ImageNet.
    If several models remain, the model with the most training images is chosen. Among models with equally many images, the
    first id is chosen.
    """
    scores = benchmark_scores(pretraining).dropna(subset="score")
    models = scores.drop_duplicates("model_id")
    kind = kinds(models)
    models = models.assign(family=families(models), kind=kind, place=kind.map(KINDS.index))
    models = models.assign(elsewhere=models["pretraining_dataset"] != "imagenet")
    ranks = {"backbone_n_params": False, "elsewhere": True, "pretraining_n_samples": False, "model_id": True}
    models = models.sort_values(list(ranks), ascending=list(ranks.values()))
    chosen = models.drop_duplicates(["kind", "family"]).sort_values(["place", "family"])
    special = chosen["kind"].isin(["adversarial", "self-supervised"])
    names = chosen["backbone_arch"] + (" (" + chosen["kind"] + ")").where(special, "")
    chosen = chosen.assign(name=names.mask(names.duplicated(keep=False), chosen["model_id"]))
    return chosen[["model_id", "kind", "family", "name"]].merge(scores, on="model_id", validate="one_to_many")
