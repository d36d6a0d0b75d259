"""The fine-tuning loop: labelled images and stimuli in every step, with a state that a kill does not lose (paper, section 3)."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from cortexscale.finetuning.batches import NeuralBatches
from cortexscale.finetuning.heads import Head
from cortexscale.finetuning.objective import NeuralObjective
from cortexscale.finetuning.tasks import ImageTask, NeuralTask
from cortexscale.models.backbone import Backbone
from cortexscale.models.training.data import LabelledImages
from cortexscale.models.training.loop import CHECK_EVERY, reproducible, require_finite
from cortexscale.models.training.recipes import learning_rate
from cortexscale.models.training.state import TrainingState
from cortexscale.readouts.trials import Trials
from cortexscale.recipe import NeuralRecipe, Recipe

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Course:
    """How a fine-tuning went.

    Attributes:
        losses: name -> (steps,), not weighted: ``neural_loss``, and ``image_loss`` where images were needed.
        epoch_steps: steps of an epoch.
        seconds_per_step: of wall time since the last start; None if nothing was left to do.
    """

    losses: dict[str, np.ndarray]
    epoch_steps: int
    seconds_per_step: float | None

    def by_epoch(self) -> list[dict[str, float]]:
        """``epoch``, from 1, and the mean of every loss over its steps."""
        means = {name: of_steps.reshape(-1, self.epoch_steps).mean(axis=1) for name, of_steps in self.losses.items()}
        n_epochs = len(next(iter(means.values())))
        return [{"epoch": n + 1} | {name: float(values[n]) for name, values in means.items()} for n in range(n_epochs)]


def finetune_backbone(
    backbone: Backbone,
    heads: Sequence[Head],
    trials: Sequence[Trials],
    stimuli: Sequence[Image.Image],
    recipe: NeuralRecipe,
    images: LabelledImages | None,
    image_recipe: Recipe,
    *,
    seed: int,
    workers: int = 0,
    state: TrainingState | None = None,
) -> Course:
    """Move the parameters of a network that require gradients, and leave it in evaluation mode on its device.

    Each step is one batch of images and one of every subject; its gradient is that of ``lambda_img`` x cross-entropy +
    ``lambda_neural`` x the sum of the losses of all subjects and ROIs. bfloat16 autocast on a GPU, float32 on a CPU. Order,
    augmentation and dropout follow from the seed and the step: kills and workers leave the result alone.

    Args:
        heads: of the base model, for the subjects of ``trials`` or more.
        trials: of :func:`cortexscale.finetuning.pairs.neural_pairs`.
        stimuli: pictures that ``trials`` have rows of.
        images: to keep the task with; None with ``lambda_img`` 0.
        image_recipe: of the pretraining: how single images are augmented.
        workers: processes that read pictures, half of them labelled images.
        state: what to go on from after a kill; saved after every epoch, and within one when due.

    Raises:
        InputError: a loss is not finite (what ``state`` saved before is kept), a picture cannot be read, or the network puts out
            no scores of the classes of ``images``.
    """
    network, device = backbone.network, next(backbone.network.parameters()).device
    batches = NeuralBatches(trials, recipe.neural_batch, recipe.micro_batch, seed)
    n_steps = batches.epoch_steps * recipe.epochs
    network.to(memory_format=torch.channels_last).train()
    moving = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(moving, recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    parts = {"network": network, "optimiser": optimiser}
    first, losses = state.restore(parts) if state else (0, [])
    steps = range(first, n_steps)
    tasks, of_images = [], workers // 2 if recipe.lambda_img else 0
    if recipe.lambda_img:
        tasks.append(ImageTask(backbone, images, image_recipe, recipe, steps, seed, of_images))
    objective = NeuralObjective(heads, trials, recipe.loss, device)
    tasks.append(NeuralTask(backbone, objective, batches, stimuli, recipe, steps, seed, workers - of_images))
    rates = Recipe(
        steps=n_steps,
        learning_rate=recipe.learning_rate,
        min_learning_rate=recipe.min_learning_rate,
        warmup=recipe.warmup_epochs / recipe.epochs,
    )
    fresh, began = [], time.monotonic()
    with reproducible():
        for step in steps:
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(rates, step, n_steps)
            optimiser.zero_grad()
            fresh.append(torch.stack([task.gradient(step) for task in tasks]))
            optimiser.step()
            epoch, rest = divmod(step + 1, batches.epoch_steps)
            if rest == 0 or (step + 1) % CHECK_EVERY == 0:
                losses += torch.stack(fresh).tolist()
                fresh.clear()
                require_finite(network, losses[-CHECK_EVERY:], step + 1, recipe.learning_rate)
                spent = (time.monotonic() - began) / (step + 1 - first)
                log.info("step %d of %d, epoch %d: losses %s, %.3g s a step", step + 1, n_steps, epoch, losses[-1], spent)
                if state and (rest == 0 or state.due):
                    state.save(parts, step + 1, losses)
    network.eval()
    seconds = (time.monotonic() - began) / len(steps) if steps else None
    of_tasks = np.array(losses).T
    return Course({task.loss_name: values for task, values in zip(tasks, of_tasks, strict=True)}, batches.epoch_steps, seconds)
