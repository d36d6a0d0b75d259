"""THINGS-EEG2: both forms of the raw data are read as MNE reads them at once, and bad files are refused by name."""

import re
import shutil
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import mne
import numpy as np
import pandas as pd
import pytest
import scipy.io
from memory import peak_mb
from pydantic import ValidationError

from cortexscale.datasets.formats.meeg import MICROVOLT, ROIS, trial_ncsnr
from cortexscale.datasets.formats.safe_npy import load_dict
from cortexscale.datasets.things_eeg2 import reader as things_eeg2
from cortexscale.datasets.things_eeg2.files import TARGET, Part, Release
from cortexscale.datasets.things_eeg2.reader import CHANNELS
from cortexscale.datasets.things_eeg2.simulate import SESSIONS, Settings, simulate
from cortexscale.datasets.things_eeg2.simulated_files import EXEMPLARS, write_dictionary, write_image_metadata
from cortexscale.errors import InputError
from cortexscale.recording import load_recording

SETTINGS = Settings(concepts=2, test_images=5, train_repetitions=2, parts=3, sources=("npy", "brainvision"))


def options_of(settings: Settings) -> things_eeg2.Options:
    """Return the options with which the reader reads what the simulation writes."""
    per_session = settings.concepts * EXEMPLARS // 2
    of_test = settings.test_images * settings.test_repetitions
    return things_eeg2.Options(
        n_train=2 * per_session,
        n_test=settings.test_images,
        train_images_per_session=per_session,
        train_repetitions=settings.train_repetitions,
        test_repetitions=settings.test_repetitions,
        train_presentations=per_session * settings.train_repetitions + settings.train_extra + settings.train_targets,
        test_presentations=of_test + settings.test_extra + settings.test_targets,
        train_targets=settings.train_targets,
        test_targets=settings.test_targets,
        source_parts=settings.parts,
    )


OPTIONS = options_of(SETTINGS).model_copy(update={"min_nc_percent": 30})
SOURCE_OPTIONS = OPTIONS.model_copy(update={"source": "brainvision"})


