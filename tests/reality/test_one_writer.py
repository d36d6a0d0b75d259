"""A results folder has one study, and one process at a time that writes into it."""

import json
import os
import socket
import subprocess
import sys

import pytest

from cortexscale.errors import InputError
from cortexscale.plan.owner import claim, require_owner

CLAIM = "import sys; from cortexscale.plan.owner import claim; claim(sys.argv[1], 'mine'); print('claimed', flush=True); input()"


def other_process(folder):
    process = subprocess.Popen([sys.executable, "-c", CLAIM, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "claimed\n"
    return process


def test_a_second_process_is_told_who_writes(tmp_path):
    first = other_process(tmp_path)
    with pytest.raises(InputError, match=f"process {first.pid} on {socket.gethostname()}"):
        claim(str(tmp_path), "mine")
    first.communicate("end\n")
    claim(str(tmp_path), "mine")


def test_a_process_that_was_killed_leaves_the_folder_free(tmp_path):
    first = other_process(tmp_path)
    first.kill()
    first.wait()
    assert (tmp_path / ".writer.json").exists()
    claim(str(tmp_path), "mine")
    assert json.loads((tmp_path / ".writer.json").read_text())["process"] == os.getpid()


@pytest.mark.parametrize("content", ["", "{", '{"machine": "another", "process": 1, "since": "2026"}'])
def test_a_writer_that_cannot_be_asked_is_reported_with_the_file_to_delete(tmp_path, content):
    (tmp_path / ".writer.json").write_text(content)
    with pytest.raises(InputError, match=f"rm {tmp_path}/.writer.json"):
        claim(str(tmp_path), "mine")


@pytest.mark.parametrize("content", ["", '{"study', "[]", "{}"])
def test_a_damaged_owner_is_named_with_its_cure(tmp_path, content):
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(InputError, match="a damaged file") as error:
        require_owner(str(tmp_path), "mine")
    assert "study.json" in str(error.value) and "delete this file" in str(error.value)
    (tmp_path / "study.json").unlink()
    require_owner(str(tmp_path), "mine")
    claim(str(tmp_path), "mine")
    require_owner(str(tmp_path), "mine")
    with pytest.raises(InputError, match="results of study `mine`"):
        require_owner(str(tmp_path), "yours")
