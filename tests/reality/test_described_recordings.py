"""Recordings of a lab that the config describes: gaps and holes of files, tables that people write, and invalid trials."""

import copy
import logging
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import zarr

from cortexscale.datasets import table
from cortexscale.datasets.table.arrays import open_array
from cortexscale.errors import InputError
from cortexscale.recording import load_recording
from cortexscale.stimuli.layouts import Hdf5Images

STIMULI, UNITS, REPETITIONS = 20, 12, 3
AXES = {"stimulus": STIMULI, "unit": UNITS, "repetition": REPETITIONS}
TRIALS = (
    np.random.default_rng(0).normal(size=(STIMULI, UNITS, 1)) + np.random.default_rng(1).normal(size=tuple(AXES.values())) / 3
)
ROWS = pd.DataFrame({"image": [f"{n:03d}" for n in range(STIMULI)], "split": (["test"] + ["train"] * 3) * 5})
ELECTRODES = pd.DataFrame({"electrode": [f"e{n}" for n in range(UNITS)], "area": ["V4", "IT"] * 6})
DESCRIBED = {
    "responses": {"file": "r.npy", "axes": AXES},
    "stimuli": {"table": "stimuli.csv", "id": "{image}.png"},
    "units": {"table": "units.csv", "unit": "electrode", "roi_column": "area"},
    "split": {"column": "split"},
    "min_nc_percent": 0,
}


@pytest.fixture
def lab(tmp_path):
    ROWS.to_csv(tmp_path / "stimuli.csv", index=False)
    ELECTRODES.to_csv(tmp_path / "units.csv", index=False)
    np.save(tmp_path / "r.npy", TRIALS)
    return tmp_path


def read(lab: Path, **changes: dict):
    options = copy.deepcopy(DESCRIBED)
    for section, values in changes.items():
        options[section] = options[section] | values
    return table.read(lab, "anna", table.Options(**options))


def refused(lab: Path, where: str, found: str, **changes: dict) -> None:
    with pytest.raises(InputError) as caught:
        read(lab, **changes)
    assert where in caught.value.where and found in caught.value.found, caught.value


# ----------------------------------------------------------------------------------------------- gaps and holes of files


@pytest.mark.parametrize("file", ["a.nc", "a.zarr"])
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("dtype", ["f4", "i2"])
def test_the_fill_value_of_a_file_is_no_number(tmp_path, file, version, dtype):
    values = np.arange(12.0).reshape(4, 3)
    values[1, 2] = np.nan
    data, how = xr.Dataset({"rates": (("stimulus", "unit"), values)}), {"rates": {"dtype": dtype, "_FillValue": -9999}}
    if file == "a.nc":
        data.to_netcdf(tmp_path / file, encoding=how)
    else:
        data.to_zarr(tmp_path / file, encoding=how, zarr_format=version, consolidated=False)
    with open_array(tmp_path / file, "rates") as array:
        np.testing.assert_array_equal(array.read(), values)


