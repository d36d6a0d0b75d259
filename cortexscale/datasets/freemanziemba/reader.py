"""FreemanZiemba2013: single units of macaque V1 and V2 that saw textures (Freeman et al. 2013, Nat Neurosci 16, 974-981).

Brain-Score distributes 135 of the 450 images, with spike counts in bins of 1 ms. The release does not say which animal a
unit comes from, so all units are one pooled subject (paper, appendix A.7).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import Field, PositiveInt

from cortexscale.datasets.formats import brainscore
from cortexscale.datasets.formats.brainscore import memory_mb
from cortexscale.datasets.readers import require_known
from cortexscale.datasets.source import Source
from cortexscale.recording import Recording

__all__ = ["ROIS", "SOURCE", "SUBJECTS", "Options", "inspect", "memory_mb", "raw_files", "read", "shape"]

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
    images=brainscore.IMAGES,
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
    """List the assembly and the stimulus table, which need not exist.

    Raises:
        InputError: the subject is not ``pooled``.
    """
    require_known([subject], SUBJECTS, "subjects of FreemanZiemba2013, whose release does not tell animals apart")
    return RELEASE.files(root)


def inspect(root: Path, subject: str, options: Options) -> None:
    """Check everything in both files but the responses.

    Raises:
        InputError: as :func:`read`.
    """
    raw_files(root, subject, options)
    with brainscore.open_release(root, RELEASE, options):
        pass


def shape(options: Options, subjects: Sequence[str]) -> tuple[int, int, int]:
    """Return the numbers of training images, test images and units."""
    return brainscore.shape(options)


def read(root: Path, subject: str, options: Options) -> Recording:
    """Read all units as one subject. Responses are mean spikes per ms in the window, averaged over repetitions.

    The unit table has the coordinates of the release, ``ncsnr`` and ``nc_percent``.

    Raises:
        InputError: a file is missing, damaged or unlike the release, no unit passes, or the test set is too small.
    """
    raw_files(root, subject, options)
    with brainscore.open_release(root, RELEASE, options) as opened:
        return brainscore.recording(RELEASE, subject, np.arange(len(opened.neuroids)), opened, options, ROIS)
