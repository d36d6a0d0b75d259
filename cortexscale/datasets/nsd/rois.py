"""The regions of interest of NSD, from its ROI volumes."""

import numpy as np

from cortexscale.datasets.nsd.files import Release, read_label_names, read_labels

ROI_VOLUMES = {
    "streams": ("early", "midventral", "midlateral", "midparietal", "ventral", "lateral", "parietal"),
    "prf-visualrois": ("V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "hV4"),
    "floc-words": ("OWFA", "VWFA-1", "VWFA-2"),
    "floc-places": ("OPA", "PPA", "RSC"),
    "floc-faces": ("OFA", "FFA-1", "FFA-2"),
    "floc-bodies": ("EBA", "FBA-1", "FBA-2"),
}
"""Volume -> the labels in it that the paper uses. Volumes overlap: a voxel may have a label in each."""

ROIS = (*(roi for rois in ROI_VOLUMES.values() for roi in rois), "nsdgeneral", "whole_brain")


def read_masks(release: Release, ncsnr: np.ndarray, selection: str) -> dict[str, np.ndarray]:
    """Return boolean (X, Y, Z) masks of all ROIs, on the grid of the released ``ncsnr``.

    The ROI ``whole_brain`` is nsdgeneral, or with the selection ``whole_brain`` every voxel with an ncsnr.

    Raises:
        InputError: a volume is damaged or of another grid, a label has no name, nsdgeneral is empty or lacks an ncsnr.
    """
    general = read_labels(release, "nsdgeneral", 1, ncsnr.shape) == 1
    if not general.any():
        raise release.unlike(release.roi("nsdgeneral"), "no voxel with label 1", "the voxels of nsdgeneral")
    bad = (general & ~np.isfinite(ncsnr)) | (ncsnr < 0)
    if bad.any():
        raise release.unlike(release.ncsnr, f"{bad.sum()} voxels that are negative, or not finite in nsdgeneral", "ncsnr >= 0")
    masks = {"nsdgeneral": general, "whole_brain": general if selection == "nsdgeneral" else np.isfinite(ncsnr)}
    for volume, rois in ROI_VOLUMES.items():
        labels = read_label_names(release, volume)
        if unknown := [roi for roi in rois if roi not in labels]:
            found = f"no label named {', '.join(unknown)}"
            raise release.unlike(release.label_names(volume), found, f"the names {', '.join(rois)}")
        drawn = read_labels(release, volume, max(labels.values()), ncsnr.shape)
        masks |= {roi: drawn == labels[roi] for roi in rois}
    return masks


def why_empty(mask: np.ndarray, selected: np.ndarray) -> str:
    """Say why a ROI has no unit; both masks are (X, Y, Z), the second one of the voxels that were looked at."""
    if not mask.any():
        return "not drawn in this subject"
    return "no voxel above the noise-ceiling threshold" if (mask & selected).any() else "outside the selection"
