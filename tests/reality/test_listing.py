"""Folders are listed by one function: what systems leave there is passed over, and what cannot be read is named."""

import os
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from places import ROOT

from cortexscale import listing as module
from cortexscale.check.misplaced import hints
from cortexscale.contents import Contents
from cortexscale.datasets.things_meg.files import locate
from cortexscale.errors import InputError
from cortexscale.image_files import image_names
from cortexscale.listing import files_below, files_in, folders_below, folders_in, is_left_behind, lies_in_left_behind, listing
from cortexscale.stimuli import StimulusImages, stimulus_table

LEFT_BEHIND = [
    "._a.png",
    ".DS_Store",
    ".ipynb_checkpoints",
    "__MACOSX",
    "Icon\r",
    ".Trash-1000",
    ".snapshot",
    ".git",
    "lost+found",
]
LEFT_BEHIND += ["Thumbs.db", "THUMBS.DB", "desktop.ini", "$RECYCLE.BIN", "System Volume Information", "@eaDir", "#recycle"]
LEFT_BEHIND += ["a.png~", "#a.png#", "~$list.xlsx", ".a.png.swp", ".nfs0000012", ".a.png.123.part", "__pycache__"]
KEPT = ["a.png", "A_1.PNG", "n01", "0", "aardvark", "a.b.png", "_a.png", "thumbs.png", "a~b.png", "x#1.png", "MACOSX", "Icon.png"]


@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_what_systems_and_programs_leave_behind(name, tmp_path):
    assert is_left_behind(name) and lies_in_left_behind(f"set/{name}/a.png") and lies_in_left_behind(f"./{name}")
    (tmp_path / name).write_bytes(b"")
    found = listing(tmp_path)
    assert (found.files, found.folders, found.passed_over) == ([], [], [name])
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    assert listing(tmp_path).passed_over == [name] and not folders_in(tmp_path)


@pytest.mark.parametrize("name", KEPT)
def test_other_names_are_kept(name):
    assert not is_left_behind(name) and not lies_in_left_behind(f"./set/../{name}")


