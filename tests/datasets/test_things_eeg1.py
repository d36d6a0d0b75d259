"""THINGS-EEG1: what the simulation writes in the released layout is what the reader returns, and nothing fails in silence."""

import re
import shutil
from types import SimpleNamespace

import mne
import numpy as np
import pandas as pd
import pytest
from memory import peak_mb
from pydantic import ValidationError

from cortexscale.datasets.formats.meeg import MICROVOLT
from cortexscale.datasets.things_eeg1 import reader as things_eeg1
from cortexscale.datasets.things_eeg1 import recording as things_eeg1_recording
from cortexscale.datasets.things_eeg1 import simulate as simulation
from cortexscale.datasets.things_eeg1.recording import CHANNELS
from cortexscale.errors import InputError
from cortexscale.recording import load_recording
from cortexscale.simulation.brain import AreaCode
from cortexscale.simulation.visual_system import AREAS, VisualSystem

SETTINGS = simulation.Settings(concepts=16, test_images=30, repetitions=6, sequence_length=48, subject_noise={"sub-03": 8.0})
OPTIONS = things_eeg1.Options(n_train=192, n_test=30, n_repetitions=6)
SUBJECTS = ("sub-02", "sub-03", "sub-49")


def small_world() -> SimpleNamespace:
    """There are 30 concepts of 13 images; each area codes random features of them."""
    rng = np.random.default_rng(0)
    ids = [f"c{c:02d}/c{c:02d}_{e:02d}{'b' if e == 1 else 's'}.jpg" for c in range(30) for e in range(1, 14)]
    brain = VisualSystem.__new__(VisualSystem)
    features = {area: rng.standard_normal((len(ids), 20)) for area in AREAS}
    brain.codes = {area: AreaCode.find(values, 6) for area, values in features.items()}
    latents = {area: brain.codes[area].latent(values) for area, values in features.items()}
    return SimpleNamespace(brain=brain, things_ids=np.array(ids), things_latents=latents)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    root = tmp_path_factory.mktemp("ds003825")
    return root, dict(simulation.simulate(root, SUBJECTS, small_world(), SETTINGS, 1))


@pytest.fixture(scope="module")
def recordings(release):
    return {subject: things_eeg1.read(release[0], subject, OPTIONS) for subject in SUBJECTS}


@pytest.fixture
def copy(release, tmp_path):
    """This copy of sub-02 is there to be damaged."""
    shutil.copytree(release[0] / "sub-02", tmp_path / "sub-02")
    return tmp_path


def file_of(root, ending, subject="sub-02"):
    return root / subject / "eeg" / f"{subject}_task-rsvp_{ending}"


def rewrite_events(root, change, subject="sub-02"):
    path = file_of(root, "events.tsv", subject)
    change(pd.read_csv(path, sep="\t")).to_csv(path, sep="\t", index=False)


def rewrite_text(path, pattern, replacement, count=0):
    text = path.read_text(encoding="utf-8")
    changed = re.sub(pattern, replacement, text, count=count, flags=re.MULTILINE)
    assert changed != text
    path.write_text(changed, encoding="utf-8")


# --- the round trip ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ceilings_match_the_truth(release, recordings):
    for subject in ("sub-02", "sub-49"):
        truth = release[1][subject]
        pairs = truth.units.merge(recordings[subject].screening, on="unit", suffixes=("_true", ""))
        strong = pairs[pairs["nc_percent_true"] > 70]
        assert len(strong) > 200
        assert abs((strong["nc_percent"] - strong["nc_percent_true"]).mean()) < 2
        assert (strong["nc_percent"] - strong["nc_percent_true"]).abs().mean() < 5
        assert strong["kept"].all()


@pytest.mark.slow
def test_responses_are_the_signal_and_noise(release, recordings):
    """The average of the trials follows the truth in units with a high ceiling, in µV, image by image."""
    truth, recording = release[1]["sub-02"], recordings["sub-02"]
    assert recording.test.stimulus_ids.tolist() == truth.test.stimulus_ids.tolist()
    assert recording.train.stimulus_ids.tolist() == truth.train.stimulus_ids.tolist()
    assert set(recording.train.repetitions) == {1}
    assert set(recording.test.repetitions) == {6}
    strong = truth.units["unit"][truth.units["nc_percent"] > 80]
    for split in ("train", "test"):
        clean = pd.DataFrame(getattr(truth, split).responses, columns=truth.units["unit"])[strong].to_numpy()
        measured = pd.DataFrame(getattr(recording, split).responses, columns=recording.units["unit"])[strong].to_numpy()
        slope = ((measured - measured.mean(axis=0)) * clean).sum(axis=0) / np.square(clean).sum(axis=0)
        assert abs(slope.mean() - 1) < 0.05


