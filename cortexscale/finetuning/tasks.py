"""The two things that a fine-tuned network learns: to name images, and to predict responses to stimuli (paper, Eq. 5)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from cortexscale.errors import InputError
from cortexscale.finetuning.batches import NeuralBatches
from cortexscale.finetuning.jitter import jittered
from cortexscale.finetuning.objective import NeuralObjective, layer_features
from cortexscale.models.backbone import GREY, Backbone
from cortexscale.models.evaluation import normalisation
from cortexscale.models.training.augment import BatchAugmentation
from cortexscale.models.training.batches import transformed_batches
from cortexscale.models.training.data import LabelledImages
from cortexscale.models.training.loop import training_batches
from cortexscale.models.training.order import MICRO_BATCH, STIMULI, MicroBatches, Order, seed_everything, seed_of
from cortexscale.models.training.recipes import training_length
from cortexscale.recipe import NeuralRecipe, Recipe


class ImageTask:
    """Cross-entropy of labelled images, augmented one by one as for the pretraining of the network, and never mixed.

    Args:
        augmentation: recipe of the pretraining; of its keys, those that change single pictures count.
        steps: that are left to do.
        seed: of order, augmentation and dropout.
        workers: processes that read pictures.
    """

    loss_name = "image_loss"

    def __init__(
        self,
        backbone: Backbone,
        images: LabelledImages,
        augmentation: Recipe,
        recipe: NeuralRecipe,
        steps: range,
        seed: int,
        workers: int,
    ):
        self.network, self.n_classes, self.seed = backbone.network, images.n_classes, seed
        self.weight, self.norms = recipe.lambda_img, BatchNorms(backbone.network, recipe.batch_norm)
        self.device = next(self.network.parameters()).device
        unmixed = {"mixup": 0.0, "cutmix": 0.0, "repeats": 1, "batch": recipe.image_batch, "micro_batch": recipe.micro_batch}
        settings = augmentation.model_copy(update=unmixed | {"steps": steps.stop, "epochs": None})
        length, size = training_length(settings, len(images.labels)), backbone.transform(GREY).shape[-1]
        micro_batches = MicroBatches(Order(len(images.labels), seed), length, first_step=steps.start)
        self.parts = length.parts
        self.batches = training_batches(images, micro_batches, settings, size, seed, workers, self.device)
        self.augment = BatchAugmentation(settings, images.n_classes, self.device, *normalisation(backbone.transform))

    def gradient(self, step: int) -> Tensor:
        """Add that of ``lambda_img`` x the loss to the network's; return the loss."""
        self.norms.prepare("images")
        total = torch.zeros((), device=self.device)
        for part in range(self.parts):
            pixels, labels = next(self.batches)
            seed_everything(seed_of(self.seed, MICRO_BATCH, step, part))
            with autocast(self.device):
                scores = self.network(self.augment(pixels, labels)[0])
            if scores.shape != (len(labels), self.n_classes):
                found = f"an output of shape {tuple(scores.shape)} for {len(labels)} images"
                expected, remedy = f"scores of {self.n_classes} classes", "correct `images`, or set `lambda_img: 0` in the recipe"
                raise InputError(f"fine-tuning a {type(self.network).__name__}", found, expected, remedy)
            loss = functional.cross_entropy(scores.float(), labels) / self.parts
            (self.weight * loss).backward()
            total += loss.detach()
        return total


class NeuralTask:
    """The loss of the heads' predictions, summed over subjects and ROIs. Stimuli are seen as heads saw them, but for the jitter.

    Args:
        objective: of the heads.
        batches: what each step shows.
        stimuli, steps, seed, workers: as of :class:`ImageTask`.
    """

    loss_name = "neural_loss"

    def __init__(
        self,
        backbone: Backbone,
        objective: NeuralObjective,
        batches: NeuralBatches,
        stimuli: Sequence[Image.Image],
        recipe: NeuralRecipe,
        steps: range,
        seed: int,
        workers: int,
    ):
        self.backbone, self.objective, self.batches, self.jitter, self.seed = backbone, objective, batches, recipe.jitter, seed
        self.weight, self.norms = recipe.lambda_neural, BatchNorms(backbone.network, recipe.batch_norm)
        self.device = next(backbone.network.parameters()).device
        self.fill = backbone.transform(GREY)[:, 0, 0]
        rows = (forward.rows for step in steps for forward in batches.forwards(step))
        self.views = transformed_batches(_Pictures(stimuli), rows, backbone.transform, workers, self.device)

    def gradient(self, step: int) -> Tensor:
        """Add that of ``lambda_neural`` x the loss to the network's; return the loss."""
        self.norms.prepare("stimuli")
        total = torch.zeros((), device=self.device)
        for part, forward in enumerate(self.batches.forwards(step)):
            views, _ = next(self.views)
            seed = seed_of(self.seed, STIMULI, step, part)
            views = jittered(views, self.jitter, self.fill, torch.Generator().manual_seed(seed))
            seed_everything(seed)
            with autocast(self.device):
                features = layer_features(self.backbone, self.objective.layers, views.to(memory_format=torch.channels_last))
            loss = self.objective(features, forward, len(self.batches.places(step)))
            (self.weight * loss).backward()
            total += loss.detach()
        return total


class _Pictures:
    """Stimuli as labelled images, each of its own class."""

    def __init__(self, stimuli: Sequence[Image.Image]):
        self.stimuli, self.labels = stimuli, np.arange(len(stimuli))

    def __getitem__(self, row: int) -> Image.Image:
        return self.stimuli[row]


class BatchNorms:
    """Batch normalisation of a network in training mode, by the statistics of a batch or by the running ones.

    Args:
        moved_by: ``batch_norm`` of the recipe.
    """

    def __init__(self, network: nn.Module, moved_by: Literal["both", "images", "frozen"]):
        self.layers = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        self.moved_by = moved_by

    def prepare(self, batch: Literal["images", "stimuli"]) -> None:
        """For the forward passes of a batch of these."""
        for layer in self.layers:
            layer.train(self.moved_by in ("both", batch))


def autocast(device: torch.device) -> torch.autocast:
    """bfloat16 on a GPU, float32 on a CPU."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
