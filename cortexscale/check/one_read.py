"""Reading one subject in a process of its own, to see what it takes and what it gives.

Started by :mod:`cortexscale.check.dataset`: ``python -m cortexscale.check.one_read ANSWER`` with the reader, the path, the
subject and the options as JSON on its input; the answer is a JSON file.
"""

import hashlib
import json
import re
import resource
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cortexscale.datasets.readers import load_reader
from cortexscale.errors import InputError
from cortexscale.recording import Recording

HEAVY = ("torch", "timm", "mne", "scipy", "matplotlib", "zarr", "nibabel", "xarray", "netCDF4")
"""Packages that a dataset module imports inside functions only: every job of the workflow loads all of them."""


def main(reader: str, root: str, subject: str, options: dict[str, Any]) -> dict[str, Any]:
    """What a read took and gave.

    Returns:
        ``error`` if the read failed; else ``problems`` (lines), ``peak_mb``, ``heavy`` (packages that the import alone loads),
        ``digest`` (of the whole Recording), ``n_units``, ``rois`` (units in each), ``train_ids``, ``test_ids``.
    """
    module = load_reader(reader)
    heavy = [name for name in HEAVY if name in sys.modules]
    try:
        recording = module.read(Path(root), subject, module.Options(**options))
    except InputError as error:
        return {"error": str(error)}
    except Exception:
        return {"error": "an exception that is not an InputError\n" + traceback.format_exc()}
    took = {"heavy": heavy, "peak_mb": peak_mb()}
    if not isinstance(recording, Recording):
        return {"error": f"read returns a {type(recording).__name__}; a Recording is expected"}
    try:
        return took | _content(recording) | {"problems": list(_problems(recording, subject))}
    except Exception as error:
        return {"error": f"a Recording whose parts are not what cortexscale/recording.py says ({type(error).__name__}: {error})"}


def peak_mb() -> float:
    """Peak resident memory of this process in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss of a child starts from the memory of its parent there
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text(encoding="utf-8")).group(1)) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _content(recording: Recording) -> dict[str, Any]:
    digest = hashlib.blake2b(digest_size=16)
    for split in (recording.train, recording.test):
        for array in (split.stimulus_ids.astype(str), split.responses, split.repetitions):
            digest.update(np.ascontiguousarray(array).view(np.uint8))
    for table in (recording.units, recording.rois, recording.screening):
        digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy())
    digest.update(json.dumps(recording.notes, sort_keys=True, default=str).encode())
    return {
        "digest": digest.hexdigest(),
        "n_units": len(recording.units),
        "rois": {roi: int(members.sum()) for roi, members in recording.rois.items()},
        "train_ids": recording.train.stimulus_ids.astype(str).tolist(),
        "test_ids": recording.test.stimulus_ids.astype(str).tolist(),
    }


def _problems(recording: Recording, subject: str) -> Iterator[str]:
    yield from recording.problems()
    if recording.subject != subject:
        yield f"the subject {recording.subject}; {subject} was asked for"
    for name, split in (("train", recording.train), ("test", recording.test)):
        if split.responses.dtype != np.float32:
            yield f"{name} responses of type {split.responses.dtype}; float32"
        if split.repetitions.dtype.kind not in "iu":
            yield f"{name} repetitions of type {split.repetitions.dtype}; integers"
    if recording.units["nc_percent"].max() <= 1:
        yield "no noise ceiling above 1; percent of variance (a fraction, perhaps?)"
    if recording.screening.empty:
        yield "no screening table; a row for every unit that was looked at, kept or not (cortexscale/recording.py)"
    elif "released" in recording.screening and "released_statistic" not in recording.notes:
        yield "a released statistic without a name; its name in notes['released_statistic']"
    try:
        json.dumps(recording.notes)
    except TypeError as error:
        yield f"notes that cannot be stored ({error}); plain numbers, texts, lists and dictionaries"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(main(**json.load(sys.stdin))), encoding="utf-8")
