"""Reading of the continuous recordings of THINGS-EEG1, with their channels, the reference and the high-pass filter."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cortexscale.datasets.formats.brainvision import Header
from cortexscale.datasets.formats.meeg import MICROVOLT
from cortexscale.datasets.formats.signal import StillSamples, match_channels, require_voltages
from cortexscale.errors import InputError

if TYPE_CHECKING:
    import mne

# fmt: off
CHANNELS = (
    "Fp1", "Fz", "F3", "F7", "FT9", "FC5", "FC1", "C3", "T7", "TP9", "CP5", "CP1", "Pz", "P3", "P7", "O1",
    "Oz", "O2", "P4", "P8", "TP10", "CP6", "CP2", "C4", "T8", "FT10", "FC6", "FC2", "F4", "F8", "Fp2", "AF7",
    "AF3", "AFz", "F1", "F5", "FT7", "FC3", "C1", "C5", "TP7", "CP3", "P1", "P5", "PO7", "PO3", "POz", "PO4",
    "PO8", "P6", "P2", "CPz", "CP4", "TP8", "C6", "C2", "FC4", "FT8", "F6", "AF8", "AF4", "F2", "FCz", "Cz",
)
# fmt: on
"""The channels of the cap. No file has the online reference, which is Cz. For sub-49 and sub-50, who were recorded in a
workspace of 127 channels, the online reference is FCz. Channels are found by name. All other channels of a file were not
connected."""

BLOCK_BYTES = 2**27
"""Size, in bytes, of the part of a recording that is in memory as float64. A part has some channels, or some samples of all
channels."""

_UNITS = "look at the unit and resolution of the channels in the header; if only some samples are wrong, fetch the file again"
_PLAUSIBLE = (0.1, 300.0)  # limits, in µV, of the median size of the filtered signal; the unit in the headers is not documented


def find_channels(path: Path, channels: Sequence[str], remedy: str, excluded: Sequence[str] = ()) -> tuple[dict[str, str], str]:
    """Return channel of the cap -> its name in the file, and the online reference, ``Cz`` or ``FCz``.

    An InputError is raised if the file lacks any other channel of the cap, unless the channel is ``excluded``.
    """
    names = match_channels(path, [name for name in CHANNELS if name not in excluded], channels, remedy)
    references = [name for name in ("Cz", "FCz") if name not in names and name not in excluded]
    if len(references) != 1:
        found = f"{len(names)} channels of the cap; of Cz and FCz, {' and '.join(references) or 'none'} missing"
        raise InputError(path, found, "exactly one of Cz and FCz missing: the online reference", remedy)
    if missing := [name for name in CHANNELS if name not in names and name not in (*references, *excluded)]:
        found = f"{len(names)} channels of the cap, without {', '.join(missing[:10])}" + (", ..." if len(missing) > 10 else "")
        expected = f"all {len(CHANNELS) - 1 - len(excluded)}, because the average reference is that of all channels"
        remedy = f"{remedy} If a subject has no such channel, name it in `exclude_channels`"
        raise InputError(path, found, expected, remedy)
    return names, references[0]


def filtered(
    header: Header, channels: Sequence[str], names: dict[str, str], average: bool, highpass: float, at_least: int
) -> Iterator[tuple[slice, "mne.io.RawArray", list[str]]]:
    """Reference and filter the continuous recording. Yield slices of ``channels``, each with its recording in V, and warnings.

    Slices save memory, and give the same numbers as MNE on the whole recording. ``add_reference_channels``,
    ``set_eeg_reference("average")`` and ``filter`` (zero-phase FIR, ``highpass`` in Hz) treat samples and channels separately,
    except for the mean over channels, which is computed first. ``names`` is channel -> its name in the file. It lacks the online
    reference, whose signal is 0 by definition. The caller keeps ``at_least`` values per channel of a slice; if these are more
    than the samples, slices have fewer channels.
    """
    import mne

    reference: np.ndarray | float = 0
    if average:
        step = BLOCK_BYTES // (8 * len(channels))
        starts = range(0, header.n_samples, step)
        reference = np.concatenate([_volts(header, channels, names, first, first + step).mean(axis=0) for first in starts])
    width = max(1, BLOCK_BYTES // (8 * max(header.n_samples, at_least)))
    for first in range(0, len(channels), width):
        columns = slice(first, first + width)
        volts = _volts(header, channels[columns], names, 0, header.n_samples)
        stored = [index for index, name in enumerate(channels[columns]) if name in names]
        still = StillSamples(header.data, [channels[columns][index] for index in stored], header.rate)
        still.add((volts[index] for index in stored), 0)
        warnings = still.warnings()
        volts -= reference
        part = mne.io.RawArray(volts, mne.create_info(list(channels[columns]), header.rate, "eeg"), verbose="error")
        part.filter(highpass, None, verbose="error")
        size = float(np.median(np.abs(part.get_data()[:, ::100]))) / MICROVOLT
        if not _PLAUSIBLE[0] < size < _PLAUSIBLE[1]:
            found = f"a signal of {size:.2g} µV (median size over {', '.join(channels[columns])})"
            expected = f"{_PLAUSIBLE[0]:g} to {_PLAUSIBLE[1]:g} µV"
            raise InputError(header.path, found, expected, _UNITS)
        yield columns, part, warnings


def _volts(header: Header, channels: Sequence[str], names: dict[str, str], start: int, stop: int) -> np.ndarray:
    """Return a recording (channels, samples) in V. The online reference is 0."""
    stored = [index for index, name in enumerate(channels) if name in names]
    volts = np.zeros((len(channels), min(stop, header.n_samples) - start))
    volts[stored] = header.read([names[channels[index]] for index in stored], start, stop)
    require_voltages(header.data, volts, channels, start, header.rate, _UNITS)
    return volts
