"""Check the inputs of models: labelled images of suites, checkpoint files, and names of pretrained networks."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cortexscale.check.report import ReportSection
from cortexscale.errors import InputError
from cortexscale.files import require_real_file
from cortexscale.models.training.data import SPLITS, LabelledImages, open_images
from cortexscale.study.models import Suite


def check_training_images(section: ReportSection, suite: Suite) -> None:
    """Check that both splits exist and have the numbers of classes and images that the config gives. No image is opened."""
    section.help.append("docs/models.md describes the layouts; the config sets `classes` and `expected` of a suite.")
    for split in SPLITS:
        with section.collect(f"listing {split}", "a fault of Cortex Scale"):
            images = open_images(suite.images, split)
            section.facts.append(f"{split}: {len(images.labels):,} images of {images.n_classes:,} classes")
            section.problems += [f"{split}: {problem}" for problem in _image_problems(images, suite, split)]


def _image_problems(images: LabelledImages, suite: Suite, split: str) -> Iterator[str]:
    per_class, most = np.bincount(images.labels, minlength=images.n_classes), max(suite.samples_per_class)
    if images.n_classes != suite.classes:
        yield f"{images.n_classes:,} classes; {suite.classes:,} expected"
    if (per_class == 0).any():
        yield f"{(per_class == 0).sum():,} classes have no image"
    if split == "train" and len(images.labels) != suite.expected:
        yield f"{len(images.labels):,} images; {suite.expected:,} expected"
    if split == "train" and per_class.min() < most:
        yield f"class {per_class.argmin()} has {per_class.min():,} images, `samples_per_class` asks for {most:,}"


def check_checkpoints(section: ReportSection, files: Sequence[str]) -> None:
    """Check that no checkpoint is a web page or a pointer to a file that was not downloaded. Missing files are ignored."""
    there, wrong = [file for file in files if Path(file).exists() or Path(file).is_symlink()], []
    for file in there:
        try:
            require_real_file(file, remedy="")
        except InputError as error:
            wrong.append(f"{file}: {error.found}")
    section.facts += [f"{len(there) - len(wrong):,} checkpoint(s) found"] if len(there) > len(wrong) else []
    section.add_cases("files that are not checkpoints (delete them, or fetch the content of git-annex pointers):", wrong)


def check_timm_names(section: ReportSection, names: Sequence[str]) -> None:
    """Check that timm has pretrained weights for every name. Names of the hub, which have an owner, are not looked up."""
    names = [name for name in names if "/" not in name]
    if not names:
        return
    from cortexscale.models.vision import timm

    tagged = timm.list_models(pretrained=True)
    known = {*tagged, *(name.split(".")[0] for name in tagged)}
    near = {name: difflib.get_close_matches(name, known, n=2) for name in names if name not in known}
    unknown = [name + (f"; did you mean {' or '.join(others)}?" if others else "") for name, others in near.items()]
    section.add_cases("names for which timm has no pretrained weights (timm.list_models(pretrained=True) lists all):", unknown)
