"""Make one fine-tuned model from a base model, its heads, recordings and labelled images."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from cortexscale.alignment.targets import Targets
from cortexscale.errors import InputError
from cortexscale.files import whole_file, write_text
from cortexscale.finetuning.heads import load_heads
from cortexscale.finetuning.loop import finetune_backbone
from cortexscale.finetuning.pairs import neural_pairs
from cortexscale.jobs import plain
from cortexscale.kernels.device import best_device
from cortexscale.models.build import load_backbone, weights_hash
from cortexscale.models.model import Model
from cortexscale.models.training.data import open_images
from cortexscale.models.training.loop import accuracy
from cortexscale.models.training.state import TrainingState
from cortexscale.recipe import NeuralRecipe, Recipe
from cortexscale.stimuli import StimulusImages


def finetune(
    base: Model,
    heads: Path,
    targets: Sequence[Targets],
    stimuli: StimulusImages,
    recipe: NeuralRecipe,
    images: Path | None,
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
    """Fine-tune a base model; write its new weights (a state dict of the same architecture) and a card (JSON), which is returned.

    An interrupted run continues after its last saved step, from a hidden file beside ``weights``, and reaches the same weights.
    With ``lora``, adapters are trained and merged at the end.

    Args:
        heads: folder of :func:`cortexscale.finetuning.heads.fit_heads`, with heads for these targets or more.
        targets: responses of the dataset, with the ROIs that are fitted.
        images: path that :func:`cortexscale.models.training.data.open_images` opens; may be None if ``lambda_img`` is 0.
        image_recipe: resolved recipe of the base model. Labelled images are augmented one by one as it says, and never mixed.
        percent, n_subjects, permuted: arguments of :func:`cortexscale.finetuning.pairs.neural_pairs`.
        seed: seed of these, and of the training.
        made_by: result of :func:`cortexscale.stores.provenance`, with everything else that the weights depend on.

    Returns:
        Top-1 accuracy on the validation split after and before the fine-tuning, ``task_evaluation_acc`` and
        ``task_evaluation_acc_before`` (None without ``images``); ``fitting_samples``, stimuli per subject; ``subjects``;
        ``n_params`` and ``n_trainable_params``; ``steps`` and ``seconds_per_step``; ``losses``, unweighted means per epoch, as
        ``epoch``, ``neural_loss`` and ``image_loss``; ``made_by``.

    Raises:
        InputError: there are no labelled images although the recipe needs them.
    """
    if recipe.lambda_img and images is None:
        remedy = "give `images` in the config, or set `lambda_img: 0` in the recipe"
        raise InputError(f"fine-tuning of {base.id}", "no labelled images", "images of the task that it should keep", remedy)
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
        from cortexscale.finetuning.lora import Adapters  # imported here because peft is optional

        adapters = Adapters(network, recipe.lora, seed)
    made_of = plain([base, of_base, recipe, image_recipe, percent, seed, n_subjects, permuted, made_by])
    state = TrainingState(weights.with_name(f".{weights.name}.state"), json.dumps(made_of, sort_keys=True))
    n_trainable = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    history = finetune_backbone(
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
        "steps": history.epoch_steps * recipe.epochs,
        "seconds_per_step": history.seconds_per_step,
        "losses": history.by_epoch(),
        "made_by": made_by,
    }
    write_text(card, json.dumps(facts, indent=1))
    with whole_file(weights) as part:
        torch.save({name: tensor.cpu() for name, tensor in network.state_dict().items()}, part)
    state.remove()
    return facts
