"""Errors of disks and permissions, which no code can prevent, end a job with a message and without a traceback."""

import errno
import logging

import pytest

from cortexscale.jobs import logged

KINDS = {
    errno.EACCES: "change its permissions",
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "quota",
    errno.EROFS: "another disk",
    errno.EMFILE: "ulimit -n",
    errno.ESTALE: "mount the network disk again",
}


@pytest.fixture(autouse=True)
def handlers():
    before = logging.getLogger().handlers[:]
    yield
    logging.getLogger().handlers[:] = before
    logging.captureWarnings(False)


@pytest.mark.parametrize("number", KINDS)
def test_the_message_names_file_and_cure(number, tmp_path):
    with pytest.raises(SystemExit), logged(tmp_path / "job.log"):
        raise OSError(number, "what the system says", "/data/x.h5")
    text = (tmp_path / "job.log").read_text()
    assert "/data/x.h5" in text and "what the system says" in text and KINDS[number] in text and "Traceback" not in text


def test_other_errors_keep_their_traceback(tmp_path):
    with pytest.raises(FileNotFoundError), logged(tmp_path / "job.log"):
        raise FileNotFoundError(errno.ENOENT, "No such file", "x")
    assert "Traceback" in (tmp_path / "job.log").read_text()
