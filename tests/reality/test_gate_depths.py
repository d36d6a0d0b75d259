"""The figure of gate depths for networks of every kind: stages and their last blocks have one depth."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from cortexscale.check.model import _check_layers
from cortexscale.check.report import ReportSection
from cortexscale.figures.content import FigureDataset
from cortexscale.figures.readouts import draw_gates
from cortexscale.models.architectures import build
from cortexscale.models.backbone import Backbone
from cortexscale.models.families import LAYERS
from cortexscale.models.layers import candidate_layers
from cortexscale.readouts.mapping import gate_summary

NETWORKS = {
    "ResNet": ("resnet18", LAYERS["ResNet"]),
    "ConvNeXt": ("convnext_tiny", LAYERS["ConvNeXt"]),
    "EfficientNet": ("efficientnet_b0", LAYERS["EfficientNet"]),
    "ViT": ("deit_tiny", LAYERS["ViT"]),
    "one layer": ("alexnet", ("avgpool",)),
}


def tables(arch: str, patterns: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    with torch.device("meta"):
        layers = candidate_layers(build(arch, 10), patterns)
    depths, rng, gates, mapping = np.array([layer.depth for layer in layers]), np.random.default_rng(0), [], []
    for roi in ("V1", "IT"):
        weights = rng.dirichlet(np.ones(len(layers)))
        place = {"benchmark_name": "tvsd", "probe_type": "layer_gate_shared", "data_pct": 100, "roi": roi, "subject": "a"}
        names = [layer.name for layer in layers]
        columns = {"layer_name": names, "layer_position_normalized": depths, "gate": weights}
        gates.append(pd.DataFrame(place | columns).assign(committed=np.arange(len(layers)) == 0))
        mapping.append(place | gate_summary(weights, depths))
    return {"gates": pd.concat(gates, ignore_index=True), "mapping": pd.DataFrame(mapping)}


@pytest.mark.parametrize("family", NETWORKS)
def test_gates_of_every_family_are_drawn(family):
    given = tables(*NETWORKS[family])
    figure, numbers = draw_gates(given, {"tvsd": FigureDataset(label="TVSD", modality="ephys", reader="tvsd")})
    drawn = figure.axes[0].collections[0].get_array()
    assert drawn.shape == (given["gates"]["layer_position_normalized"].nunique(), 2)
    np.testing.assert_allclose(drawn.sum(axis=0), 1)
    assert np.isfinite(numbers.loc[numbers["kind"] == "roi", "relative_entropy"]).all()
    plt.close(figure)


class Reversed(nn.Module):
    def __init__(self):
        super().__init__()
        self.last, self.middle, self.first = (nn.Linear(12, 12) for _ in range(3))

    def forward(self, x):
        return self.last(self.middle(self.first(x.flatten(1))))


@pytest.mark.parametrize(
    ("network", "told"), [(Reversed(), True), (build("resnet18", 10), False), (build("convnext_tiny", 10), False)]
)
def test_check_model_tells_where_layers_run_in_another_order_than_they_are_defined(network, told):
    section, size = ReportSection("layers"), 2 if told else 64
    patterns = ["last", "middle", "first"] if told else LAYERS["ResNet" if hasattr(network, "layer1") else "ConvNeXt"]
    layers = candidate_layers(network, patterns)
    _check_layers(section, Backbone(network.eval(), nn.Identity()), layers, torch.rand(2, 3, size, size))
    assert ("in which first, middle come later than they run" in section.text()) == told
    assert ("order of definition" in section.text()) == told
