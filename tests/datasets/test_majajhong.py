"""MajajHong2015: two animals in one file, repetitions that differ between images, and a shared split."""

import hashlib
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from memory import peak_mb
from PIL import Image

from cortexscale.datasets.majajhong import reader
from cortexscale.datasets.majajhong import simulate as simulation
from cortexscale.errors import InputError
from cortexscale.kernels.noise_ceiling import ncsnr_from_trials
from cortexscale.models.build import build_backbone
from cortexscale.recording import load_recording
from cortexscale.simulation.assembly import write_assembly
from cortexscale.simulation.images import render
from cortexscale.simulation.visual_system import HIDDEN_NETWORK, VisualSystem, World

CATEGORIES = np.repeat(["Animals", "Boats", "Cars"], 20)
REPETITIONS = np.where(np.arange(60) % 20 < 5, 3, 7)  # few images without variation, and fewer trials of them
IDS = np.array([f"{(number * 7919) % 104729:06x}" for number in range(60)])
SITES = pd.DataFrame(
    [(f"{animal}_L_{region}_{n}_0", animal, region) for n in range(3) for animal in ("Tito", "Chabo") for region in ("IT", "V4")],
    columns=["neuroid_id", "animal", "region"],
)
"""The sites of the animals are mixed, as in the release: Tito IT, Tito V4, Chabo IT, Chabo V4, and so on."""
SIZES = {"images": 60, "neuroids": {"V4": 6, "IT": 6}}
OPTIONS = reader.Options(**SIZES, presentations=int(REPETITIONS.sum()))


def write(root, trials: np.ndarray, shown: np.ndarray, time_bins=((70, 170),)) -> None:
    """Write ``trials`` (presentations, sites) of the images ``shown``."""
    assembly, table = reader.RELEASE.files(root)
    starts, ends = np.array(time_bins).T
    coordinates = {
        "neuroid": {name: SITES[name].to_numpy() for name in SITES},
        "presentation": {"image_id": IDS[shown], "repetition": np.zeros(len(shown), int)},
        "time_bin": {"time_bin_start": starts, "time_bin_end": ends},
    }
    write_assembly(assembly, np.repeat(trials.T[..., None], len(starts), axis=2), coordinates, "f4")
    files = [f"{id}.png" for id in IDS]
    pd.DataFrame({"image_id": IDS, "filename": files, "category_name": CATEGORIES}).to_csv(table, index=False)


@pytest.fixture
def release(tmp_path):
    """Presentations are in random order. The signal has an sd of 1, the noise of 0.5 to 2."""
    rng = np.random.default_rng(0)
    shown = rng.permutation(np.repeat(np.arange(60), REPETITIONS))
    trials = rng.normal(size=(60, 12))[shown] + rng.normal(size=(len(shown), 12)) * np.linspace(0.5, 2, 12)
    write(tmp_path, trials, shown)
    return tmp_path, trials.astype(np.float32), shown


@pytest.mark.parametrize("animal", reader.SUBJECTS)
def test_reader_returns_averages_of_one_animal(release, tmp_path, animal):
    root, trials, shown = release
    reader.read(root, animal, OPTIONS).save(tmp_path / "recording.h5")
    recording = load_recording(tmp_path / "recording.h5")
    own = np.flatnonzero(SITES["animal"] == animal)
    assert recording.units["unit"].tolist() == SITES["neuroid_id"][own].tolist()
    np.testing.assert_array_equal(recording.rois["IT"], SITES["region"][own] == "IT")
    np.testing.assert_array_equal(recording.rois["V4"], SITES["region"][own] == "V4")
    average = pd.DataFrame([trials[shown == image].astype(float).mean(axis=0) for image in range(60)], index=IDS)
    counts = pd.Series(REPETITIONS, index=IDS)
    for split, n in ((recording.train, 54), (recording.test, 6)):
        assert len(split.stimulus_ids) == n
        np.testing.assert_allclose(split.responses, average.loc[split.stimulus_ids].to_numpy()[:, own], atol=1e-6)
        np.testing.assert_array_equal(split.repetitions, counts[split.stimulus_ids])


def test_both_animals_have_one_split_stratified_by_category(release):
    chabo, tito = (reader.read(release[0], animal, OPTIONS) for animal in reader.SUBJECTS)
    for split in ("train", "test"):
        assert getattr(chabo, split).stimulus_ids.tolist() == getattr(tito, split).stimulus_ids.tolist()
    category = dict(zip(IDS, CATEGORIES, strict=True))
    assert sorted(category[id] for id in chabo.test.stimulus_ids) == ["Animals"] * 2 + ["Boats"] * 2 + ["Cars"] * 2


