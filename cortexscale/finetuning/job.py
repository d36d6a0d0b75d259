"""Fine-tuning of one base model on recordings and labelled images, with its heads (paper, section 3)."""

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from cortexscale.alignment.targets import Targets
from cortexscale.errors import InputError
from cortexscale.files import whole_file, write_text
from cortexscale.finetuning.batches import NeuralBatches, neural_pairs
from cortexscale.finetuning.heads import FrozenHead, load_heads
from cortexscale.finetuning.own_task import accuracy_before, reported_accuracy, require_outputs
from cortexscale.finetuning.tasks import ImageTask, NeuralObjective, NeuralTask
from cortexscale.jobs import plain
from cortexscale.kernels.device import best_device
from cortexscale.models.backbone import Backbone
from cortexscale.models.build import load_backbone, weights_hash
from cortexscale.models.counting import n_parameters
from cortexscale.models.model import Model
from cortexscale.models.training.data import LabelledImages, open_images
from cortexscale.models.training.loop import accuracy
from cortexscale.models.training.processes import Processes
from cortexscale.models.training.steps import Steps, TrainingState
from cortexscale.models.tuning import Tuning
from cortexscale.readouts.trials import Trials
from cortexscale.recipe import NeuralRecipe, Recipe
from cortexscale.stimuli import StimulusImages

log = logging.getLogger(__name__)


def finetune(
    base: Model,
    heads: Path,
    targets: Sequence[Targets],
    stimuli: StimulusImages,
    recipe: NeuralRecipe,
    images: Path | None,
    image_recipe: Recipe | None,
    tuning: Tuning,
    *,
    weights: Path,
    card: Path,
    workers: int = 0,
    made_by: dict[str, Any],
    base_report: Path | None = None,
) -> dict[str, Any]:
    """Fine-tune a base model, write its new weights (a state dict) and its card (JSON), and return the card.

    An interrupted run continues after its last saved step, from a hidden file beside ``weights``, and gives the same weights. If
    the recipe has ``lora``, adapters are trained and merged into the network at the end.

    Args:
        heads: folder written by :func:`cortexscale.finetuning.heads.fit_heads`. It must have the heads of all ``targets``.
        images: path for :func:`cortexscale.models.training.data.open_images`. None is allowed if ``lambda_img`` is 0.
        image_recipe: resolved recipe of the base model. It says how each labelled image is augmented; images are never mixed.
            None is allowed if ``lambda_img`` is 0.
        made_by: result of :func:`cortexscale.stores.provenance`, with everything else on which the weights depend.
        base_report: training report of the base model, if a suite trained it. The accuracy before the fine-tuning is compared
            with the accuracy in this report.

    Returns:
        The card. ``task_evaluation_acc`` and ``task_evaluation_acc_before`` are the top-1 accuracies on the validation split
        after and before the fine-tuning (None without ``images``). ``fitting_samples`` is the number of stimuli per subject. The
        other keys are ``subjects``, ``n_params``, ``n_trainable_params``, ``made_by`` and all keys that :func:`finetune_backbone`
        returns.
    """
    if recipe.lambda_img and (images is None or image_recipe is None):
        found, expected = "no labelled images, or no recipe for them", "both, so that the network keeps its task"
        remedy = "give `images` and `image_recipe` in the config, or set `lambda_img: 0` in the recipe"
        raise InputError(f"fine-tuning of {base.id}", found, expected, remedy)
    backbone = load_backbone(base, classifier=images is not None)
    of_base = weights_hash(backbone.network)
    trials = neural_pairs(targets, percent=tuning.percent, seed=tuning.seed, n_subjects=tuning.subjects, permuted=tuning.permuted)
    linear = load_heads(heads, targets, of_base, {subject.subject for subject in trials})
    network = backbone.network.to(best_device())
    labelled, validation = (open_images(images, split) if images else None for split in ("train", "val"))
    before = None
    if labelled and validation:
        where, reported = str(images), reported_accuracy(base_report)
        try:
            require_outputs(backbone, max(labelled.n_classes, validation.n_classes), where, base.id)
            before = accuracy_before(backbone, validation, where, base.id, reported, workers=workers)
        except InputError as error:
            if recipe.lambda_img:
                raise
            log.warning("no accuracy on images, because they do not seem to be the task of the model: %s", error)
            validation = None
    n_params = n_parameters(network)
    adapters = None
    if recipe.lora:
        from cortexscale.finetuning.lora import Adapters  # imported here because peft is optional

        adapters = Adapters(network, recipe.lora, tuning.seed)
    made_of = plain([base, of_base, recipe, image_recipe, tuning, made_by])
    state = TrainingState(weights.with_name(f".{weights.name}.state"), json.dumps(made_of, sort_keys=True))
    n_trainable = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    course = finetune_backbone(
        backbone, linear, trials, stimuli, recipe, labelled, image_recipe, seed=tuning.seed, workers=workers, state=state
    )
    if adapters:
        adapters.merge()
    after = accuracy(network, validation, transform=backbone.transform, workers=workers) if validation else None
    facts = {
        "task_evaluation_acc": after,
        "task_evaluation_acc_before": before,
        "fitting_samples": len(trials[0].rows),
        "subjects": [subject.subject for subject in trials],
        "n_params": n_params,
        "n_trainable_params": n_trainable,
        **course,
        "made_by": made_by,
    }
    write_text(card, json.dumps(facts, indent=1))
    with whole_file(weights) as part:
        torch.save({name: tensor.cpu() for name, tensor in network.state_dict().items()}, part)
    state.remove()
    return facts


