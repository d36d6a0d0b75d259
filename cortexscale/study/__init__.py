"""The study as configuration: every key of a config file, with its type, its default and its line of ``docs/config.md``."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import PositiveFloat, PositiveInt

from cortexscale.section import Name, Section
from cortexscale.study.checks import reference_problems, repeated_keys
from cortexscale.study.data import Dataset, Published, Scores, Simulation
from cortexscale.study.experiments import Finetuning, LayerCommitment, Mapping, Metrics, ProjectionStudy
from cortexscale.study.features import Features
from cortexscale.study.fits import Fits
from cortexscale.study.images import StimulusSet
from cortexscale.study.models import Models, Training
from cortexscale.study.problems import Validated, validated
from cortexscale.study.ridge import Ridge


class Estimate(Section):
    """The machine for which ``snakemake estimate`` predicts time and disk."""

    machine: Literal["here", "h200", "slowest"] = "here"
    """`here` is measured within seconds, `h200` calculated from its data sheet; time limits are those of `slowest`."""
    rates: dict[str, PositiveFloat] = {}
    """Rate → value, for rates of the machine that you know better. The report lists all rates by name."""
    units: dict[Name, PositiveInt] = {}
    """Dataset → number of units that a subject keeps. The default is the largest number that the reader may keep."""


class Study(Section):
    """A whole config file."""

    study: Name
    """Name of the study. A results folder belongs to one study; another study is refused there."""
    results: str
    """Folder of all results. `{results}` in any string of the config stands for it."""
    plan_without_data: bool = False
    """Plan a dry-run (`snakemake -n`) even if raw files are missing. A real run needs all files in any case."""
    simulation: Simulation | None = None
    """Invent the data: labelled images, and recordings of a brain whose truth is known, in the released layouts."""
    stimuli: dict[Name, StimulusSet] = {}
    """Name → stimulus set. Features are extracted once per model and stimulus set."""
    datasets: dict[Name, Dataset] = {}
    """Name → neural dataset."""
    models: list[Models] = []
    """Sources of models. The keys of a source depend on its `source`."""
    training: Training = Training()
    """Resources for the training of a suite."""
    features: Features = Features()
    """Extraction of features."""
    ridge: Ridge = Ridge()
    """Ridge regression from features to responses."""
    metrics: Metrics = Metrics()
    """Metrics of alignment in addition to Pearson r of the responses that ridge regression predicts."""
    layer_commitment: LayerCommitment = LayerCommitment()
    """Choice of the layer of each model and ROI."""
    projection_study: ProjectionStudy | None = None
    """Compare random projections with all activations (figures S9 and S10). Without this section the stage is left out."""
    fits: Fits = Fits()
    """Scaling laws."""
    mapping: Mapping | None = None
    """Fit readouts to growing numbers of stimuli (paper, sections 4.7 to 4.9). Without this section no readouts are fitted."""
    finetuning: Finetuning | None = None
    """Fine-tune models on responses and their task (paper, sections 4.3 to 4.6). Without this section no model is."""
    scores: Scores | None = None
    """Fit scaling laws to a published table of scores, too."""
    published: Published | None = None
    """Take the result tables that the authors of the paper published, in place of datasets and models."""
    estimate: Estimate = Estimate()
    """The machine for which `snakemake estimate` predicts time and disk."""
    figures: Literal["all"] | list[str] = []
    """Figures that are drawn by default, or `all` that the study can draw. `snakemake list_figures` prints their names."""


def read_study(config: dict[str, Any], files: Iterable[str | Path] = ()) -> Validated[Study]:
    """Check a config and collect all that is wrong: keys, values, references between sections, keys given twice.

    Args:
        config: the parsed config files. ``{results}`` in any string stands for the results folder.
        files: paths of the config files, to find keys that they give twice.
    """
    stand_ins = {"study": "study", "results": "results"}
    results = config.get("results")
    filled = _filled(config, results if isinstance(results, str) else stand_ins["results"])
    read = validated(Study, filled, stand_ins=stand_ins)
    read.problems.found = [*repeated_keys(map(Path, files)), *read.problems.found, *reference_problems(read)]
    return read


def load_study(config: dict[str, Any]) -> Study:
    """Check a config and return it as a Study, or raise an InputError that lists every problem."""
    return read_study(config).sound()


def _filled(value: Any, results: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(entry, results) for key, entry in value.items()}
    if isinstance(value, list):
        return [_filled(entry, results) for entry in value]
    return value.replace("{results}", results) if isinstance(value, str) else value
