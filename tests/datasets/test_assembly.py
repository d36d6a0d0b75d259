"""Assemblies: what netCDF tools write is read by name, whatever its order and storage; bad files are refused by name."""

import hashlib
import itertools
import re

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from cortexscale.datasets.formats import assembly as module
from cortexscale.datasets.formats.assembly import Assembly, open_assembly
from cortexscale.datasets.formats.brainscore import Release
from cortexscale.datasets.freemanziemba import reader as freemanziemba
from cortexscale.datasets.majajhong import reader as majajhong
from cortexscale.datasets.splits import stratified_test
from cortexscale.errors import InputError
from cortexscale.simulation.assembly import write_assembly
from cortexscale.stimuli.brainscore import read_stimuli

COORDINATES = {
    "neuroid": {"neuroid_id": np.arange(1, 6), "region": np.array(["V1", "V1", "V2", "V2", "V2"])},
    "time_bin": {"time_bin_start": np.arange(0, 60, 10), "time_bin_end": np.arange(10, 70, 10)},
    "presentation": {"repetition": np.array([0, 1, 0, 1, 0, 1, 2]), "image_id": np.array(["é", "b", "b", "a", "é", "a", "a"])},
}
RESPONSES = np.random.default_rng(0).normal(size=(5, 6, 7))
UNITS = np.array([0, 1, 3, 4])


@pytest.fixture
def file(tmp_path):
    write_assembly(tmp_path / "assy.nc", RESPONSES, COORDINATES, "f8")
    return tmp_path / "assy.nc"


def read(path, window=(20, 50)) -> np.ndarray:
    """Return the (presentations, UNITS) responses that the reader streams."""
    with open_assembly(path, "") as assembly:
        blocks = list(assembly.unit_blocks(UNITS, assembly.time_bins(window)))
    assert np.concatenate([np.arange(len(UNITS))[part] for part, _ in blocks]).tolist() == [0, 1, 2, 3]
    return np.concatenate([block for _, block in blocks], axis=1)


# --- the format -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_netcdf_tools_read_what_the_writer_writes(file, engine):
    with xr.open_dataarray(file, engine=engine) as array:
        assert array.dims == ("neuroid", "time_bin", "presentation") and not array.indexes
        assert array.name is None, "xarray hides its placeholder name"
        assert list(array.coords) == [name for levels in COORDINATES.values() for name in levels]
        np.testing.assert_array_equal(array, RESPONSES)
        for dim, levels in COORDINATES.items():
            for name, values in levels.items():
                assert array[name].dims == (dim,)
                np.testing.assert_array_equal(array[name], values)
    with h5py.File(file) as opened:
        assert opened["neuroid"].dtype == ">f4" and opened["neuroid"].is_scale
        assert opened["__xarray_dataarray_variable__"].compression is None


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
@pytest.mark.parametrize("name", [None, "data"])
def test_files_of_netcdf_tools_are_read(file, tmp_path, engine, name):
    """Old releases have a placeholder name and no compression, new ones the name `data` and deflate level 9."""
    array = xr.open_dataarray(file).load().rename(name)
    storage = {name: {"zlib": True, "complevel": 9}} if name else None
    array.transpose("presentation", "neuroid", "time_bin").to_netcdf(tmp_path / "b.nc", engine=engine, encoding=storage)
    np.testing.assert_allclose(read(tmp_path / "b.nc"), RESPONSES[UNITS, 2:5].mean(axis=1).T)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_axes_are_found_by_name(tmp_path, order):
    dims = list(COORDINATES)
    coordinates = {dims[axis]: COORDINATES[dims[axis]] for axis in order}
    write_assembly(tmp_path / "x.nc", RESPONSES.transpose(order), coordinates, "f8")
    np.testing.assert_allclose(read(tmp_path / "x.nc"), RESPONSES[UNITS, 2:5].mean(axis=1).T)


def test_axes_of_one_length_are_not_confused(tmp_path):
    responses = np.random.default_rng(1).normal(size=(5, 5, 5))
    short = {dim: {name: values[:5] for name, values in levels.items()} for dim, levels in COORDINATES.items()}
    write_assembly(tmp_path / "x.nc", responses, short, "f8")
    np.testing.assert_allclose(read(tmp_path / "x.nc"), responses[UNITS, 2:5].mean(axis=1).T)


