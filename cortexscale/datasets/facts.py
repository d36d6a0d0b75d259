"""Facts about a built-in dataset that are not in its files: ``facts.toml`` in its folder."""

from collections.abc import Mapping

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from cortexscale.datasets.source import Source
from cortexscale.study.data import Modality

MODALITY_NAMES: Mapping[Modality, str] = {
    "ephys": "ephys",
    "fmri": "fMRI",
    "eeg": "EEG",
    "meg": "MEG",
    "calcium": "calcium",
    "behaviour": "behaviour",
}
"""Modality -> how tables and figures write it."""

_CHECKED = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=_CHECKED)
class PaperCounts:
    """One row of the paper's Table S1.

    The paper does not say what its noise ceilings are averaged over, nor whether they are of the variance or of its root.
    Its numbers of stimuli for TVSD and for THINGS-fMRI, -MEG and -EEG1 do not include the test images.
    """

    stimuli: int
    noise_ceiling: float
    subjects: int
    rois: int
    train: int
    test: int
    train_repetitions: int
    test_repetitions: int


@dataclass(frozen=True, kw_only=True, config=_CHECKED)
class Training:
    """Training of a readout on one dataset by the authors; ``dropout`` is None for a readout without dropout."""

    epochs: int
    learning_rate: float
    dropout: float | None = None


@dataclass(frozen=True, kw_only=True, config=_CHECKED)
class Facts:
    """Facts about a built-in dataset, apart from the content of its files.

    ``readouts`` says how each readout is trained on the dataset: ``attention`` is Table S6 of the paper; ``shallow_mlp`` and
    ``low_rank`` are the baselines as the authors released them.
    """

    label: str  # in the paper's figures and tables
    modality: Modality
    released_name: str  # in the result tables and layer commitments that the authors released
    colour: str  # in the paper's figures, as hex
    marker: str  # Matplotlib's letter, in figures that show a point per dataset
    source: Source
    counts: PaperCounts | None = None  # None for a dataset that is not in the paper
    readouts: Mapping[str, Training] = Field(default_factory=dict)
