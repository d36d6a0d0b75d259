"""The reader `table`: recordings that the config describes, in every format and arrangement, with planted responses."""

import copy
import re
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray as xr
import yaml
from PIL import Image
from places import ROOT, SHARED

from cortexscale.check.dataset import check_dataset
from cortexscale.datasets import table
from cortexscale.errors import InputError
from cortexscale.plan import Plan
from cortexscale.simulation.matlab import write_matlab
from cortexscale.study.data import Dataset
from cortexscale.study.images import StimulusSet

N_STIMULI, N_UNITS, N_REPETITIONS = 40, 6, 4
OPTIONS = {
    "responses": {"file": "responses.npy", "axes": {"stimulus": N_STIMULI, "unit": N_UNITS, "repetition": N_REPETITIONS}},
    "stimuli": {"table": "stimuli.csv", "id": "{concept}/{number}.jpg"},
    "units": {"table": "units.csv", "unit": "electrode", "roi_column": "area"},
    "split": {"column": "split"},
    "min_nc_percent": 60,
}


def changed(*changes: tuple[str, object], **options) -> table.Options:
    """Return the options with values at dotted places exchanged. The value None removes a key."""
    values = copy.deepcopy(OPTIONS) | options
    for place, value in changes:
        *sections, key = place.split(".")
        section = values
        for name in sections:
            section = section[name]
        section[key] = value
        if value is None:
            del section[key]
    return table.Options(**values)


