"""Tables of text: the released ones are read, and whatever a program or a transfer did to a copy is named by line and column."""

import gzip
import re
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from places import ROOT

from cortexscale.datasets.things_eeg1.events import read_events
from cortexscale.datasets.things_eeg1.reader import Options as EEG1
from cortexscale.datasets.things_eeg2.reader import Options as EEG2
from cortexscale.datasets.things_meg.reader import Options as MEG
from cortexscale.errors import InputError
from cortexscale.text_tables import column_names, read_table

REAL = ROOT / "../shared/data/real"
TABLE = b"onset\tname\tother\n1.5\tcat\t\n-2\tdog\tn/a\n3e2\tcow\t7\n"


def read(folder: Path, content: bytes, **arguments) -> pd.DataFrame:
    (folder / "table.tsv").write_bytes(content)
    arguments = {"numbers": ["onset"], "text": ["name"]} | arguments
    return read_table(folder / "table.tsv", "\t", **arguments, remedy="It is in the archive.")


UNHARMED = {
    "as it is": lambda b: b,
    "line ends of Windows": lambda b: b.replace(b"\n", b"\r\n"),
    "a mark of the encoding": lambda b: b"\xef\xbb\xbf" + b,
    "no last line end": lambda b: b[:-1],
    "empty lines": lambda b: b.replace(b"\n-2", b"\n\n-2") + b"\n\n",
    "spaces around names and fields": lambda b: b.replace(b"onset\tname", b" onset \tname ").replace(b"cat\t", b" cat \t"),
    "quotes around fields": lambda b: b.replace(b"cat", b'"cat"').replace(b"onset", b'"onset"'),
    "columns in another order": lambda b: b"\n".join(b"\t".join(line.split(b"\t")[::-1]) for line in b.splitlines()),
}


@pytest.mark.parametrize("change", UNHARMED)
def test_what_changes_no_field_does_not_matter(tmp_path, change):
    table = read(tmp_path, UNHARMED[change](TABLE))
    assert table.columns.tolist() == ["onset", "name"]
    assert table["onset"].tolist() == [1.5, -2, 300] and table["name"].tolist() == ["cat", "dog", "cow"]


HARMED = {
    "a decimal comma": (lambda b: b.replace(b"1.5", b"1,5"), "'1,5' in line 2, column onset"),
    "a grouped number": (lambda b: b.replace(b"3e2", b"3_00"), "'3_00' in line 4, column onset"),
    "a number with its unit": (lambda b: b.replace(b"1.5", b"1.5 s"), "'1.5 s' in line 2, column onset"),
    "text": (lambda b: b.replace(b"-2", b"start"), "'start' in line 3, column onset"),
    "no number": (lambda b: b.replace(b"-2", b""), "nothing in line 3, column onset"),
    "white space as a number": (lambda b: b.replace(b"-2", b"  "), "nothing in line 3, column onset"),
    "n/a": (lambda b: b.replace(b"-2", b"n/a"), "'n/a' in line 3, column onset"),
    "nan": (lambda b: b.replace(b"-2", b"NaN"), "'NaN' in line 3, column onset"),
    "infinity": (lambda b: b.replace(b"-2", b"inf"), "'inf' in line 3, column onset"),
    "no text": (lambda b: b.replace(b"dog", b""), "nothing in line 3, column name"),
    "a field too many": (lambda b: b.replace(b"\n-2", b"\n\t-2"), "4 fields in line 3, and 3 names"),
    "a field too few": (lambda b: b.replace(b"\tn/a", b""), "2 fields in line 3, and 3 names"),
    "cut within a line": (lambda b: b[:-7], "1 field in line 4, and 3 names"),
    "semicolons": (lambda b: b.replace(b"\t", b";"), "columns separated by semicolons"),
    "commas": (lambda b: b.replace(b"\t", b","), "columns separated by commas"),
    "spaces": (lambda b: b.replace(b"\t", b"  "), "no column onset, name; there are onset  name"),
    "latin-1": (lambda b: b.replace(b"dog", b"d\xf6g"), r"b'\xf6' at place 5 of line 3, which is not UTF-8"),
    "another separator below": (lambda b: b.replace(b"-2\tdog\tn/a", b"-2;dog;n/a"), "1 field in line 3"),
    "UTF-16": (lambda b: b.decode().encode("utf-16"), "zero bytes in line 1|not UTF-8"),
    "zeros at the end": (lambda b: b + bytes(500), "zero bytes in line 5"),
    "random bytes": (lambda b: np.random.default_rng(0).bytes(5000), "not UTF-8|zero bytes"),
    "an open quote": (
        lambda b: b.replace(b"cat", b'"cat') + b"1\tx\ty\n" * 50_000,
        "field larger than field limit|fields in line",
    ),
    "line ends of old Macs": (lambda b: b.replace(b"\n", b"\r"), "new-line character|fields in line"),
    "white space": (lambda b: b"   \n", "no names of columns"),
    "an empty line": (lambda b: b"\n" + b, "no names of columns"),
    "nothing below": (lambda b: b.splitlines()[0] + b"\n", "no line below the names"),
    "a column less": (lambda b: b.replace(b"onset", b"time"), "no column onset; there are time, name, other"),
    "a column twice": (lambda b: b.replace(b"other", b"onset"), "several columns onset"),
}


