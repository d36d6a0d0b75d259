"""The two tasks of a fine-tuning: classifying labelled images, and predicting responses to stimuli (paper, Eq. 5)."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from cortexscale.errors import InputError
from cortexscale.finetuning.batches import ForwardPass, NeuralBatches
from cortexscale.finetuning.heads import FrozenHead
from cortexscale.models.backbone import GREY, Backbone
from cortexscale.models.inputs import normalisation
from cortexscale.models.layers import captured
from cortexscale.models.training.augment import BatchAugmentation
from cortexscale.models.training.batches import training_batches, transformed_batches
from cortexscale.models.training.data import LabelledImages
from cortexscale.models.training.order import MICRO_BATCH, STIMULI, MicroBatches, Order, seed_everything, seed_of
from cortexscale.models.training.recipes import training_length
from cortexscale.models.training.steps import autocast
from cortexscale.readouts.trials import Trials
from cortexscale.recipe import Jitter, NeuralRecipe, Recipe
from cortexscale.stimuli import StimulusImages


def _one_minus_cka(predicted: Tensor, measured: Tensor) -> Tensor:
    """Compute 1 - linear CKA (Kornblith et al. 2019), with the biased estimate of the authors' code."""
    ours, theirs = (_similarities(values) for values in (predicted, measured))
    smallest = torch.finfo(ours.dtype).tiny  # avoids 0 / 0 for a single stimulus
    return 1 - (ours * theirs).sum() / (ours.norm() * theirs.norm()).clamp_min(smallest)


def _log_one_minus_cka(predicted: Tensor, measured: Tensor) -> Tensor:
    """Compute log(1 - CKA), with 1e-8 added to the argument of the logarithm.

    Rounding can make 1 - CKA negative, above all for two stimuli, whose CKA is 1. A negative value counts as 0 and has no
    gradient.
    """
    return torch.log(_one_minus_cka(predicted, measured).clamp_min(0) + 1e-8)


def _similarities(values: Tensor) -> Tensor:
    """Compute the inner product of the centred responses to every pair of stimuli, (stimuli, stimuli)."""
    centred = values - values.mean(dim=0)
    return centred @ centred.T


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": functional.mse_loss,
    "mae": functional.l1_loss,
    "cka": _one_minus_cka,
    "logcka": _log_one_minus_cka,
}
"""Key ``loss`` of a recipe -> the loss of one subject and ROI, averaged over stimuli and units (Eq. 4)."""


