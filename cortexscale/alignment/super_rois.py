"""Facts about an ROI that follow from its name: whether it contains other ROIs, and its place in the ventral stream."""

from collections.abc import Iterable

COMPOSITE_ROIS = {"whole_brain", "nsdgeneral", "occipital_parietal"}
"""ROIs that contain other ROIs."""
SUPER_ROIS = ("Early", "Mid", "High")
_BEGINNINGS = {"Early": ("V1", "V2", "early"), "Mid": ("V3", "V4", "hV4", "mid")}


def super_roi(roi: str) -> str:
    """Return the super-ROI of an ROI. As in the paper, an ROI that is neither early nor mid is high."""
    return next((name for name, beginnings in _BEGINNINGS.items() if roi.startswith(beginnings)), "High")


def region_order(regions: Iterable[str]) -> list[str]:
    """Sort ROIs from early to late. Names of several ROIs, joined by ``_``, come last."""
    return sorted(regions, key=lambda names: (names.count("_"), SUPER_ROIS.index(super_roi(names)), names))
