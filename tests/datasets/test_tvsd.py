"""TVSD: what the simulation writes in the released layout is what the reader returns, and bad files are refused by name."""

import logging
import re
from itertools import combinations

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.stats
import torch
from memory import peak_mb
from pydantic import ValidationError

from cortexscale.datasets.formats.matlab import open_matlab, read_strings
from cortexscale.datasets.tvsd import reader as tvsd
from cortexscale.datasets.tvsd import simulate as simulation
from cortexscale.datasets.tvsd.electrodes import describe_electrodes, leave_one_out_reliability, mean_pairwise_reliability
from cortexscale.datasets.tvsd.simulate import DEAD_ELECTRODES, write_tvsd
from cortexscale.errors import InputError
from cortexscale.models.build import build_backbone
from cortexscale.recording import load_recording
from cortexscale.simulation.images import render, write_things
from cortexscale.simulation.matlab import write_matlab
from cortexscale.simulation.visual_system import HIDDEN_NETWORK, VisualSystem, World

TRAIN_IDS = [f"{concept}/{concept}_{n:02d}s.jpg" for concept in ("aardvark", "bat1", "first-aid_kit") for n in range(2, 14)]
TEST_IDS = [f"{concept}/{concept}_{n:02d}s.jpg" for concept in ("bat1", "t-shirt") for n in range(14, 24)]
OPTIONS = tvsd.Options(n_train=len(TRAIN_IDS), n_test=len(TEST_IDS), n_repetitions=4)
ABSURD = (7, 101, 71.0)  # train row, electrode, response


