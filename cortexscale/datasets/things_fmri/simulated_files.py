"""A writer of a subject's tables in the layout of the release of THINGS-fMRI on Figshare+ (``betas_csv``)."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from cortexscale.arrays import open_hdf5
from cortexscale.files import whole_file
from cortexscale.kernels.noise_ceiling import ncsnr_from_repetitions, noise_ceiling_percent

_PLACED = ("V1", "V2", "V3", "hV4", "VO1", "VO2", "LO1 (prf)", "LO2 (prf)", "TO1", "TO2", "V3b", "V3a")
_LOCALISED = tuple(f"{side}{area}" for area in ("EBA", "FFA", "OFA", "STS", "PPA", "RSC", "TOS", "LOC") for side in "lr")

# The areas have the order of the atlas (Glasser et al. 2016, Nature 536, 171-178). As in the release, two names have a line
# break.
_GLASSER = (
    "V1 MST V6 V2 V3 V4 V8 4 3b FEF PEF 55b V3A RSC POS2 V7 IPS1 FFC V3B LO1 LO2 PIT MT A1 PSL SFL PCV STV 7Pm 7m POS1 23d v23ab "
    "d23ab 31pv 5m 5mv 23c 5L 24dd 24dv 7AL SCEF 6ma 7Am 7Pl 7PC LIPv VIP MIP 1 2 3a 6d 6mp 6v p24pr 33pr a24pr p32pr a24 d32 "
    "8BM p32 10r 47m 8Av 8Ad 9m 8BL 9p 10d 8C 44 45 47l a47r 6r IFJa IFJp IFSp IFSa p9-46v 46 a9-46v 9-46d 9a 10v a10p 10pp 11l "
    "13l OFC 47s LIPd 6a i6-8 s6-8 43 OP4 OP1 OP2-3 52 RI PFcm PoI2 TA2 FOP4 MI Pir AVI AAIC FOP1 FOP3 FOP2 PFt AIP EC PreS H "
    "ProS PeEc STGa PBelt A5 PHA1 PHA3 STSda STSdp STSvp TGd TE1a TE1p TE2a TF TE2p PHT PH TPOJ1 TPOJ2 TPOJ3 DVT PGp IP2 IP1 IP0 "
    "PFop PF PFm PGi PGs V6A VMV1 VMV3 PHA2 V4t FST V3CD LO3 VMV2 31pd 31a VVC 25 s32 pOFC PoI1 Ig FOP5 p10p p47r TGv MBelt "
    "LBelt A4 STSva TE1m PI a32pr p24"
)
ROI_COLUMNS = (*_PLACED, *_LOCALISED, "IT", *(f"glasser-{area}" for area in _GLASSER.replace("9-46v", "9-\n46v").split(" ")))
"""Columns of the second version of the voxel table, without the first 13."""


def write_responses(path: Path, responses: np.ndarray) -> None:
    """Write responses (voxels, trials) in pandas' fixed format of a frame with ``voxel_id`` and trial columns 0, 1 ..."""
    n_voxels, n_trials = responses.shape
    trials = np.arange(n_trials).astype(object)
    blocks: list[tuple[np.ndarray, np.ndarray | str]] = [(responses, trials), (np.arange(n_voxels)[:, None], "voxel_id")]
    with whole_file(path) as part, open_hdf5(part, "w") as file:
        _describe(file, "GROUP", "1.0", PYTABLES_FORMAT_VERSION="2.1")
        frame = file.create_group("ResponseData")
        _describe(frame, "GROUP", "1.0", pandas_type="frame", encoding="UTF-8", errors="strict", ndim=2, nblocks=2)
        _write_labels(frame, "axis0", np.array(["voxel_id", *trials], dtype=object))
        _write_labels(frame, "axis1", np.arange(n_voxels))
        for number, (values, items) in enumerate(blocks):
            frame[f"block{number}_values"] = values
            _describe(frame[f"block{number}_values"], "ARRAY", "2.4", FLAVOR="numpy", transposed=np.uint8(1))
            _write_labels(frame, f"block{number}_items", items)


