"""Noise ceilings against simulated truth and against the formulas computed by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortexscale.kernels import noise_ceiling
from cortexscale.kernels.noise_ceiling import ncsnr_from_repetitions, ncsnr_from_trials, noise_ceiling_percent


def simulate(rng, counts, signal_sd, units, noise_sd=1.0):
    """Trials (shuffled) of units with a known ncsnr; ``counts`` repetitions per image."""
    image = np.repeat(np.arange(len(counts)), counts)
    signal = rng.normal(0, signal_sd, (len(counts), units))
    trials = 5 + signal[image] + rng.normal(0, noise_sd, (len(image), units))
    order = rng.permutation(len(image))
    return trials[order], image[order]


@pytest.mark.parametrize("true_ncsnr", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("repetitions", ["equal", "unequal"])
def test_recovers_the_truth(true_ncsnr, repetitions):
    rng = np.random.default_rng(0)
    counts = np.full(2000, 10) if repetitions == "equal" else rng.choice([1, 2, 3, 12], 2000)
    trials, image = simulate(rng, counts, true_ncsnr * 0.7, units=400, noise_sd=0.7)
    ceiling = noise_ceiling_percent(ncsnr_from_trials(trials, image), counts)
    truth = 100 * true_ncsnr**2 / (true_ncsnr**2 + np.mean(1 / counts))
    assert abs(ceiling.mean() - truth) < 0.5
    # The variance ratio is the unbiased one; the mean of its root lies below the truth.
    assert np.square(ncsnr_from_trials(trials, image)).mean() == pytest.approx(true_ncsnr**2, rel=0.02)


def test_ceiling_is_the_variance_that_the_signal_explains():
    rng = np.random.default_rng(1)
    signal = rng.normal(0, 1, (3000, 50))
    repetitions = signal + rng.normal(0, 2, (5, 3000, 50))
    averages = repetitions.mean(axis=0)
    explained = [100 * np.corrcoef(signal[:, u], averages[:, u])[0, 1] ** 2 for u in range(50)]
    ceiling = noise_ceiling_percent(ncsnr_from_repetitions(repetitions), 5)
    assert abs(ceiling.mean() - np.mean(explained)) < 0.5


def test_unequal_repetitions_by_hand():
    trials = np.array([[1.0], [3.0], [10.0], [4.0], [5.0], [9.0]])
    image = np.array([7, 7, 2, 5, 5, 5])
    noise = (2.0 + 14.0) / (1 + 2)  # sums of squares about 2 and about 6, one and two degrees of freedom
    signal = np.var([2.0, 10.0, 6.0], ddof=1) - noise * (1 / 2 + 1 + 1 / 3) / 3
    assert ncsnr_from_trials(trials, image)[0] == pytest.approx(np.sqrt(signal / noise), rel=1e-14)


def test_mixed_repetitions_are_averaged_as_in_the_nsd_manual():
    counts = np.repeat([3, 2, 1], [515, 251, 141])
    share = (515 / 3 + 251 / 2 + 141) / (515 + 251 + 141)
    assert noise_ceiling_percent(np.array([0.8]), counts)[0] == pytest.approx(100 * 0.64 / (0.64 + share), rel=1e-14)
    assert noise_ceiling_percent(np.array([0.8]), 3)[0] == pytest.approx(100 * 0.64 / (0.64 + 1 / 3), rel=1e-14)


def test_zscored_variant_is_one_minus_noise():
    rng = np.random.default_rng(2)
    trials, image = simulate(rng, np.full(800, 3), 0.8, units=20)
    trials = (trials - trials.mean(0)) / trials.std(0)
    noise = np.mean([trials[image == i].var(axis=0, ddof=1) for i in range(800)], axis=0)
    np.testing.assert_allclose(ncsnr_from_trials(trials, image, zscored=True), np.sqrt((1 - noise) / noise), rtol=1e-12)
    np.testing.assert_allclose(ncsnr_from_trials(trials, image, zscored=True), ncsnr_from_trials(trials, image), rtol=0.01)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_units_without_signal_or_without_noise(dtype):
    rng = np.random.default_rng(3)
    repetitions = rng.normal(size=(4, 30, 5)).astype(dtype)
    repetitions[..., 0] = 0.1  # dead
    repetitions[..., 1] = rng.normal(size=30) + 1 / 3  # noiseless
    repetitions[..., 2] = np.array([-1, 1, -1, 1])[:, None]  # noise only, no difference between images
    repetitions[2, 3, 3] = np.nan
    ncsnr = ncsnr_from_repetitions(repetitions)
    assert ncsnr[0] == 0 and np.isinf(ncsnr[1]) and ncsnr[2] == 0 and np.isnan(ncsnr[3]) and np.isfinite(ncsnr[4])
    assert noise_ceiling_percent(ncsnr, 4)[:3].tolist() == [0, 100, 0]
    assert np.isnan(noise_ceiling_percent(ncsnr, 4)[3])


def test_float32_recording_with_a_large_offset_keeps_its_precision():
    trials, image = simulate(np.random.default_rng(4), np.full(50, 6), 1.0, units=10)
    trials = np.round(trials * 64) / 64  # exact in float32, also after the offset
    shifted = (trials + 2**15).astype(np.float32)
    np.testing.assert_allclose(ncsnr_from_trials(shifted, image), ncsnr_from_trials(trials, image), rtol=1e-12)


def test_blocks_do_not_change_the_result(monkeypatch):
    trials, image = simulate(np.random.default_rng(5), np.full(20, 3), 1.0, units=23)
    whole = ncsnr_from_trials(trials, image)
    monkeypatch.setattr(noise_ceiling, "_BLOCK_VALUES", 7 * len(trials))
    np.testing.assert_array_equal(ncsnr_from_trials(trials, image), whole)


@settings(max_examples=50)
@given(scale=st.floats(1e-3, 1e3), shift=st.floats(-100, 100), seed=st.integers(0, 2**31))
def test_scale_shift_and_order_of_trials_do_not_matter(scale, shift, seed):
    rng = np.random.default_rng(seed)
    trials, image = simulate(rng, [*rng.integers(1, 5, 12).tolist(), 2], 1.0, units=3)
    order = rng.permutation(len(image))
    np.testing.assert_allclose(
        ncsnr_from_trials(scale * (trials + shift)[order], image[order]), ncsnr_from_trials(trials, image), rtol=1e-7, atol=1e-7
    )


@settings(max_examples=30)
@given(st.lists(st.floats(0, 10), min_size=1, max_size=5), st.integers(1, 50))
def test_more_repetitions_raise_the_ceiling_within_bounds(ncsnr, k):
    once, more = noise_ceiling_percent(np.array(ncsnr), k), noise_ceiling_percent(np.array(ncsnr), k + 1)
    assert ((once >= 0) & (once <= more) & (more <= 100)).all()


def test_inputs_that_hold_no_ceiling_are_refused():
    with pytest.raises(ValueError, match="needs two stimuli, of which one is repeated; got 5 trials of 5 stimuli"):
        ncsnr_from_trials(np.zeros((5, 2)), np.arange(5))
    with pytest.raises(ValueError, match="5 trials of 1 stimuli"):
        ncsnr_from_trials(np.zeros((5, 2)), np.zeros(5))
    with pytest.raises(ValueError, match="5 trials but 4 stimulus labels"):
        ncsnr_from_trials(np.zeros((5, 2)), np.zeros(4))
    with pytest.raises(ValueError, match="at least one trial"):
        noise_ceiling_percent(np.ones(3), np.array([3, 0]))
    with pytest.raises(ValueError, match=r"smallest is -0\.5"):
        noise_ceiling_percent(np.array([1, -0.5]), 3)
