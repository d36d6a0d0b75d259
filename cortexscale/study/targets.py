"""Which responses of a dataset are scored. A module of its own: stages of alignment depend on its code, not on all sections."""

from dataclasses import dataclass

from pydantic import PositiveInt

from cortexscale.section import Section


class BestSubjects(Section):
    """Subjects with the highest mean noise ceiling in a ROI, over all its units (paper, appendix A.3)."""

    count: PositiveInt
    """Number of subjects that are scored."""
    roi: str
    """ROI whose mean noise ceiling ranks the subjects."""


@dataclass(frozen=True)
class DatasetTargets:
    """The responses of a dataset that models are scored on.

    Attributes:
        rois: its ROIs.
        best_subjects: which subjects are scored; None for all.
    """

    rois: list[str]
    best_subjects: BestSubjects | None = None
