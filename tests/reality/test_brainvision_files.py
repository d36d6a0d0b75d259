"""BrainVision files of any recorder and program: they are read as MNE reads them, or refused by the name of the file."""

import re
import shutil
from pathlib import Path

import mne
import numpy as np
import pytest
from places import ROOT

from cortexscale.datasets.formats.brainvision import marker_samples, read_header, read_markers
from cortexscale.datasets.formats.signal import match_channels
from cortexscale.datasets.things_eeg1.recording import CHANNELS, find_channels
from cortexscale.errors import InputError

REAL = ROOT / "../shared/data/real"
released = pytest.mark.skipif(not (REAL / "brainvision").is_dir(), reason="released recordings are not on this machine")

HEADER = """Brain Vision Data Exchange Header File Version 1.0
; Data created by the Vision Recorder

[Common Infos]
Codepage=UTF-8
DataFile=rest.eeg
MarkerFile=rest.vmrk
DataFormat=BINARY
; Data orientation: MULTIPLEXED=ch1,pt1, ch2,pt1 ...
DataOrientation=MULTIPLEXED
NumberOfChannels=3
; Sampling interval in microseconds
SamplingInterval=2000

[Binary Infos]
BinaryFormat=INT_16

[Channel Infos]
; Commas in channel names are coded as "\\1".
Ch1=Fp1,,0.1,µV
Ch2=Oz,,0.5,µV
Ch3=O1,,1,µV

[Coordinates]
; Each entry: Ch<Channel number>=<Radius>,<Theta>,<Phi>
Ch1=1,-90,-72
Ch2=1,90,72
Ch3=0,0,0

[Comment]
S o f t w a r e  F i l t e r s
Ch1=overwritten,,7,V
[Channel Infos]
Ch2=overwritten,,7,V
#     Low Cutoff [s]   High Cutoff [Hz]   Notch [Hz]
"""
MARKERS = """Brain Vision Data Exchange Marker File, Version 1.0

[Common Infos]
DataFile=rest.eeg

[Marker Infos]
; Each entry: Mk<Marker number>=<Type>,<Description>,<Position in data points>
Mk1=New Segment,,1,1,0,20131113161403794232
Mk2=Stimulus,S  1,11,1,0
Mk3=Event,E  1,20,1,0
Mk4=Comment,a\\1b,25,1,0
Mk5=Stimulus,S255,30,1,0
"""
STORED = np.random.default_rng(0).integers(-3000, 3000, (40, 3)).astype("<i2")  # samples x channels
VOLTS = STORED.T * np.array([[0.1], [0.5], [1.0]]) * 1e-6
REMEDY = "It is in the archive."


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rest.vhdr").write_text(HEADER, encoding="utf-8")
    (tmp_path / "rest.vmrk").write_text(MARKERS, encoding="utf-8")
    STORED.tofile(tmp_path / "rest.eeg")
    return tmp_path


def rewrite(path: Path, *changes: tuple[str, str], encoding: str = "utf-8", end: str = "\n") -> None:
    text = path.read_text(encoding="utf-8")
    for pattern, replacement in changes:
        changed = re.sub(pattern, lambda _, new=replacement: new, text, flags=re.MULTILINE)
        assert changed != text, pattern
        text = changed
    path.write_bytes(text.replace("\n", end).encode(encoding))


def store(folder: Path, values: np.ndarray, name: str) -> None:
    values.tofile(folder / "rest.eeg")
    rewrite(folder / "rest.vhdr", ("INT_16", name))


def vectorize(folder: Path) -> None:
    STORED.T.copy().tofile(folder / "rest.eeg")
    rewrite(folder / "rest.vhdr", ("=MULTIPLEXED", "=VECTORIZED"))