def small_world(n_concepts: int = 7) -> SimpleNamespace:
    """Return images of random codes, and a brain whose channels mix them at random."""

    def signal(latents: dict, areas: list[str], seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        mixed = np.stack([latents[area] @ rng.normal(size=latents[area].shape[1]) for area in areas], axis=1)
        return mixed / mixed.std(axis=0)

    names = ["aardvark", "bat1", "first-aid_kit", "t-shirt", "zoo_keeper", *(f"thing{n:02d}" for n in range(60))]
    ids = sorted(f"{name}/{name}_{number:02d}s.jpg" for name in names[:n_concepts] for number in range(1, 14))
    rng = np.random.default_rng(5)
    latents = {area: rng.normal(size=(len(ids), 12)) for area in ("early", "middle", "late")}
    return SimpleNamespace(brain=SimpleNamespace(signal=signal), things_ids=np.array(ids), things_latents=latents)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Write sub-01 in both forms, small, and return its truth."""
    root = tmp_path_factory.mktemp("eeg2")
    return root, dict(simulate(root, ["sub-01"], small_world(), SETTINGS, seed=3))


@pytest.fixture(scope="module")
def recording(release, tmp_path_factory):
    file = tmp_path_factory.mktemp("recording") / "recording.h5"
    things_eeg2.read(release[0], "sub-01", OPTIONS).save(file)
    return load_recording(file)


@pytest.fixture
def copy(release, tmp_path):
    """This copy of the release is there to be damaged."""
    shutil.copytree(release[0], tmp_path, dirs_exist_ok=True)
    return tmp_path


def dictionary(root: Path, session: int, split: str) -> Path:
    return root / f"sub-01/ses-{session:02d}/raw_eeg_{split}.npy"


def at_once(root: Path, session: int, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Let MNE process all images of a session at once: conditions, and (n, 63, 80) responses in microvolts."""
    content = np.load(dictionary(root, session, split), allow_pickle=True).item()
    info = mne.create_info(content["ch_names"], content["sfreq"], content["ch_types"])
    raw = mne.io.RawArray(content["raw_eeg_data"], info, verbose="error")
    events = mne.find_events(raw, stim_channel="stim", verbose="error")
    events = events[events[:, 2] != TARGET]
    epochs = mne.Epochs(raw, events, tmin=-0.2, tmax=0.8, baseline=(None, 0), picks="eeg", preload=True, verbose="error")
    epochs.resample(100, verbose="error").crop(0, None, verbose="error")
    assert len(epochs) == len(events)
    return events[:, 2], epochs.get_data(copy=False).astype(np.float32) / np.float32(MICROVOLT)


def first_ones(conditions: np.ndarray, at_most: int) -> np.ndarray:
    seen: dict[int, int] = {}
    keep = []
    for condition in conditions.tolist():
        seen[condition] = seen.get(condition, 0) + 1
        keep.append(seen[condition] <= at_most)
    return np.array(keep)


# --- the release ------------------------------------------------------------------------------------------------------


def test_channels_are_those_of_the_release():
    assert len(set(CHANNELS)) == 63 and "Fz" not in CHANNELS
    assert set(CHANNELS) <= set(mne.channels.make_standard_montage("easycap-M1").ch_names)
    behind = [name for name in CHANNELS if re.match("^O|^P", name)]
    assert " ".join(behind) == "Pz P3 P7 O1 Oz O2 P4 P8 P1 P5 PO7 PO3 POz PO4 PO8 P6 P2"


def test_written_dictionaries_are_as_released(release):
    root, _ = release
    halves, images = [], []
    for session in range(1, SESSIONS + 1):
        content = np.load(dictionary(root, session, "training"), allow_pickle=True).item()
        assert list(content) == ["raw_eeg_data", "ch_names", "ch_types", "sfreq", "highpass", "lowpass"]
        assert content["ch_names"] == [*CHANNELS, "stim"] and content["ch_types"] == ["eeg"] * 63 + ["stim"]
        data = content["raw_eeg_data"]
        assert data.dtype == np.float64 and data.shape[0] == 64
        assert 1e-6 < data[:-1].std() < 1e-4, "volts"
        shown = data[-1][data[-1] > 0]
        assert len(shown) == OPTIONS.train_presentations and (shown == TARGET).sum() == OPTIONS.train_targets
        halves.append(set(shown) - {TARGET})
        images += list(shown)
    assert halves[0] | halves[1] == halves[2] | halves[3] == set(range(1, 21))
    assert not halves[0] & halves[1] and not halves[2] & halves[3]
    assert max(np.unique(np.array(images), return_counts=True)[1][:-1]) > 2 * SETTINGS.train_repetitions, "extra repetitions"


def test_metadata_number_folders_within_the_split_and_within_all_concepts(tmp_path):
    ids = np.array(["aardvark/aardvark_01b.jpg", "bat1/bat1_02s.jpg", "first-aid_kit/first-aid_kit_11s.jpg"])
    metadata = load_dict(write_image_metadata(tmp_path, ids, {"training": ids[:2], "test": ids[2:]}), "")
    assert metadata["test_img_concepts"] == ["00001_first-aid_kit"]
    assert metadata["test_img_concepts_THINGS"] == ["00003_first-aid_kit"]
    assert metadata["train_img_files"] == ["aardvark_01b.jpg", "bat1_02s.jpg"]
    assert len(metadata) == 6


def test_raw_files_are_the_files_that_were_written(release):
    root, _ = release
    files = things_eeg2.raw_files(root, "sub-01", OPTIONS)
    source = things_eeg2.raw_files(root, "sub-01", SOURCE_OPTIONS)
    assert {*files, *source} == {path for path in root.rglob("*") if path.is_file()}
    assert len(files) == 4 * 2 + 1 and len(source) == 4 * 4 * (3 + 1) + 1
    assert len(things_eeg2.raw_files(Path("nowhere"), "sub-10", things_eeg2.Options())) == 9


# --- the reader -------------------------------------------------------------------------------------------------------


def test_blocks_give_the_bits_of_mne_at_once(release, monkeypatch):
    root, _ = release
    monkeypatch.setattr(things_eeg2, "_BLOCK", 7)
    opened = things_eeg2._open(root, "sub-01", OPTIONS)
    for split, at_most in (("training", 2), ("test", 4)):
        conditions, expected = at_once(root, 3, split)
        keep = first_ones(conditions, at_most)
        blocks = list(things_eeg2._trials([opened[split][1][2]], OPTIONS, []))
        assert max(len(images) for images, _ in blocks) == 7 and len(blocks) > 2
        np.testing.assert_array_equal(np.concatenate([images for images, _ in blocks]), conditions[keep] - 1)
        np.testing.assert_array_equal(np.concatenate([responses for _, responses in blocks]), expected[keep])


def test_averages_and_ceilings_are_those_of_the_first_repetitions(release, recording):
    root, _ = release
    for split, found, at_most in (("training", recording.train, 2), ("test", recording.test, 4)):
        sessions = [at_once(root, number, split) for number in range(1, SESSIONS + 1)]
        keep = np.concatenate([first_ones(conditions, at_most) for conditions, _ in sessions])
        assert not keep.all(), "no extra repetitions were simulated"
        conditions = np.concatenate([conditions for conditions, _ in sessions])[keep]
        responses = np.concatenate([responses for _, responses in sessions])[keep].reshape(len(conditions), -1)
        kept = recording.screening["kept"].to_numpy()
        expected = np.stack([responses[conditions == number].mean(axis=0) for number in np.unique(conditions)])
        np.testing.assert_allclose(found.responses, expected[:, kept], atol=2e-5)
        assert set(found.repetitions) == {4 if split == "training" else 16}
    session = np.repeat(np.arange(SESSIONS), 20)
    ncsnr = trial_ncsnr(responses.reshape(-1, 63, 80), conditions, session, zscore=True).ravel()
    np.testing.assert_array_equal(recording.units["ncsnr"], ncsnr[kept])
    np.testing.assert_allclose(recording.units["nc_percent"], 100 / (1 + 1 / 16 / ncsnr[kept] ** 2))


def test_brainvision_source_gives_the_same_numbers(release, recording):
    source = things_eeg2.read(release[0], "sub-01", SOURCE_OPTIONS)
    assert source.notes == recording.notes | {"source": "brainvision"}
    pd.testing.assert_frame_equal(source.units, recording.units)
    pd.testing.assert_frame_equal(source.screening, recording.screening)
    for split in ("train", "test"):
        ours, theirs = getattr(source, split), getattr(recording, split)
        np.testing.assert_array_equal(ours.stimulus_ids, theirs.stimulus_ids)
        np.testing.assert_array_equal(ours.responses, theirs.responses)
        np.testing.assert_array_equal(ours.repetitions, theirs.repetitions)


def test_units_are_pairs_of_channel_and_time(recording):
    screening = recording.screening
    assert len(screening) == 63 * 80
    assert screening["unit"].iloc[[0, 20, 79, 80]].tolist() == ["Fp1@0ms", "Fp1@200ms", "Fp1@790ms", "F3@0ms"]
    assert tuple(recording.rois) == ROIS
    members = {roi: int(screening.loc[screening["time"] == 0, roi].sum()) for roi in ROIS}
    assert members == {
        "occipital": 8,
        "parietal": 9,
        "temporal": 10,
        "frontal": 15,
        "central": 21,
        "occipital_parietal": 17,
        "whole_brain": 63,
    }
    assert (recording.units["nc_percent"] > 30).all()


def test_rows_are_named_as_things_are(release, recording):
    _, truths = release
    truth = truths["sub-01"]
    np.testing.assert_array_equal(recording.train.stimulus_ids, truth.train.stimulus_ids)
    np.testing.assert_array_equal(recording.test.stimulus_ids, truth.test.stimulus_ids)
    assert set(recording.test.stimulus_ids) <= set(small_world().things_ids)
    assert all(id.split("_")[-1] == "11s.jpg" for id in recording.test.stimulus_ids)


def test_notes_count_what_was_left_out(recording):
    assert {name: found for name, found in recording.notes.items() if name != "kept_by_chance"} == {
        "source": "npy",
        "sessions": [1, 2, 3, 4],
        "unit": "microvolt",
        "targets_dropped": 4 * (3 + 2),
        "extra_repetitions_dropped": {"training": 4 * 4, "test": 4 * 3},
        "warnings": [],
    }


def test_extra_repetitions_can_be_averaged_too(release, recording):
    options = OPTIONS.model_copy(update={"extra_repetitions": "average"})
    everything = things_eeg2.read(release[0], "sub-01", options)
    assert everything.train.repetitions.sum() == recording.train.repetitions.sum() + 16
    assert everything.test.repetitions.sum() == recording.test.repetitions.sum() + 12
    assert everything.notes["extra_repetitions_dropped"] == {"training": 0, "test": 0}
    more = np.flatnonzero(everything.test.repetitions > 16)[0]
    conditions, responses = map(np.concatenate, zip(*(at_once(release[0], n, "test") for n in range(1, 5)), strict=True))
    expected = responses[conditions == more + 1].mean(axis=0).ravel()[everything.screening["kept"].to_numpy()]
    np.testing.assert_allclose(everything.test.responses[more], expected, atol=2e-5)


def test_noise_before_the_onset_makes_no_units(release, recording):
    """Nothing is simulated before the onset but noise, which often passes 1 %. The authors' 17 channels have 13,600 outputs."""
    options = OPTIONS.model_copy(update={"min_nc_percent": 1, "crop_from": None})
    everything = things_eeg2.read(release[0], "sub-01", options)
    noise = everything.screening.query("time < 0")
    assert len(noise) == 63 * 20 and noise["kept"].mean() > 0.2
    expected = everything.notes["kept_by_chance"] * everything.screening["kept"].mean()
    assert noise["kept"].mean() == pytest.approx(expected, abs=0.15), "noise before the onset passes as often as permuted trials"
    assert recording.screening["time"].min() == 0 and len(recording.screening) == 63 * 80
    assert 10 * 17 * len(things_eeg2.Options().times(1000)) == 13_600
    columns = pd.Index(everything.units["unit"]).get_indexer(recording.units["unit"])
    np.testing.assert_array_equal(recording.train.responses, everything.train.responses[:, columns])


def test_some_channels_alone_can_be_read(release, recording):
    some = things_eeg2.read(release[0], "sub-01", OPTIONS.model_copy(update={"channels": ("POz", "O1")}))
    assert some.screening["channel"].unique().tolist() == ["POz", "O1"]
    own = recording.units["channel"] == "O1"
    np.testing.assert_array_equal(
        some.train.responses[:, some.units["channel"] == "O1"], recording.train.responses[:, own.to_numpy()]
    )


@pytest.mark.parametrize("wrong", [{"crop_from": 0.9}, {"baseline": (-0.3, 0)}, {"baseline": (0, 0)}, {"window": (0, 1)}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValidationError):
        things_eeg2.Options(**wrong)


def move(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    old.rename(new)


LAYOUTS = {
    "a doubled level": lambda root: move(root / "sub-01", root / "unpacked") or move(root / "unpacked", root / "sub-01/sub-01"),
    "the authors' project": lambda root: (
        move(root / "sub-01", root / "eeg_dataset/raw_data/sub-01"),
        move(root / "image_metadata.npy", root / "image_set/image_metadata.npy"),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_other_places_are_found(copy, layout):
    LAYOUTS[layout](copy)
    things_eeg2.inspect(copy, "sub-01", OPTIONS)
    assert all(file.is_file() for file in things_eeg2.raw_files(copy, "sub-01", OPTIONS))


def rewrite(path: Path, **changes) -> None:
    """Write a dictionary again with some entries changed; None removes, a function changes the old value."""
    content = np.load(path, allow_pickle=True).item()
    for key, change in changes.items():
        if change is None:
            del content[key]
        else:
            content[key] = change(content[key]) if callable(change) else change
    np.save(path, content)


def test_names_of_channels_may_be_arrays(copy):
    rewrite(dictionary(copy, 1, "test"), ch_names=np.array, ch_types=np.array)
    things_eeg2.inspect(copy, "sub-01", OPTIONS)


def test_the_wikis_name_of_the_channel_types_is_read_too(copy):
    types = np.load(dictionary(copy, 1, "test"), allow_pickle=True).item()["ch_types"]
    rewrite(dictionary(copy, 1, "test"), ch_types=None, ch_type=types)
    things_eeg2.inspect(copy, "sub-01", OPTIONS)


def test_channels_are_picked_by_name(copy, recording):
    order = [*range(62, -1, -1), 63]
    path = dictionary(copy, 2, "training")
    rewrite(path, raw_eeg_data=lambda data: data[order], ch_names=lambda names: [names[n] for n in order])
    np.testing.assert_array_equal(things_eeg2.read(copy, "sub-01", OPTIONS).train.responses, recording.train.responses)


def test_microvolts_are_read_when_told(copy, recording):
    for session in range(1, 5):
        for split in ("training", "test"):
            rewrite(dictionary(copy, session, split), raw_eeg_data=lambda d: np.vstack([d[:-1] * 1e6, d[-1:]]).astype(np.float32))
    with pytest.raises(InputError, match=r"a standard deviation of [\d.]+ V[\s\S]*`unit: uV`"):
        things_eeg2.inspect(copy, "sub-01", OPTIONS)
    micro = things_eeg2.read(copy, "sub-01", OPTIONS.model_copy(update={"unit": "uV"}))
    np.testing.assert_allclose(micro.test.responses, recording.test.responses, rtol=1e-4, atol=1e-4)


# --- the truth --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_truth_is_recovered(tmp_path):
    """Ceilings are right with the settings of the demo, and so is what noise-free responses explain of training averages."""
    settings = Settings()
    truth = dict(simulate(tmp_path, ["sub-02"], small_world(60), settings, seed=0))["sub-02"]
    recording = things_eeg2.read(tmp_path, "sub-02", options_of(settings))
    true = truth.units.set_index("unit")["nc_percent"]
    estimate = recording.screening.set_index("unit")["nc_percent"][true.index]
    error = (estimate - true)[true > 60]
    assert len(error) > 300
    # 26 test images give a signal variance of relative sd 0.28, but both ceilings are of the same images.
    assert abs(error.mean()) < 2.5 and error.std() < 8

    strong = recording.units["nc_percent"] > 70
    columns = pd.Index(truth.units["unit"]).get_indexer(recording.units["unit"][strong])
    assert (columns >= 0).all() and strong.sum() > 300
    signal, averages = truth.train.responses[:, columns], recording.train.responses[:, strong]
    correlation = np.array([np.corrcoef(signal[:, unit], averages[:, unit])[0, 1] for unit in range(len(columns))])
    slope = (signal * averages).sum(axis=0) / np.square(signal).sum(axis=0)
    # Two presentations: the share of signal is n / (n + 1 / ncsnr^2) with n = 2, from the truth of the test trials.
    ncsnr = truth.units["ncsnr"].to_numpy()[columns]
    np.testing.assert_allclose(np.median(correlation**2), np.median(1 / (1 + 1 / 2 / ncsnr**2)), atol=0.06)
    assert abs(np.median(slope) - 1) < 0.05


# --- bad files --------------------------------------------------------------------------------------------------------


TRAIN, TEST, META = "sub-01/ses-02/raw_eeg_training.npy", "sub-01/ses-01/raw_eeg_test.npy", "image_metadata.npy"


def stim(change):
    def changed(data: np.ndarray) -> np.ndarray:
        onsets = np.flatnonzero(data[-1])
        change(data[-1], onsets)
        return data

    return changed


def zeros(data: np.ndarray) -> np.ndarray:
    onset = np.flatnonzero(data[-1])[8]
    data[:-1, onset - 200 : onset + 801] = 0
    return data


def assign(channel: np.ndarray, places, value) -> None:
    channel[places] = value


BAD = {
    "sessions missing": (
        lambda r: [shutil.rmtree(r / f"sub-01/ses-0{n}") for n in (2, 4)],
        "sub-01",
        "2 of 4 sessions of sub-01; missing ses-02, ses-04",
        "4 sessions",
        "sub-01.zip",
    ),
    "still packed": (
        lambda r: (shutil.rmtree(r / "sub-01"), (r / "sub-01.zip").write_bytes(b"PK")),
        "sub-01",
        "0 of 4 sessions",
        "4 sessions",
        "Unpack sub-01.zip",
    ),
    "file missing": (lambda r: (r / TRAIN).unlink(), TRAIN, "nothing", "a data file", "sub-01.zip of the raw data"),
    "metadata missing": (lambda r: (r / META).unlink(), META, "nothing", "a data file", "osf.io/y63gw"),
    "truncated": (
        lambda r: (r / TRAIN).write_bytes((r / TRAIN).read_bytes()[:-9000]),
        TRAIN,
        r"truncated.* [\d,]+ bytes are missing",
        "one Python dictionary",
        "sub-01.zip",
    ),
    "HTML": (lambda r: (r / TEST).write_text("<html>" * 99), TEST, "an HTML page", "a data file", "direct link"),
    "annex": (lambda r: (r / TEST).write_text("/annex/objects/MD5"), TEST, "a git-annex pointer", "itself", "fetch the content"),
    "dangling link": (
        lambda r: ((r / TEST).unlink(), (r / TEST).symlink_to("../../.git/annex/objects/x")),
        TEST,
        "a link to a file that is not there",
        "a data file",
        "sub-01.zip",
    ),
    "another pickle": (lambda r: np.save(r / TEST, {"a": Path("x")}), TEST, "asks for pathlib", "plain arrays", "may run code"),
    "preprocessed data": (
        lambda r: np.save(r / TRAIN, {"preprocessed_eeg_data": np.ones((2, 4, 17, 100)), "ch_names": [], "times": []}),
        TRAIN,
        "a dictionary of preprocessed_eeg_data, ch_names, times",
        "also raw_eeg_data, ch_types, sfreq",
        "raw data",
    ),
    "other rate": (lambda r: rewrite(r / TEST, sfreq=250), TEST, "sfreq 250", "1000 Hz", "sub-01.zip"),
    "rows missing": (
        lambda r: rewrite(r / TEST, raw_eeg_data=lambda d: d[1:]),
        TEST,
        r"raw_eeg_data of shape \(63, \d+\) and type float64",
        r"\(64, samples\)",
        "sub-01",
    ),
    "integers": (
        lambda r: rewrite(r / TEST, raw_eeg_data=lambda d: (d * 1e9).astype(int)),
        TEST,
        "type int64",
        "floating-point",
        "sub-01",
    ),
    "channel missing": (
        lambda r: rewrite(r / TEST, ch_names=lambda n: ["Fz" if name == "Cz" else name for name in n]),
        TEST,
        "no channel Cz",
        "63 channels of type eeg, then `stim`",
        "sub-01",
    ),
    "stim is not last": (
        lambda r: rewrite(r / TEST, ch_names=lambda n: ["stim", *n[:-1]]),
        TEST,
        "channels of other types",
        "then `stim`",
        "sub-01",
    ),
    "types of other channels": (
        lambda r: rewrite(r / TEST, ch_types=lambda t: ["eog", *t[1:]]),
        TEST,
        "channels of other types",
        "type eeg",
        "sub-01",
    ),
    "long triggers": (
        lambda r: rewrite(r / TRAIN, raw_eeg_data=stim(lambda s, on: assign(s, on + 1, s[on]))),
        TRAIN,
        "triggers longer than a sample",
        "one sample per image",
        "sub-01",
    ),
    "fractions as triggers": (
        lambda r: rewrite(r / TRAIN, raw_eeg_data=stim(lambda s, on: assign(s, on[3], 1.5))),
        TRAIN,
        "other values",
        "a positive integer",
        "sub-01",
    ),
    "trigger missing": (
        lambda r: rewrite(r / TRAIN, raw_eeg_data=stim(lambda s, on: assign(s, on[3], 0))),
        "sub-01/ses-02, training images",
        "26 images, 3 of them targets|26 images, 2 of them targets",
        "27 images, 3 of them targets",
        "things_eeg2's counts",
    ),
    "image without a name": (
        lambda r: rewrite(r / TRAIN, raw_eeg_data=stim(lambda s, on: assign(s, on[s[on] < 99999][3], 21))),
        "sub-01/ses-02, training images",
        "images .* to 21",
        "1 to 20",
        "fetch the session again",
    ),
    "image shown too rarely": (
        lambda r: rewrite(r / TEST, raw_eeg_data=stim(lambda s, on: assign(s, on[s[on] == 2][:2], 1))),
        "sub-01/ses-01, test images",
        "5 images, the rarest 3 times|5 images, the rarest 2 times",
        "5 images, each at least 4 times",
        "fetch the session again",
    ),
    "session there twice": (
        lambda r: shutil.copyfile(r / "sub-01/ses-01/raw_eeg_training.npy", r / TRAIN),
        "sub-01/ses-01, training images, sub-01/ses-02",
        "the same images in the same order",
        "an order of its own",
        "one is a copy",
    ),
    "end missing": (
        lambda r: rewrite(r / TRAIN, raw_eeg_data=lambda d: d[:, : np.flatnonzero(d[-1])[-1] + 800]),
        TRAIN,
        "1 of 27 epochs beyond the recording",
        "-0.2 to 0.8 s around every onset",
        "cut short",
    ),
    "all zero": (
        lambda r: rewrite(r / TRAIN, raw_eeg_data=lambda d: np.vstack([0 * d[:-1], d[-1:]])),
        TRAIN,
        "a standard deviation of 0 V",
        "1e-07 to 0.001 V",
        "if it has a hole",
    ),
    "a hole": (
        lambda r: rewrite(r / TRAIN, raw_eeg_data=zeros),
        TRAIN,
        "zeros around sample",
        "EEG",
        "the file has a hole",
    ),
    "other images": (
        lambda r: rewrite(r / META, train_img_files=lambda f: f[:-1]),
        META,
        "19 train_img_files and 20 train_img_concepts",
        "20 each",
        "osf.io/y63gw",
    ),
    "images out of order": (
        lambda r: rewrite(r / META, test_img_files=lambda f: [*f[1:], f[0]]),
        META,
        "in folder 00001_",
        "a folder <number>_",
        "osf.io/y63gw",
    ),
    "no images": (lambda r: rewrite(r / META, test_img_files=None), META, "a dictionary of", "also test_img_files", "y63gw"),
    "nothing but noise": (
        lambda r: [rewrite(dictionary(r, n, "test"), raw_eeg_data=stim(shuffled)) for n in range(1, 5)],
        "dataset things_eeg2, subject sub-01",
        "no channel and time of 5,040",
        "above `min_nc_percent`",
        "lower `min_nc_percent`",
    ),
}


def shuffled(channel: np.ndarray, onsets: np.ndarray) -> None:
    images = onsets[channel[onsets] < TARGET]
    channel[images] = channel[np.roll(images, 1)]


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_by_name(copy, case):
    damage, where, *texts = BAD[case]
    damage(copy)
    with_data = case in ("a hole", "nothing but noise")
    options = OPTIONS.model_copy(update={"min_nc_percent": 99.9}) if case == "nothing but noise" else OPTIONS
    with pytest.raises(InputError) as caught:
        (things_eeg2.read if with_data else things_eeg2.inspect)(copy, "sub-01", options)
    error = caught.value
    assert error.where.removeprefix(f"{copy}/").startswith(where)
    for part, pattern in zip((error.found, error.expected, error.remedy), texts, strict=True):
        assert re.search(pattern, part), part


STEM = "sub-01_ses-03_task-train_part-02"
HEAD, MARKS, EEG = (f"sub-01/ses-03/eeg/{STEM}_eeg.{ending}" for ending in ("vhdr", "vmrk", "eeg"))
LOG = f"sub-01/ses-03/beh/{STEM}_beh.mat"


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


BAD_SOURCE = {
    "markers missing": (lambda r: (r / MARKS).unlink(), MARKS, "nothing", "a data file", "source data"),
    "data missing": (lambda r: (r / EEG).unlink(), EEG, "nothing", "a data file", "source data"),
    "log missing": (lambda r: (r / LOG).unlink(), LOG, "nothing", "a data file", "source data"),
    "data cut within a sample": (
        lambda r: (r / EEG).write_bytes((r / EEG).read_bytes()[:-70]),
        EEG,
        "more than a whole number of samples",
        "a multiple of 252 bytes",
        "cut short",
    ),
    "data cut": (
        lambda r: (r / EEG).write_bytes((r / EEG).read_bytes()[: -252 * 900]),
        HEAD,
        "of 9 epochs beyond the recording",
        "-0.2 to 0.8 s",
        "cut short",
    ),
    "markers cut": (
        lambda r: (r / MARKS).write_text((r / MARKS).read_text().rsplit("Mk", 2)[0]),
        MARKS,
        "7 triggers",
        "the 9 triggers of .*part-02_beh.mat",
        "and its log again",
    ),
    "log of another part": (
        lambda r: shutil.copyfile(r / LOG.replace("part-02", "part-01"), r / LOG),
        MARKS,
        r"9 triggers, \d of them other than in the log",
        "triggers of",
        "again",
    ),
    "log of something else": (
        lambda r: scipy.io.savemat(r / LOG, {"x": 1}),
        LOG,
        "no list of images .KeyError",
        "tot_img_number",
        "source data",
    ),
    "log damaged": (lambda r: (r / LOG).write_bytes(b"x" * 500), LOG, "no list of images", "tot_img_number", "source data"),
    "channel missing": (lambda r: replace(r / HEAD, "=Cz,", "=Fz,"), HEAD, "no channel Cz", "63 EEG channels", "source data"),
    "other rate": (lambda r: replace(r / HEAD, "Interval=1000", "Interval=2000"), HEAD, "500 Hz", "1000 Hz", "source data"),
    "sessions missing": (
        lambda r: shutil.rmtree(r / "sub-01/ses-01"),
        "sub-01",
        "3 of 4 sessions of sub-01; missing ses-01",
        "4 sessions",
        "the source data",
    ),
}


@pytest.mark.parametrize("case", BAD_SOURCE)
def test_bad_source_files_are_refused_by_name(copy, case):
    damage, where, *texts = BAD_SOURCE[case]
    damage(copy)
    with pytest.raises(InputError) as caught:
        things_eeg2.inspect(copy, "sub-01", SOURCE_OPTIONS)
    error = caught.value
    assert error.where.removeprefix(f"{copy}/").startswith(where)
    for part, pattern in zip((error.found, error.expected, error.remedy), texts, strict=True):
        assert re.search(pattern, part), part


@pytest.mark.parametrize("use", [things_eeg2.raw_files, things_eeg2.inspect, things_eeg2.read])
def test_unknown_subjects_are_refused(release, use):
    with pytest.raises(InputError, match=r"subjects of THINGS-EEG2[\s\S]*sub-11[\s\S]*sub-01, [\s\S]*sub-10"):
        use(release[0], "sub-11", OPTIONS)


def test_counts_of_the_release_are_expected_unless_told_otherwise(release):
    with pytest.raises(InputError, match=r"20 train_img_files[\s\S]*16,540 each[\s\S]*things_eeg2's counts"):
        things_eeg2.inspect(release[0], "sub-01", things_eeg2.Options())


# --- memory -----------------------------------------------------------------------------------------------------------


def write_noise(root: Path, repetitions: int) -> things_eeg2.Options:
    """Write one session of noise: 10 training and 10 test images, so often, every 50 ms."""
    rng = np.random.default_rng(0)
    ids = {split: np.array([f"{split}/{split}_{n:02d}s.jpg" for n in range(10)]) for split in ("training", "test")}
    write_image_metadata(root, np.concatenate(list(ids.values())), ids)
    for split in ids:
        conditions = rng.permutation(np.repeat(np.arange(1, 11), repetitions))
        onsets = 300 + 50 * np.arange(len(conditions))
        n_samples = int(onsets[-1]) + 900
        data = 1e-5 * rng.standard_normal((63, n_samples))
        write_dictionary(root, "sub-01", 1, split, [Part(Path(), n_samples, onsets, conditions, lambda a, b, d=data: d[:, a:b])])
    counts = {"n_sessions": 1, "n_train": 10, "n_test": 10, "train_images_per_session": 10, "train_targets": 0, "test_targets": 0}
    for split in ("train", "test"):
        counts |= {f"{split}_repetitions": repetitions, f"{split}_presentations": 10 * repetitions}
    return things_eeg2.Options(**counts, min_nc_percent=0, channels=CHANNELS[:16])


@pytest.mark.slow
def test_memory_does_not_grow_with_the_recording(tmp_path):
    """The file grows fourfold. Test trials are held for the ceiling; nothing else may grow."""
    peaks, options = [], []
    for repetitions in (40, 160):
        root = tmp_path / str(repetitions)
        options.append(write_noise(root, repetitions))
        code = f"""
            from pathlib import Path
            from cortexscale.datasets.things_eeg2 import reader as things_eeg2
            options = things_eeg2.Options.model_validate_json({options[-1].model_dump_json()!r})
            things_eeg2.read(Path({str(root)!r}), "sub-01", options)
        """
        peaks.append(peak_mb(dedent(code)))
        assert peaks[-1] < things_eeg2.memory_mb(options[-1])
    test_trials = 4 * 16 * 100 * 10 * (160 - 40) / 1e6
    files = [sum(file.stat().st_size for file in (tmp_path / str(n)).rglob("raw_eeg*")) / 1e6 for n in (40, 160)]
    assert files[1] - files[0] > 60
    assert peaks[1] - peaks[0] < test_trials + 12, peaks


def test_declared_memory_and_shape_of_the_release():
    options = things_eeg2.Options()
    assert things_eeg2.shape(options, ["sub-01", "sub-02"]) == (16540, 200, 2 * 5040)
    # 16,000 test trials and as much again at most for one block and the libraries.
    assert 4 * 16000 * 5040 / 1e6 + 300 < things_eeg2.memory_mb(options) < 1500


def test_the_first_sessions_that_exist_are_read(tmp_path):
    release = Release(tmp_path, "sub-01", "npy")
    for number in (2, 4):
        release.session(number).mkdir(parents=True)
    assert [release.sessions(n) for n in (1, 2)] == [[2], [2, 4]]
    assert release.sessions(3) == [1, 2, 3], "the sessions that should exist, of which a message names the missing ones"
