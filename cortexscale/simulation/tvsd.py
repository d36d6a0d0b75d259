"""Writing simulated recordings in the layout in which TVSD was released (see cortexscale/datasets/tvsd.py)."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from cortexscale.simulation.matlab import write_matlab

DEAD_ELECTRODES = {"monkeyF": slice(0, 0), "monkeyN": slice(320, 384)}
"""Monkey N has one dead array, whose responses are nan. A faithful simulation sets them so before it writes."""

_DAYS = 4


def write_tvsd(
    root: Path, monkey: str, *, train_ids: Sequence[str], test_ids: Sequence[str], train: np.ndarray, test_repetitions: np.ndarray
) -> list[Path]:
    """Write ``<monkey>/THINGS_normMUA.mat`` and ``<monkey>/_logs/things_imgs.mat`` under ``root``.

    Everything that the release derives from the test repetitions (``test_MUA``, ``reliab``, ``oracle``, ``SNR``) is derived
    from them here. The release takes SNR from the raw signal of each day; here it is signal over noise standard deviation of
    the repetitions, the same on every day. Latencies are nan: the simulation has no time course.

    Args:
        train_ids, test_ids: THINGS ids, ``aardvark/aardvark_01b.jpg``, n_train and n_test of them.
        train: (n_train, 1024) responses; nan for dead electrodes.
        test_repetitions: (R, n_test, 1024), R at least 2.

    Returns:
        The two files.
    """
    repetitions = np.asarray(test_repetitions, dtype=np.float64)
    n_electrodes = repetitions.shape[2]
    average = repetitions.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):  # electrodes without a signal
        noise_variance = repetitions.var(axis=0, ddof=1).mean(axis=0)
        signal_variance = np.maximum(average.var(axis=0, ddof=1) - noise_variance / len(repetitions), 0)
        snr = np.sqrt(signal_variance / noise_variance)
        reliability = np.stack([_pearson(repetitions[i], repetitions[j]) for i, j in combinations(range(len(repetitions)), 2)])
        others = (average * len(repetitions) - repetitions) / (len(repetitions) - 1)
        oracle = np.mean([_pearson(one, rest) for one, rest in zip(repetitions, others, strict=True)], axis=0)

    responses, images = Path(root) / monkey / "THINGS_normMUA.mat", Path(root) / monkey / "_logs" / "things_imgs.mat"
    write_matlab(
        responses,
        {
            "train_MUA": np.asarray(train, dtype=np.float64).T,
            "test_MUA": average.T,
            "test_MUA_reps": repetitions.T,
            "reliab": reliability.T,
            "oracle": oracle[None],
            "SNR": np.tile(snr[:, None], _DAYS),
            "SNR_max": snr[None],
            "lats": np.full((n_electrodes, _DAYS), np.nan),
            "tb": np.arange(-100.0, 200.0)[None],
        },
    )
    write_matlab(images, {"train_imgs": _records(train_ids), "test_imgs": _records(test_ids)})
    return [responses, images]


def _records(ids: Sequence[str]) -> list[dict[str, str]]:
    paths = [str(name).replace("/", "\\") for name in ids]
    return [{"class": path.split("\\")[0], "things_path": path, "local_path": f"D:\\THINGS\\{path}"} for path in paths]


def _pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson r of each column: (n, units), (n, units) -> (units,)."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    return (a * b).sum(axis=0) / np.sqrt(np.square(a).sum(axis=0) * np.square(b).sum(axis=0))
