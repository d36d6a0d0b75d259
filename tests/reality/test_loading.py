"""Processes that read images may lack shared memory, be killed or not start. Every batch still arrives; a warning says why."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from cortexscale.errors import InputError
from cortexscale.models import loading
from cortexscale.models.loading import loaded

CPU, PARENT = torch.device("cpu"), os.getpid()
BATCHES = [[0, 1], [2, 3], [4, 5], [6]]


def numbered(place: int) -> tuple[torch.Tensor, int]:
    return torch.full((3, 4, 4), float(place)), place


def labels_of(batches) -> list[list[int]]:
    return [labels.tolist() for inputs, labels in batches if (inputs[:, 0, 0, 0].int() == labels).all()]


@pytest.mark.parametrize("workers", [0, 2])
def test_all_batches_arrive_in_order(workers):
    assert labels_of(loaded(numbered, BATCHES, workers, CPU)) == BATCHES


def dies(place: int) -> tuple[torch.Tensor, int]:
    if place == 4 and os.getpid() != PARENT:
        os.kill(os.getpid(), signal.SIGKILL)
    return numbered(place)


def lacks_memory(place: int) -> tuple[torch.Tensor, int]:
    if place >= 2 and os.getpid() != PARENT:
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")
    return numbered(place)


def lacks_files(place: int) -> tuple[torch.Tensor, int]:
    if os.getpid() != PARENT:
        raise OSError(24, "Too many open files")
    return numbered(place)


@pytest.mark.parametrize(
    ("sample", "help"),
    [(dies, "Give the job more"), (lacks_memory, "--shm-size"), (lacks_files, "ulimit -n")],
    ids=["killed", "shared memory", "open files"],
)
def test_what_processes_cannot_read_this_one_reads(sample, help, caplog):
    assert labels_of(loaded(sample, BATCHES, 2, CPU)) == BATCHES
    (record,) = caplog.records
    assert help in record.message and "Traceback" not in record.message


def test_a_process_that_dies_while_this_one_computes_is_no_error_there(caplog):
    arrived = []
    for _, labels in loaded(dies, BATCHES, 1, CPU):
        arrived.append(labels.tolist())
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            sum(range(1000))
    assert arrived == BATCHES and len(caplog.records) == 1


def test_processes_that_cannot_start_are_no_error(monkeypatch, caplog):
    def refused(*arguments, **settings):
        raise PermissionError(13, "Permission denied: SemLock")

    monkeypatch.setattr(loading.DataLoader, "__iter__", refused)
    assert labels_of(loaded(numbered, iter(BATCHES), 2, CPU)) == BATCHES
    assert "/dev/shm" in caplog.text


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_about_an_image_is_raised_as_it_is(workers, caplog):
    def sample(place: int) -> tuple[torch.Tensor, int]:
        if place == 3:
            raise InputError("a.png", "an empty file", "an image", "fetch it")
        return numbered(place)

    with pytest.raises(InputError, match=r"a\.png\n.*an empty file"):
        list(loaded(sample, BATCHES, workers, CPU))
    assert not caplog.records


@pytest.mark.parametrize("workers", [0, 1])
def test_a_fault_of_ours_is_not_hidden(workers):
    def sample(place: int) -> tuple[torch.Tensor, int]:
        raise ZeroDivisionError("our fault")

    with pytest.raises(ZeroDivisionError, match="our fault"):
        list(loaded(sample, BATCHES, workers, CPU))

    def batches():
        yield [0, 1]
        raise KeyError("our fault")

    with pytest.raises(KeyError, match="our fault"):
        list(loaded(numbered, batches(), workers, CPU))


@pytest.mark.parametrize("workers", [0, 1])
def test_inputs_of_several_sizes_are_told(workers):
    with pytest.raises(InputError, match=r"3 x 4 x 4, 3 x 5 x 5(.*\n)+.*resize and crop"):
        list(loaded(lambda place: (torch.zeros(3, 4 + place, 4 + place), place), [[0, 1]], workers, CPU))


@pytest.mark.skipif(not (shutil.which("unshare") and hasattr(os, "geteuid") and os.geteuid() == 0), reason="mounting needs root")
def test_a_really_small_shared_memory():
    code = """
import torch
from cortexscale.models.loading import loaded

batches = [[i, i + 1, i + 2] for i in range(6)]
read = loaded(lambda place: (torch.full((3, 224, 224), place), place), batches, 2, torch.device("cpu"))
print([labels.tolist()[0] for inputs, labels in read if (inputs[:, 0, 0, 0] == labels).all()])
"""
    mounted = 'mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", mounted, "sh", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.stderr.startswith(("unshare:", "mount:")):  # the command before Python failed, for want of the right to mount
        pytest.skip(f"no mounts here: {done.stderr[:100]}")
    assert done.stdout.strip() == str(list(range(6))) and "Traceback" not in done.stderr, done.stderr[-2000:]
    assert "--shm-size" in done.stderr
