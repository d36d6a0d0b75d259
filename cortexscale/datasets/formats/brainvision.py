"""Reading of the text files of a BrainVision recording. They are checked against its data file.

For some faults of these files, MNE only gives a warning. Here they are errors.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cortexscale.errors import InputError
from cortexscale.files import require_real_file

_BYTES = {"IEEE_FLOAT_32": 4, "INT_16": 2}
_SMALL = 1_000_000
"""Number of bytes above which a file is neither a web page nor a git-annex pointer, and need not be opened to check this."""


@dataclass(frozen=True)
class Header:
    """The content of the header of a recording."""

    channels: list[str]  # names, in the order of the file
    rate: float  # Hz
    markers: Path  # the marker file
    n_samples: int  # number of samples of a channel, from the size of the data file


def read_header(path: Path, remedy: str) -> Header:
    """Read a ``.vhdr``, and check that its data and marker files are complete. Every error message ends with ``remedy``."""
    text = require_real_file(path, remedy).read_text(encoding="latin-1")  # channel names are ASCII, and older files are not UTF-8
    entries = dict(re.findall(r"^([^;\[=\n]+)=(.*?)\s*$", text, re.MULTILINE))
    form = [entries.get(key, "nothing") for key in ("DataFormat", "DataOrientation", "BinaryFormat")]
    if form[:2] != ["BINARY", "MULTIPLEXED"] or form[2] not in _BYTES:
        raise InputError(path, f"the format {', '.join(form)}", f"BINARY, MULTIPLEXED, {' or '.join(_BYTES)}", remedy)
    channels = [value.split(",")[0] for key, value in entries.items() if re.fullmatch(r"Ch\d+", key)]
    n_channels, interval = int(entries.get("NumberOfChannels", 0)), float(entries.get("SamplingInterval", 0))
    if not channels or len(channels) != n_channels or interval <= 0:
        found = f"{len(channels)} channel names for {n_channels} channels at an interval of {interval:g} µs"
        raise InputError(path, found, "a name for every channel, and a sampling interval", remedy)

    data, markers = (_beside(path, entries, key, remedy) for key in ("DataFile", "MarkerFile"))
    if not data.is_file() or data.stat().st_size < _SMALL:
        require_real_file(data, remedy)
    require_real_file(markers, remedy)
    frame, size = _BYTES[form[2]] * n_channels, data.stat().st_size
    if size % frame:
        found = f"{size:,} bytes, {size % frame} more than a whole number of samples of {n_channels} channels"
        raise InputError(data, found, f"a multiple of {frame} bytes", "the download was cut short; repeat it. " + remedy)
    return Header(channels, 1e6 / interval, markers, size // frame)


def _beside(header: Path, entries: dict[str, str], key: str, remedy: str) -> Path:
    """Return the file that a header names. Its name must differ from that of the header only in its ending."""
    named = entries.get(key, "").replace("$b", header.stem)
    released = header.with_suffix(".eeg" if key == "DataFile" else ".vmrk")
    if named != released.name:
        expected = f"{released.name}, the name of the header with another ending"
        raise InputError(header, f"{key}={named}", expected, "give the three files their released names again. " + remedy)
    return released


def marker_samples(path: Path, kind: str, description: str) -> np.ndarray:
    """Return the samples (n,) int of markers with a type and description, such as ``Event`` and ``E  1``. They count from 0."""
    pattern = rf"^Mk\d+={re.escape(kind)},{re.escape(description)},(\d+),"  # the file counts samples from 1
    return np.array(re.findall(pattern, path.read_text(encoding="latin-1"), re.MULTILINE), dtype=np.int64) - 1