@pytest.mark.slow
def test_poor_subject_has_lower_ceilings(recordings):
    """The best subjects are chosen by their mean ceiling over occipital and parietal channels."""

    def mean_ceiling(subject: str) -> float:
        screening = recordings[subject].screening
        return screening.loc[screening["occipital_parietal"], "nc_percent"].mean()

    assert mean_ceiling("sub-03") < 0.6 * min(mean_ceiling("sub-02"), mean_ceiling("sub-49"))


@pytest.mark.slow
def test_units_and_rois(recordings, tmp_path):
    recordings["sub-02"].save(tmp_path / "recording.h5")
    recording = load_recording(tmp_path / "recording.h5")
    assert tuple(recording.rois) == things_eeg1.ROIS
    assert len(recording.screening) == 64 * 80
    sizes = recording.screening.groupby("time")[list(things_eeg1.ROIS)].sum().iloc[0].to_dict()
    assert sizes == {
        "occipital": 8,
        "parietal": 9,
        "temporal": 10,
        "frontal": 16,
        "central": 21,
        "occipital_parietal": 17,
        "whole_brain": 64,
    }
    assert set(recording.screening["time"]) == {round(step / 100, 2) for step in range(80)}
    assert (
        recording.units["unit"].iloc[0] == f"{recording.units['channel'].iloc[0]}@{1000 * recording.units['time'].iloc[0]:.0f}ms"
    )
    assert (recording.units["nc_percent"] > 1).all()


def plain_mne(root, subject: str, reference: bool) -> np.ndarray:
    """Preprocess the whole recording at once, as one would type it: (events, channels of the cap, 80) in V."""
    raw = mne.io.read_raw_brainvision(file_of(root, "eeg.vhdr", subject), preload=True, verbose="error")
    raw.pick([name for name in CHANNELS if name in raw.ch_names], verbose="error")
    if reference:
        mne.add_reference_channels(raw, next(name for name in ("Cz", "FCz") if name not in raw.ch_names), copy=False)
        raw.reorder_channels(CHANNELS)
        raw.set_eeg_reference("average", projection=False, verbose="error")
    raw.filter(l_freq=0.1, h_freq=None, verbose="error")
    events, codes = mne.events_from_annotations(raw, regexp="Event/E  1", verbose="error")
    epochs = mne.Epochs(
        raw, events, codes, tmin=-0.2, tmax=0.8, baseline=None, preload=True, reject_by_annotation=False, verbose="error"
    )
    return epochs.resample(100, verbose="error").apply_baseline((-0.2, 0), verbose="error").crop(0, None).get_data()


@pytest.mark.parametrize("reference", ["average", "none"])
@pytest.mark.parametrize("subject", ["sub-02", "sub-49"])
@pytest.mark.slow
def test_bit_identical_to_plain_mne_in_one_shot(release, subject, reference, monkeypatch):
    monkeypatch.setattr(things_eeg1_recording, "BLOCK_BYTES", 2**22)  # some ten channels at a time
    monkeypatch.setattr(things_eeg1, "_EPOCHS", 37)
    recording = things_eeg1.read(release[0], subject, OPTIONS.model_copy(update={"reference": reference}))
    expected = plain_mne(release[0], subject, reference == "average").astype(np.float32)
    expected /= MICROVOLT
    events = pd.read_csv(file_of(release[0], "events.tsv", subject), sep="\t")
    ids = events["stim"].str.removeprefix("stimuli\\").str.replace("\\", "/").to_numpy()
    keep = recording.screening["kept"].to_numpy()
    train = expected[[np.flatnonzero(ids == id)[0] for id in recording.train.stimulus_ids]].reshape(192, -1)[:, keep]
    np.testing.assert_array_equal(recording.train.responses, train)
    test = np.stack([expected[ids == id].mean(axis=0) for id in recording.test.stimulus_ids]).reshape(30, -1)[:, keep]
    np.testing.assert_allclose(recording.test.responses, test, atol=2e-5)
    assert recording.screening["channel"].nunique() == (64 if reference == "average" else 63)


