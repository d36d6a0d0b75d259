"""Read one subject in a separate process, to measure the memory of the read.

The command is ``python -m cortexscale.check.one_read ANSWER``. It reads the arguments of :func:`main` as JSON from standard
input, and writes the answer to the JSON file ``ANSWER``.
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
"""Packages that a dataset module must import inside functions, because every job of the workflow loads all dataset modules."""


def main(reader: str, root: str, subject: str, options: dict[str, Any]) -> dict[str, Any]:
    """Read a subject and describe the recording. If the read fails, return the reason in ``error``.

    A description has ``problems``, ``peak_mb``, ``heavy`` (packages that are loaded when the module is imported), ``digest``
    (hash of the Recording), ``n_units``, ``rois`` (ROI -> number of units), ``train_ids`` and ``test_ids``.
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
        return {"error": f"a Recording that is not as cortexscale/recording.py describes it ({type(error).__name__}: {error})"}


def peak_mb() -> float:
    """Return the peak resident memory of this process in MB."""
    status = Path("/proc/self/status")
    if status.exists() and (peak := re.search(r"VmHWM:\s+(\d+)", status.read_text(encoding="utf-8"))):
        return int(peak.group(1)) / 1024  # on Linux, ru_maxrss of a child process includes the memory of the parent
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _content(recording: Recording) -> dict[str, Any]:
    """Return a hash of the recording, its number of units, its ROIs and its stimuli."""
    digest = hashlib.blake2b(digest_size=16)
    for split in (recording.train, recording.test):
        for array in (split.stimulus_ids.astype(str), split.responses, split.repetitions):
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    for table in (recording.units, recording.rois, recording.screening):
        digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().data)
    digest.update(json.dumps(recording.notes, sort_keys=True, default=str).encode())
    return {
        "digest": digest.hexdigest(),
        "n_units": len(recording.units),
        "rois": {roi: int(members.sum()) for roi, members in recording.rois.items()},
        "train_ids": recording.train.stimulus_ids.astype(str).tolist(),
        "test_ids": recording.test.stimulus_ids.astype(str).tolist(),
    }


def _problems(recording: Recording, subject: str) -> Iterator[str]:
    """Yield one line for every problem of a recording: what was found; what is expected."""
    yield from recording.problems()
    if recording.subject != subject:
        yield f"the recording has the subject {recording.subject}; {subject} was asked for"
    for name, split in (("train", recording.train), ("test", recording.test)):
        if split.responses.dtype != np.float32:
            yield f"{name} responses have the type {split.responses.dtype}; float32 is expected"
        if split.repetitions.dtype.kind not in "iu":
            yield f"{name} repetitions have the type {split.repetitions.dtype}; integers are expected"
    if recording.screening.empty:
        yield "there is no screening table; one row per examined unit is expected (cortexscale/recording.py)"
    elif "released" in recording.screening and "released_statistic" not in recording.notes:
        yield "a released statistic has no name; notes['released_statistic'] should have it"
    try:
        json.dumps(recording.notes)
    except TypeError as error:
        yield f"notes cannot be stored ({error}); plain numbers, texts, lists and dictionaries are expected"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(main(**json.load(sys.stdin))), encoding="utf-8")
