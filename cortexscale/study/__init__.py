"""The study as configuration: every key that a config file may have, with its type, default and description.

``docs/config.md`` is generated from the sections of this package.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import PositiveFloat, PositiveInt

from cortexscale.errors import Problems
from cortexscale.section import Name, Section
from cortexscale.study.alignment import Features, LayerCommitment, ProjectionStudy, Ridge, Similarity
from cortexscale.study.checks import reference_problems
from cortexscale.study.data import Dataset, Published, Scores, Simulation, StimulusSet
from cortexscale.study.experiments import Finetuning, Mapping
from cortexscale.study.files import repeated_keys
from cortexscale.study.fits import Fits
from cortexscale.study.models import Models, Training
from cortexscale.study.problems import validated


class Estimate(Section):
    """For which machine ``snakemake estimate`` predicts time and disk."""

    machine: str = "here"
    """``here`` is measured, a few seconds long; ``h200`` is arithmetic from its data sheet."""
    rates: dict[str, PositiveFloat] = {}
    """Rates of the machine that are known better; the report lists all of them by name."""
    units: dict[Name, PositiveInt] = {}
    """Dataset -> units that a subject keeps; by default the most that its reader may keep."""


class Study(Section):
    """A whole config file."""

    study: Name
    """Names the study. A results folder belongs to one study; another one is refused there."""
    results: str
    plan_without_data: bool = False
    """Plan (dry-run) although raw files are missing."""
    simulation: Simulation | None = None
    stimuli: dict[Name, StimulusSet] = {}
    datasets: dict[Name, Dataset] = {}
    models: list[Models] = []
    training: Training = Training()
    features: Features = Features()
    ridge: Ridge = Ridge()
    similarity: Similarity = Similarity()
    layer_commitment: LayerCommitment = LayerCommitment()
    projection_study: ProjectionStudy | None = None
    fits: Fits = Fits()
    mapping: Mapping | None = None
    finetuning: Finetuning | None = None
    scores: Scores | None = None
    published: Published | None = None
    estimate: Estimate = Estimate()
    figures: list[str] | Literal["all"] = []
    """Figures that are drawn by default (``snakemake list_figures`` prints all names), or ``all`` that the study can draw."""


@dataclass
class StudyRead:
    """A config file that was read, whatever is wrong with it.

    Attributes:
        study: what the config says, without the values that are wrong.
        problems: what is wrong, to be raised after further checks have added to it.
        incomplete: top-level keys of which a value is left out of ``study``. What refers to such a section may be right
            although ``study`` does not have it.
    """

    study: Study
    problems: Problems
    incomplete: frozenset[str]


def read_study(config: dict[str, Any], files: Iterable[str | Path] = ()) -> StudyRead:
    """Check a config and collect all that is wrong: keys, values, references between sections, keys given twice.

    ``{results}`` in any string stands for the results folder.

    Args:
        config: the parsed config files.
        files: where these files are, to find keys that they give twice.
    """
    stand_ins = {"study": "study", "results": "results"}
    results = config.get("results")
    filled = _filled(config, results if isinstance(results, str) else stand_ins["results"])
    read = validated(Study, filled, stand_ins=stand_ins)
    assert read.value is not None, "all other top-level keys are optional"
    problems = Problems()
    problems.found += [*repeated_keys(map(Path, files)), *read.problems, *reference_problems(read)]
    return StudyRead(read.value, problems, frozenset(str(path[0]) for path in read.removed))


def load_study(config: dict[str, Any]) -> Study:
    """Check a config and return it as a Study. Arguments are those of :func:`read_study`.

    Raises:
        InputError: lists every problem of the config with its key and what to do.
    """
    read = read_study(config)
    read.problems.require_none()
    return read.study


def _filled(value: Any, results: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(entry, results) for key, entry in value.items()}
    if isinstance(value, list):
        return [_filled(entry, results) for entry in value]
    return value.replace("{results}", results) if isinstance(value, str) else value
