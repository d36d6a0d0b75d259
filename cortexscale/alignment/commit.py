"""Layer commitment: one layer per ROI, shared by the subjects of a dataset (paper, section 3)."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from cortexscale.alignment.published import Commitments
from cortexscale.models.families import PUBLISHED_NAMES
from cortexscale.models.layers import Layer, chosen_layers


def commit_layers(search: pd.DataFrame) -> Commitments:
    """The layer of each ROI of each dataset: see :func:`commit_rois`.

    Args:
        search: table of :func:`cortexscale.alignment.search.search_layers`.

    Returns:
        dataset -> ROI -> committed layer.
    """
    return {str(dataset): commit_rois(rows) for dataset, rows in search.groupby("benchmark_name", sort=False)}


def commit_rois(search: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The layer of each ROI with the best cross-validated score, averaged over subjects.

    Ties go to the shallower layer. ``margin`` is the lead over the best layer at another depth: a stage and its
    last block are the same tensor, so they are one candidate here.

    Args:
        search: rows of one dataset.

    Returns:
        ROI -> ``layer_name``, ``layer_position``, ``layer_position_normalized``, ``score``, ``margin``, ``runner_up``.
    """
    keys = ["roi", "layer_position", "layer_position_normalized", "layer_name"]
    scores = search.groupby(keys, as_index=False, sort=False)["cv_score"].mean()
    scores = scores.sort_values(["cv_score", "layer_position"], ascending=[False, True], kind="stable")
    committed = {}
    for roi in search["roi"].unique():
        ranked = scores[scores["roi"] == roi]
        best = ranked.iloc[0]
        others = ranked[ranked["layer_position"] != best["layer_position"]]
        committed[str(roi)] = {
            "layer_name": best["layer_name"],
            "layer_position": int(best["layer_position"]),
            "layer_position_normalized": float(best["layer_position_normalized"]),
            "score": float(best["cv_score"]),
            "margin": float(best["cv_score"] - others.iloc[0]["cv_score"]) if len(others) else None,
            "runner_up": others.iloc[0]["layer_name"] if len(others) else None,
        }
    return committed


def import_commitments(committed: Commitments, layers: Sequence[Layer], family: str, model: str) -> Commitments:
    """Published commitments in the form of :func:`commit_layers`, with places in our network.

    Margins and runners-up were not published.

    Args:
        layers: candidates of the model.

    Raises:
        InputError: a layer is no candidate.
    """
    ours = PUBLISHED_NAMES.get(family, {})
    theirs = {entry["layer_name"] for rois in committed.values() for entry in rois.values()}
    names = {name: ours.get(name, name) for name in theirs}
    places = {layer.name: layer for layer in chosen_layers(layers, names.values(), f"published commitments of {model}")}

    def imported(entry: dict[str, Any]) -> dict[str, Any]:
        layer = places[names[entry["layer_name"]]]
        place = {"layer_name": layer.name, "layer_position": layer.position, "layer_position_normalized": layer.depth}
        return {**place, "score": entry["score"], "margin": None, "runner_up": None}

    return {dataset: {roi: imported(entry) for roi, entry in rois.items()} for dataset, rois in committed.items()}
