"""FIF files that MNE would read in another way than released: the numbers are those that are stored, or the file is named."""

import shutil
from pathlib import Path

import mne
import numpy as np
import pytest
from places import ROOT

from cortexscale.datasets.things_meg import reader as meg
from cortexscale.datasets.things_meg.simulate import Settings, save_in_parts, sensor_names, trial_table, write_things_meg
from cortexscale.errors import InputError

FIRST = "derivatives/preprocessed/preprocessed_P1-epo.fif"
OPTIONS = meg.Options(n_train=12, n_test=2, n_catch=12, min_nc_percent=0)
CTF = ROOT / "../shared/data/real/fif/test_ctf_comp_raw.fif"


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    root = tmp_path_factory.mktemp("ds004212")
    ids = np.array([f"c{concept}/c{concept}_{number:02d}s.jpg" for concept in range(4) for number in range(1, 14)])
    trials = trial_table(ids, Settings(concepts=1, test_images=2, catch_per_session=1), seed=0)
    write_things_meg(root, "P1", trials, np.random.default_rng(0).standard_normal((len(trials), 271, 281)))
    return root, meg.read(root, "P1", OPTIONS)


def resaved(root: Path, folder: Path, change) -> Path:
    """Save the epochs again, changed, below another folder."""
    epochs = mne.read_epochs(root / FIRST, preload=True, verbose="ERROR")
    (folder / FIRST).parent.mkdir(parents=True)
    save_in_parts(change(epochs) or epochs, folder / FIRST)
    return folder


def add_projector(epochs: mne.BaseEpochs) -> None:
    """Add a projector that would remove the mean over sensors, were it applied."""
    names = epochs.ch_names
    data = {"col_names": names, "row_names": None, "data": np.full((1, 271), 271**-0.5), "ncol": 271, "nrow": 1}
    epochs.add_proj([mne.Projection(active=False, data=data, desc="mean")], verbose="ERROR")


def mark_bad(epochs: mne.BaseEpochs) -> None:
    epochs.info["bads"] = epochs.ch_names[3:6]


@pytest.mark.parametrize("change", [add_projector, mark_bad])
@pytest.mark.slow
def test_stored_responses_of_all_sensors_are_read(release, tmp_path, change):
    root, expected = release
    found = meg.read(resaved(root, tmp_path, change), "P1", OPTIONS)
    np.testing.assert_array_equal(found.train.responses, expected.train.responses)
    assert found.units.equals(expected.units)


REFUSED = {
    "another rate": (lambda e: e.resample(250, verbose="ERROR"), "times from -0.1 to .* s at 250 Hz"),
    "other sensors": (lambda e: e.rename_channels({"MLC11-1609": "BG1-1609"}), r"270 are MEG sensors \(others: BG1-1609\)"),
    "a sensor without a lobe": (
        lambda e: e.rename_channels({"MLC11-1609": "MEG0111"}),
        r"270 are MEG sensors \(others: MEG0111\)",
    ),
    "a sensor missing": (lambda e: e.drop_channels(["MLC11-1609"]), "270 channels"),
    "epochs dropped": (lambda e: e.drop([3], verbose="ERROR"), "47 epochs in 4 parts"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.slow
def test_other_epochs_are_refused(release, tmp_path, case):
    change, found = REFUSED[case]
    with pytest.raises(InputError, match=found):
        meg.inspect(resaved(release[0], tmp_path, change), "P1", OPTIONS)


@pytest.mark.slow
def test_a_still_sensor_is_an_error_and_a_few_still_epochs_a_warning(release, tmp_path):
    def still(rows):
        def change(epochs):
            epochs._data[rows, 5] = 1.5

        return change

    name = sensor_names()[5]
    trials = mne.read_epochs(release[0] / FIRST, preload=False, verbose="ERROR").metadata["trial_type"].to_numpy()
    rows = np.flatnonzero(trials == "test")
    with pytest.raises(InputError, match=rf"preprocessed_P1-epo.fif[\s\S]*{name} does not change in 2 of 24 epochs"):
        meg.read(resaved(release[0], tmp_path / "many", still(rows[:2])), "P1", OPTIONS)
    recording = meg.read(resaved(release[0], tmp_path / "few", still(rows[:1])), "P1", OPTIONS)
    assert [text.split(": ")[1] for text in recording.notes["warnings"]] == [f"sensor {name} does not change in 1 of 24 epochs"]


@pytest.mark.skipif(not CTF.is_file(), reason="released recordings are not on this machine")
@pytest.mark.parametrize("continuous", [True, False])
def test_a_ctf_recording_with_compensation_is_not_taken_for_the_epochs(tmp_path, continuous):
    first = tmp_path / FIRST
    first.parent.mkdir(parents=True)
    if continuous:
        shutil.copy(CTF, first)
    else:
        raw = mne.io.read_raw_fif(CTF, preload=True, verbose="ERROR")
        assert raw.compensation_grade == 3
        mne.make_fixed_length_epochs(raw, 0.05, preload=True, verbose="ERROR").save(first, verbose="ERROR")
    for n_parts in (1, 4):
        with pytest.raises(InputError) as caught:
            meg.inspect(tmp_path, "P1", OPTIONS.model_copy(update={"n_parts": n_parts}))
        assert caught.value.where.startswith(str(first).removesuffix(".fif"))