@pytest.fixture
def world(tmp_path):
    """Responses (stimuli, units, repetitions) of two areas. Some trials were not recorded, and unit 5 is noise."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(N_STIMULI, N_UNITS)) * [1, 1, 1, 1, 0, 1]
    trials = signal[..., None] + 0.5 * rng.normal(size=(N_STIMULI, N_UNITS, N_REPETITIONS))
    trials[3, :, 2:] = trials[7, :, 1:] = np.nan
    numbers = [f"{number:03d}" for number in range(N_STIMULI)]
    stimuli = pd.DataFrame({"concept": ["cat", "dog"] * 20, "number": numbers, "split": (["test"] + ["train"] * 4) * 8})
    units = pd.DataFrame({"electrode": [f"e{n}" for n in range(N_UNITS)], "area": ["V4", "IT"] * 3, "x": np.arange(N_UNITS) / 2})
    np.save(tmp_path / "responses.npy", trials)
    stimuli.to_csv(tmp_path / "stimuli.csv", index=False)
    units.to_csv(tmp_path / "units.csv", index=False)
    return tmp_path, trials, stimuli, units


def test_responses_are_averages_and_ceilings_those_of_test_trials(world):
    root, trials, stimuli, _ = world
    recording = table.read(root, "anna", changed())
    kept = [0, 1, 2, 3, 5]
    assert recording.units["unit"].tolist() == [f"e{n}" for n in kept] and recording.units["x"].tolist() == [n / 2 for n in kept]
    assert recording.rois["V4"].tolist() == [n % 2 == 0 for n in kept]
    of_test = stimuli["split"] == "test"
    ids = (stimuli["concept"] + "/" + stimuli["number"] + ".jpg").to_numpy()
    for split, rows in ((recording.test, of_test), (recording.train, ~of_test)):
        assert split.stimulus_ids.tolist() == ids[rows].tolist()
        np.testing.assert_allclose(split.responses, np.nanmean(trials, axis=2)[rows][:, kept], rtol=1e-6)
        assert split.repetitions.tolist() == np.isfinite(trials[rows, 0]).sum(axis=1).tolist()
    # All test stimuli have four trials, so the ceiling follows from the variances of a balanced design.
    test = trials[of_test]
    noise = test.var(axis=2, ddof=1).mean(axis=0) / N_REPETITIONS
    total = test.mean(axis=2).var(axis=0, ddof=1)
    np.testing.assert_allclose(recording.screening["nc_percent"], 100 * np.maximum(1 - noise / total, 0), rtol=1e-6)
    assert recording.notes["dropped_units"] == 1


def as_xarray(world) -> xr.Dataset:
    _, trials, stimuli, units = world
    tables = (("stimulus", stimuli), ("unit", units))
    along = {name: (axis, each[name].to_numpy(object)) for axis, each in tables for name in each}
    return xr.DataArray(trials, dims=("stimulus", "unit", "repetition"), coords=along).to_dataset(name="rates")


def write(world, kind: str) -> dict:
    """Write the responses in a format. Return the options that name them."""
    root, trials, _, _ = world
    match kind:
        case "Fortran order":
            np.save(root / "f.npy", np.asfortranarray(trials))
            return {"file": "f.npy"}
        case "npz":
            np.savez_compressed(root / "a.npz", rates=trials, other=np.zeros((2, 2)))
            return {"file": "a.npz", "variable": "rates"}
        case "hdf5":
            with h5py.File(root / "a.h5", "w") as file:
                file["session1/rates"] = trials
                file["session1/onsets"] = np.arange(9)
            return {"file": "a.h5", "variable": "session1/rates"}
        case "MATLAB 7.3":
            write_matlab(root / "a.mat", {"rates": trials})
            return {"file": "a.mat", "variable": "rates"}
        case "MATLAB 5":
            scipy.io.savemat(root / "b.mat", {"rates": trials})
            return {"file": "b.mat"}
        case "netCDF":
            as_xarray(world).to_netcdf(root / "a.nc")
            return {"file": "a.nc"}
        case "zarr":
            as_xarray(world).to_zarr(root / "a.zarr", consolidated=False)
            return {"file": "a.zarr"}
    raise ValueError(kind)


@pytest.mark.parametrize("kind", ["Fortran order", "npz", "hdf5", "MATLAB 7.3", "MATLAB 5", "netCDF", "zarr"])
def test_every_format_gives_the_same_recording(world, kind):
    expected = table.read(world[0], "anna", changed())
    responses = OPTIONS["responses"] | write(world, kind)
    options = [changed(responses=responses)]
    if kind in ("netCDF", "zarr"):  # the tables are in the file itself
        options.append(changed(("stimuli.table", None), ("units.table", None), responses=responses))
    for each in options:
        table.inspect(world[0], "anna", each)
        found = table.read(world[0], "anna", each)
        np.testing.assert_array_equal(found.train.responses, expected.train.responses)
        np.testing.assert_array_equal(found.test.stimulus_ids, expected.test.stimulus_ids)
        pd.testing.assert_frame_equal(found.units, expected.units, check_dtype=False)


def test_axes_in_another_order_and_bins_of_time(world):
    root, trials, _, _ = world
    expected = table.read(root, "anna", changed()).train.responses
    bins = np.stack([trials - 1, trials + 1])
    np.save(root / "t.npy", bins.transpose(2, 0, 3, 1))
    axes = {"unit": N_UNITS, "time": 2, "repetition": N_REPETITIONS, "stimulus": N_STIMULI}
    found = table.read(root, "anna", changed(responses={"file": "t.npy", "axes": axes})).train.responses
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_rows_of_trials(world):
    root, trials, stimuli, _ = world
    expected = table.read(root, "anna", changed())
    rows = np.random.default_rng(1).permutation(np.tile(np.arange(N_STIMULI), N_REPETITIONS))
    repetition = pd.Series(rows).groupby(rows).cumcount().to_numpy()
    np.save(root / "long.npy", trials[rows, :, repetition])
    stimuli.iloc[rows].to_csv(root / "trials.csv", index=False)
    responses = {"file": "long.npy", "axes": {"stimulus": N_STIMULI * N_REPETITIONS, "unit": N_UNITS}}
    found = table.read(root, "anna", changed(("stimuli.table", "trials.csv"), responses=responses))
    order = [found.train.stimulus_ids.tolist().index(id) for id in expected.train.stimulus_ids]
    np.testing.assert_allclose(found.train.responses[order], expected.train.responses, rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.units["nc_percent"], expected.units["nc_percent"], rtol=1e-9)


def test_pictures_in_numeric_order(world):
    root, trials, _, _ = world
    (root / "pictures").mkdir()
    for number in range(N_STIMULI):
        (root / f"pictures/image{number}.png").touch()
    found = table.read(root, "anna", changed(("split.column", None), ("split.every", 5), stimuli={"images": "pictures/*.png"}))
    assert found.test.stimulus_ids.tolist() == [f"pictures/image{number}.png" for number in range(0, N_STIMULI, 5)]
    np.testing.assert_allclose(found.test.responses[1], np.nanmean(trials[5], axis=1)[[0, 1, 2, 3, 5]], rtol=1e-6)


@pytest.mark.parametrize("rule", ["every", "file", "random", "flags"])
def test_splits(world, rule):
    root, _, stimuli, _ = world
    ids = (stimuli["concept"] + "/" + stimuli["number"] + ".jpg").to_numpy()
    (root / "test.txt").write_text("\n".join(ids[[1, 2, 30]]) + "\n")
    stimuli.assign(held_out=np.arange(N_STIMULI) < 9).to_csv(root / "stimuli.csv", index=False)
    given = {
        "every": {"every": 10, "first": 3},
        "file": {"file": "test.txt"},
        "random": {"random": 0.25, "by": "concept"},
        "flags": {"column": "held_out", "train": False, "test": True},
    }[rule]
    options = changed(split=given)
    found = table.read(root, "anna", options)
    expected = {"every": ids[3::10], "file": ids[[1, 2, 30]], "flags": ids[:9]}.get(rule)
    if expected is None:
        concepts = [id.split("/")[0] for id in found.test.stimulus_ids]
        assert (concepts.count("cat"), concepts.count("dog")) == (5, 5)
    else:
        assert found.test.stimulus_ids.tolist() == expected.tolist()
    assert set(found.train.stimulus_ids) == set(ids) - set(found.test.stimulus_ids)
    n_train, n_test, n_units = table.shape(options, ["anna"])
    assert (n_train, n_test) >= (len(found.train.stimulus_ids), len(found.test.stimulus_ids)) and n_units == N_UNITS


def test_units_of_subjects_rois_and_given_ceilings(world):
    root, _, _, units = world
    more = units.assign(monkey=["A", "A", "A", "B", "B", "B"], V4=[1, 0, 1, 0, 1, 0], early="yes", ceiling=np.arange(20, 80, 10))
    more.to_csv(root / "units.csv", index=False)
    given = {"table": "units.csv", "subject": "monkey", "roi_columns": ["V4", "early"], "nc_percent": "ceiling"}
    options = changed(units=given, min_nc_percent=10)
    recording = table.read(root, "B", options)
    assert recording.units["unit"].tolist() == ["unit0004", "unit0005", "unit0006"]
    assert recording.units["nc_percent"].tolist() == [50, 60, 70] and recording.units["electrode"].tolist() == ["e3", "e4", "e5"]
    assert recording.rois["V4"].tolist() == [False, True, False] and recording.rois["early"].all()
    whole = table.read(root, "anna", changed(units={"roi": "V4"}))
    assert list(whole.rois) == ["V4"] and len(whole.screening) == N_UNITS


def test_a_file_for_each_subject(world):
    root, trials, _, _ = world
    for subject, n in (("anna", 6), ("bruno", 4)):
        np.save(root / f"{subject}.npy", trials[:, :n])
    options = changed(("responses.file", "{subject}.npy"), units={"roi": "V4"})
    assert table.raw_files(root, "bruno", options)[0] == root / "bruno.npy"
    assert len(table.read(root, "bruno", options).screening) == 4
    assert table.shape(options, ["anna", "bruno"])[2] == 2 * N_UNITS


def spoil(root: Path, kind: str) -> dict:
    """Damage one thing. Return options in place of the usual ones."""
    trials, units = np.load(root / "responses.npy"), pd.read_csv(root / "units.csv")
    match kind:
        case "a unit more in the table":
            pd.concat([units, units[:1]]).to_csv(root / "units.csv", index=False)
        case "an empty area":
            units.assign(area=[None, *units["area"][1:]]).to_csv(root / "units.csv", index=False)
        case "cut":
            whole = (root / "responses.npy").read_bytes()
            (root / "responses.npy").write_bytes(whole[:-100])
        case "no header":
            (root / "responses.npy").write_bytes(b"hello, this is no array")
        case "objects":
            np.save(root / "responses.npy", np.array([{"a": 1}, None], dtype=object))
        case "missing responses":
            trials[0, :2, 0] = np.nan
            np.save(root / "responses.npy", trials)
        case "single trials":
            np.save(root / "responses.npy", trials[..., :1])
            return {"responses": OPTIONS["responses"] | {"axes": {"stimulus": 40, "unit": 6, "repetition": 1}}}
        case "fractions":
            units.assign(nc=0.5).to_csv(root / "units.csv", index=False)
            return {"units": OPTIONS["units"] | {"nc_percent": "nc"}, "min_nc_percent": 0}
        case "an unknown id":
            (root / "test.txt").write_text("cat/1000.jpg")
            return {"split": {"file": "test.txt"}}
        case "an ROI called kept":
            units.assign(area="kept").to_csv(root / "units.csv", index=False)
        case "no test":
            return {"split": {"column": "split", "test": "validation"}}
        case "swapped axes":
            return {"responses": OPTIONS["responses"] | {"axes": {"unit": 6, "stimulus": 40, "repetition": 4}}}
        case "misspelt column":
            return {"units": OPTIONS["units"] | {"roi_column": "aera"}}
        case "two arrays":
            np.savez(root / "a.npz", one=trials, two=trials)
            return {"responses": OPTIONS["responses"] | {"file": "a.npz"}}
        case "netCDF 3":
            scipy.io.netcdf_file(root / "a.nc", "w").close()
            return {"responses": OPTIONS["responses"] | {"file": "a.nc"}}
        case "latin-1":
            (root / "units.csv").write_bytes("électrode,area\n".encode("latin-1"))
        case "Excel":
            (root / "units.xlsx").write_bytes(b"PK")
            return {"units": OPTIONS["units"] | {"table": "units.xlsx"}}
    return {}


@pytest.mark.parametrize(
    ("kind", "where", "found"),
    [
        ("a unit more in the table", "units.csv", "7 rows"),
        ("an empty area", "units.csv", "nothing in row 1 of the column area"),
        ("cut", "responses.npy", "bytes of numbers"),
        ("no header", "responses.npy", "cannot be read"),
        ("objects", "responses.npy", "an array of object"),
        ("missing responses", "responses.npy", "2 of 6 units with a missing response"),
        ("single trials", "responses.npy", "at most 1 trial of 8 test stimuli"),
        ("fractions", "table/anna", "no noise ceiling above 1"),
        ("an unknown id", "test.txt", "cat/1000.jpg"),
        ("an ROI called kept", "units.csv", "an ROI called kept"),
        ("no test", "split", "32 training and 0 test stimuli among the values test, train"),
        ("swapped axes", "responses.npy", "shape (40, 6, 4)"),
        ("misspelt column", "units.csv", "electrode, area, x"),
        ("two arrays", "a.npz", "one, two"),
        ("netCDF 3", "a.nc", "not HDF5"),
        ("latin-1", "units.csv", "not UTF-8"),
        ("Excel", "units.xlsx", "the suffix .xlsx"),
    ],
)
def test_what_is_wrong_is_named(world, kind, where, found):
    options = changed(**spoil(world[0], kind))
    with pytest.raises(InputError) as caught:
        table.read(world[0], "anna", options)
    assert where in caught.value.where and found in caught.value.found, caught.value


def test_units_of_several_subjects_need_a_column():
    with pytest.raises(InputError, match="one file without a column of subjects for anna, bruno"):
        table.shape(changed(), ["anna", "bruno"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": {"roi": "V4", "roi_column": "area"}}, "roi and roi_column given"),
        ({"split": {}}, "nothing given; one of column, file, every and random"),
        ({"split": {"every": 5, "first": 5}}, "a number below `every`"),
        ({"stimuli": {"id": "stimulus"}}, "a column in braces is expected: {stimulus}"),
        ({"responses": {"file": "a.npy", "axes": {"unit": 3}}}, "no axis `stimulus`"),
    ],
)
def test_options_that_contradict_each_other(options, message):
    with pytest.raises(ValueError) as caught:
        changed(**options)
    assert message in str(caught.value)


def test_the_entry_of_the_page_is_read_by_the_plan(tmp_path):
    text = (ROOT / "docs/describing_a_dataset.md").read_text(encoding="utf-8")
    entry = yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])
    models = [{"source": "timm", "ids": ["test_resnet"], "layers": ["layer1"]}]
    config = {"study": "mine", "results": str(tmp_path / "r"), "models": models, "plan_without_data": True, **entry}
    data = Plan(config).data
    assert [Path(file).name for file in data.raw_files("mylab", "bruno")] == ["bruno.npy", "stimuli.csv", "bruno_units.csv"]
    assert data.shape("mylab") == (700, 700, 2 * 96) and data.modality("mylab") == "ephys"
    assert list(data.options("mylab")["responses"]["axes"]) == ["stimulus", "unit", "repetition"]
    entry["datasets"]["mylab"]["options"]["units"]["areas"] = "area"
    entry["datasets"]["mylab"]["options"]["responses"]["axes"]["trial"] = 3
    with pytest.raises(InputError) as caught:
        Plan(config | entry)
    assert "options.units.areas" in str(caught.value) and "options.responses.axes.trial" in str(caught.value)


@pytest.mark.slow
def test_recordings_in_a_file_for_each_subject_pass_the_check(world, monkeypatch):
    root, trials, _, _ = world
    (root / "pictures").mkdir()
    for id in range(N_STIMULI):
        Image.fromarray(np.full((8, 8, 3), id, np.uint8)).save(root / f"pictures/{id:03d}.png")
    monkeypatch.chdir(root)
    for subject in ("anna", "bruno"):
        np.save(f"{subject}.npy", trials)
    options = changed(("responses.file", "{subject}.npy"), ("stimuli.id", "pictures/{number}.png")).model_dump(mode="json")
    entry = {"label": "L", "reader": "table", "stimuli": "s", "path": ".", "subjects": ["anna", "bruno"], "rois": ["V4", "V1"]}
    report = check_dataset("mylab", Dataset(**entry, options=options), StimulusSet(layout="image_folder", path="."))
    assert report.n_problems == 1 and "no subject has a unit in V1" in report.text(), report.text()


@pytest.mark.skipif(not (SHARED / "data/real").is_dir(), reason="no ../shared/data/real")
def test_an_assembly_as_brainio_packs_it():
    options = table.Options(
        responses={"file": "assy_test_package_assembly.nc", "axes": {"stimulus": 6, "unit": 3, "time": 1}},
        stimuli={"id": "{image_id}.png"},
        units={"unit": "neuroid_id", "roi": "IT"},
        split={"every": 2},
        min_nc_percent=0,
    )
    table.inspect(SHARED / "data/real/brainio", "pooled", options)
    with pytest.raises(InputError, match="no noise ceiling"):  # the file has six responses of one trial
        table.read(SHARED / "data/real/brainio", "pooled", options)
