"""The section of stimulus sets.

It is in a separate module, so that a change in the code of other sections does not repeat the stages that import this module.
"""

from typing import Literal

from pydantic import PositiveInt

from cortexscale.section import FilePath, Section

Layout = Literal["image_folder", "zip", "hdf5", "brainscore"]


class ImageFiles(Section):
    """Place and layout of images."""

    layout: Layout
    """`image_folder` is a folder of `<concept>/<image>.jpg`, as in THINGS. `zip` is a zip file of images, which stays
    packed. `hdf5` is one file, such as `nsd_stimuli.hdf5`. `brainscore` is a CSV file and a zip file."""
    path: FilePath
    """The folder, zip file, HDF5 file or CSV file with the images."""


class StimulusSet(ImageFiles):
    """Images that subjects were shown. Features are extracted once per model and stimulus set."""

    expected: PositiveInt | None = None
    """Number of images in the full release. The resources of jobs are calculated from it before the images exist."""

    @property
    def files(self) -> ImageFiles:
        """The layout and path of the images, without their expected number."""
        return ImageFiles(layout=self.layout, path=self.path)
