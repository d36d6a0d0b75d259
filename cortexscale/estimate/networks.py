"""What a network costs per image and how wide its layers are: counted, without weights or data."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from cortexscale.models.inventory import Model


@dataclass(frozen=True)
class Network:
    """FLOPs of one forward pass of one image, the width of every candidate layer, and the number of parameters."""

    flops: float
    widths: tuple[int, ...]
    parameters: int


def networks(models: Iterable[Model]) -> dict[str, Network]:
    """The network of every model by id: that of its reference, which has the same architecture, built once.

    Raises:
        InputError: an architecture cannot be built, or a layer pattern matches nothing.
    """
    by_id = {model.id: model for model in models}
    references = {id: by_id.get(model.reference, model) for id, model in by_id.items()}
    return {id: _counted(json.dumps(reference.as_dict())) for id, reference in references.items()}


@cache
def _counted(entry: str) -> Network:
    """Of an inventory entry as JSON."""
    from cortexscale.models.build import untrained
    from cortexscale.models.flops import forward_flops
    from cortexscale.models.layers import candidate_layers, captured

    model = json.loads(entry)
    backbone, image = untrained(model)
    names = [layer.name for layer in candidate_layers(backbone.network, model["layers"])]
    with captured(backbone.network, names) as outputs:
        flops = forward_flops(backbone.network, image).products
    widths = tuple(backbone.rows(outputs[name], 1, name).shape[1] for name in names)
    return Network(flops, widths, sum(parameter.numel() for parameter in backbone.network.parameters()))
