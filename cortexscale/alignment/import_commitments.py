"""Layer commitments that the authors published, for a model of ours. Apart from our own, which need no network."""

from collections.abc import Sequence
from typing import Any

from cortexscale.alignment.published import Commitments
from cortexscale.models.families import PUBLISHED_NAMES
from cortexscale.models.layers import Layer, chosen_layers


def import_commitments(committed: Commitments, layers: Sequence[Layer], family: str, model: str) -> Commitments:
    """Published commitments in the form of :func:`cortexscale.alignment.commit.commit_layers`, with places in our network.

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