def _write_labels(frame: h5py.Group, name: str, labels: np.ndarray | str) -> None:
    """Write the labels of an axis. Labels that are Python objects are pickled together, and stored as a ragged array of bytes."""
    frame.attrs[f"{name}_variety"] = np.array(b"regular", dtype=h5py.string_dtype("utf-8", len("regular")))
    if isinstance(labels, str):
        frame[name] = np.array([labels.encode()])
        _describe(frame[name], "ARRAY", "2.4", FLAVOR="numpy", kind="string", nan_rep="", transposed=np.uint8(1))
    elif labels.dtype == object:
        ragged = frame.create_dataset(name, (1,), h5py.vlen_dtype(np.uint8), maxshape=(None,))
        ragged[0] = np.frombuffer(pickle.dumps(labels), np.uint8)
        _describe(ragged, "VLARRAY", "1.4", PSEUDOATOM="object", kind="object", transposed=np.uint8(1))
    else:
        frame[name] = labels
        _describe(frame[name], "ARRAY", "2.4", FLAVOR="numpy", kind="integer", transposed=np.uint8(1))
    frame[name].attrs["name"] = np.bytes_("N.")  # pickled None


def _describe(item: h5py.HLObject, kind: str, version: str, /, **attributes: str | int | np.uint8) -> None:
    """Set the attributes by which PyTables and pandas recognise an item in their files."""
    for name, value in {"CLASS": kind, "TITLE": "", "VERSION": version, **attributes}.items():
        if value == "":
            item.attrs[name] = h5py.Empty("S1")
        elif isinstance(value, str):
            item.attrs[name] = np.array(value.encode(), dtype=h5py.string_dtype("utf-8", len(value)))
        else:
            item.attrs[name] = value


def trial_table(subject: str, shown: pd.DataFrame) -> pd.DataFrame:
    """Make the trial table from ``shown``, which has ``trial_type``, ``session``, ``run`` and ``id`` of every trial in order."""
    table = shown[["trial_type", "session", "run"]].assign(subject_id=int(subject.removeprefix("sub-")))
    parts = shown["id"].str.partition("/")
    return table.assign(trial_id=np.arange(len(shown)), stimulus=parts[2], concept=parts[0])


def voxel_table(subject: str, mask: np.ndarray, labels: dict[str, np.ndarray], test: np.ndarray, seed: int) -> pd.DataFrame:
    """Make the second version of the voxel table, with ceilings and reliabilities computed from the responses.

    The rows are the voxels of the brain ``mask`` (X, Y, Z), in C order. ``labels`` has a mask (voxels,) for each ROI column with
    voxels. ``test`` is (repetitions, images, voxels). Population receptive fields, which no code reads, are drawn with ``seed``.
    """
    rng = np.random.default_rng(seed)
    place = np.argwhere(mask)
    n = len(place)
    z = (test - test.mean(axis=1, keepdims=True)) / test.std(axis=1, keepdims=True)
    ncsnr = ncsnr_from_repetitions(z, zscored=True)
    halves = [half - half.mean(axis=0) for half in (test[::2].mean(axis=0), test[1::2].mean(axis=0))]
    split_half = (halves[0] * halves[1]).sum(axis=0) / np.sqrt(np.prod([np.square(half).sum(axis=0) for half in halves], axis=0))
    columns = {
        "voxel_id": np.arange(n),
        "subject_id": int(subject.removeprefix("sub-")),
        **{f"voxel_{axis}": place[:, number] for number, axis in enumerate("xyz")},
        "nc_singletrial": noise_ceiling_percent(ncsnr, 1),
        "nc_testset": noise_ceiling_percent(ncsnr, len(test)),
        "splithalf_uncorrected": split_half,
        "splithalf_corrected": 2 * split_half / (1 + split_half),
        "prf-eccentricity": rng.uniform(0, 10, n),
        "prf-polarangle": rng.uniform(0, 360, n),
        "prf-rsquared": rng.uniform(0, 100, n),
        "prf-size": rng.uniform(0, 5, n),
    }
    none = np.zeros(n, bool)
    return pd.DataFrame(columns | {name: labels.get(name, none).astype(int) for name in ROI_COLUMNS})


def write_things_fmri(root: Path, subject: str, responses: np.ndarray, trials: pd.DataFrame, voxels: pd.DataFrame) -> None:
    """Write the three files of a subject under ``root``: responses (voxels, trials) and both tables."""
    stem = f"{root}/betas_csv/{subject}"
    write_responses(Path(f"{stem}_ResponseData.h5"), responses)
    for name, table in (("Stimulus", trials), ("Voxel", voxels)):
        with whole_file(f"{stem}_{name}Metadata.csv") as part:
            table.to_csv(part, index=False)
