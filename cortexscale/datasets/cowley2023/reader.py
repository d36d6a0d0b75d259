"""Cowley2023: spike counts of V4 units of a macaque that saw images of objects (Cowley et al. 2023, bioRxiv 2023.11.22.568315).

For each session, the release has one array of spike counts in 100 ms (units, images, trials), and a zip of images. This is the
test session 210325. Its images ``image0001.jpg`` to ``image0640.jpg`` are in the order of the array. Images have 6 to 10 trials.
The trials that an image lacks are nan. The release has no split of its own.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, Field, NonNegativeInt, PositiveInt, model_validator

from cortexscale.datasets import table
from cortexscale.datasets.readers import require_known
from cortexscale.datasets.registry import all_facts
from cortexscale.recording import Recording

__all__ = ["ROIS", "SOURCE", "SUBJECTS", "Options", "inspect", "memory_mb", "raw_files", "read", "shape"]

SUBJECTS = ("PE",)
ROIS = ("V4",)
SOURCE = all_facts()["cowley2023"].source
RESPONSES, IMAGES = "responses_210325.npy", "images_210325.zip"


class Options(BaseModel, extra="forbid", frozen=True):
    """Options of the V4 recordings of Cowley et al. Default counts are those of the release.

    Attributes:
        every: with 5, one of every five images is a test image.
        first: number of images before the first test image.
        min_nc_percent: keep units whose noise ceiling is above this value, in percent of variance.
        units: expected number of units in the file.
        images: expected number of images in the file.
        trials: expected largest number of trials of an image.
    """

    every: int = Field(5, ge=2)
    first: NonNegativeInt = 0
    min_nc_percent: float = Field(10, ge=0, lt=100)
    units: PositiveInt = 50
    images: int = Field(640, ge=3)
    trials: PositiveInt = 10

    @model_validator(mode="after")
    def _first_of_every(self) -> "Options":
        if self.first >= self.every:
            raise ValueError(f"`first` is {self.first}; a number below `every`, {self.every}, is expected")
        return self

    @property
    def described(self) -> table.Options:
        """The files in the terms of the reader ``table``."""
        axes = {"unit": self.units, "stimulus": self.images, "repetition": self.trials}
        return table.Options.model_validate(
            {
                "responses": {"file": RESPONSES, "axes": axes},
                "stimuli": {"images": IMAGES},
                "units": {"roi": ROIS[0]},
                "split": {"every": self.every, "first": self.first},
                "min_nc_percent": self.min_nc_percent,
            }
        )


def raw_files(root: Path, subject: str, options: Options) -> list[Path]:
    """List the paths of the responses and of the zip of images. They need not exist."""
    require_known([subject], SUBJECTS, "subjects of Cowley2023")
    return table.raw_files(root, subject, options.described)


def inspect(root: Path, subject: str, options: Options) -> None:
    """Check the shape of the responses, and the names of the images."""
    table.inspect(root, subject, options.described)


def memory_mb(options: Options) -> int:
    """Return the peak memory of :func:`read` in MB."""
    return table.memory_mb(options.described)


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Return the numbers of training images, of test images and of units."""
    return table.shape(options.described, subjects)


def read(root: Path, subject: str, options: Options) -> Recording:
    """Average the trials of each image, estimate noise ceilings from the trials of the test images, and select units.

    Raises:
        InputError: a file is missing or damaged, its counts differ from the options, or no unit has a sufficient noise ceiling.
    """
    require_known([subject], SUBJECTS, "subjects of Cowley2023")
    return replace(table.read(root, subject, options.described), dataset="cowley2023")