def test_what_was_never_written_is_nan_where_the_file_says_so(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("rates", (6, 2), "f8", chunks=(2, 2), fillvalue=-1)[:2] = 5
    with open_array(tmp_path / "a.h5", None) as array:
        np.testing.assert_array_equal(array.read(), np.repeat([[5.0] * 2, [np.nan] * 2, [np.nan] * 2], 2, axis=0))


@pytest.mark.parametrize("chunks", [(5, UNITS, REPETITIONS), None], ids=["blocks", "whole"])
def test_an_array_of_an_interrupted_program_is_refused(lab, chunks):
    with h5py.File(lab / "a.h5", "w") as file:
        data = file.create_dataset("rates", TRIALS.shape, "f8", chunks=chunks)
        if chunks:
            data[:15] = TRIALS[:15]
    refused(lab, "a.h5", "1 of 4 blocks" if chunks else "1 of 1 blocks", responses={"file": "a.h5"})


def linked(folder: Path, name: str, values: np.ndarray) -> Path:
    """Write two halves, and a file that shows both as one array but has no numbers itself."""
    half = len(values) // 2
    layout = h5py.VirtualLayout(values.shape, values.dtype)
    for number in range(2):
        with h5py.File(folder / f"part{number}.h5", "w") as file:
            file["x"] = values[number * half : (number + 1) * half]
        layout[number * half : (number + 1) * half] = h5py.VirtualSource(
            f"part{number}.h5", "x", (half, *values.shape[1:]), values.dtype
        )
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_virtual_dataset(name, layout)
    (folder / "part1.h5").unlink()
    return folder / "a.h5"


def test_an_array_whose_numbers_are_in_other_files_is_refused(lab):
    linked(lab, "rates", TRIALS)
    refused(lab, "a.h5", "part0.h5, part1.h5", responses={"file": "a.h5"})


def test_so_are_images_in_other_files(tmp_path):
    file = linked(tmp_path, "images", np.full((4, 5, 5, 3), 9, np.uint8))
    with pytest.raises(InputError, match=r"part0\.h5, part1\.h5"):
        Hdf5Images(file).ids()


def test_a_zarr_folder_that_was_copied_in_part_is_refused(lab):
    array = zarr.create_array(lab / "a.zarr", shape=TRIALS.shape, chunks=(5, UNITS, REPETITIONS), dtype="f8")
    array[:] = TRIALS
    np.testing.assert_array_equal(read(lab, responses={"file": "a.zarr"}).train.responses, read(lab).train.responses)
    (lab / "a.zarr/c/1/0/0").unlink()
    refused(lab, "a.zarr", "3 of the 4 blocks", responses={"file": "a.zarr"})


# ------------------------------------------------------------------------------------------------- tables that people write


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("electrode,area\n" + "".join(f"e{n},V4,\n" for n in range(UNITS)), "3 fields in line 2, and 2 names"),
        ("electrode,area,area\n" + "".join(f"e{n},V4,IT\n" for n in range(UNITS)), "several columns area"),
        ("electrode;area\n" + "".join(f"e{n};V4\n" for n in range(UNITS)), "columns separated by semicolons"),
        ("electrode,area\n" + "".join(f"e{n},{'Vv'[n % 2]}4\n" for n in range(UNITS)), "both V4 and v4 in the column area"),
    ],
    ids=["a comma at the end", "a column twice", "semicolons", "two spellings"],
)
def test_a_table_that_could_be_misread_is_refused(lab, text, found):
    (lab / "units.csv").write_text(text, encoding="utf-8")
    refused(lab, "units.csv", found)


def test_na_is_the_name_of_an_area_and_no_depth(lab):
    ELECTRODES.assign(area=["NA", "V4"] * 6, depth=["NA", "1.5"] * 6).to_csv(lab / "units.csv", index=False)
    found = read(lab)
    assert found.rois["NA"].tolist() == [True, False] * 6
    np.testing.assert_array_equal(found.units["depth"], [np.nan, 1.5] * 6)


NOTES = {
    "gaps": ["broken", None] * 6,
    "dates": pd.date_range("2024-01-01", periods=UNITS, tz="UTC"),
    "positions": [[1, 2]] * UNITS,
    "maybe": pd.array([True, None] * 6, dtype="boolean"),
}


@pytest.mark.parametrize("name", NOTES)
def test_notes_about_units_are_kept_whatever_they_are(lab, name):
    ELECTRODES.assign(note=NOTES[name]).set_index("electrode").to_parquet(lab / "units.parquet")
    read(lab, units={"table": "units.parquet"}).save(lab / "r.h5")
    expected = {"gaps": "", "dates": "2024-01-02 00:00:00+00:00", "positions": "[1 2]", "maybe": ""}[name]
    assert load_recording(lab / "r.h5").units["note"].iloc[1] == expected


@pytest.mark.parametrize(("words", "train", "test"), [("no yes", False, True), ("0 1", 0, 1), ("0.0 1.0", 0, 1), ("3 4", 3, 4)])
def test_values_of_a_split_are_those_that_yaml_makes_of_them(lab, words, train, test):
    of_train, of_test = words.split()
    ROWS.assign(held_out=np.where(ROWS["split"] == "test", of_test, of_train)).to_csv(lab / "stimuli.csv", index=False)
    found = read(lab, split={"column": "held_out", "train": train, "test": test})
    assert found.test.stimulus_ids.tolist() == [f"{n:03d}.png" for n in range(0, STIMULI, 4)]
    assert len(found.train.stimulus_ids) == STIMULI * 3 // 4


