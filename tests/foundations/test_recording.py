"""A Recording survives the disk and refuses what it does not promise."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cortexscale.errors import InputError
from cortexscale.files import require_real_file, whole_file
from cortexscale.recording import Recording, Split, load_recording


@pytest.fixture
def recording() -> Recording:
    rng = np.random.default_rng(0)

    def split(ids):
        return Split(np.array(ids), rng.standard_normal((len(ids), 4)).astype(np.float32), np.full(len(ids), 2))

    units = pd.DataFrame({"unit": list("abcd"), "nc_percent": [10.0, 20.0, 30.0, 100.0], "i": [3, 1, 2, 0]})
    rois = pd.DataFrame({"V1": [True, True, False, False], "whole_brain": [True] * 4, "FFA-1": [False] * 4})
    screening = pd.concat([units.assign(kept=True), rois], axis=1)
    train, test = split(["x/a.jpg", "x/b.jpg", "é.jpg"]), split(["t1", "t2"])
    return Recording("demo", "s1", train, test, units, rois, {"dropped": 3}, screening)


def test_round_trip(tmp_path, recording):
    recording.save(tmp_path / "s1.h5")
    loaded = load_recording(tmp_path / "s1.h5")
    assert (loaded.dataset, loaded.subject, loaded.notes) == ("demo", "s1", {"dropped": 3})
    for ours, theirs in ((recording.train, loaded.train), (recording.test, loaded.test)):
        for field in ("stimulus_ids", "responses", "repetitions"):
            np.testing.assert_array_equal(getattr(ours, field), getattr(theirs, field))
    pd.testing.assert_frame_equal(recording.units, loaded.units)
    pd.testing.assert_frame_equal(recording.rois, loaded.rois)
    pd.testing.assert_frame_equal(recording.screening, loaded.screening)


def broken(recording, **changes):
    split = replace(recording.train, **{k: v for k, v in changes.items() if k in ("stimulus_ids", "responses", "repetitions")})
    rest = {key: value for key, value in changes.items() if key in ("test", "units", "rois", "screening")}
    return replace(recording, train=split, **rest)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stimulus_ids": np.array(["x", "x", "y"])}, "ids repeat"),
        ({"stimulus_ids": np.array(["t1", "x", "y"])}, "1 stimuli are in both splits, e.g. t1"),
        ({"units": pd.DataFrame({"unit": list("abcd"), "nc_percent": [0.1, 0.2, 0.3, 1.0]})}, "are these fractions"),
        ({"rois": pd.DataFrame({"V4/V4A": [True] * 4})}, "the name V4/V4A"),
        ({"responses": np.full((3, 4), np.nan, np.float32)}, "12 non-finite train responses, first in unit a"),
        ({"responses": np.zeros((2, 4), np.float32)}, r"\(3, 4\) and \(3,\)"),
        ({"test": Split(np.array([]), np.zeros((0, 4)), np.zeros(0))}, "n_test = 0"),
        ({"units": pd.DataFrame({"unit": list("abcd"), "nc_percent": [0.0, 20, 30, 40]})}, "outside"),
        ({"rois": pd.DataFrame({"V1": [1, 1, 0, 0]})}, "boolean column"),
        ({"units": pd.DataFrame({"unit": [], "nc_percent": []})}, "no unit passes"),
        ({"units": pd.DataFrame({"unit": list("abca"), "nc_percent": 20.0})}, "unit a occurs twice"),
        ({"repetitions": np.array([1, 0, 1])}, "averaged over 0 trials"),
        ({"screening": pd.DataFrame({"unit": list("abcd"), "nc_percent": 20.0})}, "no column kept, V1"),
    ],
)
def test_broken_promises_are_named_and_nothing_is_written(tmp_path, recording, changes, message):
    with pytest.raises(InputError, match=message):
        broken(recording, **changes).save(tmp_path / "s1.h5")
    assert not list(tmp_path.iterdir())


def test_every_broken_promise_is_reported_at_once(recording):
    units = pd.DataFrame({"unit": list("abcd"), "nc_percent": [0.0, 20, 30, 40]})
    with pytest.raises(InputError, match=r"(?s)ids repeat.*outside \(0, 100\]"):
        broken(recording, units=units, stimulus_ids=np.array(["x", "x", "y"])).check()


def test_the_screening_names_the_kept_units(recording):
    screening = pd.concat([recording.units.assign(kept=True), recording.rois], axis=1)
    assert not replace(recording, screening=screening).problems()
    screening.loc[1, "kept"] = False
    assert "keeps 3 units" in replace(recording, screening=screening).problems()[0]


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError), whole_file(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise RuntimeError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"/annex/objects/MD5E-s194--abc.mat\n", "git-annex pointer"),
        (b"\n<!DOCTYPE html><html>", "HTML page"),
        (b"<html><head>", "HTML page"),
        (b"", "0 bytes"),
        (b"short", "5 bytes"),
    ],
)
def test_what_is_not_a_data_file_is_said(tmp_path, content, found):
    path = tmp_path / "data.mat"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"data\.mat\n.*{found}"):
        require_real_file(path, "download it again", smallest=10)


def test_missing_and_dangling_files(tmp_path):
    with pytest.raises(InputError, match="found:    nothing"):
        require_real_file(tmp_path / "no.mat", "download it")
    (tmp_path / "link.mat").symlink_to(".git/annex/objects/x")
    with pytest.raises(InputError, match="git-annex content not fetched"):
        require_real_file(tmp_path / "link.mat", "download it")
