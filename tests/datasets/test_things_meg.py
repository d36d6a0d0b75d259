"""THINGS-MEG: the four-part epoch files of the simulation are read as MNE reads them at once, and bad files are refused."""

import re
import shutil
import struct
import warnings
from textwrap import dedent
from types import SimpleNamespace

import mne
import numpy as np
import pandas as pd
import pytest
from memory import peak_mb

from cortexscale.datasets.things_meg import reader as things_meg
from cortexscale.datasets.things_meg.files import CATCH, _next_part
from cortexscale.datasets.things_meg.reader import Options, stimulus_id
from cortexscale.datasets.things_meg.simulate import (
    PARTS,
    SESSIONS,
    Settings,
    save_in_parts,
    sensor_names,
    simulate,
    single_trials,
    trial_table,
    write_things_meg,
)
from cortexscale.errors import InputError
from cortexscale.recording import load_recording

SETTINGS = Settings(concepts=3, test_images=5, catch_per_session=2)
OPTIONS = Options(n_train=36, n_test=5, n_catch=24)
UNITS = 271 * 130
N_EPOCHS = 36 + 5 * 12 + 24

FOLDER = "derivatives/preprocessed"
PART = [f"{FOLDER}/preprocessed_P1-epo{number}.fif" for number in ("", "-1", "-2", "-3")]


