"""The section of files that the workflow downloads."""

from typing import Annotated

from pydantic import Field

from cortexscale.section import Section


class Download(Section):
    """A file that is downloaded if it is missing."""

    url: Annotated[str, Field(pattern=r"^https?://\S+$")]
    """Address of the file. An address with a version or commit never gives another file."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
    """SHA-256 checksum of the file, or at least its first eight digits, which many names of weights have (`sha256sum FILE`)."""
