"""M/EEG datasets share sensor groups, epochs in blocks, ceilings of trials, (channel, time) units and the simulation."""

import mne
import numpy as np
import pybv
import pytest

from cortexscale.datasets.formats.brainvision import marker_samples, read_header
from cortexscale.datasets.formats.meeg import (
    LOBES,
    ROIS,
    EpochOptions,
    average_trials,
    build_recording,
    cut_epochs,
    eeg_lobe,
    meg_lobe,
    require_epochs,
    sensor_rois,
    trial_ncsnr,
)
from cortexscale.errors import InputError
from cortexscale.kernels.noise_ceiling import ncsnr_from_trials, noise_ceiling_percent
from cortexscale.recording import Split
from cortexscale.simulation.brain import AreaCode
from cortexscale.simulation.brainvision import write_brainvision
from cortexscale.simulation.meeg import continuous, evoked, interpolate, resampled_instants, trial_noise, true_ceiling
from cortexscale.simulation.visual_system import AREAS, VisualSystem

# --- sensor groups ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lobe", "channels"),
    {
        "occipital": "O1 Oz O2 PO7 PO3 POz PO4 PO8",
        "parietal": "Pz P1 P2 P3 P8 P10",
        "temporal": "FT7 FT10 T7 T8 TP7 TP10",
        "central": "FC1 FCz C3 Cz CP5 CPz",
        "frontal": "Fp1 Fp2 AF3 AFz AF8 F1 Fz F8",
    }.items(),
)
def test_lobe_of_an_eeg_channel_is_in_its_letters(lobe, channels):
    for channel in channels.split():
        assert {eeg_lobe(channel), eeg_lobe(channel.upper()), eeg_lobe(channel.lower())} == {lobe}


def test_centroparietal_channels_can_count_as_parietal():
    assert (eeg_lobe("CP3", "parietal"), eeg_lobe("C3", "parietal"), eeg_lobe("P3", "parietal")) == (
        "parietal",
        "central",
        "parietal",
    )


@pytest.mark.parametrize("name", ["EOG", "Trigger", "stim", "Photo", "P", "12", "AFF5h", "M1", ""])
def test_names_that_tell_no_lobe_are_refused(name):
    with pytest.raises(InputError, match="10-10"):
        eeg_lobe(name)


def test_lobe_of_a_meg_sensor_is_its_third_letter():
    names = ["MLO11-1609", "MRP57-1609", "MLT15-1609", "MZF03-1609", "MZC01"]
    assert [meg_lobe(name) for name in names] == list(LOBES)
    for name in ("BG1-1609", "MLX11-1609", "UPPT001", "EEG057"):
        with pytest.raises(InputError, match="then one of"):
            meg_lobe(name)


def test_rois_are_the_lobes_and_two_groups():
    rois = sensor_rois(np.array(["occipital", "frontal", "parietal", "temporal", "central"]))
    assert tuple(rois) == ROIS
    assert set(rois.dtypes) == {np.dtype(bool)}
    assert rois["occipital_parietal"].tolist() == [True, False, True, False, False]
    assert rois["whole_brain"].all()
    assert (rois[list(LOBES)].sum(axis=1) == 1).all()


# --- epochs -----------------------------------------------------------------------------------------------------------


def noise_recording(n_channels: int = 5, n_samples: int = 30_000, rate: float = 1000.0) -> mne.io.RawArray:
    data = 1e-5 * np.random.default_rng(0).standard_normal((n_channels + 1, n_samples)).cumsum(axis=1)
    info = mne.create_info([f"C{n}" for n in range(1, n_channels + 1)] + ["stim"], rate, ["eeg"] * n_channels + ["stim"])
    return mne.io.RawArray(data, info, verbose="error")


