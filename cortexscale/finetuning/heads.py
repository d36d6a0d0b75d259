"""Frozen heads: ridge readouts of the committed layers of a base model, one for each subject and ROI (paper, section 3)."""

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from cortexscale.alignment.targets import Targets
from cortexscale.commitments import RoiLayers
from cortexscale.errors import InputError
from cortexscale.features.extract import ModelOnImages
from cortexscale.files import link_or_copy
from cortexscale.models.layers import Layer
from cortexscale.readouts.parts import Parts
from cortexscale.readouts.saved import load_readout
from cortexscale.readouts.stage import Stage
from cortexscale.readouts.token_store import TokenStore, extract_tokens
from cortexscale.study.ridge import Ridge

COLUMNS = ["subject", "roi", "layer_name", "n_units", "fitting_samples", "alpha", "alpha_at_edge", "pearsonr", "pearsonr_nc"]


def fit_heads(
    job: ModelOnImages, targets: Sequence[Targets], commitments: RoiLayers, ridge: Ridge, folder: Path, *, made_by: dict[str, Any]
) -> pd.DataFrame:
    """Fit heads to all training stimuli of a dataset, and write them to ``<subject>/<roi>.safetensors`` in ``folder``.

    Heads are linear readouts of unprojected features (:mod:`cortexscale.readouts.saved`) with one penalty per subject and ROI.
    ``folder`` appears complete or not at all. Features and finished fits are kept in a hidden folder beside ``folder``, so that
    an interrupted run can continue.

    Returns:
        A table with one row per subject x ROI and the columns ``COLUMNS``. Correlations are over the test stimuli.
    """
    committed = {roi: commitments[roi] for target in targets for roi in target.groups["roi"]}
    layers = {
        entry.layer_name: Layer(entry.layer_name, entry.layer_position, entry.layer_position_normalized)
        for entry in committed.values()
    }
    parts = Parts(folder.with_name(f".{folder.name}.parts"), {**made_by, "identity": job.identity | {"layers": list(layers)}})
    features = parts.folder / "features.zarr.zip"
    if not features.exists():
        rows = np.unique(np.concatenate([rows for target in targets for rows in (target.train_rows, target.test_rows)]))
        extract_tokens(job, list(layers.values()), list(layers), features, rows=rows, made_by=made_by)
    ids = job.table["stimulus_id"].to_numpy()
    stage = Stage(TokenStore(features), targets, committed, ids, [100], [0], parts, validation_fraction=0, save=True)
    scores = stage.linear(ridge)["scores"][COLUMNS]
    unfinished = parts.folder / "heads"
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(stage.saved, unfinished, copy_function=link_or_copy)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.replace(folder)
    parts.remove()
    return scores


@dataclass(frozen=True)
class FrozenHead:
    """A linear map from the flattened output of a layer to the responses of one subject's units in one ROI.

    ``weights`` is (units, features), and ``intercept`` is (units,).
    """

    subject: str
    roi: str
    layer: str
    weights: Tensor
    intercept: Tensor


def load_heads(
    folder: Path, targets: Sequence[Targets], weights: str, subjects: Collection[str] | None = None
) -> list[FrozenHead]:
    """Load the heads of all ROIs of ``targets``, for some subjects or by default for all.

    An InputError is raised if a head is missing or unreadable, belongs to a base model with another :func:`weights_hash`, or
    predicts other units.
    """
    heads = []
    for target in targets:
        for group, (subject, roi) in enumerate(zip(target.groups["subject"], target.groups["roi"], strict=True)):
            if subjects is not None and subject not in subjects:
                continue
            file, units = folder / subject / f"{roi}.safetensors", target.unit_names[target.members[group]]
            readout = load_readout(file)
            facts = readout.facts
            if facts.weights_hash != weights:
                found, expected = f"a head of {facts.model}, weights {facts.weights_hash}", f"weights {weights} of the base model"
                raise InputError(file, found, expected, "delete the folder of heads and run again")
            if facts.units[subject] != list(units):
                found, expected = f"a head of {len(facts.units[subject])} units", f"the {len(units)} units of the recording"
                raise InputError(file, found, f"{expected}, in its order", "delete the folder of heads and run again")
            heads.append(FrozenHead(subject, roi, facts.layer, readout.tensors["weights"], readout.tensors["intercept"]))
    return heads
