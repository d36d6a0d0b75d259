"""What models come from: labelled images that a suite is trained on, checkpoint files, names of pretrained networks."""

import difflib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cortexscale.check.report import Section
from cortexscale.errors import InputError
from cortexscale.files import require_real_file
from cortexscale.models.training.data import SPLITS, open_images
from cortexscale.study.models import Suite


def check_training_images(section: Section, suite: Suite) -> None:
    """Both splits are there, with the classes and the number of images that the config says. No picture is opened."""
    section.help.append("docs/models.md has the layouts; the config says `classes` and `expected` of a suite.")
    for split in SPLITS:
        with section.collect(f"listing {split}", "a fault of Cortex Scale"):
            images = open_images(suite.images, split)
            per_class = np.bincount(images.labels, minlength=images.n_classes)
            section.facts.append(f"{split}: {len(images.labels):,} images of {images.n_classes:,} classes")
            if images.n_classes != suite.classes:
                section.problems.append(f"{split}: {images.n_classes:,} classes; {suite.classes:,} expected")
            if (per_class == 0).any():
                section.problems.append(f"{split}: {(per_class == 0).sum():,} classes without an image")
            if split == "train" and len(images.labels) != suite.expected:
                section.problems.append(f"{split}: {len(images.labels):,} images; {suite.expected:,} expected")
            most = max(suite.samples_per_class)
            if split == "train" and per_class.min() < most:
                section.problems.append(
                    f"{split}: class {per_class.argmin()} has {per_class.min():,} images, `samples_per_class` asks for {most:,}"
                )


def check_checkpoints(section: Section, files: Sequence[str]) -> None:
    """Of those that are there, none is a web page or the pointer to a file that was never fetched."""
    wrong, n = [], 0
    for file in files:
        if Path(file).exists() or Path(file).is_symlink():
            try:
                require_real_file(file, remedy="")
                n += 1
            except InputError as error:
                wrong.append(f"{file}: {error.found}")
    section.facts += [f"{n:,} checkpoints are there"] if n else []
    section.many("no checkpoints (delete what is not wanted, fetch the content of git-annex pointers):", wrong)


def check_timm_names(section: Section, names: Sequence[str]) -> None:
    """timm has pretrained weights of every name; those of other owners on the hub are not looked up."""
    names = [name for name in names if "/" not in name]
    if not names:
        return
    from cortexscale.models.vision import timm

    tagged = timm.list_models(pretrained=True)
    known = {*tagged, *(name.split(".")[0] for name in tagged)}
    unknown = []
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=2)
            unknown.append(name + (f"; did you mean {' or '.join(near)}?" if near else ""))
    section.many("names of which timm has no pretrained weights (timm.list_models(pretrained=True) has all):", unknown)
