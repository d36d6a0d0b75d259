"""Stimulus tables have an order and content, and messages say what is not there."""

import io
import pickle
import shutil
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

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
    table = stimulus_table("hdf5", nsd)
    assert list(table["stimulus_id"]) == ["0", "1", "2", "3", "4"]
    images = StimulusImages("hdf5", nsd, table)
    with h5py.File(nsd) as file:
        np.testing.assert_array_equal(np.asarray(images[3]), file["imgBrick"][3])


def test_concepts_are_folders_and_a_natural_scene_is_one_of_its_own(things, nsd):
    table = stimulus_table("image_folder", things)
    assert list(table["concept"]) == [id.split("/")[0] for id in table["stimulus_id"]]
    table = stimulus_table("hdf5", nsd)
    assert list(table["concept"]) == list(table["stimulus_id"])


def test_the_hash_is_of_ids_and_content(things):
    before = table_hash(stimulus_table("image_folder", things))
    assert before == table_hash(stimulus_table("image_folder", things))
    (things / "bat1/bat1_01b.jpg").write_bytes((things / "bat1/bat1_02s.jpg").read_bytes())
    assert table_hash(stimulus_table("image_folder", things)) != before


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(InputError, match=r"no images\n.*<concept>/<image>\.jpg"):
        stimulus_table("image_folder", tmp_path)


def test_a_damaged_image_is_named(things):
    table = stimulus_table("image_folder", things)
    (things / "bat1/bat1_01b.jpg").write_bytes(b"not a image")
    with pytest.raises(InputError, match=r"bat1_01b\.jpg\n.*no kind of image that is read"):
        StimulusImages("image_folder", things, table)[1]


@pytest.mark.parametrize("layout", ["image_folder", "hdf5"])
def test_an_image_that_changed_since_it_was_listed_is_refused(things, nsd, layout):
    path = things if layout == "image_folder" else nsd
    table = stimulus_table(layout, path)
    if layout == "hdf5":
        with h5py.File(nsd, "r+") as file:
            file["imgBrick"][1] = 0
    else:
        (things / table["stimulus_id"][1]).write_bytes((things / table["stimulus_id"][2]).read_bytes())
    images = StimulusImages(layout, path, table)
    assert images[0]
    with pytest.raises(InputError, match=r"another image than the stimulus table lists(.*\n)+.*delete the stimulus table"):
        images[1]


def test_fewer_nsd_images_than_listed(nsd):
    table = stimulus_table("hdf5", nsd)
    with h5py.File(nsd, "r+") as file:
        file["imgBrick2"] = file["imgBrick"][:3]
        del file["imgBrick"]
        file.move("imgBrick2", "imgBrick")
    with pytest.raises(InputError, match=r"3 images\n.*image 4"):
        StimulusImages("hdf5", nsd, table)[4]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"<html>", "HTML page"), (b"/annex/objects/x", "git-annex"), (b"\x89HDF\r\n\x1a\n" + b"0" * 50, "HDF5 cannot read")],
)
def test_a_damaged_nsd_file_is_named(tmp_path, content, message):
    path = tmp_path / "nsd_stimuli.hdf5"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"nsd_stimuli\.hdf5\n.*{message}"):
        stimulus_table("hdf5", path)


def test_images_of_another_shape_are_refused(tmp_path):
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file["imgBrick"] = np.zeros((3, 8, 8), np.uint8)
    with pytest.raises(InputError, match=r"imgBrick \(3, 8, 8\) uint8"):
        stimulus_table("hdf5", tmp_path / "x.hdf5")


# --- a stimulus CSV of Brain-Score --------------------------------------------------------------------------------------


