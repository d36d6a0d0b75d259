"""Checks of recorded signals: the channels are found by name, and bad samples are reported."""

import logging
from collections.abc import Iterable, Sequence

import numpy as np

from cortexscale.errors import InputError
from cortexscale.listing import plain

log = logging.getLogger(__name__)

_MOST_VOLTS = 1.0  # more than the input range of any amplifier
_SHORTEST_RUN = 0.02  # s, the shortest run of equal samples that counts as still
MOST_STILL = 0.05
"""Largest fraction of the samples or epochs of a channel that may be still. Still samples are flat (no contact) or saturated."""


def match_channels(where: object, wanted: Sequence[str], stored: Sequence[str], remedy: str) -> dict[str, str]:
    """Return wanted name -> stored name of every wanted channel that a file has.

    Names are equal if they differ only in case, Unicode form, outer white space or a dot at their end (``Oz.``). An InputError
    is raised if two stored channels match the same wanted name.
    """
    named: dict[str, list[str]] = {}
    for name in stored:
        named.setdefault(_plain(name), []).append(name)
    found = {name: named[_plain(name)] for name in wanted if _plain(name) in named}
    if twice := [names for names in found.values() if len(names) > 1]:
        raise InputError(where, f"several channels {' and '.join(map(repr, twice[0]))}", "one channel of each name", remedy)
    return {name: names[0] for name, names in found.items()}


def require_of_cap(names: tuple[str, ...], cap: Sequence[str]) -> tuple[str, ...]:
    """Return the names of channels in an option. Raise a ValueError if a name is not in the cap or is listed twice."""
    if unknown := [name for name in names if name not in cap]:
        raise ValueError(f"no channel is called {', '.join(unknown)}; they are {', '.join(cap)}")
    if len({*names}) < len(names):
        raise ValueError("each channel may be named once")
    return names


def _plain(name: str) -> str:
    return plain(name).rstrip(".").upper()


def require_voltages(where: object, volts: np.ndarray, channels: Sequence[str], first: int, rate: float, remedy: str) -> None:
    """Raise an InputError unless all samples are finite and below 1 V.

    ``volts`` are (channels, samples) from the sample ``first`` on, at ``rate`` Hz.
    """
    wrong = ~((volts > -_MOST_VOLTS) & (volts < _MOST_VOLTS))  # True for nan
    if wrong.any():
        row = int(wrong.any(axis=1).argmax())
        places = first + np.flatnonzero(wrong[row])
        others = int(wrong.any(axis=1).sum()) - 1
        found = f"{len(places):,} samples of channel {channels[row]} that are not finite or beyond {_MOST_VOLTS:g} V, "
        found += f"between {_span(places[0], places[-1], rate)}" + (f", and {others} more channels like it" if others else "")
        raise InputError(where, found, "voltages of EEG", remedy)


class StillSamples:
    """Counts the still samples of each channel of a recording at ``rate`` Hz. A sample is still if it is in a run of equal
    values of at least 20 ms.

    Such runs are gaps, loose electrodes or saturated amplifiers, because noise changes every sample of a working channel.
    """

    def __init__(self, where: object, channels: Sequence[str], rate: float) -> None:
        self._where, self._channels, self._rate = where, channels, rate
        self._still, self._seen = np.zeros((2, len(channels)), int)
        self._longest = [(0, 0)] * len(channels)

    def add(self, samples: Iterable[np.ndarray], first: int) -> None:
        """Count the still samples of every channel. ``samples`` has (n,) samples per channel, from sample ``first`` of the
        recording on."""
        shortest = round(_SHORTEST_RUN * self._rate)
        for channel, values in enumerate(samples):
            ends = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)  # the last sample of each run
            lengths = np.diff(ends, prepend=-1)
            lengths[lengths < shortest] = 0
            self._seen[channel] += len(values)
            self._still[channel] += lengths.sum()
            run = int(lengths.argmax())
            before, after = self._longest[channel]
            if lengths[run] > after - before:
                self._longest[channel] = first + int(ends[run] - lengths[run]) + 1, first + int(ends[run]) + 1

    def warnings(self) -> list[str]:
        """Describe the channels with still samples, and log them. Raise an InputError if more than 5 % of a channel is still."""
        texts = []
        for channel in map(int, np.flatnonzero(self._still)):
            begin, stop = self._longest[channel]
            share = self._still[channel] / self._seen[channel]
            text = f"channel {self._channels[channel]} does not change in {share:.2%} of its samples, "
            text += f"longest between {_span(begin, stop - 1, self._rate)}: flat or saturated"
            if share > MOST_STILL:
                remedy = "fetch the file again if it has a hole; if the channel was broken, leave it or the subject out"
                raise InputError(self._where, text, f"at most {MOST_STILL:.0%}", remedy)
            texts.append(f"{self._where}: {text}")
            log.warning(texts[-1])
        return texts


def _span(first: int, last: int, rate: float) -> str:
    return f"samples {first:,} and {last:,} ({first / rate:.3f} to {last / rate:.3f} s)"
