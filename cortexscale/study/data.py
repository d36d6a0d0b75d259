"""Sections of recordings and images: stimulus sets, datasets, their simulation, and tables that others published."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from cortexscale.section import Contradiction, Name, Section

Modality = Literal["ephys", "fmri", "eeg", "meg", "calcium", "behaviour"]


class StimulusSet(Section):
    """Images that were shown to subjects. Features are extracted once per model and stimulus set."""

    layout: Literal["image_folder", "hdf5", "brainscore"]
    path: str
    expected: PositiveInt | None = None
    """Number of images in the full release; sizes jobs before the images are there."""


class BestSubjects(Section):
    """Subjects with the highest mean noise ceiling in a ROI, over all its units (paper, appendix A.3)."""

    count: PositiveInt
    roi: str


class Dataset(Section):
    """One neural dataset."""

    label: str
    modality: Modality | None = None
    """How the responses were recorded; by default, what the reader says."""
    reader: Annotated[str, Field(pattern=r"^(\w+|\S+\.py)$")]
    """A dataset of ``cortexscale.datasets``, or the path of one of your own: ``my/reader.py``."""
    stimuli: Name
    path: str
    subjects: Annotated[list[Name], Field(min_length=1)]
    rois: Annotated[list[str], Field(min_length=1)]
    best_subjects: BestSubjects | None = None
    """Score only these subjects; all are preprocessed."""
    options: dict[str, Any] = {}
    """Keys of the reader's own ``Options``."""

    @property
    def scored(self) -> int:
        """Number of subjects that are scored."""
        return self.best_subjects.count if self.best_subjects else len(self.subjects)

    def contradictions(self) -> Iterator[Contradiction]:
        if self.scored > len(self.subjects):
            expected = f"at most {len(self.subjects)}, the number of `subjects`"
            yield Contradiction(
                "best_subjects.count", str(self.scored), expected, "correct the number, or leave best_subjects out"
            )


class SimulatedThings(Section):
    concepts: PositiveInt
    images_per_concept: Annotated[int, Field(ge=2)]


class Simulation(Section):
    """Pictures, and recordings of a brain whose truth is known, in the released layouts."""

    image_size: PositiveInt
    task_images: PositiveInt
    validation_images: PositiveInt
    things: SimulatedThings
    """Pictures in the layout of THINGS, which several datasets show."""
    hidden_network_steps: PositiveInt
    seed: int = 0
    datasets: dict[Name, dict[str, Any]] = {}
    """Dataset -> ``Settings`` of ``cortexscale.datasets.<reader>.simulate``. Its path is ``{results}/raw/<dataset>``."""


class Scores(Section):
    """Scaling fits to a published table of scores (Gokce & Schrimpf 2025)."""

    path: str
    """Where the table is, or is downloaded to."""
    url: str | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Where it is downloaded from, and its checksum; not needed for a copy that is there."""
    experiments: Literal["all"] | list[str] = "all"
    bootstraps: PositiveInt = 1000
    seed: int = 42


class Published(Section):
    """Result tables that the authors of the paper published, in place of recordings and models."""

    path: str
    """Folder of the four parquet files, such as ``pretraining_results_with_metadata.parquet``."""
    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    """Dataset of the Hugging Face hub that they are downloaded from; not needed for files that are there."""
    revision: str = "main"
    labels: dict[str, str]
    """What figures call the datasets, by their readers, in the order of the figures."""
