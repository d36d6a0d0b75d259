"""The ROIs and subjects of a dataset on which models are scored.

These classes are in a separate module, so that scripts can import them without the other sections of the config. A change in the
code of another section then does not repeat the jobs of these scripts.
"""

from dataclasses import dataclass

from pydantic import PositiveInt

from cortexscale.section import Section


class BestSubjects(Section):
    """Subjects with the highest noise ceilings, averaged over all units of an ROI (paper, appendix A.3)."""

    count: PositiveInt
    """Number of subjects that are scored."""
    roi: str
    """ROI whose mean noise ceiling ranks the subjects."""


@dataclass(frozen=True)
class DatasetTargets:
    """ROIs and subjects of a dataset on which models are scored. If ``best_subjects`` is None, all subjects are scored."""

    rois: list[str]
    best_subjects: BestSubjects | None = None