def test_ceilings_count_the_repetitions_of_the_test_images(release):
    """Variances pool all images; 1 / k is averaged over the images that are scored."""
    root, trials, shown = release
    recording = reader.read(root, "Tito", OPTIONS)
    own = trials[:, SITES["animal"] == "Tito"].astype(float)
    variances = np.array([own[shown == image].var(axis=0, ddof=1) for image in range(60)])
    noise = ((REPETITIONS - 1)[:, None] * variances).sum(axis=0) / (REPETITIONS - 1).sum()
    means = np.array([own[shown == image].mean(axis=0) for image in range(60)])
    signal = means.var(axis=0, ddof=1) - noise * np.mean(1 / REPETITIONS)
    k = recording.test.repetitions
    assert set(k) == {3, 7}, "otherwise the test is blind to the average of 1 / k"
    np.testing.assert_allclose(recording.units["nc_percent"], 100 * signal / (signal + noise * np.mean(1 / k)), rtol=1e-5)
    np.testing.assert_allclose(recording.units["ncsnr"], ncsnr_from_trials(own, shown), rtol=1e-5)
    train, test = (recording.notes["images_by_repetitions"][split] for split in ("train", "test"))
    assert train["3"] + test["3"] == 15 and train["7"] + test["7"] == 45 and test["3"] == (k == 3).sum()


def test_several_bins_of_the_window_are_averaged(release):
    root, trials, shown = release
    once = reader.read(root, "Tito", OPTIONS)
    write(root, trials, shown, [(50, 70), (70, 120), (120, 170), (170, 190)])
    recording = reader.read(root, "Tito", OPTIONS)
    assert recording.notes["time_bins"] == 2
    np.testing.assert_allclose(recording.test.responses, once.test.responses, rtol=1e-6)


def test_another_window_than_the_file_has_is_refused(release):
    root, trials, shown = release
    write(root, trials, shown, [(0, 100)])
    with pytest.raises(InputError, match=r"1 time bins \(0-100; the last ends at 100 ms\)[\s\S]*70-170 ms"):
        reader.inspect(root, "Tito", OPTIONS)


def test_unknown_animals_are_refused(release):
    for use in (reader.raw_files, reader.inspect, reader.read):
        with pytest.raises(InputError, match=r"subjects of MajajHong2015[\s\S]*Solo[\s\S]*Chabo, Tito"):
            use(release[0], "Solo", OPTIONS)
    with h5py.File(reader.RELEASE.files(release[0])[0], "r+") as file:
        file["animal"][2] = "Solo"
    with pytest.raises(InputError, match=r"units of Chabo, Solo, Tito[\s\S]*units of Chabo, Tito"):
        reader.inspect(release[0], "Tito", OPTIONS)


def test_counts_of_the_release_are_expected_unless_told_otherwise(release):
    with pytest.raises(InputError, match=r"60 images[\s\S]*3,200[\s\S]*set majajhong's images"):
        reader.read(release[0], "Tito", reader.Options())
    options = reader.Options()
    assert options.presentations / options.images == pytest.approx(46.4), "28 and 51 fit, but only the sum is known"
    assert reader.shape(options, reader.SUBJECTS) == (2880, 320, 256)


def test_too_few_images_for_the_categories(release):
    with pytest.raises(
        InputError, match=r"category_name of .*hvm-public\.csv\n.*2 test images[\s\S]*3 strata[\s\S]*raise the fraction"
    ):
        reader.inspect(release[0], "Tito", OPTIONS.model_copy(update={"test_fraction": 0.03}))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_trials(tmp_path):
    """The trials of one animal grow from 10 to 38 MB of float64; only their labels may add to the peak."""
    code = (
        "from cortexscale.datasets.majajhong import reader as m; "
        "m.read({root!r}, 'Tito', m.Options(images=60, presentations={n}, neuroids={{'V4': 6, 'IT': 6}}))"
    )
    peaks, rng = [], np.random.default_rng(0)
    for n in (200_000, 800_000):
        root, shown = tmp_path / str(n), rng.permutation(n) % 60
        write(root, rng.normal(size=(60, 12)).astype(np.float32)[shown] + rng.standard_normal((n, 12), np.float32), shown)
        peaks.append(peak_mb(code.format(root=str(root), n=n)))
    options = reader.Options(**SIZES, presentations=800_000)
    assert peaks[1] < reader.memory_mb(options)
    assert peaks[1] - peaks[0] < 64 * 600_000 / 1e6 + 3


