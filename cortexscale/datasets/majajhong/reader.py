"""MajajHong2015: multi-unit sites of macaque V4 and IT that saw rendered objects (Majaj et al. 2015, J Neurosci 35, 13402).

Brain-Score's public part: 3,200 of 5,760 images, firing rates in one bin of 70-170 ms, normalised by the authors within
session. Images without variation of pose were repeated less often than the others, so ceilings count the trials of each
image.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field, PositiveInt

from cortexscale.datasets.formats import brainscore
from cortexscale.datasets.source import Source
from cortexscale.errors import InputError
from cortexscale.recording import Recording

SUBJECTS = ("Chabo", "Tito")
ROIS = ("V4", "IT")

SOURCE = Source(
    title="MajajHong2015, public part: 88 V4 and 168 IT sites of two macaques, 3,200 images of 64 objects about 46 times",
    citation="Majaj, Hong, Solomon & DiCarlo (2015). Simple learned weighted sums of inferior temporal neuronal firing rates "
    "accurately predict human core object recognition performance. Journal of Neuroscience 35(39), 13402-13418. "
    "Distributed by Schrimpf et al. (2018), Brain-Score, bioRxiv 407007.",
    licence="Distributed by Brain-Score for benchmarking; we found no licence of the data. Do not redistribute.",
    get="Public S3 bucket brainscore-storage, no account needed: aws s3 cp --no-sign-request "
    "s3://brainscore-storage/brainio-brainscore/<file> . for assy_dicarlo_MajajHong2015_public.nc (about 170 MB), "
    "stimulus_hvm-public.csv and stimulus_hvm-public.zip. A cache of Brain-Score (<sha1>/<file>) is read as it is.",
)

RELEASE = brainscore.Release(
    dataset="majajhong",
    assembly=("assy_dicarlo_MajajHong2015_public.nc",),
    stimuli=("stimulus_hvm-public.csv", "image_dicarlo_hvm-public.csv"),
    stratum="category_name",
    remedy=SOURCE.get,
)


class Options(brainscore.Options):
    __doc__ = brainscore.Options.__doc__

    window: tuple[float, float] = (70, 170)
    neuroids: dict[str, PositiveInt] = Field({"V4": 88, "IT": 168})
    images: int = Field(3200, ge=3)
    presentations: PositiveInt = 148_480


def raw_files(root: Path, subject: str, options: Options) -> list[Path]:
    """Assembly and stimulus table, which both animals share. They need not exist.

    Raises:
        InputError: no such animal.
    """
    if subject not in SUBJECTS:
        raise InputError(
            f"subject {subject} of dataset majajhong",
            "no animal of that name",
            " or ".join(SUBJECTS),
            "correct the list of subjects",
        )
    return RELEASE.files(root)


def inspect(root: Path, subject: str, options: Options) -> None:
    """Check both files but for the responses.

    Raises:
        InputError: as :func:`read`.
    """
    raw_files(root, subject, options)
    with brainscore.open_release(root, RELEASE, options) as opened:
        _sites_of(subject, opened)


def memory_mb(options: Options) -> int:
    """Peak memory of :func:`read` in MB, from the expected counts, if one animal had every site."""
    return brainscore.memory_mb(options)


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Train images, test images, sites of both animals: they saw the same images."""
    return brainscore.shape(options)


def read(root: Path, subject: str, options: Options) -> Recording:
    """One animal: normalised rates, averaged over repetitions. Both animals have the same split.

    The unit table has the coordinates of the release (array, position on it ...), ``ncsnr`` and ``nc_percent``.

    Raises:
        InputError: a file is missing, damaged or unlike the release, no site passes, or the test set is too small.
    """
    raw_files(root, subject, options)
    with brainscore.open_release(root, RELEASE, options) as opened:
        return brainscore.recording(RELEASE, subject, _sites_of(subject, opened), opened, options, ROIS)


def _sites_of(subject: str, opened: brainscore.Opened) -> np.ndarray:
    """Positions of an animal's sites, which lie mixed with the other's."""
    opened.assembly.label("neuroid", "animal")
    animals = opened.neuroids["animal"]
    if set(animals) != set(SUBJECTS):
        raise InputError(
            opened.assembly.path,
            f"sites of {', '.join(sorted(set(animals)))}",
            f"sites of {' and '.join(SUBJECTS)}",
            RELEASE.remedy,
        )
    return np.flatnonzero(animals == subject)
