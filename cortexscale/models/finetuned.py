"""Fine-tuned models: their ids, their training data, and the experiments that use them.

The plan loads this module, so it does not import torch.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from cortexscale.errors import InputError
from cortexscale.models.model import Model, TunedBuilder
from cortexscale.models.tuning import Tuning
from cortexscale.section import LONGEST
from cortexscale.study.data import Dataset
from cortexscale.study.experiments import Finetuning, FinetuningGrid

BASELINE = "+baseline"
"""Suffix of the id of a base model's baseline, which is evaluated in the same way as the fine-tuned models."""


def tunings(section: Finetuning, datasets: Mapping[str, Dataset]) -> tuple[dict[str, Tuning], dict[str, list[str]]]:
    """Return every fine-tuned model of a study by id, and the names of the experiments that use it.

    Ids are ``<base>+<recipe>-<dataset>[-<rois>][-<k>subjects][-permuted]-<percent>-s<seed>``. ROIs are named only if they differ
    from the ``targets`` of the section. Two different models with the same id raise an
    InputError, and so does an id that is too long for the name of a file.
    """
    models: dict[str, Tuning] = {}
    experiments: dict[str, list[str]] = {}
    for name, grids in section.experiments.items():
        for tuning in (tuning for grid in grids for tuning in _combinations(grid, section, datasets)):
            id = _id(tuning, _ordered(section.targets.get(tuning.dataset, ()), datasets[tuning.dataset]))
            if len(id) > LONGEST:
                expected = f"at most {LONGEST} characters, because files are named by the id"
                remedy = "fit fewer ROIs together, or make names of models, recipes and datasets shorter"
                raise InputError(f"config key finetuning.experiments.{name}", f"a model with the id {id}", expected, remedy)
            if models.setdefault(id, tuning) != tuning:
                found = f"two different models with the id {id}: {models[id]} and {tuning}"
                remedy = "rename a recipe or dataset: names are joined by `-`"
                raise InputError("config key finetuning.experiments", found, "one model for each id", remedy)
            wanted = experiments.setdefault(id, [])
            wanted += [name] if name not in wanted else []
    return models, experiments


def _combinations(grid: FinetuningGrid, section: Finetuning, datasets: Mapping[str, Dataset]) -> Iterator[Tuning]:
    sets = {name: grid.rois.get(name) or [section.targets[name]] for name in grid.datasets or grid.rois or section.targets}
    fitted = [(name, _ordered(rois, datasets[name])) for name, of in sets.items() for rois in of]
    subject_counts: Sequence[int | None] = grid.subjects or [None]
    how = product(grid.models, grid.recipes, fitted, subject_counts, grid.percent, grid.seeds or section.seeds)
    for base, recipe, (dataset, rois), subjects, percent, seed in how:
        yield Tuning(base, recipe, dataset, rois, subjects, grid.permuted, percent, seed)


def _ordered(rois: list[str] | tuple[()], dataset: Dataset) -> tuple[str, ...]:
    return tuple(roi for roi in dataset.rois if roi in rois)


def _id(tuning: Tuning, targets: tuple[str, ...]) -> str:
    what = [tuning.recipe, tuning.dataset]
    what += [re.sub(r"[^\w.-]", "_", "_".join(tuning.rois))] if tuning.rois != targets else []
    what += [f"{tuning.subjects}subjects"] if tuning.subjects else []
    what += ["permuted"] if tuning.permuted else []
    return f"{tuning.base}+{'-'.join(what)}-{tuning.percent:g}-s{tuning.seed}"


def finetuned_model(id: str, base: Model, checkpoint: str) -> Model:
    """Make the Model of a fine-tuned model. It uses the committed layers of the reference model of its base model."""
    return replace(
        base, id=id, source="finetuned", builder=TunedBuilder(base), checkpoint=checkpoint, ema="auto", weights_at=None
    )


def baseline(base: Model) -> Model:
    """Make the Model of a base model's baseline, which has an id of its own."""
    return replace(base, id=base.id + BASELINE)
