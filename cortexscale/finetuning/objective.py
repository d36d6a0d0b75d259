"""The neural loss: frozen heads predict responses from committed layers, with gradients to the network (paper, Eq. 4)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from cortexscale.finetuning.batches import ForwardPass
from cortexscale.finetuning.heads import FrozenHead
from cortexscale.models.backbone import Backbone
from cortexscale.models.layers import captured
from cortexscale.readouts.trials import Trials


def _one_minus_cka(predicted: Tensor, measured: Tensor) -> Tensor:
    """1 - linear CKA (Kornblith et al. 2019), with the biased estimate of the authors' code."""
    ours, theirs = (_similarities(values) for values in (predicted, measured))
    smallest = torch.finfo(ours.dtype).tiny  # the norms of a single stimulus are 0
    return 1 - (ours * theirs).sum() / (ours.norm() * theirs.norm()).clamp_min(smallest)


def _log_one_minus_cka(predicted: Tensor, measured: Tensor) -> Tensor:
    """log(1 - CKA), with 1e-8 added to the argument."""
    return torch.log(_one_minus_cka(predicted, measured) + 1e-8)


def _similarities(values: Tensor) -> Tensor:
    """(stimuli, stimuli) inner products of centred responses."""
    centred = values - values.mean(dim=0)
    return centred @ centred.T


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": functional.mse_loss,
    "mae": functional.l1_loss,
    "cka": _one_minus_cka,
    "logcka": _log_one_minus_cka,
}
"""Losses of one subject and ROI, averaged over stimuli and units (Eq. 4), by ``loss`` of a recipe."""


class NeuralObjective:
    """The loss of all subjects and ROIs as a function of the features of the committed layers (``layers``).

    ``heads`` are those of the subjects of ``trials`` or more.
    """

    def __init__(self, heads: Sequence[FrozenHead], trials: Sequence[Trials], loss: str, device: torch.device) -> None:
        number = {subject.subject: place for place, subject in enumerate(trials)}
        self.loss = LOSSES[loss]
        self._heads: list[tuple[int, FrozenHead, Tensor]] = []  # number of the subject, head on the device, responses on the host
        for head in heads:
            if head.subject in number:
                subject = trials[number[head.subject]]
                on_device = replace(head, weights=head.weights.to(device), intercept=head.intercept.to(device))
                responses = torch.from_numpy(subject.responses[:, subject.units[head.roi]])
                self._heads.append((number[head.subject], on_device, responses))
        self.layers = list(dict.fromkeys(head.layer for _, head, _ in self._heads))

    def __call__(self, features: Mapping[str, Tensor], forward: ForwardPass, batch: int) -> Tensor:
        """Loss of a forward pass, summed over subjects and ROIs. The loss of a step is the sum over its forward passes.

        Args:
            features: (d, width) of every layer, flattened, with their graph.
            batch: stimuli of a subject in the whole step.
        """
        total = torch.zeros((), device=next(iter(features.values())).device)
        for subject, head, responses in self._heads:
            stimuli = forward.subjects[subject]
            if not len(stimuli.places):
                continue
            x = features[head.layer]
            x = x if stimuli.at is None else x[torch.from_numpy(stimuli.at).to(x.device)]
            measured = responses[torch.from_numpy(stimuli.places)].to(x.device, non_blocking=True)
            predicted = functional.linear(x, head.weights, head.intercept)
            total = total + self.loss(predicted, measured) * (len(stimuli.places) / batch)
        return total


def layer_features(backbone: Backbone, layers: Sequence[str], inputs: Tensor) -> dict[str, Tensor]:
    """Features (n, width) float32 of every layer for network input (n, 3, height, width), flattened as stored ones, with their
    graph.
    """

    def flattened(name: str, output: Tensor) -> Tensor:
        return backbone.rows(output, len(inputs), name).clone().flatten(1)  # a ReLU after the layer may work in place

    with captured(backbone.network, layers, flattened) as outputs:
        backbone.network(inputs)
    return {name: outputs[name].float() for name in layers}