@pytest.mark.parametrize("baseline_first", [True, False])
@pytest.mark.parametrize("crop_from", [None, 0.0])
@pytest.mark.parametrize("block", [7, 40, 1000])
def test_blocks_of_epochs_are_bit_identical_to_one_shot(baseline_first, crop_from, block):
    raw = noise_recording()
    samples = np.random.default_rng(1).choice(np.arange(200, 29_000), 100, replace=False)
    events = np.column_stack([samples, np.zeros_like(samples), np.ones_like(samples)])
    epochs = mne.Epochs(
        raw,
        events,
        tmin=-0.2,
        tmax=0.8,
        baseline=(-0.2, 0) if baseline_first else None,
        picks="eeg",
        preload=True,
        verbose="error",
    )
    epochs.resample(100, verbose="error")
    if not baseline_first:
        epochs.apply_baseline((-0.2, 0), verbose="error")
    epochs.crop(crop_from, None, verbose="error")

    options = EpochOptions(crop_from=crop_from)
    parts = [samples[first : first + block] for first in range(0, 100, block)]
    blocks = [cut_epochs(raw, part, options, baseline_first=baseline_first) for part in parts]
    np.testing.assert_array_equal(np.concatenate(blocks), epochs.get_data().astype(np.float32))
    assert blocks[0].dtype == np.float32
    np.testing.assert_allclose(options.times(1000), epochs.times, atol=1e-9)


def test_times_of_the_three_datasets():
    assert len(EpochOptions().times(1000)) == 80
    assert len(EpochOptions(crop_from=None).times(1000)) == 100
    assert len(EpochOptions(tmin=-0.1, tmax=1.3, baseline=(-0.1, 0)).times(200)) == 130


@pytest.mark.parametrize("sample", [199, 29_200, 10**6, -1])
def test_epochs_beyond_the_recording_are_an_error(sample):
    with pytest.raises(InputError, match=rf"1 of 2 epochs beyond the recording, the first at sample {sample:,}"):
        require_epochs("here", np.array([5_000, sample]), 30_000, 1000, EpochOptions())


def test_first_and_last_possible_epoch_are_there():
    onsets, options = np.array([200, 29_199]), EpochOptions(crop_from=0)
    require_epochs("here", onsets, 30_000, 1000, options)
    epochs = cut_epochs(noise_recording(), onsets, options, baseline_first=False)
    assert epochs.shape == (2, 5, 80)
    assert np.isfinite(epochs).all()


def test_two_events_at_one_sample_are_an_error():
    with pytest.raises(InputError, match="two events at one sample"):
        require_epochs("here", np.array([5_000, 6_000, 5_000]), 30_000, 1000, EpochOptions())


def test_averages_of_blocks_of_trials():
    rng = np.random.default_rng(2)
    image, trials = rng.integers(0, 6, 50), rng.standard_normal((50, 3, 4)).astype(np.float32)
    blocks = ((image[first : first + 12], trials[first : first + 12]) for first in range(0, 50, 12))
    mean, counts = average_trials(blocks, 7, (3, 4))
    np.testing.assert_array_equal(counts, np.bincount(image, minlength=7))
    for number in range(6):
        np.testing.assert_allclose(mean[number], trials[image == number].mean(axis=0), atol=1e-6)
    assert np.isnan(mean[6]).all()


# --- noise ceilings ---------------------------------------------------------------------------------------------------


def repeated_trials(n_images: int = 200, repetitions: int = 12, variance: float = 0.05) -> tuple[np.ndarray, ...]:
    """Draw trials (trials, 2, 3) with signal variance ``variance`` in a total of 1, and the image and repetition of each."""
    rng = np.random.default_rng(3)
    signal = np.sqrt(variance) * rng.standard_normal((n_images, 2, 3))
    noise = np.sqrt(1 - variance) * rng.standard_normal((repetitions, n_images, 2, 3))
    image, repetition = np.tile(np.arange(n_images), repetitions), np.repeat(np.arange(repetitions), n_images)
    return (signal + noise).reshape(-1, 2, 3).astype(np.float32), image, repetition


def test_ncsnr_without_zscores_is_the_kernel_s():
    trials, image, repetition = repeated_trials()
    expected = ncsnr_from_trials(trials.reshape(len(trials), -1), image).reshape(2, 3)
    np.testing.assert_array_equal(trial_ncsnr(trials, image, repetition, zscore=False), expected)


