"""One fine-tuned model: a base model, its heads, recordings and labelled images -> weights and a card."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from cortexscale.alignment.targets import Targets
from cortexscale.errors import InputError
from cortexscale.files import whole_file
from cortexscale.finetuning.heads import load_heads
from cortexscale.finetuning.loop import finetune_backbone
from cortexscale.finetuning.pairs import neural_pairs
from cortexscale.kernels.device import best_device
from cortexscale.models.build import load_backbone, weights_hash
from cortexscale.models.training.data import open_images
from cortexscale.models.training.loop import accuracy
from cortexscale.models.training.state import TrainingState
from cortexscale.recipe import NeuralRecipe, Recipe
from cortexscale.stimuli import StimulusImages


def finetune(
    base: dict[str, Any],
    heads: Path,
    targets: Sequence[Targets],
    stimuli: StimulusImages,
    recipe: NeuralRecipe,
    images: str | None,
    image_recipe: Recipe,
    *,
    percent: float = 100,
    seed: int = 0,
    n_subjects: int | None = None,
    permuted: bool = False,
    weights: Path,
    card: Path,
    workers: int = 0,
    made_by: dict[str, Any],
) -> dict[str, Any]:
    """Fine-tune a base model; write its new weights (a state dict of the same architecture) and a card (JSON).

    A run that was killed goes on after its last saved step, from a hidden file beside ``weights``, to the same weights. With
    ``lora`` adapters move and are merged at the end.

    Args:
        base: inventory entry of the base model, a :class:`cortexscale.models.inventory.Model` as a dict.
        heads: folder of :func:`cortexscale.finetuning.heads.fit_heads`, for these targets or more.
        targets: of the dataset, with the ROIs that are fitted.
        stimuli: pictures of the stimulus set that ``targets`` have rows of.
        images: what :func:`cortexscale.models.training.data.open_images` opens; None with ``lambda_img`` 0.
        image_recipe: of the base model, resolved; single images are augmented as it says, but never mixed.
        percent, n_subjects, permuted: of :func:`cortexscale.finetuning.pairs.neural_pairs`.
        seed: of these and of the training.
        made_by: of :func:`cortexscale.stores.provenance`: everything that the weights depend on beside the arguments.

    Returns:
        The card: ``task_evaluation_acc`` and ``task_evaluation_acc_before``, top 1 on the validation split (None without
        ``images``); ``fitting_samples``, stimuli per subject; ``subjects``; ``n_params`` and ``n_trainable_params``; ``steps``,
        ``seconds_per_step``; ``losses``, per epoch and not weighted: ``epoch``, ``neural_loss``, ``image_loss``; ``made_by``.

    Raises:
        InputError: heads of another model, images of other classes, an image that cannot be read, a network that LoRA cannot
            adapt, or a loss that is not finite; what was saved before is kept.
    """
    if recipe.lambda_img and images is None:
        remedy = "name them, or set `lambda_img: 0` in the recipe"
        raise InputError(f"fine-tuning of {base['id']}", "no labelled images", "those that it keeps its task with", remedy)
    backbone = load_backbone(base)
    of_base = weights_hash(backbone.network)
    trials = neural_pairs(targets, percent=percent, seed=seed, n_subjects=n_subjects, permuted=permuted)
    linear = load_heads(heads, targets, of_base, {subject.subject for subject in trials})
    network = backbone.network.to(best_device())
    validation = open_images(images, "val") if images else None

    def task_accuracy() -> float | None:
        return accuracy(network, validation, transform=backbone.transform, workers=workers) if validation else None

    before = task_accuracy()
    n_params = sum(parameter.numel() for parameter in network.parameters())
    adapters = None
    if recipe.lora:
        from cortexscale.finetuning.lora import Adapters  # not before: peft is optional

        adapters = Adapters(network, recipe.lora, seed)
    made_of = [base, of_base, recipe.model_dump(), image_recipe.model_dump(), percent, seed, n_subjects, permuted, made_by]
    state = TrainingState(weights.with_name(f".{weights.name}.state"), json.dumps(made_of, sort_keys=True, default=str))
    n_trainable = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    course = finetune_backbone(
        backbone,
        linear,
        trials,
        stimuli,
        recipe,
        open_images(images, "train") if images else None,
        image_recipe,
        seed=seed,
        workers=workers,
        state=state,
    )
    if adapters:
        adapters.merge()
    facts = {
        "task_evaluation_acc": task_accuracy(),
        "task_evaluation_acc_before": before,
        "fitting_samples": len(trials[0].rows),
        "subjects": [subject.subject for subject in trials],
        "n_params": n_params,
        "n_trainable_params": n_trainable,
        "steps": course.epoch_steps * recipe.epochs,
        "seconds_per_step": course.seconds_per_step,
        "losses": course.by_epoch(),
        "made_by": made_by,
    }
    with whole_file(card) as part:
        part.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    with whole_file(weights) as part:
        torch.save({name: tensor.cpu() for name, tensor in network.state_dict().items()}, part)
    state.remove()
    return facts
