"""The neural loss of a step: frozen heads read the committed layers, with gradients into the network (paper, Eq. 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cortexscale.finetuning.batches import Forward
from cortexscale.finetuning.heads import Head
from cortexscale.finetuning.losses import LOSSES
from cortexscale.models.backbone import Backbone
from cortexscale.models.layers import captured
from cortexscale.readouts.trials import Trials


@dataclass(frozen=True)
class _Reader:
    """A head on the device, and the responses that it predicts, on the host."""

    subject: int
    layer: str
    weights: Tensor
    intercept: Tensor
    responses: Tensor


class NeuralObjective:
    """
    Args:
        heads: of the subjects of ``trials`` or more.
        trials: of every subject.
        loss: a key of :data:`LOSSES`.
        device: of the network.
    """

    def __init__(self, heads: Sequence[Head], trials: Sequence[Trials], loss: str, device: torch.device):
        number = {subject.subject: place for place, subject in enumerate(trials)}
        self.loss = LOSSES[loss]
        self.readers = []
        for head in heads:
            if head.subject in number:
                subject = trials[number[head.subject]]
                responses = torch.from_numpy(subject.responses[:, subject.units[head.roi]])
                on_device = head.weights.to(device), head.intercept.to(device)
                self.readers.append(_Reader(number[head.subject], head.layer, *on_device, responses))
        self.layers = list(dict.fromkeys(reader.layer for reader in self.readers))

    def __call__(self, features: Mapping[str, Tensor], forward: Forward, batch: int) -> Tensor:
        """The loss of a forward pass, summed over subjects and ROIs; that of a step is the sum over its forward passes.

        Args:
            features: (d, width) of every layer, flattened, with their graph.
            batch: trials of a subject in the step.
        """
        total = 0
        for reader in self.readers:
            shown = forward.subjects[reader.subject]
            if not len(shown.places):
                continue
            x = features[reader.layer]
            x = x if shown.at is None else x[torch.from_numpy(shown.at).to(x.device)]
            measured = reader.responses[torch.from_numpy(shown.places)].to(x.device, non_blocking=True)
            predicted = functional.linear(x, reader.weights, reader.intercept)
            total = total + self.loss(predicted, measured) * (len(shown.places) / batch)
        return total


def layer_features(backbone: Backbone, layers: Sequence[str], views: Tensor) -> dict[str, Tensor]:
    """(n, width) float32 of every layer for transformed pictures (n, 3, height, width), with their graph.

    Flattened as stored features are, at the last step of recurrent blocks.
    """

    def kept(name: str, output: Tensor) -> Tensor:
        return backbone.rows(output, len(views), name).clone().flatten(1)  # a ReLU behind the layer may work in place

    with captured(backbone.network, layers, kept) as outputs:
        backbone.network(views)
    return {name: outputs[name].float() for name in layers}
