"""NIfTI volumes as tools leave them: read right, or refused by name."""

import gzip

import nibabel as nib
import numpy as np
import pytest
from places import SHARED

from cortexscale.datasets.formats.nifti import read_volume
from cortexscale.errors import InputError

VALUES = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
AFFINE = np.diag([1.8, 1.8, 1.8, 1.0])
REAL = SHARED / "data/real/nifti"


def written(path, values=VALUES, affine=AFFINE):
    nib.save(nib.Nifti1Image(values, affine), path)
    return read_volume(path, "fetch it")


def mirrored():
    affine = AFFINE.copy()
    affine[0, 0], affine[0, 3] = -1.8, 1.8 * 3
    return VALUES[::-1].copy(), affine


def moved(mm):
    affine = AFFINE.copy()
    affine[1, 3] += mm
    return VALUES, affine


OTHER_GRIDS = {
    "mirrored": (*mirrored(), "orientation LAS"),
    "moved by a voxel": (*moved(1.8), r"\(0, 1.8, 0\) mm"),
    "other resolution": (VALUES, np.diag([2, 2, 2, 1.0]), "2 x 2 x 2 mm"),
    "other shape": (VALUES[1:], AFFINE, r"shape \(3, 5, 6\)"),
    "axes exchanged": (VALUES[:4, :4].transpose(1, 0, 2).copy(), AFFINE, r"shape \(4, 4, 6\)"),
}


@pytest.mark.parametrize("case", OTHER_GRIDS)
def test_other_grids_are_refused(tmp_path, case):
    values, affine, found = OTHER_GRIDS[case]
    reference = written(tmp_path / "ncsnr.nii.gz")
    image = nib.Nifti1Image(values, AFFINE)
    image.set_sform(affine, code=1)
    nib.save(image, tmp_path / "roi.nii.gz")
    with pytest.raises(InputError, match=found) as caught:
        read_volume(tmp_path / "roi.nii.gz", "fetch it").require_grid_of(reference, "fetch it")
    assert caught.value.where.endswith("roi.nii.gz") and "ncsnr.nii.gz" in caught.value.expected


def test_rounded_affines_are_the_same_grid(tmp_path):
    reference = written(tmp_path / "a.nii.gz")
    written(tmp_path / "b.nii.gz", affine=AFFINE + 1e-4).require_grid_of(reference, "")


def test_scales_byte_orders_and_names_are_read_right(tmp_path):
    image = nib.Nifti1Image(VALUES, AFFINE)
    image.header.set_slope_inter(0.5, 3)
    nib.save(image, tmp_path / "scaled.nii.gz")
    raw = nib.load(tmp_path / "scaled.nii.gz").dataobj
    np.testing.assert_array_equal(read_volume(tmp_path / "scaled.nii.gz", "").values, np.asarray(raw))
    big = nib.Nifti1Image(VALUES.astype(">i2"), AFFINE, nib.Nifti1Header(endianness=">"))
    (tmp_path / "big.nii").write_bytes(big.to_bytes())
    np.testing.assert_array_equal(read_volume(tmp_path / "big.nii", "").values, VALUES)
    (tmp_path / "unpacked.nii.gz").write_bytes(big.to_bytes())
    np.testing.assert_array_equal(read_volume(tmp_path / "unpacked.nii.gz", "").values, VALUES)
    (tmp_path / "packed.nii").write_bytes(gzip.compress(nib.Nifti2Image(VALUES, AFFINE).to_bytes()))
    np.testing.assert_array_equal(read_volume(tmp_path / "packed.nii", "").values, VALUES)


@pytest.mark.parametrize("keep", [5, 60, 0.5, 0.9])
@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
def test_cut_volumes_are_refused(tmp_path, name, keep):
    written(tmp_path / name, np.random.default_rng(0).normal(size=(9, 9, 9)))
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: keep if keep > 1 else int(keep * len(content))])
    with pytest.raises(InputError, match="cannot be read"):
        read_volume(tmp_path / name, "fetch it")


@pytest.mark.parametrize("values", [VALUES[..., None], VALUES.astype(np.complex64)], ids=["four axes", "complex"])
def test_other_arrays_are_refused(tmp_path, values):
    with pytest.raises(InputError, match="an array of"):
        written(tmp_path / "x.nii", values)


@pytest.mark.skipif(not REAL.exists(), reason="the real volumes are not beside this checkout")
def test_real_volumes():
    anatomical = read_volume(REAL / "anatomical.nii", "")  # big-endian
    np.testing.assert_array_equal(anatomical.values, nib.load(REAL / "anatomical.nii").get_fdata())
    with pytest.raises(InputError, match="three axes"):
        read_volume(REAL / "functional.nii", "")