@pytest.fixture
def brainscore(tmp_path):
    """Write 40 gray images, not in the order of their ids; one has three channels, one four."""
    rng, table = np.random.default_rng(0), tmp_path / "stimulus_x.csv"
    modes = ["RGB", "RGBA", *["L"] * 38]
    with zipfile.ZipFile(table.with_suffix(".zip"), "w") as archive:
        for number, mode in enumerate(modes):
            noise = rng.integers(0, 256, (9, 9), dtype=np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(noise).convert(mode).save(buffer, "PNG")
            archive.writestr(f"{number}.png", buffer.getvalue())
    rows = [f"{number},id{(number * 17 + 5) % 40:02d},{number}.png" for number in range(40)]
    table.write_text("\n".join(["id,image_id,filename", *rows]))
    return table


@pytest.mark.parametrize("column", ["object_name", "texture_family"])
def test_concepts_of_brainscore_are_objects_or_families_of_textures(brainscore, column):
    assert list(stimulus_table("brainscore", brainscore)["concept"]) == list(
        stimulus_table("brainscore", brainscore)["stimulus_id"]
    )
    header, *rows = brainscore.read_text().splitlines()
    brainscore.write_text("\n".join([f"{header},{column}", *(f"{row},kind {number // 4}" for number, row in enumerate(rows))]))
    assert list(stimulus_table("brainscore", brainscore)["concept"]) == [f"kind {number // 4}" for number in range(40)]


def unpack(table):
    zipfile.ZipFile(table.with_suffix(".zip")).extractall(table.with_suffix(""))
    table.with_suffix(".zip").unlink()


def pixels(table) -> np.ndarray:
    return np.stack([np.asarray(image) for image in StimulusImages("brainscore", table, stimulus_table("brainscore", table))])


def test_brainscore_ids_are_in_the_order_of_the_csv(brainscore):
    table = stimulus_table("brainscore", brainscore)
    assert table["stimulus_id"].tolist() == [f"id{(number * 17 + 5) % 40:02d}" for number in range(40)]
    images = StimulusImages("brainscore", brainscore, table)
    with zipfile.ZipFile(brainscore.with_suffix(".zip")) as archive:
        for row, image in enumerate(images):
            expected = Image.open(archive.open(f"{row}.png")).convert("RGB")
            assert image.mode == "RGB"
            np.testing.assert_array_equal(image, expected)


def test_a_zip_and_its_folder_and_a_cache_are_one(brainscore, tmp_path):
    expected, hashed = pixels(brainscore), table_hash(stimulus_table("brainscore", brainscore))
    cached = tmp_path / ("01" * 20) / brainscore.name
    zipped = tmp_path / ("ab" * 20) / brainscore.with_suffix(".zip").name
    for source, target in ((brainscore, cached), (brainscore.with_suffix(".zip"), zipped)):
        target.parent.mkdir()
        shutil.copy(source, target)
    np.testing.assert_array_equal(pixels(cached), expected)
    unpack(brainscore)
    np.testing.assert_array_equal(pixels(brainscore), expected)
    assert table_hash(stimulus_table("brainscore", brainscore)) == table_hash(stimulus_table("brainscore", cached)) == hashed


def test_worker_processes_read_what_the_parent_reads(brainscore):
    """A file that the parent opened before the fork would be shared, with its position."""
    expected = pixels(brainscore)
    images = StimulusImages("brainscore", brainscore, stimulus_table("brainscore", brainscore))
    assert images[0]
    batches = DataLoader(images, batch_size=5, num_workers=2, collate_fn=lambda batch: [np.asarray(image) for image in batch])
    np.testing.assert_array_equal(
        [image for _ in range(3) for batch in batches for image in batch], np.tile(expected, (3, 1, 1, 1))
    )


@pytest.mark.parametrize("layout", ["hdf5", "brainscore"])
def test_open_images_can_be_sent_to_another_process(nsd, brainscore, layout):
    path = nsd if layout == "hdf5" else brainscore
    images = StimulusImages(layout, path, stimulus_table(layout, path))
    assert images[0]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(images))[1], images[1])


def without(table, name):
    unpack(table)
    (table.with_suffix("") / name).unlink()


def cut(path):
    path.write_bytes(path.read_bytes()[:-200])


def hole(path):
    content = path.read_bytes()
    path.write_bytes(content[:60] + bytes(60) + content[120:])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda table: without(table, "7.png"), r"stimulus_x\n.*1 of the 40 images are not there, e\.g\. 7\.png"),
        (lambda table: table.with_suffix(".zip").unlink(), r"stimulus_x\.zip\n.*nothing"),
        (lambda table: cut(table.with_suffix(".zip")), r"stimulus_x\.zip\n.*not a readable zip"),
        (lambda table: hole(table.with_suffix(".zip")), r"stimulus_x\.zip/0\.png\n.*cannot be read \(Bad CRC"),
        (lambda table: table.with_suffix(".zip").write_text("<html>"), r"stimulus_x\.zip\n.*an HTML page"),
        (lambda table: table.unlink(), r"stimulus_x\.csv\n.*nothing"),
        (
            lambda table: table.write_text(table.read_text().rsplit(",", 1)[0]),
            r"stimulus_x\.csv\n.*row \d+ without image_id or filename",
        ),
        (lambda table: table.write_text("image_id\nx\n"), r"stimulus_x\.csv\n.*\n.*also filename"),
    ],
)
def test_what_is_missing_of_a_brainscore_set_is_named(brainscore, damage, message):
    damage(brainscore)
    with pytest.raises(InputError, match=message):
        stimulus_table("brainscore", brainscore)


def test_a_brainscore_image_that_changed_is_refused(brainscore):
    table = stimulus_table("brainscore", brainscore)
    unpack(brainscore)
    folder = brainscore.with_suffix("")
    shutil.copy(folder / "3.png", folder / "4.png")
    (folder / "5.png").write_bytes(b"not a image")
    images = StimulusImages("brainscore", brainscore, table)
    assert images[3]
    with pytest.raises(InputError, match=r"4\.png\n.*another image than the stimulus table lists"):
        images[4]
    with pytest.raises(InputError, match=r"5\.png\n.*no kind of image that is read"):
        images[5]
    brainscore.write_text("image_id,filename\nother,4.png\n")
    with pytest.raises(InputError, match=r"no image id05.*\n.*nothing"):
        StimulusImages("brainscore", brainscore, table)[0]
