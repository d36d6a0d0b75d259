"""This module defines every key of a config file: its type, its default and its description in ``docs/config.md``."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import PositiveFloat, PositiveInt

from cortexscale.catalogue.metrics import CALIBRATED, TRUE
from cortexscale.section import AllOr, FilePath, Name, Named, Once, Refused, Section, expanded
from cortexscale.study.checks import reference_problems, repeated_keys
from cortexscale.study.data import Dataset, Published, Scores, Simulation
from cortexscale.study.downloads import Download
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
    """`here` is this machine: its rates are measured within seconds. The rates of `h200` are calculated from its data sheet.
    `slowest` is the machine from which the time limits of jobs are calculated."""
    rates: dict[str, PositiveFloat] = {}
    """Rate → value, for rates of the machine that you know yourself. The report lists the names of all rates."""
    units: dict[Name, PositiveInt] = {}
    """Dataset → number of units per subject that pass the selection. The default is the largest number that the reader can
    keep."""


class Study(Section):
    """All keys of a config file."""

    study: Name
    """Name of the study. A results folder belongs to one study, and no other study can write there."""
    results: FilePath
    """Folder of all results. In any string of the config, `{results}` stands for this folder."""
    plan_without_data: bool = False
    """Allow a dry-run (`snakemake -n`) even if raw files are missing. A real run always needs all files."""
    downloads: dict[FilePath, Download] = {}
    """File → its address. A file that the study needs and that is missing is downloaded to this path and verified. A file that
    you put there yourself is verified as well, and gives the same results."""
    offline: bool = False
    """Download nothing of the section `downloads`. Models whose weights are missing are left out. Other missing files are an
    error that says where to get them."""
    simulation: Simulation | None = None
    """Simulate the data: labelled images, and recordings of a brain whose true responses are known. The files have the same
    layout as the released files."""
    stimuli: Named[StimulusSet] = {}
    """Name → stimulus set. Features are extracted once per model and stimulus set."""
    datasets: Named[Dataset] = {}
    """Name → neural dataset."""
    models: Once[Models] = []
    """Sources of models. The key `source` of each entry decides which other keys it has."""
    training: Training = Training()
    """Resources for training the models of a suite."""
    features: Features = Features()
    """Extraction of features."""
    ridge: Ridge = Ridge()
    """Ridge regression from features to responses."""
    metrics: Metrics = Metrics()
    """Metrics of alignment in addition to Pearson r between predicted and measured responses."""
    layer_commitment: LayerCommitment = LayerCommitment()
    """For each model and ROI, choice of the layer that predicts the responses in the ROI."""
    projection_study: ProjectionStudy | None = None
    """Compare projected features with all activations (figures S9 and S10). Without this section the stage is left out."""
    fits: Fits = Fits()
    """Scaling laws."""
    mapping: Mapping | None = None
    """Fit readouts to growing numbers of stimuli (paper, sections 4.7 to 4.9). Without this section no readouts are fitted."""
    finetuning: Finetuning | None = None
    """Fine-tune models on responses and on their task together (paper, sections 4.3 to 4.6). Without this section no model is
    fine-tuned."""
    scores: Scores | None = None
    """Fit scaling laws to a published table of scores as well."""
    published: Published | None = None
    """Use the result tables that the authors of the paper published, instead of datasets and models."""
    estimate: Estimate = Estimate()
    """The machine for which `snakemake estimate` predicts time and disk."""
    figures: AllOr[str] = []
    """Names of the figures that are drawn by default, or `all` for every figure that the study can draw. `snakemake list_figures`
    prints the names."""

    @property
    def unscored(self) -> dict[str, str]:
        """Metric of the test stimuli that the study lacks -> the reason."""
        reasons = self.metrics.unscored
        if self.published:
            reasons |= {CALIBRATED: "published tables do not have the noise ceilings of all examined units"}
        if not (self.simulation and self.datasets.keys() <= self.simulation.datasets.keys()):
            reasons |= {TRUE: "only simulated recordings have noise-free responses"}
        return reasons


def read_study(config: dict[str, Any], files: Iterable[str | Path] = ()) -> Validated[Study]:
    """Check a config and collect all its problems: wrong keys or values, references to undefined names, and repeated keys.

    Args:
        config: the parsed config files. ``{results}`` in any string stands for the results folder.
        files: paths of the config files, which are searched for repeated keys.
    """
    stand_ins = {"study": "study", "results": "results"}
    try:
        results = expanded(config["results"])
    except (KeyError, TypeError, Refused):  # the wrong value is reported together with other problems
        results = stand_ins["results"]
    filled = _filled(config, results)
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