SAME = {
    "as it is": lambda f: None,
    "Latin-1": lambda f: rewrite(f / "rest.vhdr", encoding="latin-1"),
    "a mark of the encoding": lambda f: rewrite(f / "rest.vhdr", encoding="utf-8-sig"),
    "line ends of Windows": lambda f: (rewrite(f / "rest.vhdr", end="\r\n"), rewrite(f / "rest.vmrk", end="\r\n")),
    "the Greek letter": lambda f: rewrite(f / "rest.vhdr", ("µ", "\u03bc")),
    "read as Latin-1 and saved as UTF-8": lambda f: rewrite(f / "rest.vhdr", ("µ", "Âµ")),
    "u in place of µ": lambda f: rewrite(f / "rest.vhdr", ("µV", "uV")),
    "no unit": lambda f: rewrite(f / "rest.vhdr", (",µV", "")),
    "an empty unit": lambda f: rewrite(f / "rest.vhdr", ("µV", "")),
    "nanovolts": lambda f: rewrite(f / "rest.vhdr", (",0.1,µV", ",100,nV"), (",0.5,µV", ",500,nV"), (",1,µV", ",1000,nV")),
    "no resolution of 1": lambda f: rewrite(f / "rest.vhdr", (",1,µV", ",,µV")),
    "millivolts and volts": lambda f: rewrite(f / "rest.vhdr", (",0.1,µV", ",1e-4,mV"), (",0.5,µV", ",5e-7,V")),
    "spaces around names and entries": lambda f: rewrite(f / "rest.vhdr", ("=Oz,", " = Oz ,"), ("=INT_16", " = INT_16 ")),
    "an interval with a decimal comma": lambda f: rewrite(f / "rest.vhdr", ("=2000", "=2000,0")),
    "an interval with a decimal point": lambda f: rewrite(f / "rest.vhdr", ("=2000", "=2000.0")),
    "names by $b": lambda f: rewrite(f / "rest.vhdr", ("=rest.eeg", "=$b.eeg"), ("=rest.vmrk", "=$b.vmrk")),
    "names with a folder": lambda f: rewrite(f / "rest.vhdr", ("=rest.eeg", r"=C:\lab\rest.eeg"), ("=rest.vmrk", "=./rest.vmrk")),
    "NeurOne's names of sections": lambda f: rewrite(f / "rest.vhdr", ("Common Infos", "Common infos")),
    "samples of one channel after the other": vectorize,
    "a number of samples": lambda f: rewrite(f / "rest.vhdr", ("^NumberOf", "DataPoints=40\nNumberOf")),
    "float32": lambda f: store(f, STORED.astype("<f4"), "IEEE_FLOAT_32"),
    "int32": lambda f: store(f, STORED.astype("<i4"), "INT_32"),
    "big-endian": lambda f: store(f, STORED.astype(">i2"), "INT_16\nUseBigEndianOrder=YES"),
}


@pytest.mark.parametrize("case", SAME)
def test_any_way_to_write_it_gives_the_same_numbers(folder, case):
    SAME[case](folder)
    header = read_header(folder / "rest.vhdr", REMEDY)
    assert header.channels == ["Fp1", "Oz", "O1"] and header.rate == 500 and header.n_samples == 40
    np.testing.assert_allclose(header.read(header.channels, 0, 40), VOLTS, rtol=1e-12)
    np.testing.assert_array_equal(header.read(["O1", "Fp1"], 7, 11), header.read(header.channels, 0, 40)[[2, 0], 7:11])
    descriptions, samples = read_markers(header.markers, "Stimulus", REMEDY)
    assert descriptions == ["S 1", "S255"] and samples.tolist() == [10, 29]
    assert marker_samples(header.markers, "Event", "E  1", REMEDY).tolist() == [19]
    assert read_markers(header.markers, "Comment", REMEDY)[0] == ["a,b"]


def test_commas_in_names_are_coded_or_quoted(folder):
    rewrite(folder / "rest.vhdr", ("=Oz,", r"=O\1z,"), ("=O1,", '="O,1",'))
    assert read_header(folder / "rest.vhdr", REMEDY).channels == ["Fp1", "O,z", "O,1"]


def head(*change):
    return ("rest.vhdr", lambda f: rewrite(f / "rest.vhdr", *change))


def marks(*change):
    return ("rest.vmrk", lambda f: rewrite(f / "rest.vmrk", *change))


