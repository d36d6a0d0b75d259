"""Files of arrays with one damage: an error names the file, or all units that are kept have the numbers of the undamaged files.

Some damages cannot be seen in the files alone, and are not tried: random bytes among the int16 betas of NSD, which are betas of
some size; a hole among the spikes of FreemanZiemba2013, whose units may be silent; rows of responses in another order, where the
release has no noise ceilings to compare with; two exchanged ROI volumes of one subject of NSD; and exchanged responses of TVSD's
monkeys, which only the counts of the release reveal. Other bytes are written into the responses of an assembly, but not among its
texts, which the HDF5 library may then search without end.
"""

import shutil
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest

from cortexscale.datasets.freemanziemba import reader as freemanziemba
from cortexscale.datasets.majajhong import reader as majajhong
from cortexscale.datasets.nsd import reader as nsd
from cortexscale.datasets.nsd.simulated_cortex import lay_out_cortex
from cortexscale.datasets.nsd.simulated_files import TRIALS, plan_experiment, single_trials, write_shared, write_subject
from cortexscale.datasets.things_fmri import reader as things_fmri
from cortexscale.datasets.things_fmri import simulate as things_fmri_files
from cortexscale.datasets.tvsd import reader as tvsd
from cortexscale.datasets.tvsd.simulate import write_tvsd
from cortexscale.errors import InputError
from cortexscale.recording import Recording
from cortexscale.simulation.assembly import write_assembly
from cortexscale.simulation.brain import AreaCode
from cortexscale.simulation.visual_system import AREAS, VisualSystem

pytestmark = pytest.mark.slow
NAMES = ("of_freemanziemba", "of_majajhong", "of_tvsd", "of_things_fmri", "of_nsd")


class Release:
    """Files of a subject, files that may be exchanged, and what the reader returns for them."""

    def __init__(self, root, reader, subject, options, exchanges=()):
        self.root, self.reader, self.subject, self.options, self.exchanges = root, reader, subject, options, exchanges
        self.files = [file.relative_to(root) for file in reader.raw_files(root, subject, options)]
        self.truth = self.read(root)

    def read(self, root: Path) -> Recording:
        return self.reader.read(root, self.subject, self.options)

    def require_named_or_equal(self, root: Path, files: tuple[Path, ...], what: str) -> bool:
        """Return whether the damage was named."""
        try:
            found = self.read(root)
        except InputError as error:
            assert any(file.name in str(error) for file in files), f"{what} of {files}: {error}"
            return True
        kept = pd.Index(self.truth.units["unit"]).get_indexer(found.units["unit"])
        assert (kept >= 0).all() and len(kept) >= 0.9 * len(self.truth.units), f"{what} of {files}"
        for split in ("train", "test"):
            ours, theirs = getattr(found, split), getattr(self.truth, split)
            assert ours.stimulus_ids.tolist() == theirs.stimulus_ids.tolist(), f"{what} of {files}"
            np.testing.assert_array_equal(ours.responses, theirs.responses[:, kept], err_msg=f"{what} of {files}")
            np.testing.assert_array_equal(ours.repetitions, theirs.repetitions)
        np.testing.assert_allclose(found.units["nc_percent"], self.truth.units["nc_percent"].to_numpy()[kept], rtol=1e-9)
        np.testing.assert_array_equal(found.rois, self.truth.rois.iloc[kept], what)
        return False


