"""FreemanZiemba2013: spike counts in 1 ms bins -> averages and ceilings; the simulated release is like the real one."""

import re
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from memory import peak_mb
from PIL import Image
from pydantic import ValidationError

from cortexscale.datasets.formats.assembly import BLOCK_BYTES
from cortexscale.datasets.freemanziemba import reader
from cortexscale.datasets.freemanziemba import simulate as simulation
from cortexscale.errors import InputError
from cortexscale.kernels.noise_ceiling import ncsnr_from_trials
from cortexscale.models.build import build_backbone
from cortexscale.recording import load_recording
from cortexscale.simulation.assembly import write_assembly
from cortexscale.simulation.images import render
from cortexscale.simulation.visual_system import HIDDEN_NETWORK, VisualSystem, World
from cortexscale.stimuli import stimulus_table

IMAGES, REPETITIONS, UNITS = 40, 5, 9
OPTIONS = reader.Options(images=IMAGES, presentations=IMAGES * REPETITIONS, neuroids={"V1": 4, "V2": 5})


def write(root, spikes: np.ndarray, kinds, repetitions: int = REPETITIONS) -> np.ndarray:
    """Write ``spikes`` (units, bins, trials), the repetitions of an image one after the other, and return the ids of images."""
    ids = np.array([f"{(number * 7919) % 104729:06x}" for number in range(len(kinds))])
    assembly, table = reader.RELEASE.files(root)
    regions = np.repeat(["V1", "V2"], [len(spikes) // 2, len(spikes) - len(spikes) // 2])
    time = np.arange(spikes.shape[1])
    coordinates = {
        "neuroid": {"neuroid_id": np.arange(1, len(spikes) + 1), "region": regions},
        "time_bin": {"time_bin_start": time, "time_bin_end": time + 1},
        "presentation": {"repetition": np.tile(np.arange(repetitions), len(ids)), "image_id": np.repeat(ids, repetitions)},
    }
    write_assembly(assembly, spikes, coordinates, "f8")
    pd.DataFrame({"id": range(len(ids)), "image_id": ids, "texture_type": kinds, "filename": [f"{i}.png" for i in ids]}).to_csv(
        table, index=False
    )
    return ids


@pytest.fixture
def release(tmp_path):
    """Spike counts have a strong signal in the window and none outside of it. The last unit never fires."""
    rng = np.random.default_rng(0)
    rate = np.zeros((UNITS, 300, IMAGES)) + 0.2
    rate[:, 50:200] = rng.gamma(4, np.geomspace(0.004, 0.03, UNITS)[:, None, None], (UNITS, 1, IMAGES))
    rate[-1] = 0
    spikes = rng.poisson(np.repeat(rate, REPETITIONS, axis=2)).astype(float)
    ids = write(tmp_path, spikes, ["noise", "texture"] * (IMAGES // 2))
    return tmp_path, spikes, ids


def test_reader_returns_averages_of_the_window(release, tmp_path):
    root, spikes, ids = release
    reader.read(root, "pooled", OPTIONS).save(tmp_path / "recording.h5")
    recording = load_recording(tmp_path / "recording.h5")
    expected = pd.DataFrame(spikes[:, 50:200].mean(axis=1).reshape(UNITS, IMAGES, REPETITIONS).mean(axis=2).T, index=ids)
    assert recording.units["unit"].tolist() == [str(n) for n in range(1, UNITS)], "the silent unit is dropped"
    assert not (ids == np.sort(ids)).all()
    for split, n in ((recording.train, 36), (recording.test, 4)):
        assert split.stimulus_ids.tolist() == sorted(split.stimulus_ids) and len(split.stimulus_ids) == n
        np.testing.assert_allclose(split.responses, expected.loc[split.stimulus_ids].to_numpy()[:, :-1], rtol=1e-6)
        assert set(split.repetitions) == {REPETITIONS}
    assert set(recording.train.stimulus_ids) | set(recording.test.stimulus_ids) == set(ids)
    kinds = dict(zip(ids, ["noise", "texture"] * 20, strict=True))
    assert sorted(kinds[id] for id in recording.test.stimulus_ids) == ["noise", "noise", "texture", "texture"]
    assert recording.rois["V1"].tolist() == [True] * 4 + [False] * 4 and recording.rois["V2"].tolist() == [False] * 4 + [True] * 4


def test_ceilings_come_from_all_images_by_the_published_formula(release):
    root, spikes, _ = release
    recording = reader.read(root, "pooled", OPTIONS)
    trials = spikes[:-1, 50:200].mean(axis=1).reshape(UNITS - 1, IMAGES, REPETITIONS)
    noise = trials.var(axis=2, ddof=1).mean(axis=1)
    signal = trials.mean(axis=2).var(axis=1, ddof=1) - noise / REPETITIONS
    np.testing.assert_allclose(recording.units["nc_percent"], 100 * signal / (signal + noise / REPETITIONS))
    image = np.repeat(np.arange(IMAGES), REPETITIONS)
    np.testing.assert_allclose(recording.units["ncsnr"], ncsnr_from_trials(trials.reshape(UNITS - 1, -1).T, image))


def test_every_unit_is_in_the_screening(release):
    recording = reader.read(release[0], "pooled", OPTIONS.model_copy(update={"min_nc_percent": 80}))
    screening = recording.screening
    assert len(screening) == UNITS and screening["nc_percent"].iloc[-1] == 0
    np.testing.assert_array_equal(screening["kept"], screening["nc_percent"] > 80)
    assert 0 < screening["kept"].sum() < UNITS - 1, "the threshold divides the units"
    assert recording.notes["dropped_units"] == (~screening["kept"]).sum()
    assert recording.notes["images_by_repetitions"] == {"train": {"5": 36}, "test": {"5": 4}}


def test_the_window_is_an_option(release):
    root, spikes, _ = release
    recording = reader.read(root, "pooled", OPTIONS.model_copy(update={"window": (100, 150)}))
    of_window = spikes[:, 100:150].mean(axis=1).reshape(UNITS, -1, REPETITIONS).mean(axis=2)
    assert np.concatenate([recording.train.responses, recording.test.responses]).sum() == pytest.approx(of_window.sum(), rel=1e-5)
    with pytest.raises(InputError, match=r"300 time bins[\s\S]*last ends at 300 ms[\s\S]*tile 50-310 ms[\s\S]*`window`"):
        reader.inspect(root, "pooled", OPTIONS.model_copy(update={"window": (50, 310)}))


def test_the_split_is_that_of_its_seed(release):
    def held_out(seed):
        return set(reader.read(release[0], "pooled", OPTIONS.model_copy(update={"split_seed": seed})).test.stimulus_ids)

    assert held_out(42) == held_out(42) != held_out(1)


# --- bad releases -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"images": 135}, r"40 images[\s\S]*135[\s\S]*set freemanziemba's images"),
        ({"presentations": 2700}, r"200 presentations[\s\S]*2,700[\s\S]*freemanziemba's presentations"),
        ({"neuroids": {"V1": 102, "V2": 103}}, r"V1: 4, V2: 5[\s\S]*V1: 102, V2: 103[\s\S]*freemanziemba's neuroids"),
        ({"test_fraction": 0.02}, r"1 test images[\s\S]*2 strata \(noise, texture"),
    ],
)
def test_counts_of_the_release_are_expected_unless_told_otherwise(release, changed, message):
    for use in (reader.inspect, reader.read):
        with pytest.raises(InputError, match=message):
            use(release[0], "pooled", OPTIONS.model_copy(update=changed))


def test_images_of_assembly_and_table_must_be_the_same(release):
    table = reader.RELEASE.files(release[0])[1]
    rows = pd.read_csv(table, dtype=str)
    rows.iloc[:-3].to_csv(table, index=False)
    with pytest.raises(InputError, match=r"public\.csv\n.*no row for 3 of 40 images, e\.g\. \w+"):
        reader.inspect(release[0], "pooled", OPTIONS)
    pd.concat([rows, rows.iloc[:1].assign(image_id="more")]).to_csv(table, index=False)
    with pytest.raises(InputError, match=r"public\.nc\n.*no trial for 1 of 41 images, e\.g\. more"):
        reader.inspect(release[0], "pooled", OPTIONS)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("region", lambda file: file.__delitem__("region"), "no coordinate region of neuroid; there is neuroid_id"),
        ("image_id", lambda file: file.__delitem__("image_id"), "no coordinate image_id of presentation; there is repetition"),
        ("neuroid_id", lambda file: file["neuroid_id"].__setitem__(3, 1), "the unit 1 twice"),
        ("single", lambda file: file["image_id"].__setitem__(slice(0, 4), file["image_id"][5]), "an image with a single trial"),
    ],
)
def test_labels_unlike_the_release_are_refused(release, name, change, message):
    with h5py.File(reader.RELEASE.files(release[0])[0], "r+") as file:
        change(file)
    with pytest.raises(InputError, match=message):
        reader.inspect(release[0], "pooled", OPTIONS)