def test_ncsnr_of_zscores_by_its_definition():
    trials, image, repetition = repeated_trials()
    cube = trials.reshape(12, 200, 2, 3).astype(float)
    z = (cube - cube.mean(axis=1, keepdims=True)) / cube.std(axis=1, keepdims=True)
    noise = z.var(axis=0, ddof=1).mean(axis=0)
    np.testing.assert_allclose(
        trial_ncsnr(trials, image, repetition, zscore=True), np.sqrt(np.maximum(1 - noise, 0) / noise), rtol=1e-9
    )


def test_ceiling_of_known_signal():
    ncsnr = np.concatenate([trial_ncsnr(*repeated_trials(400, 12, 0.05), zscore=zscore).ravel() for zscore in (True, False)])
    truth = 100 * 0.05 / (0.05 + 0.95 / 12)
    np.testing.assert_allclose(noise_ceiling_percent(ncsnr, 12), truth, atol=8)
    assert abs(noise_ceiling_percent(ncsnr, 12).mean() - truth) < 3


def test_offsets_and_gains_of_sessions_are_no_noise_after_zscoring():
    trials, image, repetition = repeated_trials(variance=0.3)
    moved = trials * (1 + repetition[:, None, None]) + 100 * repetition[:, None, None]
    np.testing.assert_allclose(
        trial_ncsnr(moved.astype(np.float32), image, repetition, zscore=True),
        trial_ncsnr(trials, image, repetition, zscore=True),
        rtol=1e-3,
    )
    assert (trial_ncsnr(moved, image, repetition, zscore=False) < 0.05).all()


@pytest.mark.parametrize("zscore", [True, False])
def test_a_channel_without_variance_has_no_ceiling(zscore):
    trials, image, repetition = repeated_trials()
    trials[:, 1, 2] = 0.1  # its mean does not round to itself
    ncsnr = trial_ncsnr(trials, image, repetition, zscore=zscore)
    assert np.isnan(ncsnr[1, 2])
    assert np.isfinite(ncsnr).sum() == 5


def test_one_flat_session_leaves_no_zscored_ceiling():
    trials, image, repetition = repeated_trials()
    trials[repetition == 3, 0, 1] = -7.3
    assert np.isnan(trial_ncsnr(trials, image, repetition, zscore=True)[0, 1])
    assert np.isfinite(trial_ncsnr(trials, image, repetition, zscore=False)[0, 1])


# --- (channel, time) units --------------------------------------------------------------------------------------------


def recording_of(ncsnr: np.ndarray, min_nc_percent: float = 1.0, n_train: int = 1203):
    rng = np.random.default_rng(4)
    train, test = (rng.standard_normal((n, 3, 4)).astype(np.float32) for n in (n_train, 5))
    kept = train.copy(), test.copy()
    recording = build_recording(
        "d",
        "s",
        Split(np.array([f"a/{n}" for n in range(n_train)]), train, np.ones(n_train, int)),
        Split(np.array([f"b/{n}" for n in range(5)]), test, np.full(5, 12)),
        {"Oz": "occipital", "Pz": "parietal", "Fz": "frontal"},
        np.array([-0.01, 0, 0.05, 0.29]),
        ncsnr,
        min_nc_percent,
    )
    return recording, *kept


def test_units_are_pairs_of_channel_and_time():
    ncsnr = np.array([[0.5, np.nan, 0.0, np.inf], [0.01, 0.2, 1.0, 0.03], [0.0, 0.0, 0.0, 2.0]])
    recording, train, test = recording_of(ncsnr)
    nc = 100 / (1 + 1 / 12 / np.maximum(ncsnr, 1e-9) ** 2)
    keep = (nc > 1).ravel()
    assert recording.units["unit"].tolist() == ["Oz@-10ms", "Oz@290ms", "Pz@0ms", "Pz@50ms", "Pz@290ms", "Fz@290ms"]
    assert recording.units["time"].tolist() == [-0.01, 0.29, 0, 0.05, 0.29, 0.29]
    np.testing.assert_array_equal(recording.train.responses, train.reshape(len(train), -1)[:, keep])
    np.testing.assert_array_equal(recording.test.responses, test.reshape(5, -1)[:, keep])
    np.testing.assert_allclose(recording.units["nc_percent"], nc.ravel()[keep])
    assert recording.rois["occipital_parietal"].tolist() == [True] * 5 + [False]
    assert recording.rois["frontal"].tolist() == [False] * 5 + [True]

    screening = recording.screening
    assert len(screening) == 12
    assert screening["unit"].is_unique
    assert screening["kept"].tolist() == keep.tolist()
    assert np.isnan(screening["nc_percent"][1])
    assert screening["nc_percent"][2] == 0
    assert screening.loc[screening["parietal"], "channel"].tolist() == ["Pz"] * 4