def test_blocks_do_not_change_the_result(file, monkeypatch):
    whole = read(file)
    monkeypatch.setattr(module, "BLOCK_BYTES", 1)
    np.testing.assert_array_equal(read(file), whole)


def test_labels(file, monkeypatch):
    monkeypatch.setattr(module, "_LABELS", 3)
    with open_assembly(file, "") as assembly:
        table = assembly.table("neuroid")
        assert table["region"].tolist() == ["V1", "V1", "V2", "V2", "V2"] and table["neuroid_id"].tolist() == [1, 2, 3, 4, 5]
        for name in ("image_id", "stimulus_id"):
            ids, codes = assembly.coded("presentation", name)
            assert ids.tolist() == ["a", "b", "é"]
            np.testing.assert_array_equal(ids[codes], COORDINATES["presentation"]["image_id"])
        with pytest.raises(InputError, match=r"no coordinate animal of neuroid; there is neuroid_id, region"):
            assembly.label("neuroid", "animal")


def test_newer_files_say_stimulus_id(tmp_path):
    presentation = {"stimulus_id": COORDINATES["presentation"]["image_id"]}
    write_assembly(tmp_path / "x.nc", RESPONSES, COORDINATES | {"presentation": presentation}, "f8")
    with open_assembly(tmp_path / "x.nc", "") as assembly:
        assert assembly.coded("presentation", "image_id")[0].tolist() == ["a", "b", "é"]


# --- time bins --------------------------------------------------------------------------------------------------------


def bins(tmp_path, starts, ends):
    time_bin = {"time_bin_start": np.array(starts), "time_bin_end": np.array(ends)}
    write_assembly(tmp_path / "x.nc", np.zeros((5, len(starts), 7)), COORDINATES | {"time_bin": time_bin}, "f8")
    return tmp_path / "x.nc"


def test_one_bin_is_a_window(tmp_path):
    with open_assembly(bins(tmp_path, [70], [170]), "") as assembly:
        assert assembly.time_bins((70, 170)) == slice(0, 1)


@pytest.mark.parametrize(
    ("starts", "ends"),
    [
        ([0, 10, 20, 30], [10, 20, 30, 40]),  # the window is not over yet
        ([25, 35, 45], [35, 45, 50]),  # it began before
        ([20, 40], [30, 50]),  # a gap
        ([20, 30, 30, 40], [30, 40, 40, 50]),  # twice
        ([20, 25, 30, 35], [40, 45, 50, 55]),  # bins that overlap
        ([20, 30], [30, 50]),  # bins of unequal length
        ([40, 30, 20], [50, 40, 30]),  # backwards
        ([70], [170]),
    ],
)
def test_bins_that_do_not_tile_the_window_are_refused(tmp_path, starts, ends):
    path = bins(tmp_path, starts, ends)
    with open_assembly(path, "") as assembly, pytest.raises(InputError) as caught:
        assembly.time_bins((20, 50))
    assert f"{len(starts)} time bins ({starts[0]}-{ends[0]}" in caught.value.found and "20-50 ms" in caught.value.expected


# --- bad assemblies ---------------------------------------------------------------------------------------------------


def damaged(path, change):
    path.write_bytes(change(path.read_bytes()))


