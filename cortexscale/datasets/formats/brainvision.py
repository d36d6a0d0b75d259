"""BrainVision recordings: a header, a list of markers and samples, in three files.

The format is the Core Data Format 1.0 of Brain Products. Headers that older programs or other programs wrote differ in encoding,
line ends, sections and units. MNE passes over some faults of these files with a warning, and fails at others; here both are
errors that name the file.
"""

import csv
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import numpy as np

from cortexscale.errors import InputError
from cortexscale.files import require_real_file

_TYPES = {"INT_16": "i2", "UINT_16": "u2", "INT_32": "i4", "IEEE_FLOAT_32": "f4", "IEEE_FLOAT_64": "f8"}
_ORIENTATIONS = ("MULTIPLEXED", "VECTORIZED")
_VOLTS = {"V": 1.0, "mV": 1e-3, "µV": 1e-6, "μV": 1e-6, "uV": 1e-6, "nV": 1e-9, "": 1e-6}  # without a unit, microvolts
_READ = ("common infos", "binary infos", "channel infos", "marker infos")  # the sections that are read
_SMALL = 1_000_000
"""Web pages and git-annex pointers have fewer bytes than this. A larger file is therefore not opened to look for them."""
_BLOCK_BYTES = 2**24  # number of bytes of the file that are read at a time


