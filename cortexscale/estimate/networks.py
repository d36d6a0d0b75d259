"""Count the sizes of networks, which are built without weights or data.

``python -m cortexscale.estimate.networks config/paper.yaml`` writes the table ``cortexscale/models/networks.tsv`` anew.
"""

import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import yaml

from cortexscale.models.bounds import TABLE, Network, network_name, network_table
from cortexscale.models.model import Model
from cortexscale.plan import Plan


def networks(models: Iterable[Model]) -> dict[str, Network]:
    """Return model id -> sizes of the network. Models with the same reference model are counted once."""
    by_id = {model.id: model for model in models}
    references = {id: by_id.get(model.reference, model) for id, model in by_id.items()}
    return {id: _counted(reference) for id, reference in references.items()}


@cache
def _counted(model: Model) -> Network:
    from cortexscale.models.build import untrained
    from cortexscale.models.counting import count_network
    from cortexscale.models.layers import candidate_layers, layer_widths

    backbone, image = untrained(model)
    names = [layer.name for layer in candidate_layers(backbone.network, model.layers)]
    return count_network(backbone, image, layer_widths(backbone, names, image))


@cache
def numbers_kept(model: Model) -> int:
    """Return how many numbers the network of a model keeps for the backward pass of one image."""
    from cortexscale.models.build import untrained
    from cortexscale.models.counting import saved_activations

    return saved_activations(*untrained(model))


def counted_table(config: Path) -> str:
    """Count the networks of the published models in a config file. Return the text of the table."""
    plan = Plan(yaml.safe_load(config.read_text(encoding="utf-8")), {"estimate"})
    models = list(plan.models.inventory.values())
    counted = networks(model for model in models if model.source in ("spvvs", "timm"))
    names = {network_name(model): counted[model.id] for model in models if model.id in counted}
    return "".join(network_table(names))


if __name__ == "__main__":
    TABLE.write_text(counted_table(Path(sys.argv[1])), encoding="utf-8")