REFUSED = {
    "rubbish": ("rest.vhdr", lambda f: (f / "rest.vhdr").write_bytes(np.random.default_rng(1).bytes(3000)), "a first line"),
    "another text": ("rest.vhdr", lambda f: (f / "rest.vhdr").write_text("onset\n1\n"), "a first line 'onset'"),
    "UTF-16": ("rest.vhdr", lambda f: rewrite(f / "rest.vhdr", encoding="utf-16"), "a first line"),
    "a header for markers": ("rest.vmrk", lambda f: (f / "rest.vmrk").write_text(HEADER), "a first line"),
    "markers as rubbish": ("rest.vmrk", lambda f: (f / "rest.vmrk").write_bytes(bytes(range(1, 256)) * 9), "a first line"),
    "no sections": (*head((r"^\[.*\n", "")), "the format nothing, nothing, nothing"),
    "cut within the channels": (
        "rest.vhdr",
        lambda f: (f / "rest.vhdr").write_text(HEADER.split("Ch3")[0]),
        "2 channel names for 3",
    ),
    "numbers of channels": (*head(("^Ch3=O1", "Ch4=O1")), "3 channel names for 3 channels"),
    "a channel twice": (*head(("^Ch3=O1", "Ch2=O1")), "a second entry ch2 in line 22"),
    "no interval": (*head(("^SamplingInterval.*\n", "")), "no SamplingInterval"),
    "an interval of 0": (*head(("=2000", "=0")), "SamplingInterval=0"),
    "an interval in words": (*head(("=2000", "=2 ms")), "SamplingInterval=2 ms"),
    "a resolution in words": (*head((",0.5,", ",half,")), "the resolution half of Ch2=Oz,,half,µV"),
    "text in place of samples": (*head(("=BINARY", "=ASCII")), "the format ASCII, MULTIPLEXED, INT_16"),
    "spectra": (*head(("^NumberOf", "DataType=FREQUENCYDOMAIN\nNumberOf")), "DataType=FREQUENCYDOMAIN"),
    "segments": (*head(("^NumberOf", "SegmentationType=MARKERBASED\nNumberOf")), "SegmentationType=MARKERBASED"),
    "another data file": (*head(("=rest.eeg", "=run.eeg")), "DataFile=run.eeg"),
    "markers of another file": (*marks(("=rest.eeg", "=run.eeg")), "DataFile=run.eeg"),
    "a marker without a sample": (*marks((",11,1,0", ",,1,0")), "the marker Mk2=Stimulus,S  1,,1,0"),
    "a marker at a word": (*marks((",11,", ",start,")), "the marker Mk2=Stimulus,S  1,start,1,0"),
    "a cut resolution": (*head((r"^Ch3=O1[\s\S]*", "Ch3=O1,,0.0")), "an end within line 22, 'Ch3=O1,,0.0'"),
    "a cut sample of a marker": (*marks((",30,1,0\n", ",3")), "an end within line 12"),
    "a cut marker": (*marks((",30,1,0\n", "\n")), "the marker Mk5=Stimulus,S255"),
    "a sample cut": ("rest.eeg", lambda f: STORED.ravel()[:-1].tofile(f / "rest.eeg"), "more than a whole number of samples"),
    "samples cut": (
        "rest.eeg",
        lambda f: (STORED[:30].tofile(f / "rest.eeg"), rewrite(f / "rest.vhdr", ("^NumberOf", "DataPoints=40\nNumberOf"))),
        "30 samples per channel",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_right_is_refused_by_name(folder, case):
    file, change, found = REFUSED[case]
    change(folder)
    with pytest.raises(InputError) as caught:
        header = read_header(folder / "rest.vhdr", REMEDY)
        header.require_all_samples(REMEDY)
        read_markers(header.markers, "Stimulus", REMEDY)
    assert caught.value.where == str(folder / file)
    assert found in caught.value.found
    assert REMEDY in caught.value.remedy


@pytest.mark.parametrize("unit", ["C", "°C", "S", "ARU", "BS", "�V", "T"])
def test_units_that_are_not_volts_are_refused_where_volts_are_read(folder, unit):
    rewrite(folder / "rest.vhdr", ("Oz,,0.5,µV", f"Oz,,0.5,{unit}"))
    header = read_header(folder / "rest.vhdr", REMEDY)
    np.testing.assert_allclose(header.read(["Fp1"], 0, 40), VOLTS[:1], rtol=1e-12)
    with pytest.raises(InputError, match=f"the unit {unit} of channel Oz"):
        header.read(["Oz"], 0, 40)


# --- channels ---------------------------------------------------------------------------------------------------------


def test_channels_are_found_in_any_case_with_spaces_dots_and_unicode_forms():
    stored = ["FP1", "oz ", "O1.", "\u004e\u0303x"]
    assert match_channels("f", ["Fp1", "Oz", "O1", "Ñx", "Cz"], stored, "") == dict(
        zip(["Fp1", "Oz", "O1", "Ñx"], stored, strict=True)
    )


@pytest.mark.parametrize("again", ["Oz", "OZ", " Oz", "Oz."])
def test_two_channels_of_one_name_are_refused(again):
    with pytest.raises(InputError, match=r"several channels 'Oz' and"):
        match_channels("f", ["Oz"], ["Oz", "Pz", again], "")
    assert match_channels("f", ["Pz"], ["Oz", "Pz", again], "") == {"Pz": "Pz"}


def test_every_channel_of_the_cap_is_there_or_excluded():
    stored = [name for name in CHANNELS if name != "Cz"]
    names, reference = find_channels(Path("f"), stored, REMEDY)
    assert len(names) == 63 and reference == "Cz"
    with pytest.raises(InputError, match=r"62 channels of the cap, without Oz[\s\S]*all 63[\s\S]*`exclude_channels`"):
        find_channels(Path("f"), [name for name in stored if name != "Oz"], REMEDY)
    names, _ = find_channels(Path("f"), stored, REMEDY, ["Oz"])
    assert len(names) == 62 and "Oz" not in names
    assert find_channels(Path("f"), [name for name in stored if name != "FCz"], REMEDY, ["FCz"])[1] == "Cz"
    with pytest.raises(InputError, match="exactly one of Cz and FCz"):
        find_channels(Path("f"), CHANNELS, REMEDY)


# --- real files -------------------------------------------------------------------------------------------------------


@released
@pytest.mark.parametrize("name", ["test", "Analyzer_nV_Export"])
def test_real_files_are_read_as_mne_reads_them(name, tmp_path):
    for ending in ("vhdr", "vmrk", "eeg"):
        shutil.copy(REAL / f"brainvision/{name}.{ending}", tmp_path)
    header = read_header(tmp_path / f"{name}.vhdr", REMEDY)
    raw = mne.io.read_raw_brainvision(header.path, preload=True, verbose="error")
    assert header.channels == raw.ch_names and header.n_samples == raw.n_times and header.rate == raw.info["sfreq"]
    volts = [channel for channel, unit in zip(header.channels, header.units, strict=True) if unit in ("µV", "nV", "")]
    assert len(volts) >= 26
    np.testing.assert_array_equal(header.read(volts, 0, header.n_samples), raw.get_data(picks=volts))
    for kind in ("Stimulus", "Event", "Trigger"):
        _, samples = read_markers(header.markers, kind, REMEDY)
        theirs = [note["onset"] for note in raw.annotations if note["description"].startswith(kind)]
        inside = samples[samples < raw.n_times]
        np.testing.assert_array_equal(inside, np.round(np.array(theirs) * header.rate))


@released
def test_real_markers_and_a_pointer_of_git_annex(tmp_path):
    descriptions, samples = read_markers(REAL / "t_eeg2/sub-01_ses-01_task-rest1_eeg.vmrk", "Stimulus", REMEDY)
    assert descriptions == ["S 1", "S 2"] and samples.tolist() == [10_658, 310_698]
    with pytest.raises(InputError, match="a git-annex pointer"):
        read_header(REAL / "t_eeg2/git-annex-pointer_sub-01_ses-01_task-test_eeg.vhdr", REMEDY)
