"""A small simulated cortex: ROI volumes of a subject of NSD in a grid of a few thousand voxels."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from cortexscale.datasets.nsd.files import ROI_VOLUMES

_UNREAD = {"floc-words": ("mfs-words", "mTL-words"), "floc-faces": ("mTL-faces", "aTL-faces"), "floc-bodies": ("mTL-bodies",)}
LABELS = {"nsdgeneral": ("nsdgeneral",)} | {volume: rois + _UNREAD.get(volume, ()) for volume, rois in ROI_VOLUMES.items()}
"""The names of the labels 1, 2, ... of each ROI volume in the release."""

PARCELS = {
    "V1v": ("early", "V1v"),
    "V1d": ("early", "V1d"),
    "V2v": ("early", "V2v"),
    "V2d": ("early", "V2d"),
    "V3v": ("early", "V3v"),
    "V3d": ("early", "V3d"),
    "hV4": ("midventral", "hV4"),
    "OWFA": ("midventral", "OWFA"),
    "OFA": ("midlateral", "OFA"),
    "OPA": ("midparietal", "OPA"),
    "EBA": ("lateral", "EBA"),
    "IPS": ("parietal",),
    "RSC": ("RSC",),
    "PPA": ("ventral", "PPA"),
    "FFA-1": ("ventral", "FFA-1"),
    "FFA-1 & FBA-1": ("ventral", "FFA-1", "FBA-1"),
    "FFA-2 & FBA-2": ("ventral", "FFA-2", "FBA-2"),
    "VWFA-1": ("ventral", "VWFA-1"),
    "FFA-2 & VWFA-2": ("ventral", "FFA-2", "VWFA-2"),
    "anterior": ("mTL-bodies",),
}
"""The labels of the voxels of each parcel. Parcels are ordered from the back of the brain to the front. As in the release,
volumes overlap: a stream covers several areas, and functional areas share voxels. All parcels except ``anterior`` are in
nsdgeneral."""


@dataclass(frozen=True)
class Cortex:
    """The simulated cortex of one subject."""

    shape: tuple[int, int, int]  # the grid (X, Y, Z)
    voxels: np.ndarray  # (n, 3) i, j, k of the responding voxels, in the order of np.argwhere
    parcel: np.ndarray  # (n,) parcel of each responding voxel
    volumes: dict[str, np.ndarray]  # (X, Y, Z) of each ROI volume: -1 outside cortex, 0 without a label, 1 ... as in LABELS

    def members(self, roi: str) -> np.ndarray:
        """Tell which of ``voxels`` have the label ``roi``, (n,) bool."""
        volume = next(volume for volume, labels in LABELS.items() if roi in labels)
        return self.volumes[volume][tuple(self.voxels.T)] == LABELS[volume].index(roi) + 1


def lay_out_cortex(shape: tuple[int, int, int], voxels_per_parcel: int, seed: int, absent: Collection[str] = ()) -> Cortex:
    """Draw all 20 parcels into the outer shell of an ellipsoid, from back to front.

    Labels in ``absent`` are not drawn. The voxels that would have had such a label keep their labels in other volumes. A grid
    that is too small raises a ValueError.
    """
    half = (np.array(shape) - 1) / 2
    position = (np.indices(shape) - half[:, None, None, None]) / (half[:, None, None, None] + 0.5)
    radius = np.sqrt(np.square(position).sum(axis=0))
    cortex = (radius <= 1) & (radius > 0.5)
    needed = voxels_per_parcel * len(PARCELS)
    if cortex.sum() < needed:
        need = f"{len(PARCELS)} parcels of {voxels_per_parcel} need {needed} voxels"
        raise ValueError(f"{need}; the cortex of {shape} has {cortex.sum()}")

    places = np.argwhere(cortex)
    depth = position[1][cortex] + np.random.default_rng(seed).normal(0, 0.05, len(places))
    order = np.argsort(depth)[:needed].reshape(len(PARCELS), voxels_per_parcel)
    parcel = np.full(len(places), "", dtype="U20")
    volumes = {volume: np.where(cortex, 0, -1).astype(np.int16) for volume in LABELS}
    for members, (name, rois) in zip(order, PARCELS.items(), strict=True):
        parcel[members] = name
        drawn = {*rois} - {*absent} | ({"nsdgeneral"} if name != "anterior" else set())
        for volume, labels in LABELS.items():
            for roi in drawn.intersection(labels):
                volumes[volume][tuple(places[members].T)] = labels.index(roi) + 1
    return Cortex(shape, places[parcel != ""], parcel[parcel != ""], volumes)
