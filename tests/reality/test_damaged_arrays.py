"""Files of arrays with one damage: an error names the file, or all units that are kept have the numbers of the undamaged files.

Some damages cannot be seen in the files alone, and are not tried: random bytes among the int16 betas of NSD, which are betas of
some size; a hole among the spikes of FreemanZiemba2013, whose units may be silent; rows of responses in another order, where the
release has no noise ceilings to compare with; two exchanged ROI volumes of one subject of NSD; and exchanged responses of TVSD's
monkeys, which only the counts of the release reveal. Random bytes are written into the responses of an assembly, and holes of
zeros among its texts.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from damages import DAMAGES_OF_FILES, restore
from places import SHARED
from small_releases import freemanziemba_release, majajhong_release, nsd_release, things_fmri_release, tvsd_release

from cortexscale.arrays import require_whole_heaps
from cortexscale.errors import InputError

pytestmark = pytest.mark.slow
NAMES = ("of_freemanziemba", "of_majajhong", "of_tvsd", "of_things_fmri", "of_nsd")


@pytest.fixture(scope="module")
def of_freemanziemba(tmp_path_factory):
    return freemanziemba_release(tmp_path_factory.mktemp("freemanziemba"))


@pytest.fixture(scope="module")
def of_majajhong(tmp_path_factory):
    return majajhong_release(tmp_path_factory.mktemp("majajhong"))


@pytest.fixture(scope="module")
def of_tvsd(tmp_path_factory):
    return tvsd_release(tmp_path_factory.mktemp("tvsd"))


@pytest.fixture(scope="module")
def of_things_fmri(tmp_path_factory):
    return things_fmri_release(tmp_path_factory.mktemp("things_fmri"))


@pytest.fixture(scope="module")
def of_nsd(tmp_path_factory):
    return nsd_release(tmp_path_factory.mktemp("nsd"))


INVISIBLE = {("betas_session", "random"), ("betas_session", "nan"), *(("assy_", kind) for kind in ("random", "nan", "zeros"))}
UNORDERED = ("__xarray_dataarray_variable__", "train_MUA")  # arrays whose rows could be those of others
NOT_READ = ("SNR", "SNR_max", "lats", "tb", "axis0", "axis1", "class", "local_path")  # arrays that no reader opens
REPEATED = ("session02", "words", "places", "bodies", "streams")  # files of the same kind as another one, which is damaged


def cannot_be_seen(file: Path, what: str) -> bool:
    return what != "random bytes at 0.00" and any(
        file.name.startswith(name) and what.startswith(kind) for name, kind in INVISIBLE
    )


@pytest.mark.parametrize("release", NAMES)
def test_one_file_of_other_bytes_is_named_or_does_not_matter(release, request, tmp_path):
    release, named, tried = request.getfixturevalue(release), 0, 0
    copy = tmp_path / "copy"
    shutil.copytree(release.root, copy)
    for file in release.files:
        if any(kind in file.name for kind in REPEATED):
            continue
        for what, damage in DAMAGES_OF_FILES.items():
            if cannot_be_seen(file, what):
                continue
            damage(copy / file)
            tried += 1
            named += release.require_named_or_equal(copy, (file,), what)
            restore(release.root, copy, file)
    assert named > 0.6 * tried


@pytest.mark.parametrize("release", NAMES)
def test_two_exchanged_files_are_named_or_do_not_matter(release, request, tmp_path):
    release, copy = request.getfixturevalue(release), tmp_path / "copy"
    shutil.copytree(release.root, copy)
    for place, other in release.exchanges:
        one, other = release.files[place], release.files[other] if isinstance(other, int) else other
        shutil.copyfile(release.root / one, copy / other)
        shutil.copyfile(release.root / other, copy / one)
        release.require_named_or_equal(copy, (one, other), "an exchange")
        restore(release.root, copy, one, other)


def replaced(file: h5py.File, name: str, values: np.ndarray) -> None:
    """Replace a dataset, and keep what describes it: attributes and dimensions."""
    old = file[name]
    attributes = {key: value for key, value in old.attrs.items() if key != "DIMENSION_LIST"}
    scales = [axis[0].name if len(axis) else None for axis in old.dims]
    del file[name]
    new = file.create_dataset(name, data=values)
    for key, value in attributes.items():
        new.attrs[key] = value
    for axis, scale in zip(new.dims, scales, strict=False):
        if scale:
            axis.attach_scale(file[scale])


def with_nan(values: np.ndarray, place: slice) -> np.ndarray:
    changed = values.copy()
    changed.reshape(-1)[place] = np.nan
    return changed


def with_huge(values: np.ndarray) -> np.ndarray:
    changed = values.copy()
    changed[len(values) // 2] *= 1e20
    return changed


def with_random_bytes(values: np.ndarray) -> np.ndarray:
    changed = values.copy()
    row = changed[len(values) // 2 :][:1]
    row[...] = np.frombuffer(np.random.default_rng(0).bytes(row.nbytes), row.dtype).reshape(row.shape)
    return changed


NUMBERS = ("i", "u", "f")
MEMBERS = {
    "removed": lambda file, name, values: file.__delitem__(name),
    "a group": lambda file, name, values: (file.__delitem__(name), file.create_group(name)),
    "one row fewer": lambda file, name, values: replaced(file, name, values[:-1]),
    "transposed": lambda file, name, values: replaced(file, name, values.T),
    "another axis": lambda file, name, values: replaced(file, name, values[..., None]),
    "one number": lambda file, name, values: replaced(file, name, np.array(1)),
    "no rows": lambda file, name, values: replaced(file, name, values[:0]),
}
NUMBER_MEMBERS = {
    "text": lambda values: values.astype("S8"),
    "float16": lambda values: values.astype("f2"),
    "complex": lambda values: values.astype("c16"),
    "zeros": np.zeros_like,
    "rows in another order": lambda values: np.roll(values, 1, axis=0),
}
FLOAT_MEMBERS = {
    "nan": lambda values: np.full_like(values, np.nan),
    "a few nan": lambda values: with_nan(values, slice(3, 5)),
    "infinite": lambda values: np.full_like(values, np.inf),
    "a huge row": with_huge,
    "random bytes": with_random_bytes,
}


def damages_of(values: np.ndarray) -> dict:
    """Return the damages of a dataset that change it."""
    found = dict(MEMBERS)
    kinds = {**(NUMBER_MEMBERS if values.dtype.kind in NUMBERS else {}), **(FLOAT_MEMBERS if values.dtype.kind == "f" else {})}
    for what, change in kinds.items():
        found[what] = lambda file, name, values, change=change: replaced(file, name, change(values))
    return found


def datasets_of(path: Path) -> dict[str, np.ndarray]:
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return {name: values for name, values in found.items() if not name.startswith("#refs#/") and values.ndim}


@pytest.mark.parametrize("release", NAMES)
def test_one_array_of_another_kind_is_named_or_does_not_matter(release, request, tmp_path):
    release, copy = request.getfixturevalue(release), tmp_path / "copy"
    shutil.copytree(release.root, copy)
    for file in [file for file in release.files if h5py.is_hdf5(release.root / file) and "session02" not in file.name]:
        for name, values in datasets_of(release.root / file).items():
            for what, damage in damages_of(values).items():
                if name in UNORDERED and what == "rows in another order":
                    continue
                if name.split("/")[-1] in NOT_READ and what != "removed":
                    continue
                with h5py.File(copy / file, "r+") as opened:
                    try:
                        damage(opened, name, values)
                    except (TypeError, ValueError, RuntimeError, OSError, KeyError):
                        what = None  # h5py does not write such a file
                if what:
                    release.require_named_or_equal(copy, (file,), f"{name}: {what}")
                restore(release.root, copy, file)


# --- holes of zeros among texts --------------------------------------------------------------------------------------


def heaps_of(content: bytes) -> list[tuple[int, int]]:
    """Return the first and last byte + 1 of each list of texts (global heap) of an HDF5 file."""
    starts = [place for place in range(0, len(content), 8) if content[place : place + 8] == b"GCOL\1\0\0\0"]
    return [(start, start + int.from_bytes(content[start + 8 : start + 16], "little")) for start in starts]


def test_a_hole_among_texts_is_named_before_hdf5_reads_it(of_majajhong, tmp_path):
    shutil.copytree(of_majajhong.root, tmp_path / "copy")
    path = tmp_path / "copy" / of_majajhong.files[0]
    whole = path.read_bytes()
    heaps, named = heaps_of(whole), 0
    assert len(heaps) >= 2
    for start, stop in heaps:
        for first in range(start + 16, stop - 512, 256):
            path.write_bytes(whole[:first] + bytes(512) + whole[first + 512 :])
            try:
                require_whole_heaps(path, "")
            except InputError as error:
                assert error.where == str(path) and start <= int(error.found.split("byte ")[1].replace(",", "")) < stop
                named += 1
            else:
                of_majajhong.require_named_or_equal(tmp_path / "copy", (path,), f"zeros from {first}")
    assert named >= 10
    start, _ = heaps[0]
    path.write_bytes(whole[: start + 16] + bytes(512) + whole[start + 528 :])
    script = (
        "import sys; from cortexscale.datasets.formats.assembly import open_assembly\nwith open_assembly(sys.argv[1], ''): pass"
    )
    run = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert f"InputError: {path}" in run.stderr and "zeros among its texts" in run.stderr


def test_heaps_of_real_files_are_whole(of_majajhong, of_tvsd):
    for release in (of_majajhong, of_tvsd):
        require_whole_heaps(release.root / release.files[0], "")
    for path in (*SHARED.glob("data/real/brainio/*.nc"), *SHARED.glob("data/real/matlab73/*.mat")):
        require_whole_heaps(path, "")


# --- statistics of the release that belong to other responses -------------------------------------------------------


def change(path: Path, name: str, changed) -> None:
    with h5py.File(path, "r+") as file:
        file[name][...] = changed(file[name][...])


def test_two_exchanged_sessions_of_things_fmri_are_refused(of_things_fmri, tmp_path):
    shutil.copytree(of_things_fmri.root, tmp_path / "copy")
    session = pd.read_csv(tmp_path / "copy/betas_csv/sub-01_StimulusMetadata.csv")["session"].to_numpy()
    order = np.arange(len(session))
    order[session == 3], order[session == 8] = np.flatnonzero(session == 8), np.flatnonzero(session == 3)
    path = tmp_path / "copy/betas_csv/sub-01_ResponseData.h5"
    change(path, "ResponseData/block0_values", lambda values: values[:, order])
    with pytest.raises(
        InputError, match=r"sub-01_ResponseData.h5[\s\S]*points from the released ones[\s\S]*sessions were exchanged"
    ):
        of_things_fmri.read(tmp_path / "copy")


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("reliab", lambda values: values[:, ::-1]),
        ("reliab", lambda values: np.full_like(values, 0.2)),
        ("test_MUA", lambda values: np.roll(values, 1, axis=0)),
        ("test_MUA", lambda values: values[:, ::-1]),
    ],
)
def test_statistics_of_tvsd_that_are_of_other_electrodes_or_images_are_refused(of_tvsd, tmp_path, name, changed):
    shutil.copytree(of_tvsd.root, tmp_path / "copy")
    change(tmp_path / "copy/monkeyF/THINGS_normMUA.mat", name, changed)
    with pytest.raises(InputError, match=rf"THINGS_normMUA.mat[\s\S]*{name} that differs from what test_MUA_reps gives"):
        of_tvsd.read(tmp_path / "copy")


def test_reasons_of_tvsd_are_those_of_the_screening(of_tvsd):
    screening, counts = of_tvsd.truth.screening, of_tvsd.truth.notes["dropped_units"]
    assert ((screening["reason"] == "") == screening["kept"]).all()
    assert screening["reason"][~screening["kept"]].value_counts().to_dict() == counts


@pytest.mark.parametrize("release", ["of_freemanziemba", "of_majajhong"])
def test_the_trial_of_a_missing_response_is_named(release, request, tmp_path):
    release = request.getfixturevalue(release)
    shutil.copytree(release.root, tmp_path / "copy")
    with h5py.File(tmp_path / "copy" / release.files[0], "r+") as file:
        data = file["__xarray_dataarray_variable__"]
        data[6, 16, 0] = np.nan
        data[7, 19, 0] = np.inf
    with pytest.raises(InputError, match=r"2 responses, not finite .* first in presentation 17 of unit 7 of the file"):
        release.read(tmp_path / "copy")
