"""The study as configuration: every key that a config file may have, typed, documented and checked.

``config/config.yaml`` shows each key in use. All problems of a file are reported at once.
"""

from typing import Any

from pydantic import PositiveFloat, PositiveInt, ValidationError, model_validator

from cortexscale.errors import InputError
from cortexscale.study.alignment import Features, LayerCommitment, ProjectionStudy, Ridge, Similarity
from cortexscale.study.data import Dataset, Published, Scores, Simulation, StimulusSet
from cortexscale.study.experiments import Finetuning, Mapping
from cortexscale.study.fits import Fits
from cortexscale.study.models import Models, PublishedSuite, Training
from cortexscale.study.section import Name, Section, describe


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
    figures: list[str] = []

    @model_validator(mode="after")
    def references_exist(self) -> "Study":
        missing = [f"datasets.{name}.stimuli: {d.stimuli}" for name, d in self.datasets.items() if d.stimuli not in self.stimuli]
        if missing:
            raise ValueError(f"no such stimulus set: {', '.join(missing)}; the config has {sorted(self.stimuli)}")
        if self.published and (self.datasets or self.models):
            raise ValueError("published tables take the place of datasets and models: give `published`, or these")
        if self.datasets and not self.models:
            raise ValueError("datasets without models: list at least one model source under `models`")
        folders = sorted({source.path for source in self.models if isinstance(source, PublishedSuite) and source.download})
        if len(folders) > 1:
            raise ValueError(f"models: spvvs checkpoints are downloaded to one folder, not to {' and '.join(folders)}")
        unknown = set(self.projection_study.stimuli or ()) - set(self.stimuli) if self.projection_study else ()
        if unknown:
            raise ValueError(f"projection_study.stimuli: {', '.join(sorted(unknown))} not among {', '.join(self.stimuli)}")
        unknown = [f"estimate.units.{name}" for name in self.estimate.units if name not in self.datasets]
        if unknown:
            raise ValueError(f"no such dataset: {', '.join(unknown)}; the config has {sorted(self.datasets)}")
        if self.mapping:
            named = {f"mapping.recipes.{kind}.{name}": name for kind, of in self.mapping.recipes.items() for name in of}
            named = {key: name for key, name in named.items() if name != "all"}
            named |= {f"mapping.datasets: {name}": name for name in self.mapping.datasets}
            unknown = [key for key, name in named.items() if name not in self.datasets]
            if unknown:
                raise ValueError(f"no such dataset: {', '.join(unknown)}; the config has {sorted(self.datasets)}")
        if self.finetuning:
            self._require_finetuned_datasets(self.finetuning)
        for name in self.simulation.datasets if self.simulation else ():
            expected = f"{self.results}/raw/{name}"
            found = self.datasets[name].path if name in self.datasets else "no such dataset"
            if found != expected:
                path = f"simulation.datasets.{name}: datasets.{name}.path"
                raise ValueError(f"{path} must be '{{results}}/raw/{name}' (found {found})")
        return self

    def _require_finetuned_datasets(self, section: Finetuning) -> None:
        """Datasets that the section names, their ROIs and as many subjects as it wants are those of the study."""
        named = {f"finetuning.targets.{name}": (name, rois) for name, rois in section.targets.items()}
        named |= {f"finetuning.benchmarks: {name}": (name, []) for name in section.benchmarks or ()}
        for where, grid in section.grids():
            regions = {name: [roi for rois in sets for roi in rois] for name, sets in grid.rois.items()}
            named |= {f"finetuning.{where}.rois.{name}": (name, rois) for name, rois in regions.items()}
        for key, (name, rois) in named.items():
            if name not in self.datasets:
                raise ValueError(f"no such dataset: {key}; the config has {sorted(self.datasets)}")
            unknown = [roi for roi in rois if roi not in self.datasets[name].rois]
            if unknown:
                raise ValueError(
                    f"no such ROI: {key}: {', '.join(unknown)}; the dataset has {', '.join(self.datasets[name].rois)}"
                )
        for where, grid in section.grids():
            for name in grid.datasets or grid.rois or section.targets:
                dataset, most = self.datasets[name], max(grid.subjects or [0])
                scored = dataset.best_subjects.count if dataset.best_subjects else len(dataset.subjects)
                if most > scored:
                    raise ValueError(f"finetuning.{where}.subjects: {most}, but {scored} subjects of {name} are scored")


def load_study(config: dict[str, Any]) -> Study:
    """Check a parsed config file and return it as a Study.

    ``{results}`` in any string stands for the results root.

    Raises:
        InputError: lists every problem of the file with its path and, for a misspelt key, the nearest known one.
    """
    results = str(config.get("results", ""))

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [fill(entry) for entry in value]
        return value.replace("{results}", results) if isinstance(value, str) else value

    try:
        return Study.model_validate(fill(config))
    except ValidationError as error:
        problems = [describe(problem) for problem in error.errors()]
        raise InputError(
            "the config",
            f"{len(problems)} problem(s)\n" + "\n".join(f"      - {problem}" for problem in problems),
            "a config as documented in config/config.yaml",
            "correct the lines named above",
        ) from None
