"""Files of EEG and MEG with one damage: an error names the file, or the numbers are those of the undamaged files.

A hole of zeros that takes few samples of a channel is a warning that names the file.

Three damages cannot be seen in the files, and are not tried, because only sizes and checksums of the release reveal them: samples
of another person under the released name, single bytes of samples, and a whole number of samples cut off after the last epoch.
"""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from damages import DAMAGES_OF_FILES, restore
from pydantic import ValidationError
from small_releases import small_world

from cortexscale.datasets.formats.signal import StillSamples, require_voltages
from cortexscale.datasets.things_eeg1 import reader as eeg1
from cortexscale.datasets.things_eeg1 import simulate as eeg1_files
from cortexscale.datasets.things_eeg2 import reader as eeg2
from cortexscale.datasets.things_eeg2 import simulate as eeg2_files
from cortexscale.datasets.things_meg import reader as meg
from cortexscale.datasets.things_meg import simulate as meg_files
from cortexscale.errors import InputError
from cortexscale.recording import Recording


@pytest.fixture(scope="module")
def of_eeg1(tmp_path_factory):
    """One person paused at other times, as people do; so their events differ."""
    root = tmp_path_factory.mktemp("eeg1")
    for subject, length in (("sub-02", 8), ("sub-03", 12)):
        settings = eeg1_files.Settings(concepts=2, test_images=4, repetitions=3, sequence_length=length)
        list(eeg1_files.simulate(root, [subject], small_world(4), settings, 1))
    options = eeg1.Options(n_train=24, n_test=4, n_repetitions=3, highpass=1, min_nc_percent=0)
    folder = "sub-02/eeg/sub-02_task-rsvp_"
    files = [f"{folder}{ending}" for ending in ("eeg.vhdr", "eeg.vmrk", "eeg.eeg", "events.tsv")]
    return Release(root, eeg1, "sub-02", options, files, {file: file.replace("sub-02", "sub-03") for file in files})


@pytest.fixture(scope="module")
def of_eeg2(tmp_path_factory):
    root = tmp_path_factory.mktemp("eeg2")
    settings = eeg2_files.Settings(concepts=4, test_images=3, test_repetitions=2, parts=1)
    list(eeg2_files.simulate(root, ["sub-01"], small_world(8), settings, 1))
    options = eeg2.Options(
        n_train=40,
        n_test=3,
        train_images_per_session=20,
        train_repetitions=1,
        test_repetitions=2,
        train_presentations=20 + 4 + 3,
        test_presentations=6 + 3 + 2,
        train_targets=3,
        test_targets=2,
        min_nc_percent=0,
    )
    files = [f"sub-01/ses-0{number}/raw_eeg_{split}.npy" for number in (1, 4) for split in ("training", "test")]
    others = {file: file.replace("ses-01", "ses-02").replace("ses-04", "ses-01") for file in files}
    return Release(root, eeg2, "sub-01", options, [*files, "image_metadata.npy"], others)


@pytest.fixture(scope="module")
def of_meg(tmp_path_factory):
    root = tmp_path_factory.mktemp("meg")
    settings = meg_files.Settings(concepts=1, test_images=2, catch_per_session=1)
    list(meg_files.simulate(root, ["P1", "P2"], small_world(4), settings, 1))
    options = meg.Options(n_train=12, n_test=2, n_catch=12, min_nc_percent=0, trials="table")
    parts = [f"derivatives/preprocessed/preprocessed_P1-epo{part}.fif" for part in ("", "-1", "-2", "-3")]
    files = [*parts, "sourcedata/sample_attributes_P1.csv"]
    return Release(root, meg, "P1", options, files, {file: file.replace("P1", "P2") for file in files})


class Release:
    """Files of a subject, the file with which each is exchanged, and what the reader returns for them."""

    def __init__(self, root, reader, subject, options, files, others):
        self.root, self.reader, self.subject, self.options, self.files, self.others = (
            root,
            reader,
            subject,
            options,
            files,
            others,
        )
        self.truth = self.read(root)

    def read(self, root: Path) -> Recording:
        return self.reader.read(root, self.subject, self.options)

    def require_named_or_equal(self, root: Path, file: str, what: str) -> bool:
        """Return whether the damage was named."""
        stem = Path(file).name.split(".")[0].removesuffix("_eeg").removesuffix("_events")
        names = (stem, Path(file).stem, "/".join(Path(file).parts[:2]), self.subject)
        try:
            found = self.read(root)
        except InputError as error:
            assert any(name in str(error) for name in names), f"{what} of {file}: {error}"
            return True
        if what == "zeros" and any(name in text for text in found.notes["warnings"] for name in names):
            return True
        for split in ("train", "test"):
            ours, theirs = getattr(found, split), getattr(self.truth, split)
            assert ours.stimulus_ids.tolist() == theirs.stimulus_ids.tolist(), f"{what} of {file}"
            np.testing.assert_allclose(ours.responses, theirs.responses, atol=1e-5, err_msg=f"{what} of {file}")
            np.testing.assert_array_equal(ours.repetitions, theirs.repetitions)
        np.testing.assert_allclose(found.units["nc_percent"], self.truth.units["nc_percent"], atol=1e-3)
        return False


