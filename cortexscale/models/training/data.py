"""Labelled images for training, from arrays in one file, folders of classes, or webdataset shards."""

import copy
import os
import tarfile
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from PIL import Image

from cortexscale.errors import InputError
from cortexscale.files import require_real_file
from cortexscale.image_files import FORMATS, SUFFIXES, decoded, image_names, read_from, require_distinct
from cortexscale.listing import files_in, lies_in_left_behind, listing, nfc, path_of

SPLITS = {"train": "train", "val": "validation"}
"""Name of a split in folders and shards -> its name in an ``.npz``."""


class ReadableImages(Protocol):
    """Images that are read one by one, with int64 labels (n,)."""

    labels: np.ndarray

    def __getitem__(self, row: int) -> Image.Image:
        """Return the RGB image of a row. If it cannot be read, raise an InputError that names its file."""


class LabelledImages(ABC):
    """One split of a labelled image set.

    Attributes:
        names: (n,) file names as bytes. A list of Python strings would be copied by every process that reads it.
        n_classes: number of classes in the whole set, even if this object has only some of its images.
        per_image: names of the attributes with an entry for every image.
    """

    names: np.ndarray
    labels: np.ndarray
    n_classes: int
    per_image: tuple[str, ...] = ("names", "labels")

    @abstractmethod
    def __getitem__(self, row: int) -> Image.Image: ...

    def take(self, rows: np.ndarray) -> Self:
        """Return the images of these rows, in this order."""
        part = copy.copy(self)
        for name in self.per_image:
            setattr(part, name, getattr(self, name)[rows])
        return part


def open_images(path: Path | str, split: str) -> LabelledImages:
    """Open ``train`` or ``val`` of an ``.npz``, of class folders, or of shards. Any other path raises an InputError."""
    path = Path(path)
    if path.is_file():
        return ArrayImages.open(path, split)
    if split in listing(path).folders:
        return FileImages(path, split)
    if shards := files_in(path, f"{split}*.tar"):
        return ShardImages(shards)
    there = listing(path)
    found = f"nothing that holds labelled images, only {', '.join([*there.folders, *there.files][:4]) or 'an empty folder'}"
    expected = f"an .npz, or a folder with {split}/<class>/ (ImageNet, Ecoset) or {split}*.tar (webdataset)"
    raise InputError(path, found, expected, "correct the suite's `images` in the config")


def subset_indices(labels: np.ndarray, samples_per_class: int, seed: int) -> np.ndarray:
    """Choose a class-balanced subset of images, as ascending rows. With ``samples_per_class`` 0, choose all images.

    With the same seed, a larger subset contains every smaller one, so that training sets differ only in size. An InputError is
    raised if a class has fewer images.
    """
    if samples_per_class == 0:
        return np.arange(len(labels))
    rng = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        if len(rows) < samples_per_class:
            expected = f"at least {samples_per_class} of every class"
            remedy = "choose a smaller subset, or make the image set larger"
            raise InputError(f"samples_per_class = {samples_per_class}", f"{len(rows)} images of class {label}", expected, remedy)
        chosen.append(rows[:samples_per_class])
    return np.sort(np.concatenate(chosen))


class ArrayImages(LabelledImages):
    """Images in memory, uint8 (n, size, size, 3)."""

    per_image = ("names", "labels", "images")

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, names: np.ndarray | None = None, n_classes: int | None = None
    ) -> None:
        self.images, self.labels = images, labels.astype(np.int64)
        self.names = np.array([str(row) for row in range(len(labels))], dtype="S") if names is None else names
        self.n_classes = n_classes or int(labels.max()) + 1

    @classmethod
    def open(cls, path: Path, split: str) -> Self:
        """Read ``<split>_images`` and ``<split>_labels`` of an ``.npz``. If the file does not have them, raise an InputError."""
        name, path = SPLITS[split], require_real_file(path, "make or fetch it again")
        try:
            with np.load(path) as file:
                images, labels = file[f"{name}_images"], file[f"{name}_labels"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            expected = f"an .npz with {name}_images and {name}_labels"
            raise InputError(path, f"{type(error).__name__}: {error}", expected, "make or fetch it again") from None
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or len(labels) != len(images):
            found = f"{images.dtype} images of shape {images.shape}, {len(labels)} labels"
            raise InputError(f"{path}, {name}_images", found, "(n, size, size, 3) uint8, a label each", "convert the images")
        if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer) or (labels < 0).any():
            found = f"{labels.dtype} labels of shape {labels.shape}, e.g. {labels.ravel()[:3].tolist()}"
            raise InputError(f"{path}, {name}_labels", found, "(n,) class numbers, 0 or more", "convert the labels")
        if not len(labels):
            raise InputError(f"{path}, {name}_images", "no images", "images of this split", "make the file again")
        return cls(images, labels)

    def __getitem__(self, row: int) -> Image.Image:
        return Image.fromarray(self.images[row])


