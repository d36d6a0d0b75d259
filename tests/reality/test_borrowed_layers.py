"""A model that lacks committed layers of its reference model is named with it, and with the layers that may fit."""

import pandas as pd
import pytest
from torch import nn

from cortexscale.commitments import Commitments, CommittedLayer
from cortexscale.errors import InputError
from cortexscale.features.extract import ModelOnImages
from cortexscale.models.backbone import Backbone
from cortexscale.models.layers import candidate_layers


def job(*patterns: str) -> ModelOnImages:
    network = nn.ModuleDict({"stem": nn.Identity(), "blocks_1": nn.Identity(), "blocks_2": nn.Identity()})
    candidates, identity = candidate_layers(network, patterns), {"model": "mine"}
    backbone = Backbone(network, lambda image: image)
    return ModelOnImages(backbone, [], identity, 8, candidates=candidates, table=pd.DataFrame())


def commitments(model: str, *layers: str) -> Commitments:
    return Commitments(model, {"d": {f"roi{number}": CommittedLayer(layer, 1, 0.5, 0.1) for number, layer in enumerate(layers)}})


def test_a_layer_that_the_network_lacks_is_told_with_both_models_and_layers_that_may_fit():
    with pytest.raises(InputError) as raised:
        job(r"blocks_\d").committed(commitments("theirs", "blocks_1", "block.2"))
    text = str(raised.value)
    assert text.startswith("model mine, which uses the committed layers of its reference model theirs\n")
    assert "1 layer(s) that are not candidates: block.2" in text
    assert "candidate layers: blocks_2, blocks_1" in text, "the most similar name comes first"
    assert "name a reference model with the same layers as mine" in text and "layer_commitment.borrow: false" in text


def test_a_layer_that_the_network_has_but_the_config_leaves_out_is_told_otherwise():
    with pytest.raises(InputError, match=r"reference model theirs\n.*: stem\n[\s\S]*widen `layers` of this model"):
        job(r"blocks_\d").committed(commitments("theirs", "stem"))


def test_own_commitments_name_the_layers_of_the_config():
    with pytest.raises(InputError, match=r"^committed layers of mine\n.*: gone\n[\s\S]*widen `layers`"):
        job(r"blocks_\d").committed(commitments("mine", "gone"))


def test_shared_layers_are_found_from_shallow_to_deep():
    assert [layer.name for layer in job(".+").committed(commitments("theirs", "blocks_2", "stem"))] == ["stem", "blocks_2"]
