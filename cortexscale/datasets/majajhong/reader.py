"""MajajHong2015: multi-unit sites of macaque V4 and IT that saw rendered objects (Majaj et al. 2015, J Neurosci 35, 13402).

Brain-Score distributes 3,200 of the 5,760 images, with firing rates in one bin of 70-170 ms that the authors normalised
within each session. Images without variation of pose were repeated less often than the others, so noise ceilings count
the trials of each image.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field, PositiveInt

from cortexscale.datasets.formats import brainscore
from cortexscale.datasets.formats.brainscore import memory_mb
from cortexscale.datasets.readers import require_known
from cortexscale.datasets.source import Source
from cortexscale.errors import InputError
from cortexscale.recording import Recording

__all__ = ["ROIS", "SOURCE", "SUBJECTS", "Options", "inspect", "memory_mb", "raw_files", "read", "shape"]

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
    images=brainscore.IMAGES,
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
    """List the assembly and the stimulus table, which both animals share. They need not exist.

    Raises:
        InputError: the release has no such animal.
    """
    require_known([subject], SUBJECTS, "subjects of MajajHong2015")
    return RELEASE.files(root)


def inspect(root: Path, subject: str, options: Options) -> None:
    """Check everything in both files but the responses.

    Raises:
        InputError: as :func:`read`.
    """
    raw_files(root, subject, options)
    with brainscore.open_release(root, RELEASE, options) as opened:
        _sites_of(subject, opened)


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Return the numbers of training images, test images, and sites of both animals, who saw the same images."""
    return brainscore.shape(options)


def read(root: Path, subject: str, options: Options) -> Recording:
    """Read one animal. Responses are normalised rates, averaged over repetitions; both animals have the same split.

    The unit table has the coordinates of the release (array, position on it ...), ``ncsnr`` and ``nc_percent``.

    Raises:
        InputError: a file is missing, damaged or unlike the release, no site passes, or the test set is too small.
    """
    raw_files(root, subject, options)
    with brainscore.open_release(root, RELEASE, options) as opened:
        return brainscore.recording(RELEASE, subject, _sites_of(subject, opened), opened, options, ROIS)


def _sites_of(subject: str, opened: brainscore.Opened) -> np.ndarray:
    """Return the positions in the file of an animal's sites, which lie between those of the other animal."""
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