def test_trials_of_one_stimulus_are_in_one_split(lab):
    np.save(lab / "r.npy", TRIALS.transpose(0, 2, 1).reshape(-1, UNITS))
    rows = ROWS.loc[np.repeat(np.arange(STIMULI), REPETITIONS)]
    rows.assign(split=["test", "train", "test"] * STIMULI).to_csv(lab / "stimuli.csv", index=False)
    axes = {"stimulus": STIMULI * REPETITIONS, "unit": UNITS}
    refused(lab, "stimuli.csv", "both test and train in the column split for 000.png", responses={"axes": axes})


@pytest.mark.parametrize("form", ["{image:03d}.png", "{image:03}.png", "{image:>03}.png"])
def test_numbers_of_images_are_written_with_the_zeros_of_the_files(lab, form):
    ROWS.assign(image=range(STIMULI)).to_csv(lab / "stimuli.csv", index=False)
    assert read(lab, stimuli={"id": form}).test.stimulus_ids.tolist() == [f"{n:03d}.png" for n in range(0, STIMULI, 4)]


def test_ids_of_other_columns(lab):
    ROWS.assign(**{"image.file": "a/" + ROWS["image"]}).to_csv(lab / "stimuli.csv", index=False)
    assert read(lab, stimuli={"id": "{image.file}.png"}).test.stimulus_ids[1] == "a/004.png"
    refused(lab, "stimuli.csv", "{split:03d}", stimuli={"id": "{split:03d}.png"})


@pytest.mark.parametrize(("form", "warned"), [("image{}.png", True), ("image{:04d}.png", False)])
def test_an_order_of_images_that_programs_disagree_about_is_told(lab, form, warned, caplog):
    (lab / "images").mkdir()
    for number in range(STIMULI):
        (lab / "images" / form.format(number)).touch()
    read(lab, stimuli={"table": None, "images": "images/*.png"}, split={"column": None, "every": 4})
    assert ("stimulus 3 is images/image2.png" in caplog.text and "have images/image10.png there" in caplog.text) == warned


# ------------------------------------------------------------------------------------------- trials that nobody recorded


def test_trials_that_are_cut_in_time_are_not_taken_for_missing_ones(lab):
    bins = np.stack([TRIALS] * 4, axis=3)
    bins[2, :, 1] = np.nan
    np.save(lab / "r.npy", bins)
    axes = AXES | {"time": 4}
    assert read(lab, responses={"axes": axes}).train.repetitions[1] == REPETITIONS - 1
    bins[3, :, 1, 2:] = np.nan
    np.save(lab / "r.npy", bins)
    refused(lab, "r.npy", f"{UNITS} of 720 responses of which only some bins", responses={"axes": axes})


@pytest.mark.parametrize("number", [-999, 1e20])
def test_a_number_in_place_of_missing_trials_is_refused(lab, number):
    trials = TRIALS.copy()
    trials[3:5, :, 1] = number
    np.save(lab / "r.npy", trials)
    refused(lab, "r.npy", f"2 trials with the number {number:g} in all units, the first one of 003.png")


def test_trials_of_zeros_are_told(lab, caplog):
    trials = TRIALS.copy()
    trials[3:5, :, 1] = 0
    np.save(lab / "r.npy", trials)
    with caplog.at_level(logging.WARNING):
        read(lab)
    assert "2 trials with the number 0 in all units, the first one of 003.png" in caplog.text


@pytest.mark.parametrize("copied", ["an average", "a session"])
def test_ceilings_are_not_computed_from_copies(lab, copied):
    trials = TRIALS.copy()
    trials[..., 1:] = trials.mean(axis=2, keepdims=True) if copied == "an average" else trials[..., :1]
    trials[..., 0] += copied == "an average"
    np.save(lab / "r.npy", trials)
    refused(lab, "r.npy", "equal trials of 5 of 5 repeated test stimuli, e.g. 000.png")


def test_few_units_with_whole_numbers_may_agree(lab):
    counts = np.random.default_rng(2).poisson(0.1, TRIALS.shape)
    np.save(lab / "r.npy", counts + (TRIALS > 1))
    assert len(read(lab).test.stimulus_ids) == 5
