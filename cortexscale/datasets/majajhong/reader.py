"""MajajHong2015: responses of multi-unit sites in macaque V4 and IT to objects (Majaj et al. 2015, J Neurosci 35, 13402).

Brain-Score distributes 3,200 of the 5,760 images. Responses are firing rates in one bin of 70-170 ms, which the authors
normalised within each session. Images without variation of pose were repeated less often than others, so noise ceilings use the
number of trials of each image.
"""

from pydantic import Field, PositiveInt

from cortexscale.datasets.formats import brainscore
from cortexscale.datasets.formats.brainscore import memory_mb, shape
from cortexscale.datasets.registry import all_facts

__all__ = ["ROIS", "SOURCE", "SUBJECTS", "Options", "inspect", "memory_mb", "raw_files", "read", "shape"]

SUBJECTS = ("Chabo", "Tito")
ROIS = ("V4", "IT")
SOURCE = all_facts()["majajhong"].source

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