def test_no_unit_above_the_threshold(release):
    with pytest.raises(InputError, match=r"no unit of pooled above 99\.9 %; the highest ceiling is \d\d\.\d %"):
        reader.read(release[0], "pooled", OPTIONS.model_copy(update={"min_nc_percent": 99.9}))


def test_the_only_subject_is_pooled(release):
    for use in (reader.raw_files, reader.inspect, reader.read):
        with pytest.raises(InputError, match=r"does not tell animals apart[\s\S]*monkey1[\s\S]*pooled"):
            use(release[0], "monkey1", OPTIONS)


def test_options_are_checked():
    for wrong in ({"images": 1}, {"test_fraction": 1}, {"min_nc_percent": 100}, {"units": 3}):
        with pytest.raises(ValidationError):
            reader.Options(**wrong)


def test_shape_of_the_release():
    assert reader.shape(reader.Options(), ["pooled"]) == (121, 14, 205)


# --- memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_memory_does_not_grow_with_the_trials(tmp_path):
    """Four times 27 MB of spikes add no more than one block."""
    code = (
        "from cortexscale.datasets.freemanziemba import reader as f; "
        "f.read({root!r}, 'pooled', f.Options(images=20, presentations={n}, neuroids={{'V1': 4, 'V2': 4}}))"
    )
    peaks = []
    for repetitions in (70, 280):
        root = tmp_path / str(repetitions)
        spikes = np.random.default_rng(0).poisson(np.repeat(np.linspace(0.1, 2, 20), repetitions), (8, 300, 20 * repetitions))
        write(root, spikes, ["noise", "texture"] * 10, repetitions)
        peaks.append(peak_mb(code.format(root=str(root), n=20 * repetitions)))
    options = reader.Options(images=20, presentations=5600, neuroids={"V1": 4, "V2": 4})
    assert peaks[1] - peaks[0] < BLOCK_BYTES / 1e6 + 3
    assert peaks[1] < reader.memory_mb(options)


