"""Facts about an ROI that follow from its name: whether it contains others, and its part of the ventral stream."""

from collections.abc import Iterable

COMPOSITE_ROIS = {"whole_brain", "nsdgeneral", "occipital_parietal"}
"""ROIs that contain others."""
SUPER_ROIS = ("Early", "Mid", "High")
_BEGINNINGS = {"Early": ("V1", "V2", "early"), "Mid": ("V3", "V4", "hV4", "mid")}


def super_roi(roi: str) -> str:
    """Return the super-ROI of an ROI. ROIs that are neither early nor mid count as high, as in the paper."""
    return next((name for name, beginnings in _BEGINNINGS.items() if roi.startswith(beginnings)), "High")


def region_order(regions: Iterable[str]) -> list[str]:
    """Sort ROIs from early to late. Several ROIs together, joined by ``_``, come last."""
    return sorted(regions, key=lambda names: (names.count("_"), SUPER_ROIS.index(super_roi(names)), names))
