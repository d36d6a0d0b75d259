"""Check stimuli and labelled images: which images exist, which files were passed over, and whether a sample can be decoded."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
from PIL import Image

from cortexscale.check.misplaced import files_near, unpacked_hint
from cortexscale.check.report import ReportSection
from cortexscale.contents import digest_of
from cortexscale.errors import InputError
from cortexscale.image_files import SUFFIXES, tried
from cortexscale.listing import files_in, folders_in, listing, path_of
from cortexscale.models.training.data import SPLITS, LabelledImages, open_images
from cortexscale.stimuli import LAYOUTS
from cortexscale.study.images import StimulusSet
from cortexscale.study.models import Suite

SAMPLE = 50
"""Number of images of a set that are decoded, at equal distances."""
_SUSPICIOUS = 1024  # bytes; smaller files, such as pointers to files that were not fetched, are all decoded
_LAYOUTS_OF_TRAINING = "docs/models.md describes the layouts of labelled images."


def check_stimuli(section: ReportSection, images: StimulusSet) -> None:
    """Check that the images of a stimulus set exist, in the number that the config says, and that some of them can be decoded.

    The images that are decoded are :data:`SAMPLE` images at equal distances. In a folder, decoding is also tried for every file
    that is very small, or that this user has no permission to read.
    """
    path, folder = Path(images.path), images.layout == "image_folder"
    opened = LAYOUTS[images.layout](path)
    try:
        ids = opened.ids()
    except InputError as error:
        other = _folder_of_images(path) if folder else None
        found = [f"they would be found if the path were {other}"] if other else []
        section.problems.append("\n".join([str(error), *found, *unpacked_hint(path, files_near(path))]))
        return
    if images.expected and len(ids) != images.expected:
        section.problems.append(f"{len(ids):,} images; {images.expected:,} are expected (config key `expected`)")
    else:
        section.facts.append(f"{len(ids):,} images")
    doubtful = [id for id in ids if _is_doubtful(path / id)] if folder else []
    chosen = dict.fromkeys([*doubtful, *(ids[row] for row in _sample(len(ids)))])
    _check_some(section, {id: partial(opened.image, id) for id in chosen}, path)
    if folder:
        section.facts += _copies(path, ids)
        _tell_what_is_left_out(section, [path, *(path / name for name in listing(path).folders)])
        if loose := [name for name in listing(path).files if name.lower().endswith(SUFFIXES)]:
            section.facts.append(f"{len(loose)} images beside the folders are no stimuli, e.g. {loose[0]}")


def _copies(path: Path, ids: Sequence[str]) -> list[str]:
    """Find images of a folder that have the same content as another image of the folder.

    Only files of equal size and with equal last bytes are read as a whole.
    """
    groups = [list(ids)]
    for part in (_size, _end, digest_of):
        divided: list[list[str]] = []
        for group in groups:
            alike: dict[object, list[str]] = {}
            for id in group:
                with suppress(OSError):
                    alike.setdefault(part(path_of(path, id)), []).append(id)
            divided += [each for each in alike.values() if len(each) > 1]
        groups = divided
    if not groups:
        return []
    n = sum(len(group) - 1 for group in groups)
    consequence = "if one is a training and the other a test stimulus, scores are too high"
    return [f"{n} images are copies of another one, e.g. {groups[0][1]} of {groups[0][0]}; {consequence}"]


def _size(file: Path) -> int:
    return file.stat().st_size


def _end(file: Path) -> bytes:
    with file.open("rb") as content:
        content.seek(max(0, file.stat().st_size - _SUSPICIOUS))
        return content.read()


def check_images_of_suite(section: ReportSection, suite: Suite) -> None:
    """Check that the labelled images of a suite are as the config says, and that a sample of each split can be decoded."""
    section.help.append(f"{_LAYOUTS_OF_TRAINING} The config sets `classes` and `expected` of a suite.")
    for split, images in _splits(section, suite.images):
        section.problems += [f"{split}: {problem}" for problem in _differences(images, suite, split)]


def check_images_of_finetuning(section: ReportSection, path: str, classes: Mapping[str, int | None]) -> None:
    """Check ``finetuning.images``: classes must be those of the base models, and a sample of each split must be decodable.

    For every base model that needs labelled images, ``classes`` has its number of classes. None stands for a number that is not
    known without loading the model.
    """
    section.help.append(f"{_LAYOUTS_OF_TRAINING} The order of the classes must be that of the outputs of the base models.")
    for split, images in _splits(section, path):
        section.problems += [
            f"{split}: {images.n_classes:,} classes; {model} tells {n:,} apart"
            for model, n in classes.items()
            if n and n != images.n_classes
        ]
        if empty := _n_empty(images):
            section.problems.append(f"{split}: {empty:,} classes have no image")


def _splits(section: ReportSection, path: str) -> Iterator[tuple[str, LabelledImages]]:
    """Open both splits of labelled images, report how large they are, and decode a sample of each split."""
    for split in SPLITS:
        with section.collect(f"listing {split}", "a fault of Cortex Scale"):
            images = open_images(path, split)
            section.facts.append(f"{split}: {len(images.labels):,} images of {images.n_classes:,} classes")
            yield split, images
            rows = _sample(len(images.labels))
            _check_some(section, {f"row {row}": partial(images.__getitem__, row) for row in rows}, f"{path}, {split}")
    folders = [folder for split in SPLITS if (folder := Path(path, split)).is_dir()]
    inside = [folder / name for folder in folders for name in listing(folder).folders]
    _tell_what_is_left_out(section, [folder for folder in (Path(path), *folders, *inside) if folder.is_dir()])


def _differences(images: LabelledImages, suite: Suite, split: str) -> Iterator[str]:
    per_class, most = np.bincount(images.labels, minlength=images.n_classes), max(suite.samples_per_class)
    if images.n_classes != suite.classes:
        yield f"{images.n_classes:,} classes; {suite.classes:,} expected"
    if empty := _n_empty(images):
        yield f"{empty:,} classes have no image"
    if split == "train" and len(images.labels) != suite.expected:
        yield f"{len(images.labels):,} images; {suite.expected:,} expected"
    if split == "train" and per_class.min() < most:
        yield f"class {per_class.argmin()} has {per_class.min():,} images, `samples_per_class` asks for {most:,}"


def _n_empty(images: LabelledImages) -> int:
    return int((np.bincount(images.labels, minlength=images.n_classes) == 0).sum())


def _sample(n: int) -> list[int]:
    return np.unique(np.linspace(0, n - 1, SAMPLE).astype(int)).tolist()


def _is_doubtful(file: Path) -> bool:
    try:
        return file.stat().st_size < _SUSPICIOUS or not os.access(file, os.R_OK)
    except OSError:
        return True


def _check_some(section: ReportSection, images: Mapping[str, Callable[[], Image.Image]], where: Path | str) -> None:
    """Decode images. Report images that cannot be used, and images that subjects perhaps saw differently."""
    errors, remarks = tried(images.items(), where, len(images))
    section.facts += [f"{len(images):,} of them were decoded", *remarks]
    section.add_cases("images that cannot be used:", [f"{error.where}: {error.found}. {error.remedy}" for error in errors])


def _tell_what_is_left_out(section: ReportSection, folders: Iterable[Path]) -> None:
    if names := [str(folder / name) for folder in folders for name in listing(folder).passed_over]:
        section.facts.append(f"passed over {len(names)} hidden files and folders or leftovers of systems, e.g. {names[0]}")


def _folder_of_images(path: Path) -> Path | None:
    """Find a folder whose subfolders have images. The search covers the path and the two folders above it."""
    near = chain(files_near(path), *(_inside_folders(above) for above in islice(path.absolute().parents, 2)))
    return next((file.parents[1] for file in near if file.name.lower().endswith(SUFFIXES)), None)


def _inside_folders(folder: Path) -> Iterator[Path]:
    """List at most 100 files of each folder in ``folder``. Folders that cannot be read are left out."""
    with suppress(InputError):
        for inside in folders_in(folder):
            with suppress(InputError):
                yield from files_in(inside)[:100]
