"""Files from outside count by their content: not by date, name of a folder above them, or disk."""

import os
import shutil

import pytest

from cortexscale import contents
from cortexscale.contents import Contents, digest_of


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "raw"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"a" * 100)
    (folder / "deep/b.bin").write_bytes(b"b" * 100)
    return folder


def fresh(tmp_path) -> Contents:
    return Contents(tmp_path / "results/origins/contents.json")


CHANGES = {
    "a byte": lambda folder: (folder / "a.bin").write_bytes(b"a" * 99 + b"x"),
    "an older file": lambda folder: ((folder / "a.bin").write_bytes(b"c" * 100), os.utime(folder / "a.bin", (1e9, 1e9))),
    "an added file": lambda folder: (folder / "deep/c.bin").write_bytes(b""),
    "a deleted file": lambda folder: (folder / "deep/b.bin").unlink(),
    "a renamed file": lambda folder: (folder / "a.bin").rename(folder / "c.bin"),
    "two exchanged files": lambda folder: (
        (folder / "a.bin").write_bytes(b"b" * 100),
        (folder / "deep/b.bin").write_bytes(b"a" * 100),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_folder_has_another_digest(folder, tmp_path, change):
    known = fresh(tmp_path)
    before = known.of(folder)
    CHANGES[change](folder)
    assert known.of(folder) != before


def test_date_and_place_do_not_count(folder, tmp_path):
    before = fresh(tmp_path).of(folder)
    os.utime(folder / "a.bin", (1e9, 1e9))
    assert fresh(tmp_path).of(folder) == before
    assert fresh(tmp_path).of(shutil.copytree(folder, tmp_path / "another disk/raw")) == before


def test_hidden_files_do_not_count(folder, tmp_path):
    before = fresh(tmp_path).of(folder)
    (folder / "._a.bin").write_bytes(b"AppleDouble")
    (folder / ".ipynb_checkpoints").mkdir()
    assert fresh(tmp_path).of(folder) == before


def test_what_is_missing_has_a_digest_that_no_file_has(tmp_path):
    assert fresh(tmp_path).of(tmp_path / "absent") == "missing"


def test_an_unchanged_file_is_read_once(folder, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(contents, "digest_of", lambda path: read.append(path) or digest_of(path))
    (tmp_path / "results").mkdir()
    known = fresh(tmp_path)
    before = known.of(folder)
    known._save()
    assert len(read) == 2 and fresh(tmp_path).of(folder) == before and len(read) == 2
    (folder / "a.bin").write_bytes(b"z" * 100)
    assert fresh(tmp_path).of(folder) != before and len(read) == 3


def test_a_damaged_memory_costs_time_alone(folder, tmp_path):
    known = fresh(tmp_path)
    known.memory.parent.mkdir(parents=True)
    known.memory.write_text('{"cut')
    assert fresh(tmp_path).of(folder) == known.of(folder)


def test_large_files_differ_by_size_and_by_the_blocks_that_are_read(tmp_path):
    file = tmp_path / "large.bin"
    with file.open("wb") as content:
        content.truncate(contents.WHOLE + 10_000_000)
    before = digest_of(file)
    for place in (0, (contents.WHOLE + 10_000_000 - contents._BLOCK) * 31 // 63, contents.WHOLE + 10_000_000 - 1):
        with file.open("r+b") as content:
            content.seek(place)
            content.write(b"x")
        assert digest_of(file) != before
        before = digest_of(file)
    os.truncate(file, contents.WHOLE + 10_000_001)
    assert digest_of(file) != before


def test_labelled_images_count_by_their_names(folder, tmp_path):
    known = fresh(tmp_path)
    before = known.names_in(str(folder))
    shutil.copytree(folder, tmp_path / "moved")
    assert known.names_in(str(tmp_path / "moved")) == before
    (folder / "deep/new.jpg").write_bytes(b"")
    assert known.names_in(str(folder)) != before
    (folder / "deep/new.jpg").rename(folder / "new.jpg")
    assert known.names_in(str(folder)) != before