class NeuralObjective:
    """The loss of predicted responses, summed over subjects and ROIs.

    The loss needs the features of the committed layers, ``layers``. ``heads`` must include the heads of all subjects of
    ``trials``.
    """

    def __init__(self, heads: Sequence[FrozenHead], trials: Sequence[Trials], loss: str, device: torch.device) -> None:
        number = {subject.subject: place for place, subject in enumerate(trials)}
        self.loss = LOSSES[loss]
        self._heads: list[tuple[int, FrozenHead, Tensor]] = []  # index of the subject, head on the device, responses on the host
        for head in heads:
            if head.subject in number:
                subject = trials[number[head.subject]]
                on_device = replace(head, weights=head.weights.to(device), intercept=head.intercept.to(device))
                responses = torch.from_numpy(subject.responses[:, subject.units[head.roi]])
                self._heads.append((number[head.subject], on_device, responses))
        self.layers = list(dict.fromkeys(head.layer for _, head, _ in self._heads))

    def __call__(self, features: Mapping[str, Tensor], forward: ForwardPass, batch: int) -> Tensor:
        """Compute the loss of a forward pass, summed over subjects and ROIs.

        The losses of all passes sum to the loss of the step.

        Args:
            features: flattened features (d, width) of every layer for the d stimuli of the forward pass. They have gradients.
            batch: number of stimuli of one subject in the whole step.
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
    """Compute float32 features (n, width) of every layer from network inputs (n, 3, height, width). They have gradients."""

    def flattened(name: str, output: Tensor) -> Tensor:
        return backbone.rows(output, len(inputs), name).clone().flatten(1)  # a later ReLU could change the output in place

    with captured(backbone.network, layers, flattened) as outputs:
        backbone.network(inputs)
    return {name: outputs[name].float() for name in layers}


class Task(ABC):
    """A task trains a network with one loss. The gradient of the loss is multiplied by ``weight``."""

    loss_name: str
    batch: Literal["images", "stimuli"]

    def __init__(self, backbone: Backbone, recipe: NeuralRecipe, seed: int, weight: float) -> None:
        self.backbone, self.network, self.recipe, self.seed, self.weight = backbone, backbone.network, recipe, seed, weight
        self.device = next(self.network.parameters()).device

    @abstractmethod
    def losses(self, step: int) -> Iterator[Tensor]:
        """Yield the loss of each forward pass of a step. Losses have gradients, and sum to the loss of the step."""

    def gradient(self, step: int) -> Tensor:
        """Add the gradient of a step, times ``weight``, to the gradients of the network. Return the unweighted loss."""
        prepare_norms(self.network, self.recipe.batch_norm, self.batch)
        total = torch.zeros((), device=self.device)
        for loss in self.losses(step):
            (self.weight * loss).backward()
            total += loss.detach()
        return total


class ImageTask(Task):
    """Cross-entropy of labelled images. Each image is augmented as in the pretraining; images are never mixed.

    Of the recipe ``augmentation``, only the keys that change single images are used. ``steps`` are the steps that remain.
    """

    loss_name = "image_loss"
    batch = "images"

    def __init__(
        self,
        backbone: Backbone,
        images: LabelledImages,
        augmentation: Recipe,
        recipe: NeuralRecipe,
        steps: range,
        seed: int,
        workers: int,
    ) -> None:
        super().__init__(backbone, recipe, seed, recipe.lambda_img)
        self.n_classes = images.n_classes
        unmixed = {"mixup": 0.0, "cutmix": 0.0, "repeats": 1, "batch": recipe.image_batch, "micro_batch": recipe.micro_batch}
        settings = augmentation.model_copy(update=unmixed | {"steps": steps.stop, "epochs": None})
        length, size = training_length(settings, len(images.labels)), backbone.transform(GREY).shape[-1]
        micro_batches = MicroBatches(Order(len(images.labels), seed), length, first_step=steps.start)
        self.parts = length.parts
        self.batches = training_batches(images, micro_batches, settings, size, seed, workers, self.device)
        self.augment = BatchAugmentation(settings, images.n_classes, self.device, *normalisation(backbone.transform))

    def losses(self, step: int) -> Iterator[Tensor]:
        for part in range(self.parts):
            pixels, labels = next(self.batches)
            seed_everything(seed_of(self.seed, MICRO_BATCH, step, part))
            with autocast(self.device):
                scores = self.network(self.augment(pixels, labels)[0])
            if scores.shape != (len(labels), self.n_classes):
                found = f"an output of shape {tuple(scores.shape)} for {len(labels)} images"
                expected, remedy = f"scores of {self.n_classes} classes", "correct `images`, or set `lambda_img: 0` in the recipe"
                raise InputError(f"fine-tuning a {type(self.network).__name__}", found, expected, remedy)
            yield functional.cross_entropy(scores.float(), labels) / self.parts


class NeuralTask(Task):
    """The loss of the responses that all heads predict, summed over subjects and ROIs.

    Stimuli are transformed as when the heads were fitted, and then jittered.
    """

    loss_name = "neural_loss"
    batch = "stimuli"

    def __init__(
        self,
        backbone: Backbone,
        objective: NeuralObjective,
        batches: NeuralBatches,
        stimuli: StimulusImages | Sequence[Image.Image],
        recipe: NeuralRecipe,
        steps: range,
        seed: int,
        workers: int,
    ) -> None:
        super().__init__(backbone, recipe, seed, recipe.lambda_neural)
        self.objective, self.batches = objective, batches
        self.fill = backbone.transform(GREY)[:, 0, 0]
        rows = (forward.rows for step in steps for forward in batches.forward_passes(step))
        self.inputs = transformed_batches(_UnlabelledImages(stimuli), rows, backbone.transform, workers, self.device)

    def losses(self, step: int) -> Iterator[Tensor]:
        for part, forward in enumerate(self.batches.forward_passes(step)):
            inputs, _ = next(self.inputs)
            seed = seed_of(self.seed, STIMULI, step, part)
            inputs = jittered(inputs, self.recipe.jitter, self.fill, torch.Generator().manual_seed(seed))
            seed_everything(seed)
            with autocast(self.device):
                features = layer_features(self.backbone, self.objective.layers, inputs.to(memory_format=torch.channels_last))
            yield self.objective(features, forward, len(self.batches.places(step)))


class _UnlabelledImages:
    """Stimuli in the form of labelled images. Each stimulus is a class of its own."""

    def __init__(self, stimuli: StimulusImages | Sequence[Image.Image]) -> None:
        self.stimuli, self.labels = stimuli, np.arange(len(stimuli))

    def __getitem__(self, row: int) -> Image.Image:
        return self.stimuli[row]


def prepare_norms(network: nn.Module, moved_by: Literal["both", "images", "frozen"], batch: Literal["images", "stimuli"]) -> None:
    """Choose the statistics with which batch norms normalise the next batch.

    If ``moved_by`` includes this kind of ``batch``, batch norms use the statistics of the batch, and also update their running
    statistics. Otherwise they use the running statistics.
    """
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train(moved_by in ("both", batch))


def jittered(inputs: Tensor, jitter: Jitter, fill: Tensor, generator: torch.Generator) -> Tensor:
    """Shift, rotate and scale each of the inputs (n, 3, height, width) at random (paper, appendix G.1).

    Inputs are interpolated bilinearly. They already passed the evaluation transform, so without jitter they equal the inputs to
    which the heads were fitted. ``fill`` (3,) is the normalised colour beyond the border of an image. Random numbers come from
    the CPU, so that they are the same on all devices.
    """
    if not (jitter.shift or jitter.rotation or jitter.scale):
        return inputs
    draws = 2 * torch.rand(len(inputs), 4, generator=generator) - 1
    angle = math.radians(jitter.rotation) * draws[:, 0]
    zoom = 1 / (1 + jitter.scale * draws[:, 1])
    shift = 2 * jitter.shift / jitter.field_of_view * draws[:, 2:]  # affine_grid spans [-1, 1]
    height, width = inputs.shape[2:]
    turn = torch.stack([angle.cos(), -angle.sin() * height / width, angle.sin() * width / height, angle.cos()], dim=1)
    moves = torch.cat([zoom[:, None, None] * turn.view(-1, 2, 2), shift[:, :, None]], dim=2).to(inputs)
    grid = functional.affine_grid(moves, list(inputs.shape), align_corners=False)
    fill = fill.to(inputs).view(1, 3, 1, 1)
    return functional.grid_sample(inputs - fill, grid, mode="bilinear", padding_mode="zeros", align_corners=False) + fill
