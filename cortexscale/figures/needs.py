"""Needs of figures besides their tables. A need returns the reason why a study cannot draw a figure, or None if it can."""

from cortexscale.alignment.super_rois import super_roi
from cortexscale.figures.content import Available, Need

SENSORS = ("eeg", "meg")
"""Modalities whose ROIs are groups of sensors and not areas of the visual cortex."""


def experiments(*names: str) -> Need:
    """Make a need that requires all of these experiments in the section ``finetuning``."""

    def lacking(has: Available, variant: str) -> str | None:
        absent = [name for name in names if has.experiments is not None and name not in has.experiments]
        return f"finetuning.experiments has no {' and no '.join(absent)}" if absent else None

    return lacking


def one_experiment(*names: str) -> Need:
    """Make a need that requires at least one of these experiments in the section ``finetuning``."""

    def lacking(has: Available, variant: str) -> str | None:
        some = has.experiments is None or has.experiments & set(names)
        return None if some else f"finetuning.experiments has none of {', '.join(names)}"

    return lacking


def rated(fewest: int) -> Need:
    """Make a need that requires at least ``fewest`` supervised models whose task accuracy is known."""

    def lacking(has: Available, variant: str) -> str | None:
        if has.rated is None or has.rated >= fewest:
            return None
        return f"it takes {fewest} supervised models of suites, whose task accuracy is known, and the study has {has.rated}"

    return lacking


def rated_or_finetuned(has: Available, variant: str) -> str | None:
    """Require a model whose task accuracy is known, or the fine-tuning experiment on fractions of the data."""
    reason = rated(1)(has, variant)
    return reason if reason and (has.experiments is None or "data_pct" not in has.experiments) else None


def scored(has: Available, metric: str | None) -> str | None:
    """Require the metric that the variant of the figure names."""
    return has.unscored.get(metric or "")


def linear_readout(has: Available, variant: str) -> str | None:
    """Require a linear readout in the section ``mapping``."""
    linear = has.readouts is None or any(readout.startswith("linear") for readout in has.readouts)
    return None if linear else "mapping.readouts has no linear_individual"


def counted_parameters(has: Available, variant: str) -> str | None:
    """Require readouts of the study itself, because published tables lack the number of parameters of readouts."""
    return "published tables have no parameter counts of readouts" if has.readouts is None else None


def shared_projection(has: Available, variant: str) -> str | None:
    """Require a number of dimensions that all models of the projection study have in common."""
    shared = set.intersection(*map(set, has.projections.values())) if has.projections else set()
    return None if shared else "projection_study.models have no number of dimensions in common"


def several_projections(has: Available, variant: str) -> str | None:
    """Require a model whose features are projected to several numbers of dimensions."""
    several = any(len(set(dimensions)) > 1 for dimensions in has.projections.values())
    return None if several else "no model of projection_study.models has several numbers of dimensions"


def comparable(has: Available, dataset: str) -> list[str]:
    """List a dataset, followed by the other datasets with ROIs at the same stages of the visual cortex.

    A dataset whose ROIs are unknown counts as one with ROIs at these stages.
    """
    stages = {name: set(map(super_roi, of.rois)) for name, of in has.datasets.items() if of.modality not in SENSORS}
    if dataset not in stages:
        return [dataset]
    own = stages.pop(dataset)
    return [dataset, *(name for name, others in stages.items() if not own or not others or own & others)]


def another_dataset(has: Available, dataset: str) -> str | None:
    """Require another dataset with ROIs at the same stages of the visual cortex."""
    alone = len(comparable(has, dataset)) == 1
    return f"no other dataset has ROIs at the same stages of the visual cortex as {dataset}" if alone else None