def finetune_backbone(
    backbone: Backbone,
    heads: Sequence[FrozenHead],
    trials: Sequence[Trials],
    stimuli: StimulusImages | Sequence[Image.Image],
    recipe: NeuralRecipe,
    images: LabelledImages | None,
    image_recipe: Recipe | None,
    *,
    seed: int,
    workers: int = 0,
    state: TrainingState | None = None,
) -> dict[str, Any]:
    """Train those parameters of a network that require gradients. The network stays on its device and ends in eval mode.

    Each step has one batch of labelled images and one batch of stimuli of every subject. The loss of a step is ``lambda_img`` x
    the cross-entropy of images + ``lambda_neural`` x the sum of the losses of all subjects and ROIs. Forward passes use bfloat16
    autocast on a GPU and float32 on a CPU. Order, augmentation and dropout depend only on the seed and the step. Interruptions
    and the number of workers therefore do not change the trained weights.

    Returns:
        A dictionary with ``steps``, ``seconds_per_step`` and ``losses``. ``seconds_per_step`` is measured since the last start of
        the job, and None if no step was left to do. ``losses`` has a dictionary for each epoch: ``epoch``, counted from 1, and
        the unweighted means ``neural_loss`` and, with images, ``image_loss``.
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
        if images is None or image_recipe is None:
            raise ValueError("lambda_img above 0 needs labelled images and a recipe for them")
        tasks.append(ImageTask(backbone, images, image_recipe, recipe, steps.left, seed, image_workers))
    objective = NeuralObjective(heads, trials, recipe.loss, device)
    tasks.append(NeuralTask(backbone, objective, batches, stimuli, recipe, steps.left, seed, workers - image_workers))
    began = time.monotonic()
    steps.run(lambda step: torch.stack([task.gradient(step) for task in tasks]))
    network.eval()
    seconds = (time.monotonic() - began) / len(steps.left) if steps.left else None
    means = np.reshape(steps.losses, (recipe.epochs, batches.epoch_steps, len(tasks))).mean(axis=1).tolist()
    names = [task.loss_name for task in tasks]
    losses = [{"epoch": epoch} | dict(zip(names, mean, strict=True)) for epoch, mean in enumerate(means, start=1)]
    return {"steps": n_steps, "seconds_per_step": seconds, "losses": losses}
