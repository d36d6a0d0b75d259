"""Logging of a job: its messages go to its log file, and the reason of a failure also to the terminal."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cortexscale.errors import InputError


@contextmanager
def logged(path: Path | str) -> Iterator[None]:
    """Send log records of the block to ``path`` (all of them) and to the terminal (warnings and errors).

    An InputError ends the process with its message alone; any other exception keeps its traceback.
    """
    to_file, to_terminal = logging.FileHandler(path, mode="w"), logging.StreamHandler()
    to_terminal.setLevel(logging.WARNING)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=[to_file, to_terminal], force=True
    )
    logging.captureWarnings(True)
    try:
        yield
    except InputError as error:
        logging.error("%s", error)
        sys.exit(1)
    except Exception:
        logging.exception("the job failed")
        raise
