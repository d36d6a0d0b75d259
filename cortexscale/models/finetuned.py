"""Fine-tuned models: their ids, what each is trained on, and the experiments that want it. Light: the plan loads this module."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

from cortexscale.errors import InputError
from cortexscale.models.inventory import Model
from cortexscale.study.data import Dataset
from cortexscale.study.experiments import Finetuning, FinetuningGrid

BASELINE = "+baseline"
"""Ends the id under which a base model is evaluated as its fine-tuned models are."""


@dataclass(frozen=True)
class Tuning:
    """What a fine-tuned model is trained on, and from where.

    Attributes:
        base: id of the model that it begins with.
        recipe: name of the recipe.
        dataset: whose responses are fitted; in ``rois``, in the order of the dataset.
        subjects: how many, chosen at random; None for all that are scored.
        permuted: responses are paired with stimuli at random.
        percent: of the training stimuli.
        seed: of the subset, the subjects, the permutation and the order of batches.
    """

    base: str
    recipe: str
    dataset: str
    rois: tuple[str, ...]
    subjects: int | None
    permuted: bool
    percent: float
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "rois": list(self.rois)}


def tunings(section: Finetuning, datasets: Mapping[str, Dataset]) -> tuple[dict[str, Tuning], dict[str, list[str]]]:
    """Every fine-tuned model of a study once, and which experiments want it.

    Ids are ``<base>+<recipe>-<dataset>[-<rois>][-<k>subjects][-permuted]-<percent>-s<seed>``; ROIs are named where they are not
    those of the section's ``targets``.

    Returns:
        Id -> what the model is trained on, in the order of the config; and id -> names of experiments.

    Raises:
        InputError: two different models have one id.
    """
    models: dict[str, Tuning] = {}
    experiments: dict[str, list[str]] = {}
    for name, grids in section.experiments.items():
        for tuning in (tuning for grid in grids for tuning in _combinations(grid, section, datasets)):
            id = _id(tuning, _ordered(section.targets.get(tuning.dataset, ()), datasets[tuning.dataset]))
            if models.setdefault(id, tuning) != tuning:
                found = f"two different models with the id {id}: {models[id].as_dict()} and {tuning.as_dict()}"
                remedy = "rename a recipe or dataset: names are joined by `-`"
                raise InputError("config key finetuning.experiments", found, "one model for each id", remedy)
            wanted = experiments.setdefault(id, [])
            wanted += [name] if name not in wanted else []
    return models, experiments


def _combinations(grid: FinetuningGrid, section: Finetuning, datasets: Mapping[str, Dataset]) -> Iterator[Tuning]:
    sets = {name: grid.rois.get(name) or [section.targets[name]] for name in grid.datasets or grid.rois or section.targets}
    fitted = [(name, _ordered(rois, datasets[name])) for name, of in sets.items() for rois in of]
    how = product(grid.models, grid.recipes, fitted, grid.subjects or [None], grid.fractions, grid.seeds or section.seeds)
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
    """The inventory entry of a fine-tuned model, which uses the committed layers of its base model's reference."""
    return replace(base, id=id, source="finetuned", builder={"base": base.as_dict()}, checkpoint=checkpoint)


def baseline(base: Model) -> Model:
    """A base model under the id by which it is evaluated as fine-tuned models are."""
    return replace(base, id=base.id + BASELINE)