def small_assembly(reader, root, subject, animals, regions, stratum, window, dtype):
    rng, options = np.random.default_rng(0), reader.Options
    ids = np.array([f"{(number * 7919) % 104729:06x}" for number in range(40)])
    shown, units = np.repeat(np.arange(40), 5), 20
    where = np.resize(regions, units)
    starts = np.arange(*window) if dtype == "f8" else np.array(window[:1])
    trials = rng.normal(5, 1, (40, units))[shown] + rng.normal(size=(len(shown), units))
    coordinates = {
        "neuroid": {
            "neuroid_id": np.array([f"site{n}" for n in range(units)]),
            "region": where,
            "animal": np.repeat(animals, units // 2),
        },
        "presentation": {"image_id": ids[shown], "repetition": np.tile(np.arange(5), 40)},
        "time_bin": {"time_bin_start": starts, "time_bin_end": np.append(starts[1:], window[1])},
    }
    assembly, table = reader.RELEASE.files(root)
    write_assembly(assembly, np.repeat(trials.T[..., None], len(starts), axis=2), coordinates, dtype)
    rows = {"image_id": ids, "filename": [f"{id}.png" for id in ids], stratum: np.tile(["one", "two"], 20)}
    pd.DataFrame(rows).to_csv(table, index=False)
    counts = {region: int((where == region).sum()) for region in regions}
    return Release(root, reader, subject, options(window=window, images=40, presentations=200, neuroids=counts), [(0, 1)])


@pytest.fixture(scope="module")
def of_freemanziemba(tmp_path_factory):
    arguments = "pooled", ["A", "B"], ["V1", "V2"], "texture_type", (50, 56), "f8"
    return small_assembly(freemanziemba, tmp_path_factory.mktemp("freemanziemba"), *arguments)


@pytest.fixture(scope="module")
def of_majajhong(tmp_path_factory):
    arguments = "Chabo", ["Chabo", "Tito"], ["V4", "IT"], "category_name", (70, 170), "f4"
    return small_assembly(majajhong, tmp_path_factory.mktemp("majajhong"), *arguments)


@pytest.fixture(scope="module")
def of_tvsd(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("tvsd"), np.random.default_rng(0)
    train_ids = [f"bat/bat_{number:02d}s.jpg" for number in range(36)]
    test_ids = [f"cat/cat_{number:02d}s.jpg" for number in range(20)]
    signal = rng.normal(0, 0.4, (20, 1024))
    repetitions = signal + rng.normal(0, 0.4, (4, 20, 1024)) / rng.uniform(0.7, 3, 1024)
    train = rng.normal(0, 0.4, (36, 1024))
    write_tvsd(root, "monkeyF", train_ids=train_ids, test_ids=test_ids, train=train, test_repetitions=repetitions)
    return Release(root, tvsd, "monkeyF", tvsd.Options(n_train=36, n_test=20, n_repetitions=4), [(0, 1)])


@pytest.fixture(scope="module")
def of_things_fmri(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("things_fmri"), np.random.default_rng(0)
    ids = [f"c{concept:02d}/c{concept:02d}_{number:02d}s.jpg" for concept in range(44) for number in range(1, 14)]
    brain = VisualSystem.__new__(VisualSystem)
    features = {area: rng.standard_normal((len(ids), 20)) for area in AREAS}
    brain.codes = {area: AreaCode.find(values, 6) for area, values in features.items()}
    latents = {area: brain.codes[area].latent(values) for area, values in features.items()}
    world = SimpleNamespace(brain=brain, things_ids=np.array(ids), things_latents=latents)
    settings = things_fmri_files.Settings(train_concepts=8, test_images=36, voxels_per_parcel=4)
    list(things_fmri_files.simulate(root, ["sub-01", "sub-02"], world, settings, seed=0))
    voxels = {subject: int(np.prod(grid)) for subject, grid in things_fmri_files.GRIDS.items()}
    for subject in ("sub-01", "sub-02"):
        voxels[subject] = len(pd.read_csv(root / f"betas_csv/{subject}_VoxelMetadata.csv"))
    options = things_fmri.Options(n_train=96, n_test=36, n_voxels=voxels, max_voxels=400)
    files = ("ResponseData.h5", "StimulusMetadata.csv", "VoxelMetadata.csv")
    others = [(number, Path(f"betas_csv/sub-02_{name}")) for number, name in enumerate(files)]
    return Release(root, things_fmri, "sub-01", options, [*others, (0, 1), (1, 2)])


@pytest.fixture(scope="module")
def of_nsd(tmp_path_factory):
    root = tmp_path_factory.mktemp("nsd")
    experiment = plan_experiment(subjects=3, sessions=2, n_shared=60, seed=0)
    write_shared(root, experiment, np.zeros((experiment.n_images, 8, 8, 3)))
    for number, (subject, grid) in enumerate({"subj01": (9, 13, 11), "subj03": (11, 12, 8)}.items()):
        rng = np.random.default_rng(number)
        cortex = lay_out_cortex(grid, 5, number)
        ncsnr, shown = rng.uniform(0.5, 1.2, len(cortex.voxels)), experiment.ordering[: 2 * TRIALS]
        signal = rng.standard_normal((len(experiment.subject_images[0]), len(ncsnr)))
        write_subject(root, subject, experiment, cortex, single_trials(signal, shown, ncsnr, number))
    sessions = {"subj01": 2, "subj03": 2}
    options = nsd.Options(
        sessions=sessions, images_per_subject=len(experiment.subject_images[0]), shared_images=60, max_voxels=200
    )
    release = Release(root, nsd, "subj01", options)
    own = [
        (number, Path(str(file).replace("subj01", "subj03")))
        for number, file in enumerate(release.files)
        if "subj01" in str(file)
    ]
    release.exchanges = [(0, 1), (2, 3), *own]
    return release


def overwrite(path: Path, place: float, content: bytes) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(int(place * max(0, size - len(content))))
        file.write(content[:size])


def truncate(path: Path, place: float) -> None:
    with path.open("r+b") as file:
        file.truncate(int(place * path.stat().st_size) | 1)


DAMAGES = {
    **{
        f"random bytes at {place:.2f}": lambda path, p=place: overwrite(path, p, np.random.default_rng(int(100 * p)).bytes(4096))
        for place in (0, 0.4, 0.6, 0.97)
    },
    "nan": lambda path: overwrite(path, 0.5, b"\xff" * 4096),
    "zeros": lambda path: overwrite(path, 0.5, bytes(4096)),
    **{f"a cut at {place:.3f}": lambda path, p=place: truncate(path, p) for place in (0.0, 0.31, 0.995)},
    "removed": lambda path: path.unlink(),
    "a folder in its place": lambda path: (path.unlink(), path.mkdir()),
}


INVISIBLE = {("betas_session", "random"), ("betas_session", "nan"), *(("assy_", kind) for kind in ("random", "nan", "zeros"))}
UNORDERED = ("__xarray_dataarray_variable__", "train_MUA")  # arrays whose rows could be those of others


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
        for what, damage in DAMAGES.items():
            if cannot_be_seen(file, what):
                continue
            damage(copy / file)
            tried += 1
            named += release.require_named_or_equal(copy, (file,), what)
            restore(release, copy, file)
    assert named > 0.6 * tried


def restore(release: Release, copy: Path, *files: Path) -> None:
    for file in files:
        if (copy / file).is_dir():
            (copy / file).rmdir()
        shutil.copyfile(release.root / file, copy / file)


@pytest.mark.parametrize("release", NAMES)
def test_two_exchanged_files_are_named_or_do_not_matter(release, request, tmp_path):
    release, copy = request.getfixturevalue(release), tmp_path / "copy"
    shutil.copytree(release.root, copy)
    for place, other in release.exchanges:
        one, other = release.files[place], release.files[other] if isinstance(other, int) else other
        shutil.copyfile(release.root / one, copy / other)
        shutil.copyfile(release.root / other, copy / one)
        release.require_named_or_equal(copy, (one, other), "an exchange")
        restore(release, copy, one, other)


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
    for file in [file for file in release.files if h5py.is_hdf5(release.root / file)][:2]:
        for name, values in datasets_of(release.root / file).items():
            for what, damage in damages_of(values).items():
                if name in UNORDERED and what == "rows in another order":
                    continue
                with h5py.File(copy / file, "r+") as opened:
                    try:
                        damage(opened, name, values)
                    except (TypeError, ValueError, RuntimeError, OSError, KeyError):
                        what = None  # h5py does not write such a file
                if what:
                    release.require_named_or_equal(copy, (file,), f"{name}: {what}")
                restore(release, copy, file)


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
