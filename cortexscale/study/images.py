"""The section of stimulus sets. Stages depend on the code of this module and not on that of all sections."""

from typing import Literal

from pydantic import PositiveInt

from cortexscale.section import Section

Layout = Literal["image_folder", "hdf5", "brainscore"]


class ImageFiles(Section):
    """Place and layout of images."""

    layout: Layout
    """`image_folder` of `<concept>/<image>.jpg`, as THINGS; `hdf5` (`nsd_stimuli.hdf5`); `brainscore`: CSV file and zip."""
    path: str
    """The folder, HDF5 file or CSV file with the images."""


class StimulusSet(ImageFiles):
    """Images that were shown to subjects. Features are extracted once per model and stimulus set."""

    expected: PositiveInt | None = None
    """Number of images in the full release, which sizes jobs before the images are there."""

    @property
    def files(self) -> ImageFiles:
        """The place of the images alone, without their expected number."""
        return ImageFiles(layout=self.layout, path=self.path)