class FileImages(LabelledImages):
    """Image files in ``<root>/<split>/<class>/``, as in ImageNet and Ecoset.

    Classes are numbered in the order of :func:`class_order`. An InputError is raised if there are no images, or if the classes
    are not those of the training split.
    """

    def __init__(self, root: Path, split: str) -> None:
        classes, known = (class_order(root / name) for name in (split, "train"))
        if classes.keys() != known.keys():
            differing = sorted(classes.keys() ^ known.keys())
            found = f"{len(classes)} class folders, {len(known)} in train; only one has {', '.join(differing[:3])}"
            remedy = "sort the validation images into folders named like those of train (ILSVRC 2012 comes without)"
            raise InputError(root / split, found, "the classes of train", remedy)
        names: list[str] = []
        labels: list[int] = []
        for label, folder in enumerate(classes.values()):
            files = image_names(root / split / folder)
            names += [nfc(f"{split}/{folder}/{file}") for file in files]
            labels += [label] * len(files)
        if not names:
            raise InputError(
                root / split,
                "no images",
                f"images ({FORMATS}) in class folders",
                "unpack the data set, with a folder for each class",
            )
        self.root, self.n_classes = root, len(classes)
        self.names, self.labels = np.array([name.encode() for name in names]), np.array(labels, dtype=np.int64)

    def __getitem__(self, row: int) -> Image.Image:
        path = path_of(self.root, self.names[row].decode())
        with read_from(path, "begin the training again"):
            content = path.read_bytes()
        return decoded(content, path, transparency="dropped")


def class_order(folder: Path) -> dict[str, str]:
    """Return name in NFC -> name on disk of each class folder, in the order in which the classes are numbered.

    Names that are all whole numbers, such as 0 to 999, are in the order of these numbers, because a head that was trained on
    numbered classes has them in this order. All other names are in the order of their characters, as in torchvision's
    ``ImageFolder``. An InputError is raised if two names are equal as numbers, or look equal.
    """
    names = listing(folder).folders
    require_distinct(folder, names)
    if not all(name.isascii() and name.isdigit() for name in names):
        return {nfc(name): name for name in names}
    numbered: dict[int, str] = {}
    for name in names:
        if other := numbered.get(int(name)):
            raise InputError(
                folder, f"the class folders {other} and {name}", "one folder for each number", "join the two folders"
            )
        numbered[int(name)] = name
    return {numbered[number]: numbered[number] for number in sorted(numbered)}


class ShardImages(LabelledImages):
    """Images in webdataset shards. A shard is a tar file.

    A shard has a ``<key>.jpg`` (or ``.jpeg``, ``.png``) and a class number in ``<key>.cls`` for each image. ``places`` (n, 3) has
    the number of the shard, the first byte and the number of bytes of each image. An InputError is raised if a shard is damaged,
    or has an image without a class or a class without an image.
    """

    per_image = ("names", "labels", "places")

    def __init__(self, shards: list[Path]) -> None:
        names: list[bytes] = []
        labels: list[int] = []
        places: list[tuple[int, int, int]] = []
        for number, shard in enumerate(shards):
            images, classes = _shard_index(shard)
            if images.keys() != classes.keys():
                key = min(images.keys() ^ classes.keys())
                found = f"only one of an image and a .cls under {key}"
                raise InputError(shard, found, "both for every key", "make or fetch the shard again")
            for key, place in images.items():
                names.append(os.fsencode(f"{shard.name}/{key}"))
                labels.append(classes[key])
                places.append((number, *place))
        if not names:
            raise InputError(
                shards[0], "no images", f"images ({FORMATS}) and their class numbers", "make or fetch the shards again"
            )
        self.shards, self.n_classes = shards, max(labels) + 1
        self.names, self.labels, self.places = np.array(names), np.array(labels, dtype=np.int64), np.array(places, dtype=np.int64)

    def __getitem__(self, row: int) -> Image.Image:
        number, offset, length = self.places[row]
        with self.shards[number].open("rb") as shard:  # there may be more shards than a process can keep open
            shard.seek(offset)
            content = shard.read(length)
        return decoded(content, f"{self.shards[number]}, {os.fsdecode(self.names[row])}", transparency="dropped")


def _shard_index(shard: Path) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
    """Return two dictionaries of a shard: key -> first byte and number of bytes of the image, and key -> class of the image."""
    images: dict[str, tuple[int, int]] = {}
    classes: dict[str, int] = {}
    require_real_file(shard, "make or fetch the shard again")
    try:
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                key, _, suffix = member.name.rpartition(".")
                if lies_in_left_behind(member.name):
                    continue
                if f".{suffix.lower()}" in SUFFIXES and key not in images:
                    images[key] = member.offset_data, member.size
                elif suffix == "cls" and key not in classes and (content := archive.extractfile(member)):
                    classes[key] = _class_number(content.read(), shard, key)
                elif f".{suffix.lower()}" in (*SUFFIXES, ".cls"):
                    found = f"two images or two classes of the key {key}"
                    raise InputError(
                        shard, found, "one of each for every key", "make the shard again, with a key for every image"
                    )
    except (tarfile.TarError, OSError, ValueError) as error:
        found = f"{type(error).__name__}: {error}"
        raise InputError(shard, found, "an uncompressed tar of images and their class numbers", "fetch the shard again") from None
    return images, classes


def _class_number(content: bytes, shard: Path, key: str) -> int:
    if not content.strip().isdigit():
        raise InputError(
            shard, f"the class {content[:40]!r} of {key}", "a class number, 0 or more", "write class numbers in the shard"
        )
    return int(content)
