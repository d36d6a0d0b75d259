"""A recording is calibrated as it is read, and its targets have what a perfect model would explain."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cortexscale.alignment.score_rows import Predictions, score_rows
from cortexscale.alignment.targets import shared_targets
from cortexscale.kernels.noise_ceiling import ncsnr_from_repetitions, noise_ceiling_percent
from cortexscale.qc.calibration import calibrated
from cortexscale.recording import Recording, Split, load_recording

N_TRAIN, N_TEST, REPETITIONS = 20, 100, 12


@pytest.fixture(scope="module")
def world() -> tuple[Recording, np.ndarray]:
    """Return a recording of 1,500 units above 10 % in two ROIs, and their noise-free test responses.

    Half of the units of ``mixed`` and of all others are pure noise; the ceilings of the other ones are 5, 20 and 40 %.
    """
    rng, n_units = np.random.default_rng(0), 1500
    c = np.resize([0, 0, 0, 0.05, 0.2, 0.4], n_units)
    signal = rng.standard_normal((N_TEST, n_units)) * np.sqrt(c / (1 - c) / REPETITIONS)
    trials = signal + rng.standard_normal((REPETITIONS, N_TEST, n_units))
    nc_percent = noise_ceiling_percent(ncsnr_from_repetitions(trials), REPETITIONS)
    kept, names = nc_percent > 10, np.array([f"u{n}" for n in range(n_units)])
    rois = pd.DataFrame({"all": np.ones(n_units, bool), "strong": c > 0.1, "empty": np.zeros(n_units, bool)})
    ids = np.array([f"i{n:03d}" for n in range(N_TRAIN + N_TEST)])
    train = Split(ids[:N_TRAIN], np.zeros((N_TRAIN, kept.sum()), np.float32), np.ones(N_TRAIN, int))
    test = Split(ids[N_TRAIN:], trials.mean(axis=0)[:, kept].astype(np.float32), np.full(N_TEST, REPETITIONS))
    screening = pd.DataFrame({"unit": names, "nc_percent": nc_percent, "kept": kept}).join(rois)
    units = screening.loc[kept, ["unit", "nc_percent"]].reset_index(drop=True)
    return Recording("d", "s", train, test, units, rois[kept].reset_index(drop=True), {}, screening), signal[:, kept]


def test_a_perfect_model_scores_1_in_every_roi(world, tmp_path):
    recording, signal = world
    calibrated(recording).save(tmp_path / "r.h5")
    loaded = load_recording(tmp_path / "r.h5")
    ids = np.concatenate([loaded.train.stimulus_ids, loaded.test.stimulus_ids])
    (target,) = shared_targets([loaded], pd.DataFrame({"stimulus_id": ids, "concept": ids}), ["all", "strong", "empty"])
    pairs = np.nonzero(target.members)[1]
    predicted, observed = signal[:, pairs], target.test[:, pairs]
    r = np.array([np.corrcoef(*pair)[0, 1] if pair[0].any() else 0 for pair in zip(predicted.T, observed.T, strict=True)])
    rows, _ = score_rows(target, Predictions(r, predicted), {})
    rows = rows.set_index("roi")
    assert list(rows.index) == ["all", "strong"]
    # 750 units with signal: the fraction of signal variance has a standard error of about 0.02, and its root half of this.
    np.testing.assert_allclose(rows["score_calibrated"], 1, atol=0.04)
    assert (
        rows["score_calibrated"].between(rows["score_calibrated_low"], rows["score_calibrated_high"], inclusive="neither").all()
    )
    assert rows.loc["all", "pearsonr_nc"] < 0.8, "the paper's score is far from 1"
    predicted_scores = pd.Series(loaded.notes["perfect_pearsonr_nc"])
    np.testing.assert_allclose(predicted_scores[["all", "strong"]], rows["pearsonr_nc"], atol=0.06)
    assert set(predicted_scores.index) == {"all", "strong"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda r: replace(r, screening=pd.DataFrame()), "no table of the examined units"),
        (lambda r: replace(r, test=replace(r.test, repetitions=np.ones(N_TEST, int))), "no single trials"),
        (lambda r: replace(r, test=Split(*(part[:3] for part in vars(r.test).values()))), "fewer than four test stimuli"),
    ],
)
def test_a_recording_without_the_means_says_why(world, change, reason):
    found = calibrated(change(world[0]))
    assert reason in found.notes["uncalibrated"] and found.perfect.empty


def test_restricted_targets_keep_their_calibration(world):
    recording = calibrated(world[0])
    ids = np.concatenate([recording.train.stimulus_ids, recording.test.stimulus_ids])
    (target,) = shared_targets([recording], pd.DataFrame({"stimulus_id": ids, "concept": ids}), ["all", "strong"])
    strong = target.restricted(["strong"])
    assert strong is not None and strong.perfect.shape == strong.members.shape
    np.testing.assert_array_equal(strong.perfect[0], recording.perfect.loc[recording.rois["strong"], "strong"])


def test_unequal_repetitions_count_by_their_harmonic_mean(world):
    """The harmonic mean of 4 and 12 is 6."""
    one, other = (
        calibrated(replace(world[0], test=replace(world[0].test, repetitions=np.resize(repetitions, N_TEST))))
        for repetitions in ([4, 12], [6])
    )
    pd.testing.assert_frame_equal(one.perfect, other.perfect)
    assert one.notes == other.notes
