"""File systems without locks or memory maps, and files that the system cannot read: they work, or the real cause is said."""

import errno
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest

from cortexscale import arrays
from cortexscale.arrays import hdf5_damage, mapped, open_hdf5, released_hdf5
from cortexscale.datasets.formats.safe_npy import load_dict
from cortexscale.errors import InputError
from cortexscale.files import require_real_file

USE = """
import sys
import numpy as np
import pandas as pd
from cortexscale.arrays import released_hdf5
from cortexscale.errors import InputError
from cortexscale.recording import Recording, Split, load_recording
folder = sys.argv[1]
splits = [Split(np.array([id]), np.ones((1, 1), np.float32), np.array([1])) for id in ("a", "b")]
units, rois = pd.DataFrame({"unit": ["u"], "nc_percent": [50.0]}), pd.DataFrame({"V1": [True]})
try:
    Recording("d", "s", *splits, units, rois).save(f"{folder}/own.h5")
    assert len(load_recording(f"{folder}/own.h5").units)
    with released_hdf5(f"{folder}/raw.h5", "whole", "fetch it") as file:
        assert file["x"][2] == 2
    print("worked")
except InputError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def no_locks(tmp_path_factory):
    """A library that makes every ``flock`` and lock by ``fcntl`` fail, as on NFS without a lock daemon."""
    if sys.platform != "linux" or not shutil.which("gcc"):
        pytest.skip("needs gcc on Linux")
    folder = tmp_path_factory.mktemp("locks")
    (folder / "no_locks.c").write_text("#include <errno.h>\nint flock(int a, int b) { errno = ENOLCK; return -1; }\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / "no_locks.so", folder / "no_locks.c"], check=True)
    with h5py.File(folder / "raw.h5", "w") as file:
        file["x"] = np.arange(5)
    return folder


@pytest.mark.parametrize(("variable", "said"), [(None, "worked"), ("TRUE", "HDF5_USE_FILE_LOCKING"), ("FALSE", "worked")])
def test_hdf5_files_need_no_locks(no_locks, variable, said):
    setting = {} if variable is None else {"HDF5_USE_FILE_LOCKING": variable}
    environment = {name: value for name, value in os.environ.items() if name != "HDF5_USE_FILE_LOCKING"}
    command = [sys.executable, "-c", USE, str(no_locks)]
    env = {**environment, **setting, "LD_PRELOAD": str(no_locks / "no_locks.so")}
    run = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert said in run.stdout, run.stderr
    assert "download" not in run.stdout


def test_a_damaged_file_is_not_called_locked(tmp_path):
    (tmp_path / "x.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))
    with pytest.raises(InputError, match="repeat the download"), released_hdf5(tmp_path / "x.h5", "whole", "fetch it"):
        pass


@pytest.mark.parametrize(
    ("message", "found", "remedy"),
    [
        (
            "Can't read data (file read failed: errno = 5, error message = 'Input/output error', buf = 0x1)",
            "cannot read: Input/output error",
            "disk",
        ),
        (
            "Unable to open file (unable to open file: errno = 13, error message = 'Permission denied')",
            "Permission",
            "permissions",
        ),
        ("Unable to open file (truncated file: eof = 96, sblock->base_addr = 0, stored_eof = 2048)", "truncated", "repeat the"),
        ("Can't read data (required filter 'lzf' is not registered)", "a compression", "as it was released"),
    ],
)
def test_the_cause_is_said_and_only_cut_files_are_fetched_again(tmp_path, message, found, remedy):
    with pytest.raises(InputError) as caught, hdf5_damage(tmp_path / "x.h5", "whole", "It is on the server."):
        raise OSError(message)
    assert found in caught.value.found and remedy in caught.value.remedy
    assert ("download" in caught.value.remedy) == ("truncated" in message)


def test_other_errors_pass(tmp_path):
    with pytest.raises(ValueError, match="of our own"), hdf5_damage(tmp_path / "x.h5", "whole", ""):
        raise ValueError("a fault of our own")


def test_arrays_are_read_where_memory_maps_fail(tmp_path, monkeypatch):
    values = np.asfortranarray(np.arange(600_000, dtype=np.float64).reshape(1000, 600))
    np.save(tmp_path / "x.npy", {"data": values, "rows": np.arange(3)}, allow_pickle=True)
    expected = load_dict(tmp_path / "x.npy", "")["data"]
    assert isinstance(expected, np.memmap)

    def no_maps(*_, **__):
        raise OSError(errno.ENODEV, "No such device")

    monkeypatch.setattr(arrays.np, "memmap", no_maps)
    read = load_dict(tmp_path / "x.npy", "")["data"]
    np.testing.assert_array_equal(read, values)
    (tmp_path / "raw").write_bytes(b"12345678" + np.arange(6, dtype="<i2").tobytes())
    np.testing.assert_array_equal(mapped(tmp_path / "raw", "<i2", 8, (2, 3), "F"), [[0, 2, 4], [1, 3, 5]])


def test_own_files_are_opened_without_locks(tmp_path):
    """A file that another process has locked can be read."""
    with h5py.File(tmp_path / "x.h5", "w", locking=True) as file:
        file["x"] = 1
        file.flush()
        code = f"from cortexscale.arrays import open_hdf5; print(open_hdf5({str(tmp_path / 'x.h5')!r})['x'][()])"
        assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "1"


PLACEHOLDERS = {
    "annex link as text": (b"../../.git/annex/objects/a/b/MD5E-s1--c.h5", "git-annex pointer"),
    "annex pointer": (b"/annex/objects/MD5E-s1--c.h5\n", "git-annex pointer"),
    "lfs pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
    "page with a byte-order mark": (b"\xef\xbb\xbf<!DOCTYPE html>", "HTML page"),
    "page with a comment": (b"  <!-- saved -->\n<html>", "HTML page"),
    "page of a proxy": (b"<head><title>Login</title>", "HTML page"),
    "error of a bucket": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "AccessDenied"),
    "empty": (b"", "an empty file"),
}


@pytest.mark.parametrize("case", PLACEHOLDERS)
def test_placeholders_say_what_they_are(tmp_path, case):
    content, found = PLACEHOLDERS[case]
    (tmp_path / "data.h5").write_bytes(content)
    with pytest.raises(InputError, match=found):
        require_real_file(tmp_path / "data.h5", "fetch it")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="a folder"):
        require_real_file(tmp_path, "fetch it")


def test_a_file_that_cannot_be_opened_is_not_fetched_again(tmp_path, monkeypatch):
    path = tmp_path / "data.h5"
    path.write_bytes(b"x")

    def denied(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(type(path), "open", denied)
    with pytest.raises(InputError, match="Permission denied") as caught:
        require_real_file(path, "fetch it")
    assert "fetch" not in caught.value.remedy


def test_own_files_can_be_written_and_changed(tmp_path):
    with open_hdf5(tmp_path / "x.h5", "w") as file:
        file["x"] = np.arange(3)
    with open_hdf5(tmp_path / "x.h5", "r+") as file:
        file["x"][0] = 7
    with open_hdf5(tmp_path / "x.h5") as file:
        assert file["x"][0] == 7
