"""Facts about a built-in dataset that its released files do not have. They are in ``facts.toml`` in its folder."""

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
"""Name of each modality in tables and figures."""

_CHECKED = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=_CHECKED)
class PaperCounts:
    """One row of the paper's Table S1.

    The paper does not say over which values its noise ceilings are averages, nor whether a noise ceiling limits the explained
    variance or its square root. Its numbers of stimuli for TVSD, THINGS-fMRI, THINGS-MEG and THINGS-EEG1 do not include the test
    images.
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
    """The authors' training of a readout on one dataset. ``dropout`` is None for a readout without dropout."""

    epochs: int
    learning_rate: float
    dropout: float | None = None


@dataclass(frozen=True, kw_only=True, config=_CHECKED)
class ReleasedUnits:
    """Numbers of units in the release whose released statistic is above a threshold. The reader's ``count_units`` counts them."""

    statistic: str  # name in the released files
    above: float
    counts: Mapping[str, Mapping[str, int]]  # subject -> ROI -> number of units


@dataclass(frozen=True, kw_only=True, config=_CHECKED)
class Facts:
    """Facts about a built-in dataset that its released files do not have.

    ``readouts`` says how the authors trained each readout on the dataset. Values for ``attention`` are from Table S6 of the
    paper. Values for the baselines ``shallow_mlp`` and ``low_rank`` are from the authors' release.
    """

    label: str  # name in the paper's figures and tables
    modality: Modality
    released_name: str  # name in the authors' released result tables and layer commitments
    colour: str  # hex colour in the paper's figures
    marker: str  # Matplotlib's letter, for figures with a point per dataset
    source: Source
    counts: PaperCounts | None = None  # None for a dataset that is not in the paper
    readouts: Mapping[str, Training] = Field(default_factory=dict)
    released_units: ReleasedUnits | None = None  # None if the numbers are not known
