"""Cowley2023: V4 units, trials that images lack, a zip that stays packed, and the released files themselves."""

import zipfile

import numpy as np
import pytest
import torch
from places import SHARED

from cortexscale.datasets.cowley2023 import reader
from cortexscale.datasets.cowley2023 import simulate as simulation
from cortexscale.errors import InputError
from cortexscale.models.build import build_backbone
from cortexscale.simulation.images import render
from cortexscale.simulation.visual_system import HIDDEN_NETWORK, VisualSystem, World
from cortexscale.stimuli import stimulus_table

RELEASED = SHARED / "data/real/cowley_v4"
SIZES = {"images": 60, "units": 8, "trials": 60}
OPTIONS = reader.Options(**SIZES)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """A simulated session with 40 to 60 trials, and its truth."""
    root = tmp_path_factory.mktemp("cowley2023")
    torch.manual_seed(0)
    world = World(VisualSystem(build_backbone(HIDDEN_NETWORK).network, render(60, 1, 32)[0]), 32, root)
    settings = simulation.Settings(images=60, units=8, fewest=40, trials=60)
    (subject, truth), *others = simulation.simulate(root, ["PE"], world, settings, seed=0)
    assert (subject, others) == ("PE", [])
    return root, truth


def test_a_simulated_session_is_read_as_its_truth(simulated):
    root, truth = simulated
    found = reader.read(root, "PE", OPTIONS)
    own = truth.units["unit"].isin(found.units["unit"]).to_numpy()
    assert own.sum() >= 7 and found.dataset == "cowley2023" and found.rois["V4"].all()
    for split in ("train", "test"):
        read, true = getattr(found, split), getattr(truth, split)
        assert read.stimulus_ids.tolist() == true.stimulus_ids.tolist()
        np.testing.assert_array_equal(read.repetitions, true.repetitions)
        errors = (read.responses - true.responses[:, own]) / np.sqrt(true.responses[:, own] / read.repetitions[:, None])
        assert 0.9 < errors.std() < 1.1, "averages of Poisson counts have the variance rate / trials"
    np.testing.assert_allclose(found.units["nc_percent"], truth.units["nc_percent"][own], atol=6)


def test_every_fifth_image_is_a_test_image_from_any_first_one(simulated):
    names = [f"image{number:04d}.jpg" for number in range(1, 61)]
    for first in (0, 3):
        found = reader.read(simulated[0], "PE", reader.Options(**SIZES, first=first, min_nc_percent=0))
        assert found.test.stimulus_ids.tolist() == names[first::5]
        assert sorted([*found.test.stimulus_ids, *found.train.stimulus_ids]) == names
    with pytest.raises(ValueError, match="a number below `every`, 5, is expected"):
        reader.Options(first=5)


def test_images_of_a_zip_have_their_paths_as_ids(simulated, tmp_path):
    listed = stimulus_table("zip", simulated[0] / reader.IMAGES)
    assert listed["stimulus_id"].tolist() == [f"image{number:04d}.jpg" for number in range(1, 61)]
    assert listed["hash"].nunique() == 60
    with zipfile.ZipFile(tmp_path / "mixed.zip", "w") as archive:
        for name in ("b/", "b/2.png", "__MACOSX/b/._2.png", "notes.txt", "b/10.PNG"):
            archive.writestr(name, b"")
    assert stimulus_table("zip", tmp_path / "mixed.zip")["stimulus_id"].tolist() == ["b/10.PNG", "b/2.png"]
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(InputError, match="no images"):
        stimulus_table("zip", tmp_path / "empty.zip")
    (tmp_path / "page.zip").write_text("<html>", encoding="utf-8")
    with pytest.raises(InputError, match=r"page\.zip"):
        stimulus_table("zip", tmp_path / "page.zip")


def test_wrong_files_are_named(simulated, tmp_path):
    with pytest.raises(InputError, match=r"(?s)responses_210325\.npy.*shape \(8, 60, 60\).*\(50, 640, 10\)"):
        reader.read(simulated[0], "PE", reader.Options())
    with pytest.raises(InputError, match="subjects of Cowley2023"):
        reader.raw_files(tmp_path, "WE", OPTIONS)
    np.save(tmp_path / reader.RESPONSES, np.zeros((8, 60, 60)))
    with pytest.raises(InputError, match=r"images_210325\.zip"):
        reader.inspect(tmp_path, "PE", OPTIONS)


@pytest.mark.skipif(not RELEASED.exists(), reason="the released files are not beside the checkout")
def test_the_released_session():
    found, responses = reader.read(RELEASED, "PE", reader.Options()), np.load(RELEASED / reader.RESPONSES)
    kept = found.screening["kept"].to_numpy()
    assert len(kept) == 50 and len(found.train.stimulus_ids) == 512 and len(found.test.stimulus_ids) == 128
    counts = np.isfinite(responses[0]).sum(axis=1)
    np.testing.assert_array_equal(found.test.repetitions, counts[::5])
    averaged = np.load(RELEASED / "responses_210325_averaged.npy")  # the authors' own averages
    np.testing.assert_allclose(found.test.responses, averaged[kept][:, ::5].T, rtol=1e-6)
    np.testing.assert_allclose(np.delete(averaged[kept], np.s_[::5], axis=1).T, found.train.responses, rtol=1e-6)