# --- the simulated release --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """The simulated release has 64 objects, once without and twice with variation; its network is untrained."""
    torch.manual_seed(0)
    world = World(
        VisualSystem(build_backbone(HIDDEN_NETWORK).network, render(200, 0)[0]), 32, tmp_path_factory.mktemp("no things")
    )
    root = tmp_path_factory.mktemp("majaj")
    settings = simulation.Settings(images={0: 1, 3: 2}, repetitions={0: 4, 3: 9}, sites={"V4": 4, "IT": 6})
    truth = dict(simulation.simulate(root, reader.SUBJECTS, world, settings, seed=3))
    return root, truth, reader.Options(images=192, presentations=64 * (4 + 18), neuroids={"V4": 10, "IT": 14})


def test_the_simulated_assembly_is_like_the_released_one(simulated):
    assembly, table = reader.raw_files(simulated[0], "Tito", simulated[2])
    with xr.open_dataarray(assembly, engine="netcdf4") as array:
        assert array.dims == ("neuroid", "presentation", "time_bin") and array.shape == (24, 1408, 1)
        assert array.dtype == "float32"
        neuroid = ["neuroid_id", "arr", "col", "hemisphere", "subregion", "animal", "y", "x", "region", "row"]
        assert list(array.coords) == [*neuroid, "image_id", "repetition", "stimulus", "time_bin_start", "time_bin_end"]
        assert (array["time_bin_start"].item(), array["time_bin_end"].item()) == (70, 170)
        sites = pd.DataFrame({name: array[name].values for name in neuroid})
        trials = pd.DataFrame({name: array[name].values for name in ("image_id", "repetition", "stimulus")})
    for site in sites.itertuples():
        assert site.neuroid_id == f"{site.animal}_{site.hemisphere}_{site.arr}_{site.row}_{site.col}"
    assert sites.groupby(["animal", "region"]).size().to_dict() == {
        (a, r): n for a in reader.SUBJECTS for r, n in (("V4", 5), ("IT", 7))
    }
    assert (sites["animal"] != sites["animal"].shift()).sum() > 4, "the animals are mixed"
    rows = pd.read_csv(table)
    assert len(rows.columns) == 18 and rows["category_name"].nunique() == 8 and rows["object_name"].nunique() == 64
    assert rows["variation"].tolist() == [0] * 64 + [3] * 128
    repetitions = trials.groupby("image_id")["repetition"]
    for row in rows.itertuples():
        assert sorted(repetitions.get_group(row.image_id)) == list(range(4 if row.variation == 0 else 9))
    assert (trials["image_id"] == trials["image_id"].shift()).mean() < 0.05, "presentations are shuffled"
    assert trials["stimulus"].max() == 127 and (trials.groupby("image_id")["stimulus"].nunique() == 1).all()
    with zipfile.ZipFile(table.with_suffix(".zip")) as archive:
        assert set(archive.namelist()) == set(rows["filename"])
        content = archive.read(rows["filename"][70])
        with Image.open(archive.open(rows["filename"][70])) as picture:
            pixels = np.asarray(picture)
    assert hashlib.sha1(content).hexdigest() == rows["image_id"][70]
    assert pixels.shape == (64, 64, 3) and (np.ptp(pixels, axis=2) == 0).all() and pixels[0, 0, 0] == 128


@pytest.mark.parametrize("animal", reader.SUBJECTS)
def test_the_truth_is_that_of_the_assembly(simulated, animal):
    root, truths, options = simulated
    recording, truth = reader.read(root, animal, options), truths[animal]
    assert recording.units["unit"].tolist() == truth.units["unit"].tolist() and len(truth.units) == 10
    pd.testing.assert_frame_equal(recording.rois, truth.rois)
    explained = []
    for split in ("train", "test"):
        read, true = getattr(recording, split), getattr(truth, split)
        assert read.stimulus_ids.tolist() == true.stimulus_ids.tolist()
        np.testing.assert_array_equal(read.repetitions, true.repetitions)
    for mean, signal in zip(recording.train.responses.T, truth.train.responses.T, strict=True):
        explained.append(100 * np.corrcoef(mean, signal)[0, 1] ** 2)
    # At 80 %, 192 images give a ceiling to about (100 - 80) sqrt(2 / 192) = 2 points; train and test differ in k by little.
    assert abs(np.mean(explained - truth.units["nc_percent"])) < 2.5
    np.testing.assert_allclose(recording.units["nc_percent"], truth.units["nc_percent"], atol=12)
    assert abs(np.mean(recording.units["nc_percent"] - truth.units["nc_percent"])) < 2.5


def test_the_animals_have_units_of_their_own(simulated):
    chabo, tito = (simulated[1][animal].train.responses for animal in reader.SUBJECTS)
    assert np.abs(np.corrcoef(chabo.T, tito.T)[:10, 10:]).max() < 0.99
