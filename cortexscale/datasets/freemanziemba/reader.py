"""FreemanZiemba2013: single units of macaque V1 and V2 that saw textures (Freeman et al. 2013, Nat Neurosci 16, 974-981).

Brain-Score's public part: 135 of 450 images, spike counts in bins of 1 ms. The release does not say which animal a unit
comes from, so all units are one pooled subject (paper, appendix A.7).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field, PositiveInt

from cortexscale.datasets.formats import brainscore
from cortexscale.datasets.source import Source
from cortexscale.errors import InputError
from cortexscale.recording import Recording

SUBJECTS = ("pooled",)
ROIS = ("V1", "V2")

SOURCE = Source(
    title="FreemanZiemba2013, public part: 102 V1 and 103 V2 single units of anaesthetised macaques, 135 textures 20 times",
    citation="Freeman, Ziemba, Heeger, Simoncelli & Movshon (2013). A functional and perceptual signature of the second visual "
    "area in primates. Nature Neuroscience 16, 974-981. Distributed by Schrimpf et al. (2018), Brain-Score, bioRxiv 407007.",
    licence="Distributed by Brain-Score for benchmarking; we found no licence of the data. Do not redistribute.",
    get="Public S3 bucket brainscore-storage, no account needed: aws s3 cp --no-sign-request "
    "s3://brainscore-storage/brainio-brainscore/<file> . for assy_movshon_FreemanZiemba2013_public.nc (1.3 GB), "
    "stimulus_FreemanZiemba2013_aperture-public.csv and stimulus_FreemanZiemba2013_aperture-public.zip. "
    "A cache of Brain-Score (<sha1>/<file>) is read as it is.",
)

RELEASE = brainscore.Release(
    dataset="freemanziemba",
    assembly=("assy_movshon_FreemanZiemba2013_public.nc",),
    stimuli=("stimulus_FreemanZiemba2013_aperture-public.csv", "image_movshon_FreemanZiemba2013_aperture-public.csv"),
    stratum="texture_type",
    remedy=SOURCE.get,
)


class Options(brainscore.Options):
    __doc__ = brainscore.Options.__doc__

    window: tuple[float, float] = (50, 200)
    neuroids: dict[str, PositiveInt] = Field({"V1": 102, "V2": 103})
    images: int = Field(135, ge=3)
    presentations: PositiveInt = 2700


def raw_files(root: Path, subject: str, options: Options) -> list[Path]:
    """Assembly and stimulus table. They need not exist.

    Raises:
        InputError: a subject other than ``pooled``.
    """
    if subject not in SUBJECTS:
        raise InputError(
            f"subject {subject} of dataset freemanziemba",
            "no such subject",
            "pooled: the release does not tell animals apart",
            "correct the list of subjects",
        )
    return RELEASE.files(root)


def inspect(root: Path, subject: str, options: Options) -> None:
    """Check both files but for the responses.

    Raises:
        InputError: as :func:`read`.
    """
    raw_files(root, subject, options)
    with brainscore.open_release(root, RELEASE, options):
        pass


def memory_mb(options: Options) -> int:
    """Peak memory of :func:`read` in MB, from the expected counts."""
    return brainscore.memory_mb(options)


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Train images, test images, units."""
    return brainscore.shape(options)


def read(root: Path, subject: str, options: Options) -> Recording:
    """All units as one subject: mean spikes per ms in the window, averaged over repetitions.

    The unit table has the coordinates of the release, ``ncsnr`` and ``nc_percent``.

    Raises:
        InputError: a file is missing, damaged or unlike the release, no unit passes, or the test set is too small.
    """
    raw_files(root, subject, options)
    with brainscore.open_release(root, RELEASE, options) as opened:
        return brainscore.recording(RELEASE, subject, np.arange(len(opened.neuroids)), opened, options, ROIS)
