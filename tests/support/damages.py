"""Damages of files: other bytes, cuts, and files that are gone."""

import shutil
from pathlib import Path

import numpy as np


def overwrite(path: Path, place: float, content: bytes) -> None:
    """Write other bytes into a file; ``place`` is a fraction of its length."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(int(place * max(0, size - len(content))))
        file.write(content[:size])


def truncate(path: Path, place: float) -> None:
    """Cut a file to an odd number of bytes."""
    with path.open("r+b") as file:
        file.truncate(int(place * path.stat().st_size) | 1)


DAMAGES_OF_FILES = {
    **{
        f"random bytes at {place:.2f}": lambda path, p=place: overwrite(path, p, np.random.default_rng(int(100 * p)).bytes(4096))
        for place in (0, 0.4, 0.6, 0.97)
    },
    "nan": lambda path: overwrite(path, 0.5, b"\xff" * 4096),
    "zeros": lambda path: overwrite(path, 0.5, bytes(16384)),
    **{f"a cut at {place:.3f}": lambda path, p=place: truncate(path, p) for place in (0.0, 0.31, 0.995)},
    "removed": lambda path: path.unlink(),
    "a folder in its place": lambda path: (path.unlink(), path.mkdir()),
}


def restore(root: Path, copy: Path, *files: Path | str) -> None:
    """Copy undamaged files below ``root`` to the copy of this folder in which they were damaged."""
    for file in files:
        if (copy / file).is_dir():
            (copy / file).rmdir()
        shutil.copyfile(root / file, copy / file)
