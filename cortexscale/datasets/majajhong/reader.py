"""MajajHong2015: multi-unit sites of macaque V4 and IT that saw rendered objects (Majaj et al. 2015, J Neurosci 35, 13402).

Brain-Score distributes 3,200 of the 5,760 images, with firing rates in one bin of 70-170 ms that the authors normalised
within each session. Images without variation of pose were repeated less often than the others, so noise ceilings count
the trials of each image.
"""

from pydantic import Field, PositiveInt

from cortexscale.datasets.formats import brainscore
from cortexscale.datasets.formats.brainscore import memory_mb, shape
from cortexscale.datasets.source import Source

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
    title="MajajHong2015",
    assembly=("assy_dicarlo_MajajHong2015_public.nc",),
    stimuli=("stimulus_hvm-public.csv", "image_dicarlo_hvm-public.csv"),
    stratum="category_name",
    remedy=SOURCE.get,
    subjects=SUBJECTS,
    rois=ROIS,
    subject_label="animal",
)
raw_files, inspect, read = RELEASE.raw_files, RELEASE.inspect, RELEASE.read


class Options(brainscore.Options):
    __doc__ = brainscore.Options.__doc__

    window: tuple[float, float] = (70, 170)
    neuroids: dict[str, PositiveInt] = Field({"V4": 88, "IT": 168})
    images: int = Field(3200, ge=3)
    presentations: PositiveInt = 148_480
