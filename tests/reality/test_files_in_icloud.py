"""Files whose content is in iCloud, and not on the disk, are told as such, with the way to download them."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cortexscale.errors import InputError
from cortexscale.files import require_real_file
from cortexscale.image_files import image_names, read_from
from cortexscale.listing import DOWNLOAD, is_in_cloud
from cortexscale.models.training.data import open_images
from cortexscale.plan.inputs import require_files
from cortexscale.stimuli import stimulus_table


def picture(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4, 3), len(file.name), np.uint8)).save(file)
    return file


def offload(file: Path) -> Path:
    """Put a placeholder in the place of a file, as macOS before version 14 does."""
    file.rename(file.with_name(f".{file.name}.icloud"))
    return file


def test_a_raw_file(tmp_path):
    file = offload(picture(tmp_path / "responses.npz.png"))
    with pytest.raises(InputError, match=r"placeholder of iCloud[\s\S]*Download Now"):
        require_real_file(file, "fetch it again")
    with pytest.raises(InputError, match=r"found:    nothing[\s\S]*fetch it again"):
        require_real_file(tmp_path / "other.npz", "fetch it again")


def test_stimuli_and_labelled_images(tmp_path):
    for split in ("train", "val"):
        for name in ("cat/a.png", "cat/bb.png", "dog/ccc.png"):
            picture(tmp_path / split / name)
    offload(tmp_path / "train/cat/bb.png")
    for listed in (
        lambda: stimulus_table("image_folder", tmp_path / "train"),
        lambda: open_images(tmp_path, "train"),
        lambda: image_names(tmp_path / "train/cat"),
    ):
        with pytest.raises(
            InputError, match=r"1 images that are in iCloud and not on this disk, e\.g\. bb\.png[\s\S]*brctl download"
        ):
            listed()


def test_an_image_that_is_offloaded_after_the_stimuli_were_listed(tmp_path):
    file = picture(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"placeholder of iCloud[\s\S]*Download Now"), read_from(file, "delete the table"):
        offload(file).read_bytes()


@pytest.mark.parametrize("code", [errno.EDEADLK])
def test_a_file_that_newer_systems_cannot_download_offline(code, tmp_path, monkeypatch):
    file = picture(tmp_path / "a.png")

    def fails(*_arguments: object, **_keywords: object) -> bytes:
        raise OSError(code, os.strerror(code))

    for name in ("open", "read_bytes"):
        monkeypatch.setattr(Path, name, fails)
    with pytest.raises(InputError, match="Download Now"):
        require_real_file(file, "fetch it again")
    with pytest.raises(InputError, match="Download Now"), read_from(file, "delete the table"):
        file.read_bytes()


def test_the_flag_of_macos_is_seen_and_other_errors_are_not_blamed_on_it(tmp_path, monkeypatch):
    file = picture(tmp_path / "a.png")
    assert not is_in_cloud(file) and not is_in_cloud(file, OSError(errno.EIO, "Input/output error"))
    assert not is_in_cloud(tmp_path / "gone", OSError(errno.EIO, "Input/output error"))

    class Status:
        st_flags = 0x40000000

    monkeypatch.setattr(Path, "stat", lambda self: Status())
    assert is_in_cloud(file, OSError(errno.ETIMEDOUT, "Operation timed out"))


def test_missing_files_of_a_study(tmp_path):
    there = [str(tmp_path / f"{number}.npz") for number in range(20)]
    offload(picture(tmp_path / "19.npz.png")).with_name(".19.npz.png.icloud").rename(tmp_path / ".19.npz.icloud")
    with pytest.raises(InputError) as raised:
        require_files(there, 30, {})
    assert f"- {tmp_path}/19.npz (in iCloud)" in str(raised.value), "it is among the first that are listed"
    assert f"1 of them are in iCloud and not on this disk; {DOWNLOAD}" in str(raised.value)
    with pytest.raises(InputError, match=r"to do:    `snakemake check_data` says more"):
        require_files(there[:19], 30, {})