@pytest.mark.slow
def test_wide_workspace_is_read_by_name(recordings):
    notes = recordings["sub-49"].notes
    assert notes["online_reference"] == "FCz"
    assert len(notes["channels_not_in_the_cap"]) == 64
    assert recordings["sub-02"].notes["online_reference"] == "Cz"
    assert set(recordings["sub-49"].screening["channel"]) == set(recordings["sub-02"].screening["channel"]) == set(CHANNELS)


@pytest.mark.slow
def test_case_and_order_of_channel_names_do_not_matter(copy, recordings):
    header = file_of(copy, "eeg.vhdr")
    rewrite_text(header, r"^(Ch\d+=)(\w+)", lambda match: match[1] + match[2].upper())
    np.testing.assert_array_equal(things_eeg1.read(copy, "sub-02", OPTIONS).train.responses, recordings["sub-02"].train.responses)


@pytest.mark.slow
def test_centroparietal_channels_can_move(release):
    screening = things_eeg1.read(
        release[0], "sub-02", OPTIONS.model_copy(update={"centroparietal": "parietal"})
    ).screening.drop_duplicates("channel")
    assert (screening["parietal"].sum(), screening["central"].sum()) == (16, 14)


# --- events -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_release_1_1_2_with_onsets_in_samples_reads_the_same(copy, recordings):
    rewrite_events(copy, lambda table: table.assign(onset=table["sample"]).drop(columns="sample"))
    recording = things_eeg1.read(copy, "sub-02", OPTIONS)
    np.testing.assert_array_equal(recording.train.responses, recordings["sub-02"].train.responses)
    assert recording.notes["onsets"].startswith("samples")
    assert recordings["sub-02"].notes["onsets"] == "seconds"


@pytest.mark.slow
def test_samples_count_from_1_and_markers_agree(release, recordings):
    raw = mne.io.read_raw_brainvision(file_of(release[0], "eeg.vhdr"), verbose="error")
    found, codes = mne.events_from_annotations(raw, verbose="error")
    onsets = found[found[:, 2] == codes["Event/E  1"], 0]
    table = pd.read_csv(file_of(release[0], "events.tsv"), sep="\t")
    np.testing.assert_array_equal(onsets, table["sample"] - 1)
    assert (found[:, 2] == codes["Event/E  2"]).sum() == len(table)
    assert recordings["sub-02"].notes["largest_difference_from_markers"] == 0


def test_simulated_events_have_the_released_oddities(release):
    events = pd.read_csv(file_of(release[0], "events.tsv"), sep="\t")
    test = events[events["isteststim"] == 1]
    assert (
        test[["object", "objectnumber", "stimnumber", "blocksequencenumber", "withinsequencenumber"]].astype(str) == "-1"
    ).all(axis=None)
    assert events["stim"].str.match(r"stimuli\\c\d\d\\c\d\d_\d\d[bs]\.jpg").all()
    assert (events["duration"] == 50).all()
    assert len(events.columns) == 22
    assert set(np.diff(events["sample"])[np.diff(events["sequencenumber"]) == 0]) == {100}
    concepts = [set(part["stim"].str.split("\\").str[1]) for part in (events[events["isteststim"] == 0], test)]
    assert concepts[0] & concepts[1]


@pytest.mark.slow
def test_target_trials_are_kept(release, recordings):
    events = pd.read_csv(file_of(release[0], "events.tsv"), sep="\t")
    targets = events.loc[events["istarget"] == 1, "stim"].str.removeprefix("stimuli\\").str.replace("\\", "/")
    recording = recordings["sub-02"]
    assert set(targets) <= {*recording.train.stimulus_ids, *recording.test.stimulus_ids}
    assert len(targets) > 2