def test_a_threshold_of_zero_keeps_only_ceilings_above_zero():
    recording, _, _ = recording_of(np.array([[0.0, np.nan, 1e-3, 0.5]] * 3), min_nc_percent=0)
    assert set(recording.units["time"]) == {0.05, 0.29}


@pytest.mark.parametrize(("ncsnr", "best"), [(0.01, "the best has 0.12 %"), (np.nan, "none has a ceiling")])
def test_no_unit_above_the_threshold_is_an_error(ncsnr, best):
    with pytest.raises(InputError, match=rf"subject s[\s\S]*no channel and time of 12 [\s\S]*{best}[\s\S]*min_nc_percent"):
        recording_of(np.full((3, 4), ncsnr))


# --- BrainVision ------------------------------------------------------------------------------------------------------


def test_written_brainvision_is_what_mne_reads(tmp_path):
    microvolts = 50 * np.random.default_rng(5).standard_normal((3, 41_000))
    markers = [("Event", "E  1", 20), ("Stimulus", "S 12", 30), ("Event", "E  1", 40_999)]
    write_brainvision(tmp_path / "a", microvolts, ["Oz", "Pz", "Fp1"], 500, markers)
    raw = mne.io.read_raw_brainvision(tmp_path / "a.vhdr", verbose="error")
    assert (raw.ch_names, raw.info["sfreq"], raw.get_channel_types()) == (["Oz", "Pz", "Fp1"], 500, ["eeg"] * 3)
    np.testing.assert_allclose(raw.get_data() * 1e6, microvolts, atol=2e-5)
    events, codes = mne.events_from_annotations(raw, verbose="error")
    assert codes["Event/E  1"] == 10001
    assert codes["Stimulus/S 12"] == 12
    assert events[events[:, 2] == 10001, 0].tolist() == [20, 40_999]
    assert events[events[:, 2] == 12, 0].tolist() == [30]

    header = read_header(tmp_path / "a.vhdr", "fetch it")
    assert (header.channels, header.rate, header.n_samples) == (["Oz", "Pz", "Fp1"], 500, 41_000)
    assert marker_samples(header.markers, "Event", "E  1", "fetch it").tolist() == [20, 40_999]
    assert marker_samples(header.markers, "Stimulus", "S 12", "fetch it").tolist() == [30]


def test_written_brainvision_agrees_with_pybv(tmp_path):
    microvolts = 50 * np.random.default_rng(6).standard_normal((2, 1000))
    write_brainvision(tmp_path / "ours", microvolts, ["Oz", "Pz"], 1000, [("Stimulus", "S  7", 99)])
    events = [{"onset": 99, "description": 7, "type": "Stimulus", "duration": 1, "channels": "all"}]
    pybv.write_brainvision(
        data=microvolts / 1e6, sfreq=1000, ch_names=["Oz", "Pz"], fname_base="theirs", folder_out=tmp_path, events=events
    )
    ours, theirs = (mne.io.read_raw_brainvision(tmp_path / f"{name}.vhdr", verbose="error") for name in ("ours", "theirs"))
    np.testing.assert_allclose(ours.get_data(), theirs.get_data(), atol=1e-11)
    stimuli = [[(a["onset"], a["description"]) for a in raw.annotations if "S" in a["description"][:2]] for raw in (ours, theirs)]
    assert [event for event in stimuli[0] if "7" in event[1]] == [event for event in stimuli[1] if "7" in event[1]] != []


# --- simulated responses ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def brain():
    rng = np.random.default_rng(7)
    system = VisualSystem.__new__(VisualSystem)
    features = {area: rng.standard_normal((300, 20)) for area in AREAS}
    system.codes = {area: AreaCode.find(values, 6) for area, values in features.items()}
    return system, {area: system.codes[area].latent(values) for area, values in features.items()}


