"""FreemanZiemba2013: responses of single units in macaque V1 and V2 to textures (Freeman et al. 2013, Nat Neurosci 16, 974-981).

Brain-Score distributes 135 of the 450 images, with spike counts in bins of 1 ms. Responses are mean numbers of spikes per ms. The
release does not say from which animal a unit comes, so all units are one pooled subject (paper, appendix A.7).
"""

from pydantic import Field, PositiveInt

from cortexscale.datasets.formats import brainscore
from cortexscale.datasets.formats.brainscore import memory_mb, shape
from cortexscale.datasets.registry import all_facts

__all__ = ["ROIS", "SOURCE", "SUBJECTS", "Options", "inspect", "memory_mb", "raw_files", "read", "shape"]

SUBJECTS = ("pooled",)
ROIS = ("V1", "V2")
SOURCE = all_facts()["freemanziemba"].source

RELEASE = brainscore.Release(
    dataset="freemanziemba",
    title="FreemanZiemba2013, whose release does not tell animals apart",
    assembly=("assy_movshon_FreemanZiemba2013_public.nc",),
    stimuli=("stimulus_FreemanZiemba2013_aperture-public.csv", "image_movshon_FreemanZiemba2013_aperture-public.csv"),
    stratum="texture_type",
    remedy=SOURCE.get,
    subjects=SUBJECTS,
    rois=ROIS,
)
raw_files, inspect, read = RELEASE.raw_files, RELEASE.inspect, RELEASE.read


class Options(brainscore.Options):
    __doc__ = brainscore.Options.__doc__

    window: tuple[float, float] = (50, 200)
    neuroids: dict[str, PositiveInt] = Field({"V1": 102, "V2": 103})
    images: int = Field(135, ge=3)
    presentations: PositiveInt = 2700