# --- the simulated release --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """The simulated release has 4 samples of 15 families, as texture and as noise; its network is untrained."""
    torch.manual_seed(0)
    world = World(
        VisualSystem(build_backbone(HIDDEN_NETWORK).network, render(200, 0)[0]), 32, tmp_path_factory.mktemp("no things")
    )
    root = tmp_path_factory.mktemp("freeman")
    settings = simulation.Settings(samples=4, repetitions=6, units=5)
    truth = dict(simulation.simulate(root, reader.SUBJECTS, world, settings, seed=3))["pooled"]
    return root, truth, reader.Options(images=120, presentations=720, neuroids={"V1": 6, "V2": 6})


def test_the_simulated_assembly_is_like_the_released_one(simulated):
    assembly, table = reader.raw_files(simulated[0], "pooled", simulated[2])
    with xr.open_dataarray(assembly, engine="netcdf4") as array:
        assert array.dims == ("neuroid", "time_bin", "presentation") and array.shape == (12, 300, 720)
        assert array.dtype == "float64" and set(np.unique(array)) <= set(range(6)) and (array <= 1).mean() > 0.95
        names = ["neuroid_id", "region", "time_bin_start", "time_bin_end", "repetition", "image_id"]
        assert list(array.coords) == names and array["neuroid_id"].values.tolist() == list(range(1, 13))
        assert array["repetition"].values[:7].tolist() == [0, 1, 2, 3, 4, 5, 0]
    assert assembly.stat().st_size - 12 * 300 * 720 * 8 < 200_000, "not compressed"
    rows = pd.read_csv(table)
    columns = ["id", "image_id", "image_file_sha1", "image_file_name", "texture_type", "texture_family", "sample", "resolution"]
    assert list(rows) == [*columns, "image_id_without_aperture", "filename"]
    assert rows["texture_type"].value_counts().to_dict() == {"noise": 60, "texture": 60}
    assert re.fullmatch(r"noise-320x320-im327-smp1\.png", rows["filename"][0])
    assert rows["filename"].iloc[-1] == "tex-320x320-im99-smp4.png"
    with zipfile.ZipFile(table.with_suffix(".zip")) as archive:
        assert set(archive.namelist()) == set(rows["filename"])
        with Image.open(archive.open(rows["filename"].iloc[-1])) as picture:
            assert picture.mode == "L" and picture.format == "PNG"
            pixels = np.asarray(picture)
    assert (pixels[[0, 0, -1, -1], [0, -1, 0, -1]] == 128).all() and (pixels == 128).mean() > 0.2, "aperture"
    assert pixels[24:40, 24:40].std() > 5


