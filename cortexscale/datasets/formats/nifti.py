"""NIfTI volumes, and whether two of them are on the same grid."""

import gzip
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from cortexscale.errors import InputError
from cortexscale.files import require_real_file

_SAME = 0.1  # voxels; affines are float32, and tools round them, but a volume that is off by this much was resampled or moved
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Volume:
    """One NIfTI volume."""

    path: Path
    values: np.ndarray  # (X, Y, Z) float64, with the scale of the header
    affine: np.ndarray  # (4, 4) from 0-based indices to mm

    def require_grid_of(self, reference: "Volume", remedy: str) -> None:
        """Raise an InputError unless each voxel is at most a tenth of a voxel away from the same voxel of ``reference``."""
        if self.values.shape != reference.values.shape:
            found = f"a volume of shape {self.values.shape}"
            raise InputError(self.path, found, f"{reference.values.shape}, the grid of {reference.path.name}", remedy)
        corners = np.array([*product(*((0, n - 1) for n in self.values.shape), (1,))][: 2**3]).reshape(-1, 4)
        apart = np.linalg.norm((self.affine - reference.affine) @ corners.T, axis=0).max()
        voxel = np.linalg.norm(reference.affine[:3, :3], axis=0).min()
        if not apart <= _SAME * voxel:  # also True if an affine is not finite
            remedy = f"the volume was mirrored, moved or resampled by some tool; take the released one. {remedy}"
            raise InputError(self.path, self.place(), f"{reference.place()}, as {reference.path.name} has", remedy)

    def place(self) -> str:
        """Describe the voxels: their size, orientation and origin."""
        import nibabel as nib

        if not np.isfinite(self.affine).all():
            return "an affine that is not finite"
        axes = "".join(axis or "?" for axis in nib.aff2axcodes(self.affine))
        sizes = " x ".join(f"{size:g}" for size in np.linalg.norm(self.affine[:3, :3], axis=0).round(3))
        origin = ", ".join(f"{mm:g}" for mm in self.affine[:3, 3].round(2))
        return f"voxels of {sizes} mm in the orientation {axes}, the first one at ({origin}) mm"


def read_volume(path: Path | str, remedy: str) -> Volume:
    """Read a NIfTI volume of three axes and real numbers. The file can be compressed or not, whatever its name. Every error
    message ends with ``remedy``."""
    import nibabel as nib

    path = require_real_file(path, remedy)
    content = path.read_bytes()
    try:
        content = gzip.decompress(content) if content.startswith(_GZIP) else content
        kind = nib.Nifti2Image if 540 in np.frombuffer(content[:4], [("<", "<i4")]).astype("<i4").tolist() else nib.Nifti1Image
        image = kind.from_bytes(content)
        values, affine = np.asanyarray(image.dataobj), np.asarray(image.affine, dtype=np.float64)
    except Exception as error:  # nibabel and gzip raise a dozen unrelated types on a damaged file
        found = f"a volume that cannot be read ({str(error) or type(error).__name__})"
        raise InputError(path, found, "a whole NIfTI file", f"the copy is damaged; download it again. {remedy}") from error
    if values.ndim != 3 or values.dtype.kind not in "iuf":
        found = f"an array of {values.dtype} of shape {values.shape}"
        raise InputError(path, found, "one volume of real numbers, with three axes", f"this is another file. {remedy}")
    return Volume(path, values.astype(np.float64, copy=False), affine)