@pytest.mark.parametrize("case", HARMED)
def test_what_would_give_other_fields_is_refused_by_line_and_column(tmp_path, case):
    change, found = HARMED[case]
    with pytest.raises(InputError) as caught:
        read(tmp_path, change(TABLE))
    assert caught.value.where == str(tmp_path / "table.tsv")
    assert found in caught.value.found or re.search(found, caught.value.found), caught.value.found
    assert caught.value.remedy.endswith("It is in the archive.")


def test_gaps_are_nan_where_they_are_allowed(tmp_path):
    table = read(tmp_path, TABLE, numbers=["onset", "other"], text=[], gaps=["other"])
    np.testing.assert_array_equal(table["other"], [np.nan, np.nan, 7])
    with pytest.raises(InputError, match="nothing in line 2, column other"):
        read(tmp_path, TABLE, numbers=["onset", "other"], text=[])


def test_names_of_columns_may_be_broken_over_lines(tmp_path):
    (tmp_path / "t.csv").write_text('"LO1\n (prf)",b\n1,2\n')
    assert column_names(tmp_path / "t.csv", ",\t", "") == ["LO1(prf)", "b"]
    assert read_table(tmp_path / "t.csv", ",\t", ["LO1(prf)"], remedy="").to_numpy().tolist() == [[1]]


# --- released tables --------------------------------------------------------------------------------------------------

released = pytest.mark.skipif(not (REAL / "t_eeg1").is_dir(), reason="released tables are not on this machine")


def unpacked(packed: Path, folder: Path) -> Path:
    target = folder / packed.name.removesuffix(".gz")
    target.write_bytes(gzip.decompress(packed.read_bytes()))
    return target


def events(folder: Path, name: str) -> tuple[pd.DataFrame, bool]:
    path, options = unpacked(REAL / f"t_eeg1/{name}.tsv.gz", folder), EEG1()
    return read_events(path, 1000, options.n_train, options.n_test, options.n_repetitions, "It is in ds003825.")


@released
def test_released_events_of_things_eeg1_are_read(tmp_path):
    for subject in ("sub-02", "sub-49"):
        table, seconds = events(tmp_path, f"{subject}_task-rsvp_events.1.2.0")
        assert seconds and len(table) == 24_648 and table["test"].sum() == 2_400
        assert table.loc[~table["test"], "id"].nunique() == 22_248 and table.loc[table["test"], "id"].nunique() == 200


@released
def test_onsets_in_samples_of_release_1_0_0_are_those_in_seconds_of_release_1_2_0(tmp_path):
    old, seconds = events(tmp_path, "sub-02_task-rsvp_events.1.0.0")
    new, _ = events(tmp_path, "sub-02_task-rsvp_events.1.2.0")
    assert not seconds
    pd.testing.assert_frame_equal(old, new)
    assert new["sample"][0] == 38_305


@released
@pytest.mark.parametrize(("subject", "images"), [("sub-01", "22,248"), ("sub-06", "12,360")])
def test_released_subjects_without_test_images_are_to_be_left_out(tmp_path, subject, images):
    with pytest.raises(InputError, match=rf"{images} images and no test image[\s\S]*leave this subject out"):
        events(tmp_path, f"{subject}_task-rsvp_events.1.2.0")


@released
def test_released_events_of_things_eeg2_have_the_expected_counts(tmp_path):
    options, runs = EEG2(), [f"train_run-0{run}" for run in range(1, 6)]
    for tasks, presentations, targets, images, planned in (
        (runs, options.train_presentations, options.train_targets, options.train_images_per_session, options.train_repetitions),
        (["test"], options.test_presentations, options.test_targets, options.n_test, options.test_repetitions),
    ):
        paths = [unpacked(REAL / f"t_eeg2/sub-01_ses-01_task-{task}_events.tsv.gz", tmp_path) for task in tasks]
        table = pd.concat(
            [
                read_table(path, "\t", ["onset", "sample", "tot_img_number"], ["trial_type"], remedy="", gaps=["tot_img_number"])
                for path in paths
            ]
        )
        shown = table.loc[table["trial_type"] == "image", "tot_img_number"].value_counts()
        assert len(table) == presentations and (table["trial_type"] == "target").sum() == targets
        assert len(shown) == images and shown.min() == planned


@released
def test_released_channels_are_read_with_their_mark_of_the_encoding():
    table = read_table(REAL / "t_eeg2/sub-01_ses-01_task-test_channels.tsv", "\t", text=["name", "units"], remedy="")
    assert tuple(table["name"]) == EEG2().channels and set(table["units"]) == {"V"}


@released
def test_released_events_of_things_meg_have_the_expected_counts(tmp_path):
    with tarfile.open(REAL / "t_meg/BIGMEG1_events.tar.gz") as archive:
        contents = [archive.extractfile(member).read() for member in archive if member.isfile()]
    assert len(contents) == 120
    tables = [read(tmp_path, content, numbers=["onset", "sample"], text=["trial_type"]) for content in contents]
    kinds = pd.concat(tables)["trial_type"].value_counts()
    options = MEG()
    assert kinds.to_dict() == {"exp": options.n_train, "test": options.n_test * options.n_sessions, "catch": options.n_catch}
