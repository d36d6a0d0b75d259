"""Origin of the files of a dataset and of its images."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Origin of the files of a dataset, for people who fetch and cite it."""

    title: str  # what was recorded, and from whom
    citation: str  # paper to cite
    licence: str  # licence, and any agreement that must be accepted first
    get: str  # how to fetch the files that are read, with their address, names and accession numbers
    images: str = ""  # where to get the stimuli, or a key of IMAGES; empty if `get` says it


IMAGES = {
    "brainscore": "The stimulus table and the zip of its images come with the assembly of the dataset, from the same bucket.",
    "things": "THINGS is on OSF (project jum2f): images_THINGS.zip, 4.7 GB. The archive has a password, which the project gives "
    "to those who accept its terms (research only, no redistribution). Unpacked, <path>/aardvark/aardvark_01b.jpg exists, and "
    "26,106 others.",
}
"""Instructions for fetching the images that several datasets use."""
