"""Small synthetic recordings for the tests of readouts: subjects whose units read tokens in a known way."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from cortexscale.alignment.targets import Targets, shared_targets
from cortexscale.readouts.tokens import Tokens
from cortexscale.recording import Recording, Split


def tokens_of(n: int, n_tokens: int = 6, width: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, n_tokens, width)).astype(np.float16)


class TokensInMemory(Tokens):
    """Tokens in an array (stimuli, tokens, channels), all of whose channels are read unless ``widths`` says how many of each."""

    def __init__(self, array: np.ndarray, widths: Sequence[int] | None = None):
        self.array = array
        n_tokens, width = array.shape[1:]
        self.widths = (width,) * n_tokens if widths is None else tuple(widths)

    def read(self, rows: np.ndarray) -> np.ndarray:
        return self.array[rows]


def synthetic_targets(
    signals: dict[str, dict[str, np.ndarray]], n_train: int, n_test: int, *, noise: float = 0.3, own_stimuli: bool = False
) -> list[Targets]:
    """Targets of subjects whose units respond with ``signals[subject][roi]`` (stimuli, units), in units of 3 around 5.

    Args:
        noise: its standard deviation in the training responses, relative to that of the signal; test responses have none.
        own_stimuli: every subject has training stimuli of its own; test stimuli are the last ones, for all.
    """
    rois = list(dict.fromkeys(roi for of_subject in signals.values() for roi in of_subject))
    n = len(next(iter(next(iter(signals.values())).values())))
    stimuli = pd.DataFrame({"stimulus_id": [f"i{row:05d}" for row in range(n)], "concept": "c", "hash": "h"})
    recordings = []
    for number, (subject, of_subject) in enumerate(signals.items()):
        rng = np.random.default_rng(number)
        responses = np.concatenate(list(of_subject.values()), axis=1)
        responses = 5 + 3 * (responses - responses.mean(axis=0)) / responses.std(axis=0)
        start = number * n_train if own_stimuli else 0
        train, test = np.arange(start, start + n_train), np.arange(n - n_test, n)
        names = np.repeat(list(of_subject), [signal.shape[1] for signal in of_subject.values()])

        def split(rows, sd, responses=responses, rng=rng):
            noisy = responses[rows] + sd * rng.standard_normal((len(rows), responses.shape[1]))
            return Split(stimuli["stimulus_id"].to_numpy()[rows].astype(str), noisy.astype(np.float32), np.ones(len(rows), int))

        recordings.append(
            Recording(
                dataset="d",
                subject=subject,
                train=split(train, 3 * noise),
                test=split(test, 0.0),
                units=pd.DataFrame({"unit": [f"u{u}" for u in range(len(names))], "nc_percent": 100.0}),
                rois=pd.DataFrame({roi: names == roi for roi in rois}),
            ).check()
        )
    return shared_targets(recordings, stimuli, rois)


def looked_up(rng: np.random.Generator, tokens: np.ndarray, n_queries: int) -> np.ndarray:
    """(n, n_queries x channels) what attention with random queries finds in tokens (n, T, C), wherever it is."""
    queries = 2.5 * rng.standard_normal((n_queries, tokens.shape[2]))
    scores = np.exp(np.einsum("qc,ntc->nqt", queries, tokens))
    scores /= scores.sum(axis=2, keepdims=True)
    return np.einsum("nqt,ntc->nqc", scores, tokens).reshape(len(tokens), -1)


def raises_at(read: Callable, call: int, error: BaseException) -> Callable:
    """``read``, but the given call of it raises."""
    calls = 0

    def counted(rows: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls == call:
            raise error
        return read(rows)

    return counted