@dataclass(frozen=True)
class Header:
    """The content of the header of a recording."""

    path: Path
    channels: list[str]  # names in the order of the file, in NFC and without outer white space
    units: list[str]  # unit of each channel
    resolutions: list[float]  # size of one stored step, in the unit of the channel; one number per channel
    rate: float  # Hz
    data: Path  # the file of samples
    markers: Path  # the file of markers
    n_samples: int  # number of samples per channel, from the size of the data file
    data_points: int  # the number of samples that the header names, or n_samples if it names none
    dtype: np.dtype
    vectorized: bool  # whether the file has all samples of one channel, then all of the next

    def require_all_samples(self, remedy: str) -> None:
        """Raise an InputError unless the data file has as many samples as the header says."""
        if self.n_samples != self.data_points:
            found = f"{self.n_samples:,} samples per channel"
            expected = f"{self.data_points:,}, the DataPoints of {self.path.name}"
            raise InputError(self.data, found, expected, f"they are cut or of two recordings; fetch all files. {remedy}")

    def read(self, channels: Sequence[str], first: int, stop: int) -> np.ndarray:
        """Read samples of some channels: (channels, samples) float64 in V.

        An InputError is raised for a channel that the file lacks or that is not measured in volts.
        """
        rows = [self._row(channel) for channel in channels]
        scale = np.array([self.resolutions[row] * _VOLTS[self.units[row]] for row in rows])
        stop, width = min(stop, self.n_samples), len(self.channels)
        volts = np.empty((len(rows), max(0, stop - first)))
        if self.vectorized:
            for row, values in zip(rows, volts, strict=True):
                values[:] = self._stored(row * self.n_samples + first, stop - first)
        else:
            block = max(1, _BLOCK_BYTES // (self.dtype.itemsize * width))
            for begin in range(first, stop, block):
                end = min(begin + block, stop)
                volts[:, begin - first : end - first] = (
                    self._stored(begin * width, (end - begin) * width).reshape(-1, width).T[rows]
                )
        volts *= scale[:, None]
        return volts

    def _row(self, channel: str) -> int:
        row = self.channels.index(channel)
        if self.units[row] not in _VOLTS:
            remedy = "leave this channel out, or correct its unit in the header"
            raise InputError(self.path, f"the unit {self.units[row]} of channel {channel}", "V, mV, µV or nV", remedy)
        return row

    def _stored(self, first: int, count: int) -> np.ndarray:
        values = np.fromfile(self.data, self.dtype, count, offset=first * self.dtype.itemsize)
        if len(values) < count:
            raise InputError(self.data, "fewer samples than before", "a file that does not change", "start again")
        return values


def read_header(path: Path, remedy: str) -> Header:
    """Read a ``.vhdr``, and check that its data and marker files are complete. Every error message ends with ``remedy``."""
    sections = _sections(path, "header", remedy)
    common, binary = sections.get("common infos", {}), sections.get("binary infos", {})

    def entry(key: str, default: str = "") -> str:
        return common.get(key.lower(), default)

    form, orientation, stored = entry("DataFormat"), entry("DataOrientation"), binary.get("binaryformat", "")
    if form.upper() != "BINARY" or orientation.upper() not in _ORIENTATIONS or stored.upper() not in _TYPES:
        found = f"the format {', '.join(text or 'nothing' for text in (form, orientation, stored))}"
        raise InputError(path, found, f"BINARY, {' or '.join(_ORIENTATIONS)}, {' or '.join(_TYPES)}", remedy)
    for key, usual in (("DataType", "TIMEDOMAIN"), ("SegmentationType", "NOTSEGMENTED")):
        if entry(key, usual).upper() != usual:
            raise InputError(path, f"{key}={entry(key)}", f"{usual}, a continuous recording", remedy)
    n_channels, interval = _number(path, common, "NumberOfChannels", remedy), _number(path, common, "SamplingInterval", remedy)
    rows = _channels(path, sections.get("channel infos", {}), int(n_channels), remedy)

    data, markers = (_beside(path, entry(key), key, remedy) for key in ("DataFile", "MarkerFile"))
    if not data.is_file() or data.stat().st_size < _SMALL:
        require_real_file(data, remedy)
    require_real_file(markers, remedy)
    dtype = np.dtype((">" if binary.get("usebigendianorder", "NO").upper() == "YES" else "<") + _TYPES[stored.upper()])
    frame, size = dtype.itemsize * len(rows), data.stat().st_size
    if size % frame:
        found = f"{size:,} bytes, {size % frame} more than a whole number of samples of {len(rows)} channels"
        raise InputError(data, found, f"a multiple of {frame} bytes", "the download was cut short; repeat it. " + remedy)
    n_samples = size // frame
    names, units, resolutions = [row[0] for row in rows], [row[2] for row in rows], [row[1] for row in rows]
    points = int(_number(path, common, "DataPoints", remedy)) if entry("DataPoints") else n_samples
    vectorized = orientation.upper() == "VECTORIZED"
    return Header(path, names, units, resolutions, 1e6 / interval, data, markers, n_samples, points, dtype, vectorized)


def read_markers(path: Path, kind: str, remedy: str) -> tuple[list[str], np.ndarray]:
    """Read the markers of one type, such as ``Stimulus``: their descriptions, and their 0-based samples, (n,) int.

    Several spaces in a row in a description are read as one space. The marker file must name a data file whose name differs only
    in its ending.
    """
    sections = _sections(path, "marker", remedy)
    _beside(path, sections.get("common infos", {}).get("datafile", path.with_suffix(".eeg").name), "DataFile", remedy)
    descriptions, samples = [], []
    for key, value in sections.get("marker infos", {}).items():
        fields = _fields(value)
        if not fields or fields[0] != kind:
            continue
        if len(fields) < 3 or not re.fullmatch(r"\d{1,15}", fields[2]):
            expected = "Mk<number>=<type>,<description>,<sample>,<length>,<channel>"
            raise InputError(path, f"the marker {key.capitalize()}={value}", expected, f"fetch the file again. {remedy}")
        descriptions.append(" ".join(fields[1].split()))
        samples.append(int(fields[2]) - 1)  # the file counts samples from 1
    return descriptions, np.array(samples, dtype=np.int64)


def marker_samples(path: Path, kind: str, description: str, remedy: str) -> np.ndarray:
    """Return the samples (n,) int of markers with a type and description, such as ``Event`` and ``E  1``. They count from 0."""
    descriptions, samples = read_markers(path, kind, remedy)
    return samples[np.array(descriptions, dtype=str) == " ".join(description.split())]


def _channels(path: Path, entries: dict[str, str], n_channels: int, remedy: str) -> list[tuple[str, float, str]]:
    """Return the name, the resolution and the unit of channels 1, 2, 3 ..."""
    if [*entries] != [f"ch{number}" for number in range(1, n_channels + 1)] or not n_channels:
        found = f"{len(entries)} channel names for {n_channels} channels"
        raise InputError(path, found, "Ch1, Ch2 and so on, one entry for every channel", remedy)
    channels = []
    for key, value in entries.items():
        name, _, resolution, unit = [*_fields(value), "", "", ""][:4]
        unit = unit.replace("Â", "")  # µ of UTF-8 that was read as Latin-1
        try:
            channels.append((unicodedata.normalize("NFC", name), float(resolution or 1), unit))
        except ValueError:
            found = f"the resolution {resolution} of {key.capitalize()}={value}"
            raise InputError(path, found, "a number with a decimal point", remedy) from None
    return channels


def _fields(value: str) -> list[str]:
    r"""Split an entry at its commas. A comma in a name is written as ``\1``, or the name is in quotes."""
    fields = next(csv.reader([value], skipinitialspace=True), [])
    return [field.replace(r"\1", ",").strip() for field in fields]


def _number(path: Path, entries: dict[str, str], key: str, remedy: str) -> float:
    """Return a number above 0. Some programs write it with a decimal comma."""
    value = entries.get(key.lower(), "")
    number = float(value.replace(",", ".")) if re.fullmatch(r"\d+([.,]\d*)?", value) else 0
    if not number:
        raise InputError(path, f"{key}={value}" if value else f"no {key}", "a number above 0", remedy)
    return number


def _sections(path: Path, kind: str, remedy: str) -> dict[str, dict[str, str]]:
    """Return section -> key -> value of a header or a list of markers, names in lower case. Comments are left out."""
    content = require_real_file(path, remedy).read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # the letter µ of µV has the same byte in Latin-1 and in the encoding of Windows
    first, *lines = re.split(r"\r\n|\r|\n", text)
    if not re.match(rf"Brain ?Vision .*{kind} file", first, re.IGNORECASE) or "\0" in text:
        found = f"a first line {first[:60]!r}"
        raise InputError(path, found, f"a BrainVision {kind} file, a text whose first line says so", remedy)
    sections: dict[str, dict[str, str]] = {}
    entries, name = dict[str, str](), ""
    for number, line in enumerate(lines, start=2):
        line = line.strip()
        if header := re.fullmatch(r"\[(.+)\]", line):
            name = header[1].strip().lower()
            if name == "comment":
                break  # free text to the end of the file
            entries = sections.setdefault(name, {})
        elif line and not line.startswith(";"):
            key, equals, value = line.partition("=")
            key = key.strip().lower()
            if key in entries and name in _READ:
                raise InputError(path, f"a second entry {key} in line {number:,}", "one entry per key of a section", remedy)
            if equals:
                entries[key] = value.strip()
    if lines and lines[-1] and name in _READ:
        found, remedy = f"an end within line {len(lines) + 1:,}, {lines[-1]!r}", f"if it is whole, end this line. {remedy}"
        raise InputError(path, found, "a line end", f"the file was cut, fetch it again; {remedy}")
    return sections


def _beside(file: Path, named: str, key: str, remedy: str) -> Path:
    """Return the file that a header names. Its name must differ from that of the header only in its ending."""
    named = PureWindowsPath(named.replace("$b", file.stem)).name
    released = file.with_suffix(".eeg" if key == "DataFile" else ".vmrk")
    if unicodedata.normalize("NFC", named) != unicodedata.normalize("NFC", released.name):
        expected = f"{released.name}, the name of this file with another ending"
        raise InputError(file, f"{key}={named}", expected, "give the three files their released names again. " + remedy)
    return released
