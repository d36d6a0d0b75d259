"""Labelled images for training: arrays in one file, folders of classes, or webdataset shards, with one interface."""

import copy
import io
import os
import tarfile
import warnings
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from PIL import Image

from cortexscale.errors import InputError

SPLITS = {"train": "train", "val": "validation"}
"""Names of the splits in folders and shards, and in an ``.npz``."""
SUFFIXES = (".jpeg", ".jpg", ".png")


class ReadableImages(Protocol):
    """Images that are read one by one, with labels (n,) of int64 classes."""

    labels: np.ndarray

    def __getitem__(self, row: int) -> Image.Image:
        """The image of a row, as RGB. It raises an InputError if the image cannot be read; the message names its file."""


class LabelledImages(ABC):
    """One split of a labelled image set.

    Attributes:
        names: (n,) bytes, because every process would copy a million Python strings that it touches.
        n_classes: number of classes of the whole set, also if this is a part of it.
        per_image: names of the arrays that have an entry for every image.
    """

    names: np.ndarray
    labels: np.ndarray
    n_classes: int
    per_image: tuple[str, ...] = ("names", "labels")

    @abstractmethod
    def __getitem__(self, row: int) -> Image.Image: ...

    def take(self, rows: np.ndarray) -> Self:
        """The images of these rows, in this order."""
        part = copy.copy(self)
        for name in self.per_image:
            setattr(part, name, getattr(self, name)[rows])
        return part


def open_images(path: Path | str, split: str) -> LabelledImages:
    """Open ``train`` or ``val`` of an ``.npz``, of a folder of class folders, or of shards; anything else is an InputError."""
    path = Path(path)
    if path.is_file():
        return ArrayImages.open(path, split)
    if (path / split).is_dir():
        return FileImages(path, split)
    shards = sorted(path.glob(f"{split}*.tar"))
    if shards:
        return ShardImages(shards)
    found = "nothing that holds labelled images" if path.exists() else "nothing"
    expected = f"an .npz, or a folder with {split}/<class>/ (ImageNet, Ecoset) or {split}*.tar (webdataset)"
    raise InputError(path, found, expected, "correct the suite's `images` in the config")


def subset_indices(labels: np.ndarray, samples_per_class: int, seed: int) -> np.ndarray:
    """Choose a class-balanced subset of images: ascending rows. ``samples_per_class`` 0 means all images.

    With one seed, a larger subset contains every smaller one, so that training sets differ in their size and in nothing else. It
    raises an InputError if a class has fewer images.
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
    """Images in memory, (n, size, size, 3) uint8."""

    per_image = ("names", "labels", "images")

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, names: np.ndarray | None = None, n_classes: int | None = None
    ) -> None:
        self.images, self.labels = images, labels.astype(np.int64)
        self.names = np.array([str(row) for row in range(len(labels))], dtype="S") if names is None else names
        self.n_classes = n_classes or int(labels.max()) + 1

    @classmethod
    def open(cls, path: Path, split: str) -> Self:
        """Read ``<split>_images`` and ``<split>_labels`` of an ``.npz``, or raise an InputError if the file has none."""
        name = SPLITS[split]
        try:
            with np.load(path) as file:
                images, labels = file[f"{name}_images"], file[f"{name}_labels"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            expected = f"an .npz with {name}_images and {name}_labels"
            raise InputError(path, f"{type(error).__name__}: {error}", expected, "make or fetch it again") from None
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or len(labels) != len(images):
            found = f"{images.dtype} images of shape {images.shape}, {len(labels)} labels"
            raise InputError(f"{path}, {name}_images", found, "(n, size, size, 3) uint8, a label each", "convert the images")
        return cls(images, labels)

    def __getitem__(self, row: int) -> Image.Image:
        return Image.fromarray(self.images[row])


class FileImages(LabelledImages):
    """Image files ``<root>/<split>/<class>/``, as ImageNet and Ecoset are released. Classes are numbered alphabetically.

    It raises an InputError if there are no images, or the classes are not those of the training split.
    """

    def __init__(self, root: Path, split: str) -> None:
        folders = ((entry.name for entry in os.scandir(root / name) if entry.is_dir()) for name in (split, "train"))
        classes, known = map(sorted, folders)
        if classes != known:
            differing = sorted(set(classes) ^ set(known))
            found = f"{len(classes)} class folders, {len(known)} in train; only one has {', '.join(differing[:3])}"
            remedy = "sort the validation images into folders named like those of train (ILSVRC 2012 comes without)"
            raise InputError(root / split, found, "the classes of train", remedy)
        names: list[str] = []
        labels: list[int] = []
        for label, folder in enumerate(classes):
            files = sorted(entry.name for entry in os.scandir(root / split / folder) if entry.name.lower().endswith(SUFFIXES))
            names += [f"{split}/{folder}/{file}" for file in files]
            labels += [label] * len(files)
        if not names:
            raise InputError(root / split, "no images", f"files {', '.join(SUFFIXES)} in class folders", "unpack the data set")
        self.root, self.n_classes = root, len(classes)
        self.names, self.labels = np.array([os.fsencode(name) for name in names]), np.array(labels, dtype=np.int64)

    def __getitem__(self, row: int) -> Image.Image:
        path = self.root / os.fsdecode(self.names[row])
        try:
            return decode_image(path.read_bytes(), str(path))
        except OSError as error:
            raise InputError(path, str(error), "a readable file", "restore the file from its release") from None


class ShardImages(LabelledImages):
    """Images in webdataset shards: tar files of ``<key>.jpg`` (or ``.jpeg``, ``.png``) and ``<key>.cls``, a class number.

    ``places`` are (n, 3): number of the shard, first byte and number of bytes. It raises an InputError if a shard is damaged, or
    has an image without a class or a class without an image.
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
        self.shards, self.n_classes = shards, max(labels) + 1
        self.names, self.labels, self.places = np.array(names), np.array(labels, dtype=np.int64), np.array(places, dtype=np.int64)

    def __getitem__(self, row: int) -> Image.Image:
        number, offset, length = self.places[row]
        with self.shards[number].open("rb") as shard:  # not kept open: there may be more shards than a process may have files
            shard.seek(offset)
            return decode_image(shard.read(length), os.fsdecode(self.names[row]))


def _shard_index(shard: Path) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
    """Index a shard: where its images lie (key -> first byte, number of bytes), and their classes (key -> class)."""
    images: dict[str, tuple[int, int]] = {}
    classes: dict[str, int] = {}
    try:
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                key, _, suffix = member.name.rpartition(".")
                if f".{suffix.lower()}" in SUFFIXES:
                    images[key] = member.offset_data, member.size
                elif suffix == "cls" and (content := archive.extractfile(member)):
                    classes[key] = int(content.read())
    except (tarfile.TarError, OSError, ValueError) as error:
        found = f"{type(error).__name__}: {error}"
        raise InputError(shard, found, "an uncompressed tar of images and their class numbers", "fetch the shard again") from None
    return images, classes


def decode_image(data: bytes, name: str) -> Image.Image:
    """Decode an image file to RGB. ``name`` is for the message. It raises an InputError if the image is damaged."""
    try:
        with warnings.catch_warnings(action="ignore"):  # some files of ImageNet have odd EXIF blocks and palettes
            return Image.open(io.BytesIO(data)).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        found = f"{len(data):,} bytes that are not a whole image ({error})"
        raise InputError(name, found, "an image", "restore the file from its release") from None