REPEATED = ("ses-04", "epo-1", "epo-3")  # files of the same kind as another one, which is damaged


@pytest.mark.parametrize("release", ["of_eeg1", "of_eeg2", "of_meg"])
@pytest.mark.slow
def test_one_damaged_file_is_named_or_does_not_matter(release, request, tmp_path):
    release, copy, named = request.getfixturevalue(release), tmp_path / "copy", []
    shutil.copytree(release.root, copy)
    for file in release.files:
        if any(kind in file for kind in REPEATED):
            continue
        for what, damage in DAMAGES_OF_FILES.items():
            damage(copy / file)
            named.append(release.require_named_or_equal(copy, file, what))
            restore(release.root, copy, file)
    assert np.mean(named) > 0.7


@pytest.mark.parametrize("release", ["of_eeg1", "of_eeg2", "of_meg"])
@pytest.mark.slow
def test_a_file_of_another_person_or_session_is_named(release, request, tmp_path):
    release = request.getfixturevalue(release)
    for file, other in release.others.items():
        if file.endswith(".eeg"):
            continue
        shutil.copytree(release.root, tmp_path / "copy")
        shutil.copy(release.root / other, tmp_path / "copy" / file)
        assert release.require_named_or_equal(tmp_path / "copy", file, "a copy")
        shutil.rmtree(tmp_path / "copy")


@pytest.mark.parametrize(("release", "separator"), [("of_eeg1", "\t"), ("of_meg", ",")])
@pytest.mark.parametrize("wrong", ["", "1", "99999", "-1", "x", "3,5", "nan", "1e300"])
@pytest.mark.slow
def test_one_wrong_number_in_a_table_is_named_or_does_not_matter(release, separator, wrong, request, tmp_path):
    release = request.getfixturevalue(release)
    file = release.files[-1]
    columns = {"of_eeg1": eeg1_files._COLUMNS, "of_meg": ["session_nr", "things_image_nr", "run_nr", "onset", "test_image_nr"]}
    with (release.root / file).open(newline="") as table:
        header, *rows = csv.reader(table, delimiter=separator)
    shutil.copytree(release.root, tmp_path / "copy")
    texts = ("stim", "stimname", "object", "trial_type", "image_path")
    places = [header.index(name) for name in columns[request.node.callspec.params["release"]] if name not in texts]
    for place in places:
        row = (7 * place) % len(rows)
        changed = [list(line) for line in rows]
        changed[row][place] = wrong
        with (tmp_path / "copy" / file).open("w", newline="") as table:
            csv.writer(table, delimiter=separator, lineterminator="\n").writerows([header, *changed])
        release.require_named_or_equal(tmp_path / "copy", file, f"{wrong!r} in {header[place]}, line {row + 2}")


# --- samples ----------------------------------------------------------------------------------------------------------


def noise(channels: int = 2, samples: int = 10_000) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(channels, samples)) * 1e-5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1.5])
def test_impossible_samples_are_named_by_channel_and_span(value):
    volts = noise()
    volts[1, 400:403] = value
    with pytest.raises(InputError, match=r"run.eeg[\s\S]*3 samples of channel Oz .* 5,400 and 5,402 \(5.400 to 5.402 s\)"):
        require_voltages("run.eeg", volts, ["Cz", "Oz"], 5000, 1000, "fetch it")
    require_voltages("run.eeg", noise(), ["Cz", "Oz"], 0, 1000, "fetch it")


