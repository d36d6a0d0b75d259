"""Checks of folds, components and percentages in the config: a dataset may have too few training stimuli for them."""

from collections.abc import Collection, Iterator

from cortexscale.errors import InputError, Problems
from cortexscale.plan.data import DataPlan
from cortexscale.study import Study
from cortexscale.study.experiments import Finetuning, Mapping

_FEWEST = 2
"""Smallest number of stimuli that a readout or a fine-tuned model can be fitted to."""


def check_counts(study: Study, data: DataPlan, datasets: Collection[str], problems: Problems) -> None:
    """Report numbers in the config for which a dataset cannot have enough training stimuli.

    Each dataset among ``datasets`` is assumed to have as many training stimuli as its reader can keep.
    """
    stimuli = {name: data.shape(name)[0] for name in datasets}
    if not stimuli:
        return
    smallest = min(stimuli, key=lambda name: stimuli[name])
    fewest, of = stimuli[smallest], f"the training stimuli of {smallest}"
    if study.ridge.folds.count > fewest:
        problems.found.append(_too_many("ridge.folds.count", study.ridge.folds.count, f"at most {fewest}, {of}"))
    components = study.metrics.pls_components
    if components and components >= fewest:
        problems.found.append(_too_many("metrics.pls_components", components, f"below {fewest}, {of}"))
    if study.mapping:
        problems.found += _mapping(study.mapping, stimuli)
    if study.finetuning:
        problems.found += _finetuning(study.finetuning, stimuli)


def _too_many(key: str, found: int, expected: str) -> InputError:
    return InputError(f"config key {key}", str(found), expected, "lower it")


def _too_small(key: str, percents: Collection[float], datasets: Collection[str], stimuli: dict[str, int]) -> Iterator[InputError]:
    """Yield an error for each dataset of which some percentages leave too few stimuli."""
    for name in datasets:
        small = [f"{percent:g}" for percent in percents if int(stimuli.get(name, 100 * _FEWEST) * percent / 100) < _FEWEST]
        if name in stimuli and small:
            found = f"{', '.join(small)} percent of the {stimuli[name]} training stimuli of {name}"
            yield InputError(f"config key {key}", found, f"at least {_FEWEST} stimuli", "leave these percentages out")


def _mapping(section: Mapping, stimuli: dict[str, int]) -> Iterator[InputError]:
    yield from _too_small("mapping.percent", section.percent, section.datasets, stimuli)
    for name in section.datasets:
        seen = int(stimuli.get(name, 0) * min(section.percent) / 100)
        if seen >= _FEWEST and section.validation_fraction and not 0 < round(section.validation_fraction * seen) < seen:
            found = f"{section.validation_fraction:g} of {seen} stimuli of {name}, {min(section.percent):g} percent of all"
            expected = "a fraction that leaves stimuli to train on and stimuli to validate on"
            yield InputError("config key mapping.validation_fraction", found, expected, "correct it, or raise the percentages")


def _finetuning(section: Finetuning, stimuli: dict[str, int]) -> Iterator[InputError]:
    for path, grid in section.grids():
        datasets = grid.datasets or list(grid.rois) or list(section.targets)
        yield from _too_small(".".join(map(str, ("finetuning", *path, "percent"))), grid.percent, datasets, stimuli)