@pytest.mark.slow
def test_one_sample_off_the_markers_is_noted(copy):
    rewrite_events(copy, lambda table: table.assign(sample=table["sample"] - 1, onset=table["onset"] - 0.001))
    assert things_eeg1.read(copy, "sub-02", OPTIONS).notes["largest_difference_from_markers"] == 1


@pytest.mark.parametrize("subject", ["sub-01", "sub-06"])
def test_subjects_without_test_images_are_to_be_left_out(tmp_path, subject):
    """The table of sub-01 has no column that tells test images; sub-06 stopped half way."""
    events = simulation.events_table(small_world().things_ids, SETTINGS, 2)
    events = events[events["isteststim"] == 0][: 192 if subject == "sub-01" else 100]
    events = events.drop(columns=["isteststim", "teststimnumber"] if subject == "sub-01" else ["response", "rt"])
    potentials = np.random.default_rng(3).standard_normal((64, events["sample"].max() + 2000)).astype(np.float32)
    simulation.write_things_eeg1(tmp_path, subject, events, potentials)
    with pytest.raises(
        InputError, match=rf"{subject}_task-rsvp_events.tsv[\s\S]*no test image[\s\S]*leave this subject out of `subjects`"
    ):
        things_eeg1.inspect(tmp_path, subject, OPTIONS)


# --- what must not pass in silence ------------------------------------------------------------------------------------


def cut(path, size):
    with path.open("r+b") as file:
        file.truncate(size)


def annex_pointer(path):
    path.write_text("/annex/objects/MD5E-s813274560--0123456789abcdef.eeg\n")


def dangle(path):
    path.unlink()
    path.symlink_to("../../.git/annex/objects/Xx/content.eeg")


def rename(root):
    for ending in ("eeg.vhdr", "eeg.vmrk", "eeg.eeg", "events.tsv"):
        file_of(root, ending).rename(file_of(root, ending).with_name(f"sub-07_task-rsvp_{ending}"))
    (root / "sub-02").rename(root / "sub-07")


def drop_columns(*names):
    return lambda root: rewrite_events(root, lambda table: table.drop(columns=list(names)))


