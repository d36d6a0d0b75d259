"""The fine-tuning loop: labelled images and stimuli in every step, with a state to continue from (paper, section 3)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from cortexscale.finetuning.batches import NeuralBatches
from cortexscale.finetuning.heads import FrozenHead
from cortexscale.finetuning.objective import NeuralObjective
from cortexscale.finetuning.tasks import ImageTask, NeuralTask
from cortexscale.models.backbone import Backbone
from cortexscale.models.training.data import LabelledImages
from cortexscale.models.training.processes import Processes
from cortexscale.models.training.state import TrainingState
from cortexscale.models.training.steps import Steps
from cortexscale.readouts.trials import Trials
from cortexscale.recipe import NeuralRecipe, Recipe
from cortexscale.stimuli import StimulusImages


@dataclass(frozen=True)
class FinetuningHistory:
    """Losses and speed of a fine-tuning.

    Attributes:
        losses: unweighted loss of every step, (steps,), by name: ``neural_loss``, and ``image_loss`` where images were used.
        epoch_steps: number of steps of an epoch.
        seconds_per_step: wall time of a step since the last start; None if nothing was left to do.
    """

    losses: dict[str, np.ndarray]
    epoch_steps: int
    seconds_per_step: float | None

    def by_epoch(self) -> list[dict[str, float]]:
        """One dictionary per epoch: ``epoch``, counted from 1, and the mean of every loss over the steps of the epoch."""
        means = {name: of_steps.reshape(-1, self.epoch_steps).mean(axis=1) for name, of_steps in self.losses.items()}
        n_epochs = len(next(iter(means.values())))
        return [{"epoch": n + 1} | {name: float(values[n]) for name, values in means.items()} for n in range(n_epochs)]


def finetune_backbone(
    backbone: Backbone,
    heads: Sequence[FrozenHead],
    trials: Sequence[Trials],
    stimuli: StimulusImages | Sequence[Image.Image],
    recipe: NeuralRecipe,
    images: LabelledImages | None,
    image_recipe: Recipe,
    *,
    seed: int,
    workers: int = 0,
    state: TrainingState | None = None,
) -> FinetuningHistory:
    """Train the parameters of a network that require gradients, and leave it in eval mode on its device.

    Each step has one batch of labelled images and one batch of stimuli of every subject. Its gradient is that of ``lambda_img`` x
    cross-entropy + ``lambda_neural`` x the sum of the losses of all subjects and ROIs. The forward pass runs in bfloat16 autocast
    on a GPU and in float32 on a CPU. Order, augmentation and dropout depend on the seed and the step alone, so that interruptions
    and the number of workers do not change the result.

    Args:
        heads: heads of the base model, for the subjects of ``trials`` or more.
        trials: result of :func:`cortexscale.finetuning.pairs.neural_pairs`.
        stimuli: images of the stimulus set; ``trials`` hold their rows.
        images: labelled images to keep the task with; may be None if ``lambda_img`` is 0.
        image_recipe: recipe of the pretraining, by which labelled images are augmented one by one.
        workers: number of processes that read images; half of them read labelled images.
    """
    network, device = backbone.network, next(backbone.network.parameters()).device
    batches = NeuralBatches(trials, recipe.neural_batch, recipe.micro_batch, seed)
    n_steps = batches.epoch_steps * recipe.epochs
    network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    moving = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(moving, recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    rates = Recipe(
        steps=n_steps,
        learning_rate=recipe.learning_rate,
        min_learning_rate=recipe.min_learning_rate,
        warmup=recipe.warmup_epochs / recipe.epochs,
    )
    steps = Steps(network, optimiser, rates, n_steps, state=state, processes=Processes(device), per_epoch=batches.epoch_steps)
    tasks: list[ImageTask | NeuralTask] = []
    image_workers = workers // 2 if recipe.lambda_img else 0
    if recipe.lambda_img:
        if images is None:
            raise ValueError("lambda_img above 0 needs labelled images")
        tasks.append(ImageTask(backbone, images, image_recipe, recipe, steps.left, seed, image_workers))
    objective = NeuralObjective(heads, trials, recipe.loss, device)
    tasks.append(NeuralTask(backbone, objective, batches, stimuli, recipe, steps.left, seed, workers - image_workers))
    began = time.monotonic()
    steps.run(lambda step: torch.stack([task.gradient(step) for task in tasks]))
    network.eval()
    seconds = (time.monotonic() - began) / len(steps.left) if steps.left else None
    of_tasks = np.array(steps.losses).T
    losses_by_task = {task.loss_name: values for task, values in zip(tasks, of_tasks, strict=True)}
    return FinetuningHistory(losses_by_task, batches.epoch_steps, seconds)