def test_the_truth_is_that_of_the_assembly(simulated):
    """Units, ids and split are the reader's; averages follow the noise-free rates as closely as their ceiling says."""
    root, truth, options = simulated
    recording = reader.read(root, "pooled", options)
    assert (
        recording.units["unit"].tolist() == truth.units["unit"].tolist() == ["1", "2", "3", "4", "5", "7", "8", "9", "10", "11"]
    )
    pd.testing.assert_frame_equal(recording.rois, truth.rois)
    for split in ("train", "test"):
        read, true = getattr(recording, split), getattr(truth, split)
        assert read.stimulus_ids.tolist() == true.stimulus_ids.tolist()
        np.testing.assert_array_equal(read.repetitions, true.repetitions)
    assert set(recording.train.stimulus_ids) | set(recording.test.stimulus_ids) == set(
        stimulus_table("brainscore", reader.raw_files(root, "pooled", options)[1])["stimulus_id"]
    )
    explained = [
        100 * np.corrcoef(mean, rate)[0, 1] ** 2
        for mean, rate in zip(recording.train.responses.T, truth.train.responses.T, strict=True)
    ]
    # A ceiling near 80 % from 120 images has a standard error of about (100 - 80) sqrt(2 / 120) = 2.6 points.
    assert abs(np.mean(explained - truth.units["nc_percent"])) < 3
    np.testing.assert_allclose(recording.units["nc_percent"], truth.units["nc_percent"], atol=10)
    assert abs(np.mean(recording.units["nc_percent"] - truth.units["nc_percent"])) < 2.6
    np.testing.assert_allclose(recording.train.responses.mean(axis=0), truth.train.responses.mean(axis=0), rtol=0.05)


def test_same_seed_same_bytes(simulated, tmp_path):
    root = simulated[0]
    torch.manual_seed(0)
    world = World(VisualSystem(build_backbone(HIDDEN_NETWORK).network, render(200, 0)[0]), 32, tmp_path)
    list(simulation.simulate(tmp_path, reader.SUBJECTS, world, simulation.Settings(samples=4, repetitions=6, units=5), seed=3))
    for path in root.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name
