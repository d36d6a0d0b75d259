"""The record of where a dataset and its images come from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Origin of the files of a dataset, for people who fetch and cite it."""

    title: str  # what was recorded from whom
    citation: str  # the paper to cite
    licence: str  # the licence, and any agreement that a person must accept first
    get: str  # where the files are and how to fetch those that are read, with names and accession numbers
    images: str = ""  # where to get the stimuli, or a key of IMAGES; empty if `get` says it


IMAGES = {
    "brainscore": "The stimulus table and the zip of its images come with the assembly of the dataset, from the same bucket.",
    "things": "THINGS is on OSF (project jum2f): images_THINGS.zip, 4.7 GB. The archive has a password, which the project gives "
    "to those who accept its terms (research only, no redistribution). Unpacked, <path>/aardvark/aardvark_01b.jpg exists, and "
    "26,106 others.",
}
"""Instructions for fetching the images that several datasets use."""