def simulate(seed: int, n_train: int, n_test: int, n_repetitions: int, ncsnr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw training responses and test repetitions of 1024 electrodes with signal sd 0.4 and the given signal-to-noise ratios."""
    rng = np.random.default_rng(seed)
    train = rng.normal(0, 0.4, (n_train, 1024))
    signal, noise = rng.normal(0, 0.4, (n_test, 1024)), rng.normal(0, 0.4, (n_repetitions, n_test, 1024))
    return train, signal + noise / ncsnr


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The release has few images. Every tenth electrode has no signal; monkey N has a dead array."""
    root, written = tmp_path_factory.mktemp("tvsd"), {}
    ncsnr = np.where(np.arange(1024) % 10 == 0, 1e-3, 3.0)
    for seed, monkey in enumerate(tvsd.SUBJECTS):
        train, repetitions = simulate(seed, len(TRAIN_IDS), len(TEST_IDS), 4, ncsnr)
        train[ABSURD[:2]] = ABSURD[2]
        train[:, DEAD_ELECTRODES[monkey]] = repetitions[:, :, DEAD_ELECTRODES[monkey]] = np.nan
        write_tvsd(root, monkey, train_ids=TRAIN_IDS, test_ids=TEST_IDS, train=train, test_repetitions=repetitions)
        written[monkey] = train, repetitions
    return root, written


@pytest.fixture
def copy(release, tmp_path):
    """The folder holds a copy of the two files of monkey F, to be damaged."""
    for source in tvsd.raw_files(release[0], "monkeyF", OPTIONS):
        target = tmp_path / source.relative_to(release[0])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    return tmp_path


def mean_released_reliability(repetitions: np.ndarray) -> np.ndarray:
    """Return the mean over the pairs of one correlation matrix per electrode, as the release describes it."""
    upper = np.triu_indices(len(repetitions), 1)
    return np.array([np.corrcoef(repetitions[:, :, unit])[upper].mean() for unit in range(repetitions.shape[2])])


# --- the round trip ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("monkey", tvsd.SUBJECTS)
def test_reader_returns_what_was_written(release, monkey, tmp_path):
    root, written = release
    train, repetitions = written[monkey]
    tvsd.read(root, monkey, OPTIONS).save(tmp_path / "recording.h5")
    recording = load_recording(tmp_path / "recording.h5")

    with np.errstate(invalid="ignore"):
        reliability = mean_released_reliability(repetitions)
    expected = np.flatnonzero(reliability > 0.1)
    electrodes = recording.units["electrode"].to_numpy()
    np.testing.assert_array_equal(electrodes, expected)
    assert recording.train.stimulus_ids.tolist() == TRAIN_IDS
    assert recording.test.stimulus_ids.tolist() == TEST_IDS
    np.testing.assert_array_equal(recording.train.responses, train[:, expected].astype(np.float32))
    np.testing.assert_array_equal(recording.test.responses, repetitions.mean(axis=0)[:, expected].astype(np.float32))
    assert set(recording.train.repetitions) == {1}
    assert set(recording.test.repetitions) == {4}
    np.testing.assert_allclose(recording.units["reliability"], reliability[expected], atol=1e-12)
    np.testing.assert_array_equal(recording.units["array"], electrodes // 64)


def test_v4_and_it_change_places_between_the_monkeys(release):
    spans = {"monkeyF": {"V1": (0, 512), "IT": (512, 832), "V4": (832, 1024)}}
    spans["monkeyN"] = {"V1": (0, 512), "V4": (512, 768), "IT": (768, 1024)}
    for monkey, areas in spans.items():
        recording = tvsd.read(release[0], monkey, OPTIONS)
        assert tuple(recording.rois) == tvsd.ROIS
        for roi, (first, stop) in areas.items():
            inside = recording.units["electrode"].between(first, stop, inclusive="left")
            assert inside.sum() > 100
            np.testing.assert_array_equal(recording.rois[roi], inside)
            assert set(recording.units.loc[inside, "area"]) == {roi}


def test_areas_can_be_redefined(release):
    areas = {monkey: {"V1": (0, 64), "V4": (64, 128)} for monkey in tvsd.SUBJECTS}
    recording = tvsd.read(release[0], "monkeyF", OPTIONS.model_copy(update={"areas": areas}))
    assert recording.units["electrode"].max() < 128
    assert recording.rois["V4"].any()
    assert not recording.rois["IT"].any()
    assert recording.notes["dropped_units"]["in no area"] == 1024 - 128


@pytest.mark.parametrize(
    "spans", [{"V1": (0, 512), "V4": (500, 600)}, {"V1": (0, 1025)}, {"V1": (5, 5)}, {"V1": (9, 5)}, {"V2": (0, 9)}]
)
def test_impossible_areas_are_refused(spans):
    with pytest.raises(ValidationError):
        tvsd.Options(areas=dict.fromkeys(tvsd.SUBJECTS, spans))


def test_notes_tell_what_was_dropped_and_what_is_odd(release):
    notes = tvsd.read(release[0], "monkeyN", OPTIONS).notes
    assert notes["dead_electrodes"] == list(range(320, 384))
    assert notes["dropped_units"]["reliability is not finite"] == 64
    # Electrodes without signal: one in ten, less those of the dead array (320, 330 ... 380) and the lucky few.
    assert 0 < notes["dropped_units"]["reliability is not above 0.1"] <= 103 - 7
    assert notes["warnings"] == []

    outliers = tvsd.read(release[0], "monkeyF", OPTIONS.model_copy(update={"min_reliability": -1})).notes["train_outliers"]
    assert outliers == {"beyond_sd": 20, "responses": 1, "electrodes": [ABSURD[1]], "largest_response": ABSURD[2]}


def test_outliers_are_more_than_20_normal_standard_deviations_from_the_median():
    """The median absolute deviation is 1, so the limit is 20 x 1.4826 = 29.652."""
    usual = np.resize([-1.0, 1.0], 41)
    train = np.stack([np.append(usual, 29.0), np.append(usual, 30.0)], axis=1)
    found = tvsd._outliers(train, np.array([4, 9]))
    assert found == {"beyond_sd": 20, "responses": 1, "electrodes": [9], "largest_response": 30.0}


def test_missing_response_drops_its_electrode(copy):
    electrodes = tvsd.read(copy, "monkeyF", OPTIONS).units["electrode"].tolist()
    damage(copy, "monkeyF/THINGS_normMUA.mat", lambda file: file["train_MUA"].__setitem__((3, 11), np.nan))
    recording = tvsd.read(copy, "monkeyF", OPTIONS)
    assert 11 in electrodes
    assert recording.units["electrode"].tolist() == [electrode for electrode in electrodes if electrode != 11]
    assert recording.notes["dropped_units"]["missing or constant responses"] == 1


@pytest.mark.parametrize("monkey", tvsd.SUBJECTS)
def test_every_electrode_is_in_the_screening(release, monkey):
    recording = tvsd.read(release[0], monkey, OPTIONS)
    screening, dead = recording.screening, np.arange(1024)[DEAD_ELECTRODES[monkey]]
    assert screening["unit"].tolist() == [f"electrode{number:04d}" for number in range(1024)]
    with np.errstate(invalid="ignore"):
        reliability = mean_released_reliability(release[1][monkey][1])
    np.testing.assert_allclose(screening["released"], reliability, atol=1e-12)
    np.testing.assert_allclose(screening["recomputed"], reliability, atol=1e-12)
    assert recording.notes["released_statistic"] == "reliability"
    np.testing.assert_array_equal(screening["kept"], reliability > 0.1)
    assert (
        screening[["nc_percent", "released", "recomputed"]].isna().to_numpy().all(axis=1).nonzero()[0].tolist() == dead.tolist()
    )
    spans = tvsd.Options().areas[monkey]
    for roi in tvsd.ROIS:
        assert screening[roi].to_numpy().nonzero()[0].tolist() == list(range(*spans[roi]))


@pytest.mark.parametrize("variable", ["reliab", "oracle", "test_MUA"])
def test_released_numbers_that_disagree_with_the_repetitions_are_reported(copy, variable, caplog):
    where = (11, 0) if variable == "oracle" else (0, 11)
    damage(copy, "monkeyF/THINGS_normMUA.mat", lambda file: file[variable].__setitem__(where, file[variable][where] + 0.25))
    with caplog.at_level(logging.WARNING):
        notes = tvsd.read(copy, "monkeyF", OPTIONS).notes
    expected = 0.25 / 6 if variable == "reliab" else 0.25  # one of six pairs
    assert notes[f"{variable}_largest_difference_from_repetitions"] == pytest.approx(expected)
    assert len(notes["warnings"]) == 1
    assert variable in caplog.text
    assert "THINGS_normMUA.mat" in caplog.text


# --- noise ceilings ---------------------------------------------------------------------------------------------------


def test_noise_ceiling_is_the_published_formula(release):
    root, written = release
    units = tvsd.read(root, "monkeyF", OPTIONS).units
    repetitions = written["monkeyF"][1][:, :, units["electrode"]]
    noise = repetitions.var(axis=0, ddof=1).mean(axis=0)
    signal = repetitions.mean(axis=0).var(axis=0, ddof=1) - noise / 4
    np.testing.assert_allclose(units["nc_percent"], 100 * signal / (signal + noise / 4), rtol=1e-12)


def test_noise_ceiling_estimates_the_truth(tmp_path):
    """The ceiling is known from the ncsnr; images and repetitions are as many as in the release."""
    truth = np.linspace(50, 99, 1024)
    ncsnr = np.sqrt(truth / (100 - truth) / 30)
    train, repetitions = simulate(3, 2, 100, 30, ncsnr)
    test_ids = [f"c{n}/c{n}_01b.jpg" for n in range(100)]
    write_tvsd(tmp_path, "monkeyN", train_ids=TRAIN_IDS[:2], test_ids=test_ids, train=train, test_repetitions=repetitions)
    units = tvsd.read(tmp_path, "monkeyN", tvsd.Options(n_train=2, min_reliability=-1)).units
    error = units["nc_percent"].to_numpy() - truth[units["electrode"]]
    # The signal variance of 100 images has a relative sd of about sqrt(2 / 100) / ceiling, which moves the ceiling by
    # ceiling x (1 - ceiling) times that: 7 points at 50 %, 0.15 at 99 %. The median over 1024 electrodes is sharp.
    assert len(units) == 1024
    assert abs(np.median(error)) < 0.3
    spread = 100 * (1 - truth / 100) * np.sqrt(2 / 100)
    assert 0.8 < np.std(error / spread) < 1.25


def test_mean_pairwise_reliability_is_the_mean_over_pairs():
    repetitions = np.random.default_rng(0).normal(size=(5, 30, 7)) + np.random.default_rng(1).normal(size=(30, 7))
    np.testing.assert_allclose(mean_pairwise_reliability(repetitions), mean_released_reliability(repetitions), atol=1e-13)


def test_leave_one_out_reliability_is_that_of_each_repetition_with_the_others():
    repetitions = np.random.default_rng(0).normal(size=(5, 30, 3)) + np.random.default_rng(1).normal(size=(30, 3))
    rest = [np.delete(repetitions, r, axis=0).mean(axis=0) for r in range(5)]
    expected = [np.mean([np.corrcoef(repetitions[r, :, u], rest[r][:, u])[0, 1] for r in range(5)]) for u in range(3)]
    np.testing.assert_allclose(leave_one_out_reliability(repetitions), expected, atol=1e-13)


def test_the_standard_error_of_a_mean_over_repetitions_is_that_of_scipy():
    repetitions = np.random.default_rng(0).normal(size=(4, 3, 1024))
    arrays = {"test_MUA_reps": repetitions, "test_MUA": repetitions.mean(axis=0), "oracle": np.zeros((1024, 1))}
    found = describe_electrodes(arrays | {"reliab": np.zeros((6, 1024))}, {})["sem"]
    np.testing.assert_allclose(found, scipy.stats.sem(repetitions, axis=0).mean(axis=0))


# --- the written files ------------------------------------------------------------------------------------------------


def test_writer_follows_the_released_layout(release):
    root, written = release
    train, repetitions = written["monkeyN"]
    responses, images = tvsd.raw_files(root, "monkeyN", OPTIONS)
    header = responses.read_bytes()[:520]
    assert header.startswith(b"MATLAB 7.3 MAT-file")
    assert header[116:128] == bytes(8) + b"\x00\x02IM"
    assert header[512:] == b"\x89HDF\r\n\x1a\n"
    with pytest.raises(NotImplementedError, match="HDF reader"):
        scipy.io.loadmat(responses)
    with h5py.File(responses) as file:
        shapes = {name: data.shape for name, data in file.items()}
        assert {data.dtype for data in file.values()} == {np.dtype("float64")}
        assert {data.attrs["MATLAB_class"] for data in file.values()} == {b"double"}
        np.testing.assert_array_equal(file["train_MUA"], train)
        np.testing.assert_array_equal(file["test_MUA_reps"], repetitions)
        assert file["tb"][[0, -1], 0].tolist() == [-100, 199]
        pair = dict(enumerate(combinations(range(4), 2)))[4]
        expected = np.corrcoef(repetitions[pair[0], :, 9], repetitions[pair[1], :, 9])[0, 1]
        assert file["reliab"][4, 9] == pytest.approx(expected, abs=1e-12)
        rest = [np.corrcoef(repetitions[r, :, 9], np.delete(repetitions, r, 0)[:, :, 9].mean(0))[0, 1] for r in range(4)]
        assert file["oracle"][9, 0] == pytest.approx(np.mean(rest), abs=1e-12)
        assert np.isnan(file["reliab"][:, 320:384]).all()
    assert shapes == {
        "train_MUA": (36, 1024),
        "test_MUA": (20, 1024),
        "test_MUA_reps": (4, 20, 1024),
        "reliab": (6, 1024),
        "oracle": (1024, 1),
        "SNR": (4, 1024),
        "SNR_max": (1024, 1),
        "lats": (4, 1024),
        "tb": (300, 1),
    }
    with h5py.File(images) as file:
        first = file[file["train_imgs/things_path"][0, 0]]
        assert "".join(map(chr, first[:, 0])) == "aardvark\\aardvark_02s.jpg"
        assert first.attrs["MATLAB_class"] == b"char"
        assert "MATLAB_class" not in file["train_imgs/class"].attrs
        fields = [b"".join(letters) for letters in file["test_imgs"].attrs["MATLAB_fields"]]
        assert fields == [b"class", b"things_path", b"local_path"]


def test_same_data_same_bytes(release, tmp_path):
    root, written = release
    train, repetitions = written["monkeyF"]
    write_tvsd(tmp_path, "monkeyF", train_ids=TRAIN_IDS, test_ids=TEST_IDS, train=train, test_repetitions=repetitions)
    for new, old in zip(*(tvsd.raw_files(place, "monkeyF", OPTIONS) for place in (tmp_path, root)), strict=True):
        assert new.read_bytes() == old.read_bytes()


def test_both_forms_of_a_list_of_records_are_read(tmp_path):
    names = ["aardvark\\aardvark_01b.jpg", "é\\漢_02s.jpg", *(f"n{number}" for number in range(60))]
    fields = {"class": ["x"] * len(names), "things_path": names}
    write_matlab(tmp_path / "both.mat", {"array": fields, "cells": fields})
    with h5py.File(tmp_path / "both.mat", "r+") as file:
        file["cells/things_path"].attrs["MATLAB_class"] = np.bytes_("cell")  # that alone tells the forms apart
    with open_matlab(tmp_path / "both.mat", ("array", "cells"), "") as file:
        assert "MATLAB_class" not in file["array/things_path"].attrs
        assert file["cells/things_path"].attrs["MATLAB_class"] == b"cell"
        assert read_strings(file, "array", "things_path").tolist() == names
        assert read_strings(file, "cells", "things_path").tolist() == names


# --- bad inputs -------------------------------------------------------------------------------------------------------


def damage(root, file, change):
    with h5py.File(root / file, "r+") as handle:
        change(handle)


def rewrite(root, file, change):
    path = root / file
    path.write_bytes(change(path.read_bytes()))


def replace(file, name, values):
    del file[name]
    file[name] = values


def unreadable_chunk(content: bytes) -> bytes:
    """Put zeros over the middle of the file, where a resumed download left a hole."""
    third = len(content) // 3
    return content[:third] + bytes(third) + content[2 * third :]


MUA, IMAGES = "monkeyF/THINGS_normMUA.mat", "monkeyF/_logs/things_imgs.mat"
BAD_FILES = {
    "truncated": (
        MUA,
        lambda r, f: rewrite(r, f, lambda b: b[: len(b) // 2]),
        "a truncated file",
        "a whole MATLAB v7.3 file",
        "repeat",
    ),
    "truncated list": (
        IMAGES,
        lambda r, f: rewrite(r, f, lambda b: b[:-100]),
        "a truncated file",
        "a whole MATLAB v7.3",
        "repeat",
    ),
    "hole": (MUA, lambda r, f: rewrite(r, f, unreadable_chunk), "HDF5 cannot read", "a whole MATLAB v7.3 file", "repeat"),
    "header alone": (
        MUA,
        lambda r, f: rewrite(r, f, lambda b: b[:512] + bytes(9999)),
        "is not HDF5",
        "a whole MATLAB",
        "gin",
    ),
    "nearly empty": (MUA, lambda r, f: rewrite(r, f, lambda b: b[:700]), "700 bytes", "1,024 bytes", "repeat it"),
    "HTML page": (
        MUA,
        lambda r, f: (r / f).write_text("<!DOCTYPE html><html>" + " " * 4000),
        "an HTML page",
        "a data file",
        "direct link",
    ),
    "git-annex pointer": (
        IMAGES,
        lambda r, f: (r / f).write_text("/annex/objects/MD5-s1234--0123456789abcdef\n"),
        "a git-annex pointer",
        "the data file itself",
        "gin get-content",
    ),
    "missing file": (MUA, lambda r, f: (r / f).unlink(), "nothing", "a data file", "raw/master/monkeyF/THINGS_normMUA.mat"),
    "MATLAB v5": (
        MUA,
        lambda r, f: scipy.io.savemat(r / f, {"train_MUA": np.zeros((1024, 36))}),
        "a MATLAB 5.0 MAT-file",
        "a MATLAB 7.3 MAT-file",
        "re-saved",
    ),
    "not MATLAB": (
        MUA,
        lambda r, f: rewrite(r, f, lambda b: bytes(512) + b[512:]),
        "without MATLAB's header",
        "a MATLAB file",
        "gin",
    ),
    "missing variable": (
        MUA,
        lambda r, f: damage(r, f, lambda h: h.__delitem__("test_MUA_reps")),
        "the variables .*lats",
        "also test_MUA_reps",
        "gin",
    ),
    "missing struct": (
        IMAGES,
        lambda r, f: damage(r, f, lambda h: h.__delitem__("test_imgs")),
        "train_imgs",
        "also test_imgs",
        "gin",
    ),
    "missing field": (
        IMAGES,
        lambda r, f: damage(r, f, lambda h: h.__delitem__("train_imgs/things_path")),
        "only the fields class, local_path",
        "a list of texts",
        "released file",
    ),
    "struct is an array": (
        IMAGES,
        lambda r, f: damage(r, f, lambda h: replace(h, "train_imgs", np.ones(3))),
        "not a struct",
        "texts",
        "released",
    ),
    "field of numbers": (
        IMAGES,
        lambda r, f: damage(r, f, lambda h: replace(h, "test_imgs/things_path", np.arange(20))),
        "an array of int64",
        "a list of texts",
        "released file",
    ),
    "empty text": (
        IMAGES,
        lambda r, f: damage(r, f, lambda h: h["test_imgs/things_path"].__setitem__((4, 0), h["#refs#/a"].ref)),
        "no text in entry 5",
        "a list of texts",
        "released file",
    ),
    "zeros in place of a text": (
        IMAGES,
        lambda r, f: damage(r, f, lambda h: h[h["train_imgs/things_path"][8, 0]].__setitem__(slice(2, None), 0)),
        "no text in entry 9",
        "a list of texts",
        "whole",
    ),
    "fewer images listed": (
        IMAGES,
        lambda r, f: damage(r, f, lambda h: replace(h, "train_imgs/things_path", h["train_imgs/things_path"][:30])),
        "30 images in train_imgs",
        "36",
        "n_train",
    ),
    "rows unlike the list": (
        MUA,
        lambda r, f: damage(r, f, lambda h: replace(h, "train_MUA", np.ones((35, 1024)))),
        r"train_MUA of shape \(35, 1024\)",
        r"\(36, 1024\)",
        "both files from one release",
    ),
    "repetitions missing": (
        MUA,
        lambda r, f: damage(r, f, lambda h: replace(h, "test_MUA_reps", np.ones((3, 20, 1024)))),
        r"test_MUA_reps of shape \(3, 20, 1024\)",
        r"\(4, 20, 1024\)",
        "one release",
    ),
    "electrodes missing": (
        MUA,
        lambda r, f: damage(r, f, lambda h: replace(h, "test_MUA", np.ones((20, 960)))),
        r"test_MUA of shape \(20, 960\)",
        r"\(20, 1024\)",
        "one release",
    ),
    "nothing reliable": (
        MUA,
        lambda r, f: damage(r, f, lambda h: replace(h, "reliab", np.full((6, 1024), 0.05))),
        "the highest reliability is 0.05",
        "above 0.1",
        "min_reliability",
    ),
    "everything dead": (
        MUA,
        lambda r, f: damage(r, f, lambda h: replace(h, "reliab", np.full((6, 1024), np.nan))),
        "the highest reliability is nan",
        "above 0.1",
        "file is whole",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_are_refused_by_name(copy, case):
    name, damage_it, found, expected, remedy = BAD_FILES[case]
    damage_it(copy, name)
    with pytest.raises(InputError) as caught:
        tvsd.read(copy, "monkeyF", OPTIONS)
    error = caught.value
    assert error.where.startswith(str(copy / name))
    for part, pattern in ((error.found, found), (error.expected, expected), (error.remedy, remedy)):
        assert re.search(pattern, part), part


@pytest.mark.parametrize("case", sorted(set(BAD_FILES) - {"hole", "nothing reliable", "everything dead"}))
def test_inspection_finds_what_headers_tell(copy, case):
    name, damage_it, found, *_ = BAD_FILES[case]
    damage_it(copy, name)
    with pytest.raises(InputError) as caught:
        tvsd.inspect(copy, "monkeyF", OPTIONS)
    assert re.search(found, caught.value.found)


def test_inspection_passes_a_sound_release(release):
    for monkey in tvsd.SUBJECTS:
        tvsd.inspect(release[0], monkey, OPTIONS)


@pytest.mark.parametrize("use", [tvsd.raw_files, tvsd.inspect, tvsd.read])
def test_unknown_monkey_is_refused(release, use):
    with pytest.raises(InputError, match=r"subjects of TVSD[\s\S]*monkeyX[\s\S]*monkeyF, monkeyN"):
        use(release[0], "monkeyX", OPTIONS)


def test_counts_of_the_release_are_expected_unless_told_otherwise(release):
    with pytest.raises(InputError, match=r"36 images in train_imgs[\s\S]*22,248[\s\S]*n_train"):
        tvsd.read(release[0], "monkeyF", tvsd.Options())


def test_declared_memory_follows_the_counts():
    full = tvsd.memory_mb(tvsd.Options())
    assert tvsd.memory_mb(OPTIONS) < full < 600
    assert full > 4e-6 * 22248 * 1024 + tvsd.memory_mb(OPTIONS)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_trials(tmp_path):
    """Training images and test repetitions grow fourfold, from 10 to 39 MB of float64; one electrode in eight is kept."""
    ncsnr = np.where(np.arange(1024) % 8 == 0, 3.0, 1e-4)
    names, peaks = [f"c{n}/c{n}_01b.jpg" for n in range(1400)], []
    for times in (1, 4):
        n_train, n_repetitions = 300 * times, 6 * times
        train, repetitions = simulate(0, n_train, 200, n_repetitions, ncsnr)
        ids = {"train_ids": names[:n_train], "test_ids": names[-200:]}
        write_tvsd(tmp_path / str(times), "monkeyN", **ids, train=train, test_repetitions=repetitions)
        code = (
            "from cortexscale.datasets.tvsd import electrodes, reader; electrodes.BLOCK_BYTES = 2**21; "
            f"options = reader.Options(n_train={n_train}, n_test=200, n_repetitions={n_repetitions}, min_reliability=0.5); "
            f"assert len(reader.read({str(tmp_path / str(times))!r}, 'monkeyN', options).units) == 128"
        )
        peaks.append(peak_mb(code))
    growth_of_recording, growth_of_names = 4 * 900 * 128 / 1e6, 6000 * 900 / 1e6
    assert peaks[1] - peaks[0] < 1.5 * growth_of_recording + growth_of_names + 3 * 2**21 / 1e6
    assert peaks[1] < tvsd.memory_mb(tvsd.Options(n_train=1200, n_test=200, n_repetitions=24))


# --- the simulated monkeys ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_simulated_monkeys_are_read_with_their_truth(tmp_path):
    torch.manual_seed(0)
    write_things(tmp_path / "things", 40, 5, seed=0)
    world = World(VisualSystem(build_backbone(HIDDEN_NETWORK).network, render(200, 0)[0]), 32, tmp_path / "things")
    settings = simulation.Settings(repetitions=12, live_electrodes=20)
    truths = dict(simulation.simulate(tmp_path, tvsd.SUBJECTS, world, settings, seed=1))
    for monkey, truth in truths.items():
        options = tvsd.Options(n_train=160, n_test=40, n_repetitions=12, min_reliability=0.12)
        recording = tvsd.read(tmp_path, monkey, options)
        units = recording.units.merge(truth.units, on="unit", suffixes=("", "_true"))
        assert 57 <= len(units) == len(recording.units) <= len(truth.units) == 60, "those that record noise are not kept"
        rois = truth.rois.set_index(truth.units["unit"]).loc[units["unit"], list(tvsd.ROIS)]
        np.testing.assert_array_equal(recording.rois, rois)
        for split in ("train", "test"):
            assert getattr(recording, split).stimulus_ids.tolist() == getattr(truth, split).stimulus_ids.tolist()
        assert all(id.endswith("_05s.jpg") for id in truth.test.stimulus_ids) and len(truth.test.stimulus_ids) == 40
        assert len({id.split("/")[0] for id in truth.test.stimulus_ids}) == 40, "one test image of each concept"
        signal = truth.test.responses.var(axis=0, ddof=1)  # over the pictures shown; the true ceiling is that of unit variance
        share = truth.units["nc_percent"] / 100
        realised = pd.Series(100 / (1 + (1 - share) / share / signal)).set_axis(truth.units["unit"]).loc[units["unit"]]
        error = units["nc_percent"].to_numpy() - realised.to_numpy()
        assert abs(error.mean()) < 2 and np.corrcoef(units["nc_percent"], realised)[0, 1] > 0.8
        assert recording.notes["warnings"] == []
    order = truths["monkeyF"].train.stimulus_ids.tolist()
    assert order == truths["monkeyN"].train.stimulus_ids.tolist() != sorted(order)
    assert tvsd.read(tmp_path, "monkeyN", options).notes["dead_electrodes"] == list(range(320, 384))


@pytest.mark.parametrize(("name", "place"), [("train_MUA", np.s_[5]), ("test_MUA", np.s_[5]), ("test_MUA_reps", np.s_[0, 5])])
def test_an_image_without_responses_is_named(copy, name, place):
    with h5py.File(copy / "monkeyF/THINGS_normMUA.mat", "r+") as file:
        values = file[name][:]
        values[place] = np.nan
        file[name][:] = values
    with pytest.raises(InputError, match=rf"missing \(not finite, or far too large\) in row of {name} 6 ") as caught:
        tvsd.read(copy, "monkeyF", OPTIONS)
    assert caught.value.where.endswith("THINGS_normMUA.mat")