@pytest.mark.parametrize("value", [0, 3.2e-3, 1e-5])
def test_still_samples_are_a_warning_and_many_of_them_an_error(value):
    volts = noise()
    volts[1, 2000:2300] = value
    still = StillSamples("run.eeg", ["Cz", "Oz"], 1000)
    for first in range(0, 10_000, 2500):
        still.add(volts[:, first : first + 2500], first)
    (text,) = still.warnings()
    assert "run.eeg: channel Oz does not change in 3.00% of its samples" in text
    assert "samples 2,000 and 2,299 (2.000 to 2.299 s)" in text
    volts[1, 2300:2800] = value
    still = StillSamples("run.eeg", ["Cz", "Oz"], 1000)
    still.add(volts, 0)
    with pytest.raises(InputError, match=r"channel Oz does not change in 8.00%[\s\S]*at most 5%"):
        still.warnings()
    still = StillSamples("run.eeg", ["Cz", "Oz"], 1000)
    still.add(noise(), 0)
    assert still.warnings() == []


def test_a_flat_channel_is_an_error_and_can_be_left_out(of_eeg1, tmp_path):
    shutil.copytree(of_eeg1.root, tmp_path / "copy")
    path = tmp_path / "copy" / of_eeg1.files[2]
    samples = np.fromfile(path, "<f4").reshape(-1, 63)
    samples[:, 16] = 7
    samples.tofile(path)
    with pytest.raises(InputError, match=r"sub-02_task-rsvp_eeg.eeg[\s\S]*channel Oz does not change in 100.00%"):
        of_eeg1.read(tmp_path / "copy")
    options = of_eeg1.options.model_copy(update={"exclude_channels": ("Oz",)})
    recording = eeg1.read(tmp_path / "copy", "sub-02", options)
    assert "Oz" not in set(recording.screening["channel"]) and recording.screening["channel"].nunique() == 63
    assert eeg1.shape(options, ["sub-02"])[2] == len(recording.screening)


def test_sessions_that_are_there_are_read(of_eeg2, tmp_path):
    shutil.copytree(of_eeg2.root, tmp_path / "copy")
    root = tmp_path / "copy"

    def read(n_sessions: int) -> Recording:
        options = of_eeg2.options.model_copy(update={"n_sessions": n_sessions})
        recording = eeg2.read(root, "sub-01", options)
        assert len(recording.train.stimulus_ids) <= eeg2.shape(options, ["sub-01"])[0]
        assert set(recording.test.repetitions) == {2 * n_sessions}
        return recording

    one, two = read(1), read(2)
    assert len(one.train.stimulus_ids) == 20 and set(one.train.repetitions) == {1}
    assert len(two.train.stimulus_ids) == 40 and set(two.train.repetitions) == {1}
    shutil.rmtree(root / "sub-01/ses-02")
    three = read(3)
    assert three.notes["sessions"] == [1, 3, 4] and len(three.train.stimulus_ids) == 40
    assert set(three.train.repetitions) == {1, 2}
    with pytest.raises(InputError, match=r"3 of 4 sessions of sub-01; missing ses-02[\s\S]*`n_sessions: 3`"):
        read(4)


WRONG_ENTRIES = {
    "a number as names": {"ch_names": 64},
    "numbers as names": {"ch_names": list(range(64))},
    "names as bytes": {"ch_names": [b"Fp1"] * 64},
    "no types": {"ch_types": None},
    "one name twice": {"ch_names": [*eeg2.CHANNELS[:-1], "CZ", "stim"]},
    "two rates": {"sfreq": [1000, 1000]},
    "no rate": {"sfreq": None},
    "a list as data": {"raw_eeg_data": [[0.0] * 9] * 64},
    "no data": {"raw_eeg_data": None},
    "complex data": {"raw_eeg_data": np.zeros((64, 9), complex)},
    "no samples": {"raw_eeg_data": np.zeros((64, 0))},
    "no triggers": {"raw_eeg_data": np.zeros((64, 900))},
}


@pytest.mark.parametrize("case", WRONG_ENTRIES)
def test_a_dictionary_of_other_values_is_named(of_eeg2, tmp_path, case):
    shutil.copytree(of_eeg2.root, tmp_path / "copy")
    path = tmp_path / "copy/sub-01/ses-01/raw_eeg_test.npy"
    content = np.load(path, allow_pickle=True).item()
    np.save(path, np.array(content | WRONG_ENTRIES[case], dtype=object))
    with pytest.raises(InputError, match="sub-01/ses-01"):
        eeg2.inspect(tmp_path / "copy", "sub-01", of_eeg2.options)


@pytest.mark.parametrize("options", [{"channels": ["Oz", "Oz"]}, {"channels": ["XY1"]}, {"channels": []}])
def test_channels_that_do_not_exist_are_refused_in_the_config(options):
    with pytest.raises(ValidationError):
        eeg2.Options(**options)
    with pytest.raises(ValidationError):
        eeg1.Options(exclude_channels=options["channels"] or ["oz"])