def test_areas_follow_each_other_in_time(brain):
    system, latents = brain
    times = np.arange(80) / 100
    signal = evoked(system, latents, ["occipital", "frontal", "temporal"], times, seed=1)

    def explained(area: str, channel: int, time: float) -> float:
        response = signal[:, channel, np.flatnonzero(np.isclose(times, time))[0]]
        fit = latents[area] @ np.linalg.lstsq(latents[area], response, rcond=None)[0]
        return float(np.corrcoef(fit, response)[0, 1])

    assert explained("early", 0, 0.10) > 0.99 > 0.5 > explained("middle", 0, 0.10)
    assert explained("middle", 0, 0.25) > 0.99 > 0.5 > explained("early", 0, 0.25)
    assert explained("middle", 2, 0.15) > 0.99
    assert explained("late", 2, 0.30) > 0.99
    assert not signal[:, 1].any()
    np.testing.assert_allclose(signal.mean(axis=0), 0, atol=1e-5)
    assert 0.7 < signal[:, 0, 10].std() < 1.3
    assert np.abs(signal[:, :, 60:]).max() < 1e-3


def test_interpolation_keeps_the_grid():
    grid = np.random.default_rng(8).standard_normal((4, 1000)).cumsum(axis=1)
    np.testing.assert_allclose(interpolate(grid, 10)[:, ::10], grid, atol=1e-9)


@pytest.mark.parametrize(("tmin", "tmax", "rate", "late"), [(-0.2, 0.8, 1000, 0.0040), (-0.1, 1.3, 200, -0.0050)])
def test_mne_moves_the_time_axis_of_resampled_epochs(tmin, tmax, rate, late):
    """A bump comes out where the true instants say, not where the labels do."""
    recorded = np.arange(round(tmin * rate), round(tmax * rate) + 1) / rate
    epochs = mne.EpochsArray(bump(recorded)[None, None], mne.create_info(1, rate, "eeg"), tmin=tmin, verbose="error")
    resampled = epochs.resample(100, verbose="error").get_data()[0, 0]
    instants = resampled_instants(tmin, tmax, rate)
    np.testing.assert_allclose(resampled, bump(instants), atol=1e-6)
    np.testing.assert_allclose(epochs.times[50] - instants[50], late, atol=2e-5)


def bump(times: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * ((times - 0.3) / 0.03) ** 2)


def test_true_ceiling_is_what_a_long_simulation_has(brain):
    """The variance around the mean of each image is as computed, with overlaps, noise and a baseline in many sequences."""
    system, latents = brain
    signal = evoked(system, latents, ["occipital", "temporal"], np.arange(60) / 100, seed=2)
    rng = np.random.default_rng(10)
    repetitions, soa, baseline = 40, 10, 21
    shown = np.concatenate([rng.permutation(300) for _ in range(repetitions)])
    onsets = 50 + np.arange(len(shown)) * soa + np.repeat(np.arange(repetitions), 300) * 80
    recording = continuous(signal, shown, onsets, onsets[-1] + 100)
    recording += np.sqrt(0.4) * rng.standard_normal(recording.shape, dtype=np.float32)
    epochs = np.stack([recording[:, onset - 20 : onset + 60] for onset in onsets])
    epochs -= epochs[:, :, :baseline].mean(axis=2, keepdims=True)
    trials = epochs[:, :, 20:]

    noise = trial_noise(signal, 0.4, soa=soa, length=300, baseline=baseline)
    measured = np.mean([trials[shown == image].var(axis=0, ddof=1) for image in range(300)], axis=0)
    np.testing.assert_allclose(measured, noise, rtol=0.08)
    assert np.abs(measured / noise - 1).mean() < 0.02
    estimated = noise_ceiling_percent(trial_ncsnr(trials, shown, shown, zscore=False), 12)
    truth = true_ceiling(signal, noise, 12)
    strong = truth > 30  # of weaker signals, 40 trials of each image tell less
    assert strong.sum() > 30
    np.testing.assert_allclose(estimated[strong], truth[strong], atol=3)