FRAME = 4 * 63
BAD_FILES = {
    "no markers": ("eeg.vmrk", lambda r: file_of(r, "eeg.vmrk").unlink(), "nothing", "data file", "ds003825"),
    "no samples": ("eeg.eeg", lambda r: file_of(r, "eeg.eeg").unlink(), "nothing", "data file", "ds003825"),
    "pointer": ("eeg.eeg", lambda r: annex_pointer(file_of(r, "eeg.eeg")), "git-annex pointer", "data", "annex get"),
    "dangling link": ("eeg.eeg", lambda r: dangle(file_of(r, "eeg.eeg")), "link", "data", "ds003825"),
    "web page": ("eeg.vhdr", lambda r: file_of(r, "eeg.vhdr").write_text("<html>404</html>"), "HTML", "data", "direct link"),
    "cut within a sample": (
        "eeg.eeg",
        lambda r: cut(file_of(r, "eeg.eeg"), 40_000 * FRAME + 100),
        r"10,080,100 bytes, 100 more than a whole number of samples of 63",
        "multiple of 252",
        "cut short",
    ),
    "cut between samples": (
        "eeg.eeg",
        lambda r: cut(file_of(r, "eeg.eeg"), 40_000 * FRAME),
        r"of 372 epochs beyond the recording",
        "every onset within 40,000 samples",
        "cut short",
    ),
    "renamed files": ("eeg.vhdr", rename, "DataFile=sub-02_task-rsvp_eeg.eeg", "sub-07_task-rsvp_eeg.eeg", "released names"),
    "another format": (
        "eeg.vhdr",
        lambda r: rewrite_text(file_of(r, "eeg.vhdr"), "DataFormat=BINARY", "DataFormat=ASCII"),
        "ASCII, MULTIPLEXED",
        "BINARY, MULTIPLEXED or VECTORIZED",
        "ds003825",
    ),
    "a channel without a name": (
        "eeg.vhdr",
        lambda r: rewrite_text(file_of(r, "eeg.vhdr"), r"^Ch63=.*\n", ""),
        "62 channel names for 63 channels",
        "every channel",
        "ds003825",
    ),
    "another rate": (
        "eeg.vhdr",
        lambda r: rewrite_text(file_of(r, "eeg.vhdr"), "SamplingInterval=1000", "SamplingInterval=4000"),
        "250 Hz",
        "1000 Hz",
        "ds003825",
    ),
    "channels of another cap": (
        "eeg.vhdr",
        lambda r: rewrite_text(file_of(r, "eeg.vhdr"), r"^(Ch[1-5])=\w+", r"\1=X\1"),
        "58 channels of the cap, without Fp1, Fz, F3, F7, FT9",
        "all 63",
        "ds003825",
    ),
    "no online reference": (
        "eeg.vhdr",
        lambda r: rewrite_text(file_of(r, "eeg.vhdr"), "^Ch63=FCz", "Ch63=X"),
        "Cz and FCz missing",
        "exactly one",
        "ds003825",
    ),
    "markers lost": (
        "eeg.vmrk",
        lambda r: rewrite_text(file_of(r, "eeg.vmrk"), r"^Mk50=.*\n", "", 1),
        "371 markers Event,E  1 for 372 rows",
        "one marker per row",
        "one release",
    ),
    "events of another recording": (
        "events.tsv",
        lambda r: rewrite_events(r, lambda t: t.assign(sample=t["sample"] + 2, onset=t["onset"] + 0.002)),
        r"row 1 at sample 3,002, but its marker at 3,000",
        "within 1 sample",
        "one release",
    ),
    "events column missing": ("events.tsv", drop_columns("stim"), "no column stim", "stim", "ds003825"),
    "onsets in samples beside sample": (
        "events.tsv",
        lambda r: rewrite_events(r, lambda t: t.assign(onset=t["sample"])),
        "onset 3001 beside sample 3001",
        "seconds",
        "1.2.0",
    ),
    "one onset in samples": (
        "events.tsv",
        lambda r: rewrite_events(r, lambda t: t.assign(onset=t["onset"].where(t.index != 4, t["sample"]))),
        "beside sample 3401 in line 6",
        "seconds",
        "1.2.0",
    ),
    "events shuffled": (
        "events.tsv",
        lambda r: rewrite_events(r, lambda t: t.sample(frac=1, random_state=0)),
        "not in the order",
        "after the other",
        "ds003825",
    ),
    "rows lost": ("events.tsv", lambda r: rewrite_events(r, lambda t: t[5:]), "187 trials of 187", "192 train", "n_train"),
    "an image twice": (
        "events.tsv",
        lambda r: rewrite_events(r, lambda t: t.assign(stim=t["stim"].where(t.index != 3, t["stim"][4]))),
        "192 trials of 191 train images",
        "192 train images once",
        "n_train",
    ),
    "a test image too often": (
        "events.tsv",
        lambda r: rewrite_events(r, lambda t: t.assign(stim=t["stim"].where(t.index != 371, t["stim"][370]))),
        "30 test images, 5 to 7 times",
        "6 times",
        "n_repetitions",
    ),
    "test images of one number": (
        "events.tsv",
        lambda r: rewrite_events(r, lambda t: t.assign(teststimnumber=t["teststimnumber"].where(t.index != 371, 99))),
        "change their number",
        "once in each of 6 test sequences",
        "ds003825",
    ),
    "no THINGS file": (
        "events.tsv",
        lambda r: rewrite_events(r, lambda t: t.assign(stim=t["stim"].where(t.index != 9, "stimuli\\c01\\c02_01b.jpg"))),
        r"1 images such as stimuli\\c01\\c02_01b.jpg",
        "THINGS files",
        "ds003825",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_are_refused_by_name_without_reading_the_data(copy, case):
    name, damage, found, expected, remedy = BAD_FILES[case]
    subject = "sub-07" if damage is rename else "sub-02"
    damage(copy)
    with pytest.raises(InputError) as caught:
        things_eeg1.inspect(copy, subject, OPTIONS)
    error = caught.value
    assert error.where.startswith(str(file_of(copy, name, subject)))
    for part, pattern in ((error.found, found), (error.expected, expected), (error.remedy, remedy)):
        assert re.search(pattern, part), part
    with pytest.raises(InputError):
        things_eeg1.read(copy, subject, OPTIONS)


def test_header_with_another_unit_is_noticed(copy):
    rewrite_text(file_of(copy, "eeg.vhdr"), "µV", "mV")
    with pytest.raises(InputError, match=r"eeg.vhdr[\s\S]*a signal of [\d.e+]+ µV[\s\S]*0.1 to 300 µV[\s\S]*unit and resolution"):
        things_eeg1.read(copy, "sub-02", OPTIONS)


def test_recording_shorter_than_its_filter_is_refused(release):
    with pytest.raises(InputError, match=r"\d+ s of recording[\s\S]*330 s, the length of the filter at 0.01 Hz"):
        things_eeg1.inspect(release[0], "sub-02", OPTIONS.model_copy(update={"highpass": 0.01}))


@pytest.mark.parametrize("use", [things_eeg1.raw_files, things_eeg1.inspect, things_eeg1.read])
def test_unknown_subject_is_refused(release, use):
    with pytest.raises(InputError, match=r"subjects of THINGS-EEG1[\s\S]*sub-51[\s\S]*sub-01, [\s\S]*sub-50"):
        use(release[0], "sub-51", OPTIONS)


def test_counts_of_the_release_are_expected_unless_told_otherwise(release):
    with pytest.raises(InputError, match=r"192 trials of 192[\s\S]*22,248 train images once; 200 test images, 12 times"):
        things_eeg1.inspect(release[0], "sub-02", things_eeg1.Options())


@pytest.mark.parametrize("wrong", [{"baseline": (-0.3, 0)}, {"baseline": (0, -0.1)}, {"crop_from": 0.9}, {"reference": "Cz"}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ValidationError):
        things_eeg1.Options(**wrong)


def test_raw_files_are_those_read(release):
    files = things_eeg1.raw_files(release[0], "sub-02", OPTIONS)
    assert [file.name.removeprefix("sub-02_task-rsvp_") for file in files] == ["eeg.vhdr", "eeg.vmrk", "eeg.eeg", "events.tsv"]
    assert all(file.is_file() for file in files)


# --- memory -----------------------------------------------------------------------------------------------------------


def write_noise(root, concepts: int) -> None:
    """Write a subject with 12 x ``concepts`` train images, whose recording is noise."""
    ids = np.array([f"c{c:03d}/c{c:03d}_{e:02d}s.jpg" for c in range(concepts) for e in range(1, 14)])
    settings = simulation.Settings(concepts=concepts, test_images=20, repetitions=2, sequence_length=300)
    events = simulation.events_table(ids, settings, 0)
    potentials = 5 * np.random.default_rng(4).standard_normal((64, events["sample"].max() + 2000), dtype=np.float32)
    simulation.write_things_eeg1(root, "sub-02", events, potentials)


@pytest.mark.slow
def test_memory_grows_by_the_responses_only(tmp_path):
    """The second subject has 3.25 times the trials, in a recording of 3.25 times the length; blocks are small."""
    peaks, block = {}, 2**22
    for concepts in (20, 65):
        root = tmp_path / str(concepts)
        write_noise(root, concepts)
        peaks[concepts] = peak_mb(
            "from pathlib import Path\n"
            "from cortexscale.datasets.things_eeg1 import reader, recording\n"
            f"recording.BLOCK_BYTES, reader._EPOCHS = {block}, 25\n"
            f"options = reader.Options(n_train={12 * concepts}, n_test=20, n_repetitions=2)\n"
            f"reader.read(Path({str(root)!r}), 'sub-02', options)\n"
        )
        declared = things_eeg1.memory_mb(things_eeg1.Options(n_train=12 * concepts, n_test=20, n_repetitions=2))
        assert peaks[concepts] < declared
    responses = 4 * 12 * (65 - 20) * 64 * 80 / 2**20
    continuous = 8 * 64 * 12 * (65 - 20) * 100 / 2**20
    growth = peaks[65] - peaks[20]
    assert growth < responses + 3 * block / 2**20 < responses + continuous / 2, f"{growth:.0f} MB"


def test_declared_memory_follows_the_counts():
    full = things_eeg1.memory_mb(things_eeg1.Options())
    assert things_eeg1.memory_mb(OPTIONS) < full < 2000
    assert full > 4e-6 * 22_248 * 64 * 80 + things_eeg1.memory_mb(OPTIONS)
