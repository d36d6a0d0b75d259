"""Sections of recordings: datasets, their simulation, and tables that others published."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from cortexscale.section import Contradiction, Name, NonEmpty, Section
from cortexscale.study.targets import BestSubjects, DatasetTargets

Modality = Literal["ephys", "fmri", "eeg", "meg", "calcium", "behaviour"]


class Dataset(Section):
    """One neural dataset."""

    label: str
    """Name in figures and tables, such as `TVSD-EP`. It identifies nothing and may be changed at any time."""
    modality: Modality | None = None
    """Method of recording; by default, what the reader says."""
    reader: Annotated[str, Field(pattern=r"^(\w+|\S+\.py)$")]
    """A built-in reader, such as `tvsd`, or the path of your own: `my/reader.py` (docs/adding_a_dataset.md)."""
    stimuli: Name
    """Stimulus set that was shown, a key of `stimuli`."""
    path: str
    """Folder of the raw files."""
    subjects: NonEmpty[Name]
    """Subjects that are read. The reader names those of its release."""
    rois: NonEmpty[str]
    """Regions of interest that are scored. The reader names those of its release."""
    best_subjects: BestSubjects | None = None
    """Score only the subjects with the highest noise ceilings. All subjects are read. By default all are scored."""
    options: dict[str, Any] = {}
    """Options of the reader. Those of built-in readers are listed below; `check_dataset` checks those of your own."""

    @property
    def targets(self) -> DatasetTargets:
        """The responses that models are scored on."""
        return DatasetTargets(self.rois, self.best_subjects)

    @property
    def scored(self) -> int:
        """Number of subjects that are scored."""
        return self.best_subjects.count if self.best_subjects else len(self.subjects)

    def contradictions(self) -> Iterator[Contradiction]:
        if self.scored > len(self.subjects):
            expected, remedy = f"at most {len(self.subjects)}, the number of `subjects`", "correct it, or leave best_subjects out"
            yield Contradiction("best_subjects.count", str(self.scored), expected, remedy)


class SimulatedThings(Section):
    """Simulated images in the layout of THINGS."""

    concepts: PositiveInt
    """Number of concepts."""
    images_per_concept: Annotated[int, Field(ge=2)]
    """Images of each concept."""


class Simulation(Section):
    """Images, and recordings of a brain whose truth is known, in the released layouts."""

    image_size: PositiveInt
    """Height and width of the labelled images, in pixels."""
    task_images: PositiveInt
    """Number of labelled training images."""
    validation_images: PositiveInt
    """Number of labelled validation images."""
    things: SimulatedThings
    """Images in the layout of THINGS, from which several datasets show a part."""
    hidden_network_steps: PositiveInt
    """Training steps of the network that the higher areas of the simulated brain are read from."""
    seed: int = 0
    """Seed of all images and recordings."""
    datasets: dict[Name, dict[str, Any]] = {}
    """Simulated dataset → settings of its simulator. The `path` of the dataset must be `{results}/raw/<dataset>`."""


class Scores(Section):
    """Scaling fits to a published table of scores (Gokce & Schrimpf 2025)."""

    path: str
    """The table; if `url` is given, the place that it is downloaded to."""
    url: str | None = None
    """Address that the table is downloaded from; not needed for a file that is there."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Checksum of the download."""
    experiments: Literal["all"] | list[str] = "all"
    """Names of the fits, such as `compute_neuro`, or `all`."""
    bootstraps: PositiveInt = 1000
    """Bootstrap resamples of every fit."""
    seed: int = 42
    """Seed of the resamples; 42 gives the published ones."""


class Published(Section):
    """Result tables that the authors of the paper published, in place of recordings and models."""

    path: str
    """Folder of the four parquet files, such as `pretraining_results_with_metadata.parquet`."""
    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    """Data set of the Hugging Face hub that missing files are downloaded from."""
    revision: str = "main"
    """Branch, tag or commit of `repo`. A commit pins the tables."""
    labels: dict[str, str]
    """Reader → name of its dataset in figures, in the order of the figures."""
