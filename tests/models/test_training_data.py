"""Labelled images from every kind of release, the order in which they are shown, and what is done to them."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cortexscale.errors import InputError
from cortexscale.models.training.augment import BatchAugmentation, image_transform, set_drop_path
from cortexscale.models.training.batches import training_batches
from cortexscale.models.training.data import open_images, subset_indices
from cortexscale.models.training.order import EPOCH, MicroBatches, Order, seed_of
from cortexscale.models.training.recipes import Length
from cortexscale.models.vision import timm
from cortexscale.recipe import Recipe

LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(5), 20))
CPU = torch.device("cpu")


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 10))
def test_subsets_are_balanced_and_nested(few, more, seed):
    few, more = sorted((few, more))
    small, large = subset_indices(LABELS, few, seed), subset_indices(LABELS, more, seed)
    assert (np.bincount(LABELS[small]) == few).all() and len(np.unique(small)) == 5 * few
    assert set(small) <= set(large)


def test_zero_samples_per_class_are_all():
    np.testing.assert_array_equal(subset_indices(LABELS, 0, 3), np.arange(100))


def test_seeds_choose_other_samples():
    assert set(subset_indices(LABELS, 5, 0)) != set(subset_indices(LABELS, 5, 1))


def test_too_large_a_subset_says_what_there_is():
    with pytest.raises(InputError) as error:
        subset_indices(LABELS, 21, 0)
    for part in ("samples_per_class = 21", "20 images of class 0", "at least 21", "make the image set larger"):
        assert part in str(error.value)


# ---------------------------------------------------------------------------------------------- releases

PICTURES = np.random.default_rng(1).integers(0, 256, (6, 8, 8, 3)).astype(np.uint8)
CLASSES = ["0001_man", "0002_house"]


def encoded(picture: np.ndarray, format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format)
    return buffer.getvalue()


def write_npz(root: Path) -> Path:
    labels = np.array([0, 0, 0, 1, 1, 1])
    arrays = {f"{split}_{kind}": v for split in ("train", "validation") for kind, v in (("images", PICTURES), ("labels", labels))}
    np.savez(root / "set.npz", **arrays)
    return root / "set.npz"


def write_folder(root: Path) -> Path:
    for split in ("train", "val"):
        for row, picture in enumerate(PICTURES):
            folder = root / split / CLASSES[row // 3]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"image_{row}.png").write_bytes(encoded(picture))
        (folder / "readme.txt").write_text("no image")
    return root


def write_shards(root: Path) -> Path:
    for split in ("train", "val"):
        for shard in range(2):
            with tarfile.open(root / f"{split}-{shard}.tar", "w") as archive:
                for row in range(3 * shard, 3 * shard + 3):
                    for name, data in ((f"{row:03d}.png", encoded(PICTURES[row])), (f"{row:03d}.cls", str(shard).encode())):
                        member = tarfile.TarInfo(name)
                        member.size = len(data)
                        archive.addfile(member, io.BytesIO(data))
    return root


@pytest.mark.parametrize("write", [write_npz, write_folder, write_shards])
@pytest.mark.parametrize("split", ["train", "val"])
def test_every_release_gives_the_same_images(tmp_path, write, split):
    images = open_images(write(tmp_path), split)
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1] and images.n_classes == 2
    assert len(set(images.names.tolist())) == 6
    for row, picture in enumerate(PICTURES):
        np.testing.assert_array_equal(np.asarray(images[row]), picture)
    part = images.take(np.array([4, 1]))
    assert part.labels.tolist() == [1, 0] and part.n_classes == 2
    assert part.names.tolist() == images.names[[4, 1]].tolist()
    np.testing.assert_array_equal(np.asarray(part[0]), PICTURES[4])


def test_names_of_files_say_where_they_lie(tmp_path):
    assert open_images(write_folder(tmp_path), "val").names[3] == b"val/0002_house/image_3.png"


def test_grey_and_palette_images_are_read_in_colour(tmp_path):
    write_folder(tmp_path)
    Image.fromarray(PICTURES[0]).convert("P").save(tmp_path / "train/0001_man/image_0.png")
    Image.fromarray(PICTURES[0]).convert("L").save(tmp_path / "train/0001_man/image_1.png")
    images = open_images(tmp_path, "train")
    assert {images[row].mode for row in range(6)} == {"RGB"}


def truncate(root: Path) -> None:
    file = root / "train/0001_man/image_1.png"
    file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_is_named(tmp_path, workers):
    write_folder(tmp_path)
    truncate(tmp_path)
    images = open_images(tmp_path, "train")
    share = MicroBatches(Order(6, 0), Length(steps=3, parts=1, size=2))
    with pytest.raises(InputError, match=r"image_1\.png[\s\S]*not a whole image[\s\S]*restore"):
        list(training_batches(images, share, Recipe(), 8, 0, workers, CPU))


def test_validation_without_class_folders_is_refused(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "val/0002_house").rename(tmp_path / "val/0003_other")
    with pytest.raises(InputError, match=r"val\n.*0002_house, 0003_other"):
        open_images(tmp_path, "val")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("set.npz", b"not an array", r"train_images and train_labels"),
        ("train-0.tar", b"not a tar", r"train-0\.tar\n.*ReadError"),
        ("other.txt", b"", r"only other\.txt[\s\S]*train/<class>/"),
    ],
)
def test_what_is_no_image_set_is_refused(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        open_images(tmp_path / name if name.endswith(".npz") else tmp_path, "train")


# ---------------------------------------------------------------------------------------------- order


@given(st.integers(2, 40), st.integers(1, 10), st.integers(0, 3))
def test_every_epoch_shows_every_image(n, batch, seed):
    order = Order(n, seed)
    rows = torch.cat([order.rows(start, start + batch) for start in range(0, 4 * n * batch, batch)])
    epochs = rows[: len(rows) // n * n].view(-1, n)
    assert (epochs.sort(dim=1).values == torch.arange(n)).all()
    assert len(torch.unique(epochs[:4], dim=0)) > 1


def test_repeated_augmentation_is_that_of_timm():
    reference = timm.data.distributed_sampler.RepeatAugSampler(range(50), 1, 0, num_repeats=3, selected_round=0)
    for epoch in range(2):
        reference.set_epoch(seed_of(7, EPOCH, epoch))
        assert Order(50, 7, repeats=3).rows(50 * epoch, 50 * epoch + 50).tolist() == list(reference)


@given(st.integers(1, 4), st.integers(0, 5))
def test_processes_and_resumed_trainings_see_the_same_micro_batches(processes, first_step):
    length = Length(steps=6, parts=2 * processes, size=3)
    order = Order(11, 0)
    whole = dict(iter((start, rows.tolist()) for start, rows in MicroBatches(order, length)))
    shares = [{s: r.tolist() for s, r in MicroBatches(order, length, rank, processes, first_step)} for rank in range(processes)]
    assert sum(map(len, shares)) == (6 - first_step) * length.parts
    joined = {start: rows for share in shares for start, rows in share.items()}
    assert joined == {start: rows for start, rows in whole.items() if start >= first_step * length.batch}


# ---------------------------------------------------------------------------------------------- augmentation


def test_without_augmentation_pictures_are_the_central_square():
    wide = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 24, 3)).astype(np.uint8))
    np.testing.assert_array_equal(np.asarray(image_transform(Recipe(), 16)(wide)), np.asarray(wide)[:, 4:20])


@pytest.mark.parametrize(
    "recipe",
    [Recipe(crop=0.08), Recipe(auto_augment="rand-m9-mstd0.5-inc1"), Recipe(auto_augment="3a"), Recipe(color_jitter=0.3)],
)
def test_loaded_pictures_depend_on_their_place_and_not_on_the_workers(tmp_path, recipe):
    images = open_images(write_folder(tmp_path), "train")
    share = MicroBatches(Order(6, 0), Length(steps=8, parts=1, size=3))
    alone, helped = (
        torch.stack([pixels for pixels, _ in training_batches(images, share, recipe, 8, 5, workers, CPU)]) for workers in (0, 2)
    )
    assert alone.shape == (8, 3, 8, 8, 3) and alone.dtype == torch.uint8
    assert torch.equal(alone, helped)
    assert len(torch.unique(alone.flatten(0, 1), dim=0)) > 6


def test_the_largest_magnitude_of_randaugment_is_drawn():
    """timm then keeps 0 bits of a picture, which Pillow 13 refuses."""
    transform = image_transform(Recipe(auto_augment="rand-m10-inc1-n20"), 8)
    for _ in range(20):
        assert transform(Image.fromarray(PICTURES[0])).size == (8, 8)


def test_pictures_are_mirrored_and_normalised():
    pixels = torch.arange(2 * 4 * 4 * 3, dtype=torch.uint8).view(2, 4, 4, 3).repeat(20, 1, 1, 1)
    inputs, labels = BatchAugmentation(Recipe(), 5, CPU)(pixels, torch.arange(40))
    assert labels.tolist() == list(range(40)) and inputs.is_contiguous(memory_format=torch.channels_last)
    plain = (pixels / 255 - torch.tensor((0.485, 0.456, 0.406))) / torch.tensor((0.229, 0.224, 0.225))
    as_is = torch.isclose(inputs, plain.permute(0, 3, 1, 2), atol=1e-5).flatten(1).all(1)
    mirrored = torch.isclose(inputs, plain.permute(0, 3, 1, 2).flip(3), atol=1e-5).flatten(1).all(1)
    assert (as_is ^ mirrored).all() and 5 < mirrored.sum() < 35


def test_mixed_labels_are_smoothed_shares():
    torch.manual_seed(0)
    augmentation = BatchAugmentation(Recipe(mixup=0.8, cutmix=1.0, smoothing=0.1, erasing=0.5), 5, CPU)
    _, targets = augmentation(torch.zeros(4, 8, 8, 3, dtype=torch.uint8), torch.tensor([0, 1, 2, 3]))
    assert targets.shape == (4, 5)
    torch.testing.assert_close(targets.sum(1), torch.ones(4))
    torch.testing.assert_close(targets.min(), torch.tensor(0.02))


def test_drop_path_is_the_same_in_every_block_and_only_in_training():
    network = timm.create_model("test_vit", depth=2, img_size=32, patch_size=8).eval()
    image, names = torch.randn(4, 3, 32, 32), list(network.state_dict())
    expected = network(image)
    set_drop_path(network, 0.5)
    torch.testing.assert_close(network(image), expected)
    assert list(network.state_dict()) == names
    assert [block.drop_path1.drop_prob for block in network.blocks] == [0.5, 0.5]
    assert not torch.allclose(network.train()(image), expected)
    with pytest.raises(InputError, match="drop_path"):
        set_drop_path(torch.nn.Linear(2, 2), 0.5)
