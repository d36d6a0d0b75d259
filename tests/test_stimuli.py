"""Stimulus tables: order, content, and clear words about what is not there."""

import h5py
import numpy as np
import pytest
from PIL import Image

from cortexscale.errors import InputError
from cortexscale.stimuli import StimulusImages, stimulus_table, table_hash


@pytest.fixture
def things(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("bat1/bat1_02s.jpg", "bat1/bat1_01b.jpg", "aardvark/aardvark_01b.jpg", "first-aid_kit/first-aid_kit_01b.jpg"):
        file = tmp_path / "object_images" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (12, 10, 3), dtype=np.uint8)).save(file)
    return tmp_path / "object_images"


@pytest.fixture
def nsd(tmp_path):
    path = tmp_path / "nsd_stimuli.hdf5"
    with h5py.File(path, "w") as file:
        file["imgBrick"] = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    return path


def test_things_ids_are_paths_in_byte_order(things):
    table = stimulus_table("image_folder", things)
    assert list(table["stimulus_id"]) == [
        "aardvark/aardvark_01b.jpg",
        "bat1/bat1_01b.jpg",
        "bat1/bat1_02s.jpg",
        "first-aid_kit/first-aid_kit_01b.jpg",
    ]
    images = StimulusImages("image_folder", things, table)
    assert len(images) == 4 and images[0].size == (10, 12)


def test_nsd_ids_are_rows(nsd):
    table = stimulus_table("nsd", nsd)
    assert list(table["stimulus_id"]) == ["0", "1", "2", "3", "4"]
    images = StimulusImages("nsd", nsd, table)
    with h5py.File(nsd) as file:
        np.testing.assert_array_equal(np.asarray(images[3]), file["imgBrick"][3])


def test_the_hash_is_of_ids_and_content(things):
    before = table_hash(stimulus_table("image_folder", things))
    assert before == table_hash(stimulus_table("image_folder", things))
    (things / "bat1/bat1_01b.jpg").write_bytes((things / "bat1/bat1_02s.jpg").read_bytes())
    assert table_hash(stimulus_table("image_folder", things)) != before


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(InputError, match=r"no images\n.*<concept>/<image>\.jpg"):
        stimulus_table("image_folder", tmp_path)


def test_a_damaged_picture_is_named(things):
    table = stimulus_table("image_folder", things)
    (things / "bat1/bat1_01b.jpg").write_bytes(b"not a picture")
    with pytest.raises(InputError, match=r"bat1_01b\.jpg\n.*not a readable image"):
        StimulusImages("image_folder", things, table)[1]


@pytest.mark.parametrize("layout", ["image_folder", "nsd"])
def test_an_image_that_changed_since_it_was_listed_is_refused(things, nsd, layout):
    path = things if layout == "image_folder" else nsd
    table = stimulus_table(layout, path)
    if layout == "nsd":
        with h5py.File(nsd, "r+") as file:
            file["imgBrick"][1] = 0
    else:
        (things / table["stimulus_id"][1]).write_bytes((things / table["stimulus_id"][2]).read_bytes())
    images = StimulusImages(layout, path, table)
    assert images[0]
    with pytest.raises(InputError, match=r"another image than the stimulus table lists(.*\n)+.*delete the stimulus table"):
        images[1]


def test_fewer_nsd_images_than_listed(nsd):
    table = stimulus_table("nsd", nsd)
    with h5py.File(nsd, "r+") as file:
        file["imgBrick2"] = file["imgBrick"][:3]
        del file["imgBrick"]
        file.move("imgBrick2", "imgBrick")
    with pytest.raises(InputError, match=r"3 images\n.*image 4"):
        StimulusImages("nsd", nsd, table)[4]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"<html>", "HTML page"), (b"/annex/objects/x", "git-annex"), (b"\x89HDF\r\n\x1a\n" + b"0" * 50, "not a readable HDF5")],
)
def test_a_damaged_nsd_file_is_named(tmp_path, content, message):
    path = tmp_path / "nsd_stimuli.hdf5"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"nsd_stimuli\.hdf5\n.*{message}"):
        stimulus_table("nsd", path)


def test_images_of_another_shape_are_refused(tmp_path):
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file["imgBrick"] = np.zeros((3, 8, 8), np.uint8)
    with pytest.raises(InputError, match=r"imgBrick \(3, 8, 8\) uint8"):
        stimulus_table("nsd", tmp_path / "x.hdf5")
