"""The responses of a dataset that are scored. Stages depend on the code of this module and not on that of all sections."""

from dataclasses import dataclass

from pydantic import PositiveInt

from cortexscale.section import Section


class BestSubjects(Section):
    """Subjects with the highest mean noise ceiling in an ROI, over all its units (paper, appendix A.3)."""

    count: PositiveInt
    """Number of subjects that are scored."""
    roi: str
    """ROI whose mean noise ceiling ranks the subjects."""


@dataclass(frozen=True)
class DatasetTargets:
    """ROIs of a dataset and those of its subjects that models are scored on; None for all subjects."""

    rois: list[str]
    best_subjects: BestSubjects | None = None
