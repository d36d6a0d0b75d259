"""The layers that the authors of the paper committed to, as released in ``layer_commitments.json``."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.errors import InputError

STEMS = {
    "freemanziemba": "bs_fz",
    "majajhong": "bs_mh",
    "tvsd": "tvsd",
    "things_fmri": "things_fmri",
    "nsd": "nsd_func1pt8mm_individualROIs",
    "things_meg": "things_meg",
    "things_eeg1": "things_eeg1",
    "things_eeg2": "things_eeg2",
}
"""Reader of a dataset -> its name in the file."""

Commitments = dict[str, dict[str, dict[str, Any]]]
"""Dataset -> ROI -> ``layer_name``, ``score``, and its place."""


def read_published(file: Path | str) -> dict[str, Commitments]:
    """Model id -> commitments, of a ``.json`` or ``.json.gz``.

    Raises:
        InputError: the file is missing, or not what the authors released.
    """
    file = Path(file)
    remedy = "take layer_commitments.json from configs/evaluation/layer_commitment of the authors' release"
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        models = {id: datasets for id, datasets in json.loads(content).items() if id != "config"}
        rois = [entry for datasets in models.values() for rois in datasets.values() for entry in rois.values()]
    except (OSError, EOFError, ValueError, AttributeError) as error:
        raise InputError(file, f"{type(error).__name__}: {error}", "published layer commitments", remedy) from None
    if not rois or not all(isinstance(entry, dict) and {"layer_name", "score"} <= entry.keys() for entry in rois):
        expected = "model -> dataset -> ROI -> layer_name, score, ..."
        raise InputError(file, "another structure", expected, remedy)
    return models


def commitments_for(published: dict[str, Commitments], model: str, datasets: dict[str, tuple[str, Sequence[str]]]) -> Commitments:
    """What is published of a model for the ROIs of a study, by the study's names of its datasets.

    Args:
        datasets: dataset -> its reader and ROIs.

    Raises:
        InputError: a dataset or ROI is not in the file.
    """
    committed, missing = {}, []
    for dataset, (reader, rois) in datasets.items():
        known = published[model].get(STEMS.get(reader, ""), {})
        missing += [f"{dataset}: {roi}" for roi in rois if roi not in known]
        committed[dataset] = {roi: known[roi] for roi in rois if roi in known}
    if missing:
        raise InputError(
            f"published commitments of {model}",
            f"none for {', '.join(missing[:8])}" + (", ..." if len(missing) > 8 else ""),
            f"a layer for every dataset and ROI; the file has the readers {', '.join(STEMS)}",
            "leave these datasets or ROIs out, or search: layer_commitment: {commit: search}",
        )
    return committed
