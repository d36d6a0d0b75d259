"""The committed layers that the authors of the paper released in ``layer_commitments.json``."""

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from cortexscale.commitments import Commitments, CommittedLayer, RoiLayers
from cortexscale.errors import InputError
from cortexscale.files import open_unpacked, require_real_file


def read_published(file: Path | str) -> dict[str, Commitments]:
    """Read the commitments of each model id from a JSON file, plain or compressed with gzip.

    Datasets and layers keep the authors' names.
    """
    remedy = "take layer_commitments.json from configs/evaluation/layer_commitment of the authors' release"
    file = require_real_file(file, remedy)
    try:
        with open_unpacked(file) as opened:
            content = json.loads(opened.read(), object_pairs_hook=_without_repetition)
        models = {id: datasets for id, datasets in content.items() if id != "config"}
        layers = TypeAdapter(Annotated[dict[str, dict[str, dict[str, CommittedLayer]]], Field(min_length=1)])
        return {model: Commitments(model, datasets) for model, datasets in layers.validate_python(models).items()}
    except ValidationError:
        expected = "model -> dataset -> ROI -> layer_name, layer_position, layer_position_normalized, score"
        raise InputError(file, "another structure", expected, remedy) from None
    except (OSError, EOFError, zlib.error, ValueError, AttributeError) as error:
        raise InputError(file, f"{type(error).__name__}: {error}", "published layer commitments", remedy) from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dictionary from a JSON object. If a key occurs twice, raise a ValueError, because Python would keep the last one
    only.
    """
    keys = [key for key, _ in pairs]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise ValueError(f"{twice[0]} twice")
    return dict(pairs)


def commitments_for(
    published: Mapping[str, Commitments], model: str, datasets: Mapping[str, tuple[str | None, Sequence[str]]]
) -> Commitments:
    """Select a model's published commitments for the ROIs of a study. Datasets get their names in the study.

    ``datasets`` maps the name of each dataset to its name in the file and its ROIs. The name in the file is None if the authors
    did not release the dataset. An ROI that was not published raises an InputError.
    """
    committed: dict[str, RoiLayers] = {}
    missing: list[str] = []
    for dataset, (released_name, rois) in datasets.items():
        known = published[model].datasets.get(released_name, {}) if released_name else {}
        missing += [f"{dataset}: {roi}" for roi in rois if roi not in known]
        committed[dataset] = {roi: known[roi] for roi in rois if roi in known}
    if missing:
        found = f"none for {', '.join(missing[:8])}" + (", ..." if len(missing) > 8 else "")
        expected = f"a layer for every dataset and ROI; the file has the datasets {', '.join(published[model].datasets)}"
        remedy = "leave these datasets or ROIs out, or search: layer_commitment: {commit: search}"
        raise InputError(f"published commitments of {model}", found, expected, remedy)
    return Commitments(model, committed)
