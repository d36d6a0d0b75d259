"""Noise ceilings of THINGS-EEG1 from made epochs, against their definition (Allen et al. 2022)."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cortexscale.datasets.formats import meeg
from cortexscale.datasets.things_eeg1 import reader
from cortexscale.datasets.things_eeg1.recording import CHANNELS

IMAGES, SEQUENCES, TIMES = 12, 5, 80


def parts_of(channels: list[str]) -> list[tuple[slice, slice, list[str]]]:
    """Return two parts of the channels, which stand for their recordings."""
    return [(part, part, []) for part in (slice(0, 40), slice(40, len(channels)))]


@pytest.fixture
def epochs(monkeypatch) -> np.ndarray:
    """Test epochs (sequences, images, channels, times) in µV. Sequences differ much more in offset and gain than images."""
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((IMAGES, 64, TIMES)) * rng.uniform(0, 2, (64, 1))
    trials = signal + rng.standard_normal((SEQUENCES, IMAGES, 64, TIMES))
    trials = rng.uniform(1, 5, (SEQUENCES, 1, 1, 1)) * (trials + 10 * rng.standard_normal((SEQUENCES, 1, 64, TIMES)))
    trials = trials.astype(np.float32)
    shown = np.concatenate([rng.standard_normal((3, 64, TIMES)), trials.reshape(-1, 64, TIMES)])
    ids = [f"t{image:02d}" for image in range(IMAGES)]
    order = np.concatenate([np.arange(3), 3 + rng.permutation(SEQUENCES * IMAGES)])
    events = pd.DataFrame({"id": [*"cab", *(SEQUENCES * ids)], "test": [False] * 3 + [True] * IMAGES * SEQUENCES})
    events["sequence"] = [0] * 3 + np.repeat(np.arange(SEQUENCES), IMAGES).tolist()
    events = events.assign(sample=np.arange(len(events))).iloc[order].reset_index(drop=True)
    names = {name: name for name in CHANNELS if name != "Cz"}
    notes = {"online_reference": "Cz", "warnings": []}
    monkeypatch.setattr(reader, "_text_files", lambda *_: (events, SimpleNamespace(), names, notes))
    monkeypatch.setattr(reader, "filtered", lambda header, channels, *_: parts_of(channels))

    def cut(channels: slice, samples: np.ndarray, options: reader.Options, *, baseline_first: bool) -> np.ndarray:
        assert not baseline_first, "the baseline is subtracted after resampling (appendix A.3)"
        return (shown[samples, channels] * 1e-6).astype(np.float32)

    monkeypatch.setattr(meeg, "cut_epochs", cut)
    return trials.astype(float)


@pytest.mark.parametrize("zscore", [True, False])
def test_ceilings_are_those_of_trials_that_are_z_scored_in_each_sequence(epochs, zscore):
    """NC = 100 SNR**2 / (SNR**2 + 1 / n), with n trials of an image and the noise variance within images."""
    options = reader.Options(n_train=3, n_test=IMAGES, n_repetitions=SEQUENCES, zscore=zscore, min_nc_percent=0)
    found = reader.read("nowhere", "sub-02", options)
    trials = (epochs - epochs.mean(axis=1, keepdims=True)) / epochs.std(axis=1, keepdims=True) if zscore else epochs
    noise = trials.var(axis=0, ddof=1).mean(axis=0)
    signal = 1 - noise if zscore else trials.mean(axis=0).var(axis=0, ddof=1) - noise / SEQUENCES
    snr = np.maximum(signal, 0) / noise
    expected = 100 * snr / (snr + 1 / SEQUENCES)
    np.testing.assert_allclose(found.screening["nc_percent"], expected.ravel(), rtol=1e-3, atol=1e-3)
    assert (expected > 50).mean() > 0.2 if zscore else (expected > 50).mean() < 0.05
    np.testing.assert_allclose(
        found.test.responses, epochs.mean(axis=0).reshape(IMAGES, -1)[:, expected.ravel() > 0], rtol=1e-4, atol=1e-4
    )
    assert found.train.stimulus_ids.tolist() == ["a", "b", "c"] and set(found.test.repetitions) == {SEQUENCES}


@pytest.mark.parametrize("least", [1, 60])
def test_units_above_the_threshold_are_kept(epochs, least):
    options = {} if least == 1 else {"min_nc_percent": least}  # one percent is the threshold of the paper
    found = reader.read("nowhere", "sub-02", reader.Options(n_train=3, n_test=IMAGES, n_repetitions=SEQUENCES, **options))
    kept = found.screening["nc_percent"] > least
    assert found.screening["kept"].tolist() == kept.tolist() and 0.1 < kept.mean() < 1
    assert found.test.responses.shape == (IMAGES, kept.sum()) and found.units["nc_percent"].min() > least


@pytest.mark.parametrize("reference", ["average", "none"])
def test_options_of_the_recording_reach_its_filter(epochs, monkeypatch, reference):
    """The online reference is a channel only if it is restored. The lobe of centro-parietal channels is an option."""
    given = []
    monkeypatch.setattr(reader, "filtered", lambda *arguments: given.append(arguments) or parts_of(arguments[1]))
    counts = {"n_train": 3, "n_test": IMAGES, "n_repetitions": SEQUENCES}
    options = reader.Options(**counts, reference=reference, highpass=0.5, centroparietal="parietal")
    found = reader.read("nowhere", "sub-02", options)
    ((_, channels, names, average, highpass, _),) = given
    assert (average, highpass, len(names)) == (reference == "average", 0.5, 63)
    assert len(channels) == (64 if reference == "average" else 63) and ("Cz" in channels) == average
    lobes = found.screening.drop_duplicates("channel")
    assert lobes.loc[lobes["channel"].str.startswith("CP"), "parietal"].all()


def test_epochs_have_the_times_baseline_and_rate_of_their_options():
    """A ramp of 1 V per s, from which its mean over the baseline is subtracted."""
    mne = pytest.importorskip("mne")
    seconds = np.arange(8000) / 1000
    raw = mne.io.RawArray(np.tile(seconds, (2, 1)), mne.create_info(["Oz", "Pz"], 1000.0, "eeg"), verbose="error")
    options = meeg.EpochOptions(tmin=-0.3, tmax=0.5, baseline=(-0.2, -0.1), crop_from=0.1, rate=50)
    found = meeg.cut_epochs(raw, np.array([3000, 5000]), options, baseline_first=True)
    times = options.times(1000)
    assert times[0] == pytest.approx(0.1) and np.diff(times) == pytest.approx(0.02) and found.shape == (2, 2, len(times))
    inner = slice(2, -6)  # resampling bends the ends of a ramp
    np.testing.assert_allclose(found[:, :, inner], np.broadcast_to(times[inner] + 0.15, found[:, :, inner].shape), atol=0.02)