def brain() -> SimpleNamespace:
    """Return a brain that mixes the codes at random, as the visual system does."""

    def signal(latents: dict, areas: list[str], seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        mixed = np.stack([latents[area] @ rng.normal(size=latents[area].shape[1]) for area in areas], axis=1)
        return mixed / mixed.std(axis=0)

    return SimpleNamespace(signal=signal)


def small_world() -> SimpleNamespace:
    concepts = ["aardvark", "bat1", "first-aid_kit", "t-shirt", "zoo_keeper"]
    ids = np.array([f"{concept}/{concept}_{number:02d}s.jpg" for concept in concepts for number in range(1, 14)])
    rng = np.random.default_rng(5)
    latents = {area: rng.normal(size=(len(ids), 4)) for area in ("early", "middle", "late")}
    return SimpleNamespace(brain=brain(), things_ids=ids, things_latents=latents)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Write P1 and P2 as released, small, and return their truth."""
    root = tmp_path_factory.mktemp("meg")
    return root, dict(simulate(root, ("P1", "P2"), small_world(), SETTINGS, seed=3))


@pytest.fixture
def copy(release, tmp_path):
    """This copy of the files of P1 is there to be damaged."""
    shutil.copytree(release[0], tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*P2*"))
    return tmp_path


@pytest.fixture(scope="module")
def at_once(release):
    """Let MNE process all epochs of P1 at once: (epochs, 271, 130) float32, and their metadata."""
    epochs = mne.read_epochs(release[0] / PART[0], preload=True, verbose="ERROR")
    responses = epochs.resample(100, verbose="ERROR").crop(0, None).get_data(copy=False).astype(np.float32)
    return responses, epochs.metadata.reset_index(drop=True)


# --- the release ------------------------------------------------------------------------------------------------------


def test_sensors_are_those_of_the_release():
    names = sensor_names()
    assert len(names) == len(set(names)) == 271
    assert {lobe: sum(name[2] == lobe for name in names) for lobe in "OPTFC"} == {"O": 39, "P": 45, "T": 68, "F": 67, "C": 52}
    device = {name.split("-")[0] for name in mne.channels.read_layout("CTF-275").names}
    assert device - {name.split("-")[0] for name in names} == {"MLF25", "MRF43", "MRO13", "MRO11"}


def test_written_files_are_as_released(release):
    root, _ = release
    assert sorted(file.name for file in (root / FOLDER).glob("*P1*")) == sorted(part.split("/")[-1] for part in PART)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        epochs = mne.read_epochs(root / PART[0], preload=False, verbose="ERROR")
    assert len(epochs) == N_EPOCHS
    assert epochs.ch_names[0] == "MLC11-1609" and set(epochs.get_channel_types()) == {"mag"}
    assert (epochs.info["sfreq"], len(epochs.times), epochs.times[0], epochs.times[-1]) == (200, 281, -0.1, 1.3)
    assert epochs.metadata.shape[1] == 18
    assert list(epochs.metadata)[8] == "image_path"
    assert epochs.event_id[str(CATCH)] == CATCH
    assert epochs.metadata["trial_type"].value_counts().to_dict() == {"test": 60, "exp": 36, "catch": 24}
    catch = epochs[(epochs.metadata["trial_type"] == "catch").to_numpy()].load_data().get_data(copy=False)[:, :, :21]
    np.testing.assert_allclose(catch.mean(axis=2), 0, atol=1e-5)
    np.testing.assert_allclose(catch.std(axis=2), 1, atol=1e-5)


def test_every_session_shows_a_new_exemplar_of_each_concept():
    trials = trial_table(small_world().things_ids, SETTINGS, seed=0)
    main = trials[trials["trial_type"] == "exp"]
    assert (pd.crosstab(main["things_category_nr"], main["session_nr"]) == 1).all(axis=None)
    assert main["image_path"].is_unique
    assert set(trials["run_nr"]) == set(range(1, 11))
    assert trials.loc[trials["trial_type"] == "test", "image_path"].str.fullmatch(r"images_test_meg/[^/]+\.jpg").all()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("images_meg/aardvark/aardvark_01b.jpg", "aardvark/aardvark_01b.jpg"),
        ("images_test_meg/first-aid_kit_13s.jpg", "first-aid_kit/first-aid_kit_13s.jpg"),
        ("images_meg\\bat1\\bat1_04n.jpg", "bat1/bat1_04n.jpg"),
    ],
)
def test_ids_are_concept_and_file(path, expected):
    assert stimulus_id(path) == expected


# --- the reader -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_blocks_of_epochs_give_the_bits_of_mne_at_once(release, at_once, monkeypatch, tmp_path):
    monkeypatch.setattr(things_meg, "_BLOCK", 7)
    things_meg.read(release[0], "P1", OPTIONS).save(tmp_path / "recording.h5")
    recording = load_recording(tmp_path / "recording.h5")
    responses, metadata = at_once
    kept = recording.screening["kept"].to_numpy()
    main = (metadata["trial_type"] == "exp").to_numpy()
    expected = metadata.loc[main, "image_path"].str.removeprefix("images_meg/").tolist()
    assert recording.train.stimulus_ids.tolist() == expected
    np.testing.assert_array_equal(recording.train.responses, responses[main].reshape(36, -1)[:, kept])
    assert set(recording.train.repetitions) == {1}

    names = metadata.loc[metadata["trial_type"] == "test", "image_path"]
    assert recording.test.stimulus_ids.tolist() == sorted({stimulus_id(name) for name in names})
    for stimulus, row in zip(recording.test.stimulus_ids, recording.test.responses, strict=True):
        shown = names[names == f"images_test_meg/{stimulus.split('/')[1]}"].index
        np.testing.assert_allclose(row, responses[shown].mean(axis=0).ravel()[kept], rtol=1e-4, atol=1e-6)
    assert set(recording.test.repetitions) == {SESSIONS}


def test_ceilings_follow_the_authors_definition(release, at_once):
    recording = things_meg.read(release[0], "P1", OPTIONS)
    responses, metadata = at_once
    x = np.empty((SESSIONS, 5, UNITS))
    for session in range(SESSIONS):
        shown = metadata[(metadata["trial_type"] == "test") & (metadata["session_nr"] == session + 1)].sort_values("image_path")
        trials = responses[shown.index].reshape(5, UNITS).astype(np.float64)
        x[session] = (trials - trials.mean(axis=0)) / trials.std(axis=0)
    noise = x.var(axis=0, ddof=1).mean(axis=0)
    ncsnr = np.sqrt(np.maximum(0, 1 - noise) / noise)
    expected = 100 * ncsnr**2 / (ncsnr**2 + 1 / 12)
    np.testing.assert_allclose(recording.screening["nc_percent"], expected, atol=1e-6)
    np.testing.assert_array_equal(recording.screening["kept"], expected > 1)


def test_units_are_sensors_and_times_in_groups(release):
    recording = things_meg.read(release[0], "P2", OPTIONS)
    screening = recording.screening
    assert screening["unit"].iloc[[0, 129, 130, -1]].tolist() == [
        "MLC11-1609@0ms",
        "MLC11-1609@1290ms",
        "MLC12-1609@0ms",
        "MZP01-1609@1290ms",
    ]
    assert sorted(screening["time"].unique()) == pytest.approx(np.arange(130) / 100)
    sizes = {"occipital": 39, "parietal": 45, "temporal": 68, "frontal": 67, "central": 52}
    sizes |= {"occipital_parietal": 84, "whole_brain": 271}
    assert {roi: screening[roi].sum() for roi in things_meg.ROIS} == {roi: 130 * size for roi, size in sizes.items()}
    assert things_meg.shape(OPTIONS, ("P1", "P2")) == (36, 5, 2 * UNITS)


@pytest.mark.slow
def test_estimated_ceilings_are_the_true_ones(tmp_path):
    settings = Settings(concepts=1, test_images=13, catch_per_session=1)
    world = small_world()
    concepts = [f"thing{number:02d}" for number in range(13)]
    world.things_ids = np.array([f"{concept}/{concept}_{number:02d}s.jpg" for concept in concepts for number in range(1, 14)])
    rng = np.random.default_rng(8)
    world.things_latents = {area: rng.normal(size=(169, 4)) for area in ("early", "middle", "late")}
    ((_, truth),) = simulate(tmp_path, ["P3"], world, settings, seed=1)
    recording = things_meg.read(tmp_path, "P3", Options(n_train=12, n_test=13, n_catch=12))
    true, found = (r.screening.set_index("unit")["nc_percent"] for r in (truth, recording))
    live = true.to_numpy() > 60
    assert live.sum() > 1000
    error = (found - true).to_numpy()[live]
    assert abs(error.mean()) < 1
    assert np.sqrt(np.square(error).mean()) < 12  # 13 images: 100 (1 - nc) sqrt(2 / 12) is 16 at 60 %, 1 at 97 %
    rows = pd.Index(truth.train.stimulus_ids).get_indexer(recording.train.stimulus_ids)
    assert rows.tolist() == list(range(12))
    assert truth.test.stimulus_ids.tolist() == recording.test.stimulus_ids.tolist()
    shared = recording.units["unit"][recording.units["unit"].isin(truth.units["unit"][truth.units["nc_percent"] > 90])]
    a, b = (r.test.responses[:, pd.Index(r.units["unit"]).get_indexer(shared)] for r in (recording, truth))
    assert len(shared) > 500
    r = [np.corrcoef(a[:, unit], b[:, unit])[0, 1] for unit in range(len(shared))]
    assert np.median(r) > 0.95


def test_noise_is_measured_in_units_of_the_baseline():
    epochs, noise = single_trials(np.zeros((1, 5, 281), np.float32), np.full(4000, -1), seed=0)
    np.testing.assert_allclose(epochs[:, :, 25:].var(axis=(0, 1)), noise.variance[25:], rtol=2e-3)
    spectrum = np.square(np.abs(np.fft.rfft(epochs * np.hanning(281)))).mean(axis=(0, 1))
    hertz = np.fft.rfftfreq(281, 1 / 200)
    assert spectrum[hertz > 43].max() < 1e-4 * spectrum[(hertz > 5) & (hertz < 35)].mean()


@pytest.mark.parametrize("folder", [".", "LOCAL/some/tree"])
def test_parts_are_found_wherever_they_lie_together(release, tmp_path, folder):
    shutil.copytree(release[0] / FOLDER, tmp_path / folder, dirs_exist_ok=True)
    files = things_meg.raw_files(tmp_path, "P1", OPTIONS)
    assert [file.relative_to(tmp_path / folder).name for file in files] == [part.split("/")[-1] for part in PART]
    things_meg.inspect(tmp_path, "P1", OPTIONS)


def test_files_are_named_before_they_exist(tmp_path):
    assert things_meg.raw_files(tmp_path, "P1", Options()) == [tmp_path / part for part in PART]
    with_table = things_meg.raw_files(tmp_path, "P4", Options(trials="table"))
    assert with_table[-1] == tmp_path / "sourcedata/sample_attributes_P4.csv"
    assert PARTS == Options().n_parts == 4


@pytest.mark.slow
def test_trials_can_come_from_the_table(release, tmp_path):
    root, _ = release
    table = pd.read_csv(root / "sourcedata/sample_attributes_P1.csv")
    epochs = mne.read_epochs(root / PART[0], preload=True, verbose="ERROR").get_data(copy=False)
    write_things_meg(tmp_path, "P1", table, epochs, metadata=False)
    with pytest.raises(InputError, match=r"without a description[\s\S]*sample_attributes_P1.csv[\s\S]*trials: table"):
        things_meg.inspect(tmp_path, "P1", OPTIONS)
    from_table = things_meg.read(tmp_path, "P1", OPTIONS.model_copy(update={"trials": "table"}))
    released = things_meg.read(root, "P1", OPTIONS)
    np.testing.assert_array_equal(from_table.train.responses, released.train.responses)
    assert from_table.test.stimulus_ids.tolist() == released.test.stimulus_ids.tolist()

    other = root / "sourcedata/sample_attributes_P2.csv"
    shutil.copy(other, tmp_path / "sourcedata/sample_attributes_P1.csv")
    with pytest.raises(InputError, match=r"trials that are not their epoch's[\s\S]*one participant"):
        things_meg.inspect(tmp_path, "P1", OPTIONS.model_copy(update={"trials": "table"}))


# --- bad inputs -------------------------------------------------------------------------------------------------------


def cut(root, file, share):
    content = (root / file).read_bytes()
    (root / file).write_bytes(content[: int(share * len(content))])


def rename(root, old, new):
    for part in PART:
        (root / part).rename(root / part.replace(old, new))


BAD_FILES = {
    **{f"part {n} missing": (PART[n], lambda r, f: (r / f).unlink(), PART[n], "nothing", "ds004212") for n in range(4)},
    **{
        f"part {n} cut at {share}": (PART[n], lambda r, f, s=share: cut(r, f, s), PART[n], "content goes on", "cut short")
        for n in range(4)
        for share in (0.5, 0.9999)
    },
    "HTML page": (PART[1], lambda r, f: (r / f).write_text("<html>" + " " * 4000), PART[1], "an HTML page", "direct link"),
    "git-annex pointer": (
        PART[2],
        lambda r, f: (r / f).write_text("/annex/objects/SHA256E-s2062921582--0123.fif\n"),
        PART[2],
        "a git-annex pointer",
        "git annex get",
    ),
    "no FIF": (PART[0], lambda r, f: (r / f).write_bytes(bytes(5000)), PART[0], "no FIF tag at byte 0", "download it again"),
    "renamed": (
        PART[0],
        lambda r, f: rename(r, "P1", "P2"),
        PART[0].replace("P1", "P2"),
        "goes on in .*P1-epo-1",
        "released names",
    ),
    "a circle": (PART[3], lambda r, f: shutil.copy(r / PART[0], r / f), PART[3], "goes on in .*P1-epo-1", "one release"),
    "a chain of fewer": (PART[1], lambda r, f: shutil.copy(r / PART[3], r / f), PART[1], "the last file", "one release"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_are_refused_by_name(copy, case):
    file, damage, where, found, remedy = BAD_FILES[case]
    damage(copy, file)
    subject = "P2" if "P2" in where else "P1"
    with pytest.raises(InputError) as caught:
        things_meg.inspect(copy, subject, OPTIONS)
    assert caught.value.where == str(copy / where)
    assert re.search(found, caught.value.found), caught.value.found
    assert re.search(remedy, caught.value.remedy), caught.value.remedy


def rewrite(root, change):
    """Write P1 once more, with other epochs or trials."""
    epochs = mne.read_epochs(root / PART[0], preload=True, verbose="ERROR")
    trials, responses = epochs.metadata.reset_index(drop=True), epochs.get_data(copy=False)
    trials["things_image_nr"] = pd.to_numeric(trials["things_image_nr"], errors="coerce")
    shutil.rmtree(root / FOLDER)
    write_things_meg(root, "P1", *(change(trials, responses) or (trials, responses)))


def resave(root, change):
    epochs = mne.read_epochs(root / PART[0], preload=True, verbose="ERROR")
    shutil.rmtree(root / FOLDER)
    (root / FOLDER).mkdir()
    save_in_parts(change(epochs), root / PART[0])


def set_first(kind, column, value):
    def change(trials, responses):
        trials.loc[trials.index[trials["trial_type"] == kind][0], column] = value

    return change


def one_image_twice(trials, responses):
    main = trials.index[trials["trial_type"] == "exp"]
    trials.loc[main[0], ["image_path", "things_image_nr"]] = trials.loc[main[1], ["image_path", "things_image_nr"]].to_list()


BAD_TRIALS = {
    "partial": (lambda t, r: (t[:-20], r[:-20]), f"{N_EPOCHS - 20} epochs in 4 parts", "120"),
    "kinds miscounted": (set_first("catch", "trial_type", "exp"), "trials that are not their epoch's|37 exp", ""),
    "main image twice": (one_image_twice, "the main image .* in several trials", "once"),
    "test image in a wrong session": (
        set_first("test", "session_nr", 12),
        "shown 0 to 2 times in a session",
        "once in each of 12",
    ),
    "unnamed trials": (lambda t, r: (t.rename(columns={"image_path": "file"}), r), "no column image_path", "released columns"),
}


@pytest.mark.parametrize("case", BAD_TRIALS)
def test_trials_unlike_the_design_are_refused(copy, case):
    change, found, expected = BAD_TRIALS[case]
    rewrite(copy, change)
    with pytest.raises(InputError) as caught:
        things_meg.inspect(copy, "P1", OPTIONS)
    assert re.search(found, caught.value.found), caught.value.found
    assert re.search(expected, caught.value.expected), caught.value.expected


BAD_GRIDS = {
    "a sensor dropped": (lambda e: e.drop_channels(["MZC01-1609"]), "270 channels, of which 270", "271"),
    "a channel that is no sensor": (
        lambda e: e.rename_channels({"MZC01-1609": "UPPT001"}),
        r"270 are MEG sensors .*UPPT001",
        "271",
    ),
    "another rate": (lambda e: e.decimate(2, verbose="ERROR"), "141 times from -0.1 to 1.3 s at 100 Hz", "281 times"),
    "another window": (lambda e: e.crop(-0.05, None), "271 times from -0.05", "from -0.1 to 1.3"),
}


@pytest.mark.parametrize("case", BAD_GRIDS)
@pytest.mark.slow
def test_another_grid_is_refused(copy, case):
    change, found, expected = BAD_GRIDS[case]
    resave(copy, change)
    with pytest.raises(InputError) as caught:
        things_meg.inspect(copy, "P1", OPTIONS)
    assert re.search(found, caught.value.found), caught.value.found
    assert re.search(expected, caught.value.expected), caught.value.expected


@pytest.mark.parametrize("value", [0, np.nan])
@pytest.mark.slow
def test_a_hole_in_the_data_is_found(copy, value):
    def hollow(trials, responses):
        responses[np.flatnonzero(trials["trial_type"] == "exp")[4]] = value

    rewrite(copy, hollow)
    with pytest.raises(
        InputError,
        match=r"epo.fif[\s\S]*epoch \d+ of all parts is empty.*sensor MLC11-1609, -0.1 to 1.3 s",
    ):
        things_meg.read(copy, "P1", OPTIONS)


@pytest.mark.parametrize("use", [things_meg.raw_files, things_meg.inspect, things_meg.read])
def test_unknown_participant_is_refused(release, use):
    with pytest.raises(InputError, match=r"BIGMEG1[\s\S]*P1, P2, P3, P4"):
        use(release[0], "BIGMEG1", OPTIONS)


def test_counts_of_the_release_are_expected_unless_told_otherwise(release):
    with pytest.raises(InputError, match=r"120 epochs in 4 parts[\s\S]*27,048[\s\S]*counts"):
        things_meg.read(release[0], "P1", Options())


@pytest.mark.slow
def test_nothing_above_the_threshold_is_refused(release):
    with pytest.raises(InputError, match=r"no channel and time[\s\S]*min_nc_percent"):
        things_meg.read(release[0], "P1", OPTIONS.model_copy(update={"min_nc_percent": 99.999}))


# --- memory -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_memory_grows_with_what_is_kept_only(tmp_path):
    """The peak grows by the responses of all units and the test trials, as declared, where there are four times the trials."""
    rng = np.random.default_rng(0)
    peaks, options = [], []
    for factor in (1, 4):
        root = tmp_path / str(factor)
        concepts = [f"thing{number:02d}" for number in range(3 * factor)]
        ids = np.array([f"{concept}/{concept}_{number:02d}s.jpg" for concept in concepts for number in range(1, 14)])
        trials = trial_table(ids, Settings(concepts=3 * factor, test_images=3 * factor, catch_per_session=factor), seed=0)
        write_things_meg(root, "P1", trials, rng.standard_normal((len(trials), 271, 281)))
        options.append(Options(n_train=36 * factor, n_test=3 * factor, n_catch=12 * factor, min_nc_percent=0))
        code = f"""
            from pathlib import Path
            from cortexscale.datasets.things_meg import reader as things_meg
            things_meg._BLOCK = 20
            things_meg.read(Path({str(root)!r}), "P1", things_meg.Options.model_validate_json({options[-1].model_dump_json()!r}))
        """
        peaks.append(peak_mb(dedent(code)))
    small, large = (things_meg.memory_mb(option) for option in options)
    assert peaks[1] - peaks[0] < 4e-6 * UNITS * 3 * (36 + 3 * 14) + 10, peaks
    assert peaks[0] < small and peaks[1] < large


def fif(*tags: tuple[int, bytes, int]) -> bytes:
    """Pack FIF tags, each given by its kind, its content and the place of the next tag."""
    return b"".join(struct.pack(">iIii", kind, 10, len(content), following) + content for kind, content, following in tags)


@pytest.mark.parametrize("hole", [0, 500])
def test_the_next_part_is_found_where_the_tags_lead(tmp_path, hole):
    """A tag names the place of the next one, or 0 if the next one follows at once. Bytes that no tag leads to are not read."""
    first = fif((100, b"id" * 10, 0 if hole == 0 else 36 + hole))
    file = tmp_path / "a.fif"
    file.write_bytes(first + b"\xff" * hole + fif((118, b"next.fif", 0), (999, b"\0" * 1200, -1)))
    assert _next_part(file) == "next.fif"