def picture(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(file)


@pytest.fixture
def images(tmp_path) -> Path:
    for name in ("a/1.png", "a/2.png", "b/1.JPG"):
        picture(tmp_path / "images" / name)
    return tmp_path / "images"


def ids(folder: Path) -> list[str]:
    return list(stimulus_table("image_folder", folder)["stimulus_id"])


@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_they_are_no_stimuli_and_no_concepts(images, name):
    (images / name).mkdir()
    shutil.copy(images / "a/1.png", images / name / "1.png")
    (images / "a" / f"{name}.png" if name[0] == "." else images / "a" / name).write_bytes(b"no image")
    assert ids(images) == ["a/1.png", "a/2.png", "b/1.JPG"]


def test_links_are_followed(images, tmp_path):
    picture(tmp_path / "elsewhere/c/3.png")
    (images / "c").symlink_to(tmp_path / "elsewhere/c")
    (images / "a/3.png").symlink_to("../../elsewhere/c/3.png")
    assert ids(images) == ["a/1.png", "a/2.png", "a/3.png", "b/1.JPG", "c/3.png"]


@pytest.mark.parametrize("target", ["../../.git/annex/objects/x.png", "3.png"], ids=["to nothing", "in a circle"])
def test_a_broken_link_is_named(images, target):
    (images / "a/3.png").symlink_to(target)
    with pytest.raises(InputError, match=r"images/a\n.*1 links to files that are not there, e\.g\. 3\.png"):
        ids(images)


def test_links_to_the_folder_itself_or_above_are_passed_over(images):
    for name, target in (("self", images), ("up", images.parent), ("a/self", images / "a"), ("a/up", images), ("b/root", "/")):
        (images / name).symlink_to(target)
    assert len(ids(images)) == 3 and len(listing(images).passed_over) == 2 and len(list(files_below(images))) == 3


def test_a_broken_link_to_a_concept_is_no_image(images):
    (images / "c").symlink_to("nowhere")
    assert len(ids(images)) == 3


def test_a_pipe_is_no_file_and_does_not_hang(images):
    os.mkfifo(images / "a/3.png")
    with pytest.raises(InputError, match=r"3\.png"):
        ids(images)


@pytest.mark.parametrize("name", ["3.heic", "3.GIF", "3.avif", "3.jfif"])
def test_images_that_are_not_read_are_named(images, name):
    (images / "a" / name).write_bytes(b"x")
    with pytest.raises(InputError, match=rf"images/a\n.*1 images of kinds that are not read, e\.g\. {name}"):
        ids(images)


def test_images_in_deeper_folders_are_named(images):
    (images / "a/up").symlink_to("..")
    (images / "a/notes").mkdir()
    assert len(ids(images)) == 3
    picture(images / "a/notes/more/3.png")
    with pytest.raises(InputError, match=r"images/a\n.*images in a folder within this folder, e\.g\. notes/more/3\.png"):
        ids(images)


def test_other_files_are_no_images(images):
    for name in ("readme.txt", "list.csv", "1.xml", "png"):
        (images / "a" / name).write_bytes(b"x")
    assert len(ids(images)) == 3 and image_names(images / "a") == ["1.png", "2.png"]


def test_folders_in_a_circle_end(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/x.txt").write_bytes(b"")
    (tmp_path / "a/b/up").symlink_to(tmp_path / "a")
    (tmp_path / "again").symlink_to(tmp_path / "a/b")
    found = [str(file.relative_to(tmp_path)) for file in files_below(tmp_path)]
    assert found[0] == "a/b/x.txt" and "again/x.txt" in found and len(found) < 6
    assert [file.name for file in files_below(tmp_path, depth=1)] == ["x.txt"]
    assert [str(folder.relative_to(tmp_path)) for folder in folders_below(tmp_path)][:2] == ["a", "a/b"]
    assert Contents(tmp_path / "x.json").names_in(str(tmp_path)) and Contents(tmp_path / "x.json").of(tmp_path)


def test_missing_folders_and_files_in_their_place(tmp_path):
    assert not files_in(tmp_path / "none") and not folders_in(tmp_path / "none") and not list(files_below(tmp_path / "none"))
    with pytest.raises(InputError, match=r"none\n.*nothing"):
        listing(tmp_path / "none")
    (tmp_path / "set.zip").write_bytes(b"")
    with pytest.raises(InputError, match=r"set\.zip\n.*a file\n(.*\n)*.*must be unpacked"):
        listing(tmp_path / "set.zip")


# ------------------------------------------------------------------------------------------------------------- permissions


def test_a_folder_that_may_not_be_read_is_named(images, monkeypatch):
    """Root may read everything, so the refusal of the system is made here."""
    real = os.scandir

    def scandir(folder):
        if Path(folder).name == "b":
            raise PermissionError(13, "Permission denied", str(folder))
        return real(folder)

    monkeypatch.setattr(module.os, "scandir", scandir)
    with pytest.raises(InputError, match=r"images/b\n.*may not read\n.*\n.*chmod u\+rX"):
        ids(images)
    with pytest.raises(InputError, match="images/b"):
        list(files_below(images))
    skipped: list[InputError] = []
    assert len(list(files_below(images, unreadable=skipped.append))) == 2 and len(skipped) == 1
    assert any("images/b is a folder" in hint for hint in hints(images, [Path("x.mat")]))
    with pytest.raises(InputError, match="images/b"):
        locate(images, "P1", 1, table=False)


def test_a_file_that_may_not_be_read_is_named(images, monkeypatch):
    table = stimulus_table("image_folder", images)

    def refused(file):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(InputError, match=r"a/1\.png\n.*may not read\n.*\n.*chmod a\+r"):
        StimulusImages("image_folder", images, table)[0]


# ---------------------------------------------------------------------------------------------------------------- archives


def test_members_of_a_zip_that_a_mac_made(tmp_path):
    (tmp_path / "set.csv").write_text("image_id,filename\nx,caf\u00e9.png\n", encoding="utf-8")
    picture(tmp_path / "p.png")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(tmp_path / "p.png", "cafe\u0301.png")
        archive.writestr("__MACOSX/._caf\u00e9.png", b"\0\5\x16\7")
        archive.writestr("caf\u00e9.png~", b"old")
    table = stimulus_table("brainscore", tmp_path / "set.csv")
    assert StimulusImages("brainscore", tmp_path / "set.csv", table)[0].size == (4, 4)
    (tmp_path / "set.csv").write_text("image_id,filename\nx,Cafe.png\ny,caf\u00e9.jpg\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"2 of the 2 images are not there.*spelt otherwise"):
        stimulus_table("brainscore", tmp_path / "set.csv")


def test_a_zip_with_a_password_is_told(tmp_path, monkeypatch):
    (tmp_path / "set.csv").write_text("image_id,filename\nx,a.png\n")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("a.png", b"secret")
    content = bytearray((tmp_path / "set.zip").read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + flags] |= 1
    (tmp_path / "set.zip").write_bytes(content)
    with pytest.raises(InputError, match=r"set\.zip/a\.png\n.*password.*\n.*\n.*without a password"):
        stimulus_table("brainscore", tmp_path / "set.csv")


def test_no_other_module_lists_folders():
    """The notes of results, which are hidden themselves, are the exception."""
    lists = re.compile(r"\.r?glob\(|\.iterdir\(|\bscandir\(|\blistdir\(|os\.walk\(")
    files = [file for file in (ROOT / "cortexscale").rglob("*.py") if file.name not in ("listing.py", "origins.py")]
    assert [file.name for file in files if lists.search(file.read_text(encoding="utf-8"))] == []


def test_a_file_that_icloud_has_not_downloaded_is_there_but_broken(tmp_path):
    (tmp_path / ".photo.png.icloud").write_bytes(b"bplist00")
    (tmp_path / "other.png").write_bytes(b"x")
    found = listing(tmp_path)
    assert found.files == ["other.png", "photo.png"] and found.broken == ["photo.png"] and not found.passed_over
