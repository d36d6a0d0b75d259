"""Sections of the config for data: datasets, simulated data, and published tables."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveInt

from cortexscale.section import AllOr, Contradiction, FilePath, Label, Name, NonEmpty, RoiName, Section, Seed, apart, expanded
from cortexscale.study.targets import BestSubjects, DatasetTargets

Modality = Literal["ephys", "fmri", "eeg", "meg", "calcium", "behaviour"]


class Dataset(Section):
    """One neural dataset."""

    label: Label
    """Name of the dataset in figures and tables, such as `TVSD-EP`. Two datasets cannot have the same label. You can change it at
    any time, because datasets are found by their keys in `datasets` and not by this name."""
    modality: Modality | None = None
    """Method of recording. The default is the modality that the reader states."""
    reader: Annotated[str, Field(pattern=r"^(\w+|.+\.py)$"), AfterValidator(expanded)]
    """A built-in reader, such as `tvsd`; `table` for a recording that `options` describe (docs/describing_a_dataset.md); or the
    path of your own reader, such as `my/reader.py` (docs/adding_a_dataset.md)."""
    stimuli: Name
    """Stimulus set that the subjects were shown: a key of `stimuli`."""
    path: FilePath
    """Folder of the raw files."""
    subjects: Annotated[NonEmpty[Name], AfterValidator(apart)]
    """Subjects that are read. The reader defines the names that are allowed."""
    rois: Annotated[NonEmpty[RoiName], AfterValidator(apart)]
    """Regions of interest that are scored. The reader defines the names that are allowed."""
    best_subjects: BestSubjects | None = None
    """Score only the subjects with the highest noise ceilings; all subjects are still read. By default all subjects are
    scored."""
    options: dict[str, Any] = {}
    """Options of the reader. The options of built-in readers are listed below. `check_dataset` checks the options of your own
    reader."""

    @property
    def targets(self) -> DatasetTargets:
        """The ROIs and subjects on which models are scored."""
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
    """Number of images of each concept."""


class Simulation(Section):
    """Simulated images, and recordings of a brain whose true responses are known, in the layouts of the released files."""

    image_size: PositiveInt
    """Height and width of the labelled images, in pixels."""
    task_images: PositiveInt
    """Number of labelled training images."""
    validation_images: PositiveInt
    """Number of labelled validation images."""
    things: SimulatedThings
    """Images in the layout of THINGS. Several datasets use a part of them as stimuli."""
    hidden_network_steps: PositiveInt
    """Number of training steps of the network from whose layers the responses of the higher areas are simulated."""
    seed: Seed = 0
    """Seed of all images and recordings."""
    datasets: dict[Name, dict[str, Any]] = {}
    """Simulated dataset → settings of its simulator. The `path` of the dataset must be `{results}/raw/<dataset>`."""


class Scores(Section):
    """Scaling laws that are fitted to a published table of scores (Gokce & Schrimpf 2025)."""

    path: FilePath
    """Path of the table. If `url` is given, the table is downloaded to this path."""
    url: str | None = None
    """Address from which the table is downloaded. It is not needed if the file exists."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """SHA-256 checksum of the downloaded table."""
    experiments: AllOr[str] = "all"
    """Names of the experiments that laws are fitted to, such as `compute_neuro`, or `all`."""
    bootstraps: PositiveInt = 1000
    """Number of bootstrap resamples of every fit."""
    seed: Seed = 42
    """Seed of the resamples. 42 gives the resamples of the publication."""


class Published(Section):
    """Result tables that the authors of the paper published. They are used instead of recordings and models."""

    path: FilePath
    """Folder of the four parquet files, such as `pretraining_results_with_metadata.parquet`."""
    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    """Data set of the Hugging Face hub from which missing files are downloaded."""
    revision: str = "main"
    """Branch, tag or commit of `repo`. With a commit, the tables can never change."""
    labels: dict[str, Label]
    """Reader → label of its dataset in figures. Figures show the datasets in this order."""
