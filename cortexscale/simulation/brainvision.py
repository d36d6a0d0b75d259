"""A writer of BrainVision recordings, which have three files: a header, a list of markers, and float32 samples."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

RESOLUTION = 0.0488281  # microvolts per stored unit, as in files of the recorder's software

_BLOCK = 20_000
_HEADER = """\
Brain Vision Data Exchange Header File Version 1.0

[Common Infos]
Codepage=UTF-8
DataFile={data}
MarkerFile={markers}
DataFormat=BINARY
DataOrientation=MULTIPLEXED
NumberOfChannels={channels}
SamplingInterval={interval}

[Binary Infos]
BinaryFormat=IEEE_FLOAT_32

[Channel Infos]
{names}
"""
_MARKERS = """\
Brain Vision Data Exchange Marker File, Version 1.0

[Common Infos]
Codepage=UTF-8
DataFile={data}

[Marker Infos]
Mk1=New Segment,,1,1,0,20190101120000000000
{lines}
"""


def write_brainvision(
    base: Path, microvolts: np.ndarray, channels: Sequence[str], rate: int, markers: Sequence[tuple[str, str, int]]
) -> list[Path]:
    """Write ``<base>.vhdr``, ``.vmrk`` and ``.eeg``, and return their paths.

    ``microvolts`` is (channels, samples), and is stored as IEEE_FLOAT_32, multiplexed, little endian. A marker has a type, a
    description and a sample counted from 0, e.g. ``("Event", "E  1", 20)``. The marker ``New Segment`` is written before these
    markers. In the file, samples are counted from 1.
    """
    base.parent.mkdir(parents=True, exist_ok=True)
    header, marks, data = (base.with_name(f"{base.name}.{ending}") for ending in ("vhdr", "vmrk", "eeg"))
    names = [f"Ch{number}={channel},,{RESOLUTION},µV" for number, channel in enumerate(channels, start=1)]
    fields = {"data": data.name, "markers": marks.name, "channels": len(channels), "interval": 1_000_000 // rate}
    header.write_text(_HEADER.format(**fields, names="\n".join(names)), encoding="utf-8")
    lines = [f"Mk{n}={kind},{text},{sample + 1},1,0" for n, (kind, text, sample) in enumerate(markers, start=2)]
    marks.write_text(_MARKERS.format(data=data.name, lines="\n".join(lines)), encoding="utf-8")
    with data.open("wb") as file:
        for first in range(0, microvolts.shape[1], _BLOCK):
            samples = microvolts[:, first : first + _BLOCK].T / RESOLUTION
            file.write(np.ascontiguousarray(samples, dtype="<f4").tobytes())
    return [header, marks, data]
