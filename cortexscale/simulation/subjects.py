"""Simulated subjects: what they are shown, what they answer, and the truth behind it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from cortexscale.datasets import tvsd
from cortexscale.datasets.nsd import ROIS as NSD_ROIS
from cortexscale.features.store import StoreWriter
from cortexscale.kernels.noise_ceiling import noise_ceiling_percent
from cortexscale.recording import Recording, Split
from cortexscale.simulation.brain import ncsnr_of_ceiling, noisy_trials
from cortexscale.simulation.nsd import TRIALS, Experiment, single_trials, write_nsd_subject
from cortexscale.simulation.nsd_cortex import LABELS, lay_out_cortex
from cortexscale.simulation.tvsd import DEAD_ELECTRODES, write_tvsd
from cortexscale.simulation.visual_system import TVSD_AREAS, VisualSystem, as_model, nsd_area

OUTLIER = 70.0
"""One absurd response of each monkey, as in the release."""
GRIDS = [(12, 15, 11), (13, 14, 12), (11, 16, 12), (12, 13, 14), (14, 12, 13), (11, 15, 13), (13, 15, 11), (12, 16, 11)]
"""Voxel grids of subj01 to subj08: no two axes of one are equal."""


def open_pictures(files: Sequence[Path], size: int) -> np.ndarray:
    """(n, size, size, 3) uint8: what the brain sees of pictures of any size."""
    return np.stack(
        [np.asarray(Image.open(file).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)) for file in files]
    )


def write_generating_features(path: Path, latents: dict[str, np.ndarray], stimuli_hash: str) -> None:
    """The generating features as a feature store, so that they can be scored like any model."""
    writer = StoreWriter(path, {"model": "truth", "stimuli": stimuli_hash}, len(next(iter(latents.values()))))
    scale = {area: np.abs(values).max() for area, values in latents.items()}  # float16 holds them well around 1
    writer.write({area: values / scale[area] * 100 for area, values in latents.items()})
    writer.finish({"layers": as_model(latents)})


def simulate_monkey(
    root: Path,
    monkey: str,
    brain: VisualSystem,
    latents: dict[str, np.ndarray],
    ids: Sequence[str],
    train: np.ndarray,
    test: np.ndarray,
    *,
    repetitions: int,
    live_electrodes: int,
    seed: int,
) -> Recording:
    """Write one monkey of TVSD and return its truth: noise-free responses with the true ceilings.

    Args:
        latents: generating features of all pictures, in the order of ``ids``.
        train, test: rows of the pictures of each split.
        live_electrodes: per area; the others record noise.
    """
    rng = np.random.default_rng(seed)
    spans = tvsd.Options().areas[monkey]
    dead = range(*DEAD_ELECTRODES[monkey].indices(tvsd.N_ELECTRODES))
    live, areas = [], []
    for roi, (first, stop) in spans.items():
        candidates = [electrode for electrode in range(first, stop) if electrode not in dead]
        live += sorted(rng.choice(candidates, live_electrodes, replace=False).tolist())
        areas += [TVSD_AREAS[roi]] * live_electrodes
    signal = np.zeros((len(ids), tvsd.N_ELECTRODES))
    signal[:, live] = brain.signal(latents, areas, seed)
    ceiling = np.zeros(tvsd.N_ELECTRODES)
    ceiling[live] = rng.uniform(75, 97, len(live))
    ncsnr = ncsnr_of_ceiling(ceiling, repetitions)

    train_responses = noisy_trials(signal, train, ncsnr, seed=seed + 1)
    test_trials = noisy_trials(signal, np.tile(test, repetitions), ncsnr, seed=seed + 2)
    test_repetitions = test_trials.reshape(repetitions, len(test), tvsd.N_ELECTRODES)
    silent = next(electrode for electrode in range(tvsd.N_ELECTRODES) if electrode not in live and electrode not in dead)
    train_responses[0, silent] = OUTLIER
    train_responses[:, dead] = test_repetitions[:, :, dead] = np.nan
    train_ids, test_ids = (np.array(ids)[rows] for rows in (train, test))
    write_tvsd(root, monkey, train_ids=train_ids, test_ids=test_ids, train=train_responses, test_repetitions=test_repetitions)

    units = pd.DataFrame({"unit": [f"electrode{number:04d}" for number in live], "nc_percent": ceiling[live]})
    rois = pd.DataFrame({roi: [first <= number < stop for number in live] for roi, (first, stop) in spans.items()})
    splits = (
        Split(split_ids, signal[rows][:, live].astype(np.float32), np.full(len(rows), k))
        for split_ids, rows, k in ((train_ids, train, 1), (test_ids, test, repetitions))
    )
    return Recording("tvsd", monkey, *splits, units, rois).check()


def simulate_human(
    root: Path,
    subject: str,
    brain: VisualSystem,
    latents: dict[str, np.ndarray],
    experiment: Experiment,
    *,
    sessions: int,
    voxels_per_parcel: int,
    seed: int,
) -> Recording:
    """Write one subject of NSD and return its truth: noise-free responses with the true ceilings.

    The third subject lacks the label FFA-2, and one voxel of each subject's last session is invalid, as happens.

    Args:
        latents: generating features of all images of the experiment.
    """
    rng = np.random.default_rng(seed)
    row = int(subject.removeprefix("subj")) - 1
    cortex = lay_out_cortex(GRIDS[row], voxels_per_parcel, seed, absent={"FFA-2"} if row == 2 else ())
    images = experiment.subject_images[row]
    areas = [nsd_area(parcel) for parcel in cortex.parcel]
    signal = brain.signal({area: values[images] for area, values in latents.items()}, areas, seed)
    ncsnr = ncsnr_of_ceiling(rng.uniform(25, 80, len(areas)), 3)
    trials = single_trials(signal, experiment.ordering[: sessions * TRIALS], ncsnr, seed=seed + 1)
    trials[-TRIALS:, 0] = 0
    write_nsd_subject(root, subject, experiment, cortex, trials)

    shown = np.bincount(experiment.ordering[: sessions * TRIALS], minlength=len(images))
    columns = np.arange(len(images))
    test, train = (columns[part & (shown > 0)] for part in (columns < experiment.n_shared, columns >= experiment.n_shared))
    units = pd.DataFrame(
        {
            "unit": ["-".join(map(str, voxel)) for voxel in cortex.voxels],
            "nc_percent": noise_ceiling_percent(ncsnr, shown[test]),
        }
    )
    labels = [name for names in LABELS.values() for name in names if name in NSD_ROIS]
    rois = pd.DataFrame({roi: cortex.members(roi) for roi in labels})
    splits = (Split(images[part].astype(str), signal[part].astype(np.float32), shown[part]) for part in (train, test))
    return Recording("nsd", subject, *splits, units, rois).check()