def edited(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def hole(content: bytes) -> bytes:
    """Put zeros where a resumed download left a hole."""
    return content[:600] + bytes(2000) + content[2600:]


def unname(file):
    array = file["__xarray_dataarray_variable__"]
    array.dims[1].detach_scale(file["time_bin"])


BAD = {
    "missing": (lambda p: p.unlink(), "nothing", "a data file"),
    "truncated": (lambda p: damaged(p, lambda b: b[: len(b) // 2]), "a truncated file", "a whole netCDF-4 file"),
    "hole": (lambda p: damaged(p, hole), "HDF5 cannot read", "a whole netCDF-4 file"),
    "web page": (lambda p: p.write_text("<!DOCTYPE html><html>"), "an HTML page", "a data file"),
    "S3 error": (
        lambda p: p.write_text('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'),
        r"error page of the storage server \(AccessDenied\)",
        "a data file",
    ),
    "git-annex pointer": (lambda p: p.write_text("/annex/objects/MD5-s1--0"), "a git-annex pointer", "the data file itself"),
    "LFS pointer": (lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\n"), "a Git LFS pointer", "itself"),
    "netCDF-3": (lambda p: scipy.io.netcdf_file(p, "w").close(), "is not HDF5", "a whole netCDF-4 file"),
    "two arrays": (lambda p: edited(p, lambda f: f.create_dataset("more", data=np.zeros((2, 2)))), "arrays: .*more", "one array"),
    "no array": (lambda p: edited(p, lambda f: f.__delitem__("__xarray_dataarray_variable__")), "no array", "one array"),
    "nameless axis": (lambda p: edited(p, unname), r"over neuroid, \?, presentation", "time_bin"),
    "another axis": (
        lambda p: edited(p, lambda f: f.move("neuroid", "unit")),
        "over unit, time_bin, presentation",
        "neuroid, presentation, time_bin",
    ),
    "a response is missing": (
        lambda p: edited(p, lambda f: f["__xarray_dataarray_variable__"].__setitem__((3, 4, 5), np.nan)),
        "the first in presentation 6 of unit 4 of the file",
        "no missing response",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_assemblies_are_refused_by_name(file, case):
    damage, found, expected = BAD[case]
    damage(file)
    with pytest.raises(InputError) as caught:
        read(file)
    assert caught.value.where == str(file)
    assert re.search(found, caught.value.found), caught.value.found
    assert re.search(expected, caught.value.expected), caught.value.expected


# --- stimulus tables --------------------------------------------------------------------------------------------------


def stimuli(tmp_path, text, columns=("image_id", "kind")):
    path = tmp_path / "stimulus.csv"
    path.write_text(text)
    return read_stimuli(path, columns, "fetch it")


def test_entries_are_text_in_the_order_of_the_file(tmp_path):
    """An id of digits is not a number, and NA is a category."""
    table = stimuli(tmp_path, "id,image_id,kind\n1,00123,NA\n2,12e45,3\n")
    assert table["image_id"].tolist() == ["00123", "12e45"] and table["kind"].tolist() == ["NA", "3"]


@pytest.mark.parametrize("header", ["image_id,filename", "stimulus_id,image_file_name"])
def test_old_and_new_column_names(tmp_path, header):
    table = stimuli(tmp_path, f"{header}\nx,x.png\n", ["image_id", "filename"])
    assert list(table) == ["image_id", "filename"] and table["filename"].tolist() == ["x.png"]


def test_the_column_that_joins_images_wins(tmp_path):
    assert stimuli(tmp_path, "image_id,image_file_name,filename\nx,old,new\n", ["filename"])["filename"].tolist() == ["new"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,other\nx,1\n", "also kind"),
        ("image_id,kind\nx,1\ny\n", "row 2 without image_id or kind"),
        ("image_id,kind\nx,1\ny,\n", "row 2 without"),
        ("image_id,kind\nx,1\nx,2\n", "image_id x twice"),
        ("image_id,kind\n", "no rows"),
        ("image_id,kind\nx,1,2,3\ny,1\nz,1,2,3,4,5\n", "not a readable table"),
        ("\x00\x01", "columns|table"),
        ("", "0 bytes"),
        ("<?xml?><Code>NoSuchKey</Code>", "error page of the storage server \\(NoSuchKey\\)"),
        ("<html>", "an HTML page"),
    ],
)
def test_bad_tables_are_refused_by_name(tmp_path, text, message):
    with pytest.raises(InputError, match=rf"stimulus\.csv[\s\S]*{message}[\s\S]*fetch it"):
        stimuli(tmp_path, text)


# --- files and split --------------------------------------------------------------------------------------------------


def test_files_are_found_flat_in_a_cache_and_by_their_old_names(tmp_path):
    names = {"assembly": ("assy.nc",), "stimuli": ("stimulus_new.csv", "image_old.csv")}
    release = Release(dataset="x", title="X", **names, stratum="kind", remedy="", subjects=("s",), rois=("V1",))
    assert release.files(tmp_path) == [tmp_path / "assy.nc", tmp_path / "stimulus_new.csv"], "nothing there yet"
    cached = tmp_path / ("0f" * 20) / "assy.nc"
    old = tmp_path / ("ab" * 20) / "image_old.csv"
    for path in (cached, old):
        path.parent.mkdir()
        path.touch()
    assert release.files(tmp_path) == [cached, old]
    for name in ("assy.nc", "image_old.csv"):
        (tmp_path / name).touch()
    assert release.files(tmp_path) == [tmp_path / "assy.nc", tmp_path / "image_old.csv"]


@given(st.lists(st.integers(10, 40), min_size=1, max_size=6), st.integers(0, 2**32 - 1), st.floats(0.1, 0.6))
def test_the_split_is_in_proportion_and_does_not_depend_on_the_order(sizes, seed, fraction):
    strata = np.repeat([f"kind {n}" for n in range(len(sizes))], sizes)
    ids = np.array([f"{n:04d}" for n in np.random.default_rng(0).permutation(len(strata))])
    test = stratified_test(ids, strata, fraction, seed, "")
    assert test.sum() == int(np.ceil(np.round(fraction * len(ids), 6)))
    per_stratum = pd.Series(test).groupby(strata).sum()
    assert (np.abs(per_stratum - np.array(sizes) * test.sum() / len(ids)) < 1).all()
    order = np.random.default_rng(seed).permutation(len(ids))
    np.testing.assert_array_equal(stratified_test(ids[order], strata[order], fraction, seed, ""), test[order])
    ascending = np.argsort(ids)
    _, expected = train_test_split(ids[ascending], test_size=int(test.sum()), stratify=strata[ascending], random_state=seed)
    assert set(ids[test]) == set(expected), "the draw of scikit-learn"


def authors_draw(ids: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Draw the test images of both releases as the authors' notebooks ``data_prep/bs_fz.ipynb`` and ``bs_mh.ipynb`` do."""
    order = np.argsort(ids)
    indices = np.arange(len(ids))
    _, test = train_test_split(indices, stratify=strata[order], test_size=0.1, random_state=42, shuffle=True)
    return np.isin(ids, ids[order][test])


def test_the_released_splits():
    """14 of 67 and 68 textures are held out, 40 of the 400 images of each of 8 categories, and the images are the authors'."""
    digests = np.array([hashlib.sha1(str(n).encode()).hexdigest() for n in range(3200)])
    kinds = np.repeat(["noise", "texture"], [67, 68])
    options = freemanziemba.Options()
    test = stratified_test(digests[:135], kinds, options.test_fraction, options.split_seed, "")
    np.testing.assert_array_equal(test, authors_draw(digests[:135], kinds))
    assert test[:67].sum() == 7 and test[67:].sum() == 7
    options = majajhong.Options()
    categories = np.repeat(["Animals", "Boats", "Cars", "Chairs", "Faces", "Fruits", "Planes", "Tables"], 400)
    held_out = stratified_test(digests, categories, options.test_fraction, options.split_seed, "")
    np.testing.assert_array_equal(held_out, authors_draw(digests, categories))
    np.testing.assert_array_equal(held_out.reshape(8, 400).sum(axis=1), 40)
    assert (stratified_test(digests, categories, 0.1, 43, "") != held_out).any()


def test_drawn_images_do_not_depend_on_versions_of_libraries():
    """The positions were drawn with scikit-learn 1.9.1 from numbered ids, 67 of noise before 68 textures."""
    ids = np.array([f"{n:04d}" for n in range(135)])
    test = stratified_test(ids, np.repeat(["noise", "texture"], [67, 68]), 0.1, 42, "")
    assert np.flatnonzero(test).tolist() == [14, 18, 20, 38, 51, 57, 60, 76, 84, 100, 102, 110, 128, 129]


def test_more_strata_than_test_images_are_refused():
    with pytest.raises(InputError, match=r"kind of x\.csv\n.*3 test images \(0\.1 of 30\) for 5 strata[\s\S]*raise the fraction"):
        stratified_test(np.arange(30).astype(str), np.tile(list("abcde"), 6), 0.1, 0, "kind of x.csv")


def test_a_damaged_coordinate_is_an_error_that_names_the_file(tmp_path, monkeypatch):
    def damaged(data):
        raise OSError("can't read data")

    assembly = Assembly(tmp_path / "a.nc", "fetch it", None, ("presentation",), {"presentation": {"image_id": None}})
    monkeypatch.setattr("cortexscale.datasets.formats.assembly.values_of", damaged)
    with pytest.raises(InputError) as error:
        assembly.table("presentation")
    assert error.value.where == str(tmp_path / "a.nc") and error.value.remedy.endswith("fetch it")
