"""Import of published committed layers, with their positions in our networks. Layers from our own search need no import."""

from collections.abc import Sequence

from cortexscale.commitments import Commitments, CommittedLayer
from cortexscale.models.families import PUBLISHED_NAMES
from cortexscale.models.layers import Layer, chosen_layers


def import_commitments(published: Commitments, layers: Sequence[Layer], family: str) -> Commitments:
    """Commit a model to the layers that the authors published. The layers of some families have other names in our networks.

    Margins and runners-up were not published. A published layer that is not a candidate raises an InputError.
    """
    ours = PUBLISHED_NAMES.get(family, {})
    names = {name: ours.get(name, name) for name in published.layer_names}
    places = {
        layer.name: layer for layer in chosen_layers(layers, names.values(), f"published commitments of {published.model_id}")
    }

    def committed(layer: CommittedLayer) -> CommittedLayer:
        place = places[names[layer.layer_name]]
        return CommittedLayer(place.name, place.position, place.depth, layer.score)

    datasets = {name: {roi: committed(layer) for roi, layer in rois.items()} for name, rois in published.datasets.items()}
    return Commitments(published.model_id, datasets)
