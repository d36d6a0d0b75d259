"""Train one model of a suite, from labelled images to weights, in this process or in one process per GPU."""

import hashlib
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from cortexscale.errors import InputError
from cortexscale.files import whole_file
from cortexscale.logs import logged
from cortexscale.models.sources import suite
from cortexscale.models.training.data import LabelledImages, open_images, subset_indices
from cortexscale.models.training.loop import accuracy, needs_no_work, train_backbone
from cortexscale.models.training.processes import joined, torchrun
from cortexscale.models.training.recipes import training_length
from cortexscale.models.training.state import TrainingState
from cortexscale.recipe import Recipe
from cortexscale.stores import provenance, write_table

log = logging.getLogger(__name__)


def launch(job: dict[str, Any], gpus: int, log_file: str) -> None:
    """Run :func:`train_model` on as many GPUs as asked for and present, or on the CPU where there are none.

    Args:
        job: the arguments of :func:`train_model`, as plain values.
        gpus: largest number of GPUs.
        log_file: log of the first process, if there are several.
    """
    processes = min(gpus, torch.cuda.device_count())
    if processes > 1:
        torchrun(processes, __name__, json.dumps(job), log_file)
    else:
        train_model(**job)


def train_model(
    model: dict[str, Any],
    recipe: dict[str, Any],
    images: str,
    base: str | None,
    weights: str,
    report: str,
    training_set: str,
    workers: int,
    code: str,
) -> None:
    """Train an inventory entry; write its weights, a report of the training, and the list of its training images.

    Every process of a training calls this function; the first one evaluates and writes.

    Args:
        model: a :class:`cortexscale.models.inventory.Model` as a dict.
        recipe: a resolved :class:`cortexscale.recipe.Recipe` as a dict.
        images: path that :func:`open_images` opens.
        base: weights of the same architecture to begin with; None for random ones.
        weights, report, training_set: the files to write.
        workers: number of processes that read images, shared among the processes that train.
        code: digest of the code. An interrupted training continues only with the same code.

    Raises:
        InputError: the images have other classes than the config says, an image cannot be read, or the training diverges.
    """
    whole, validation, settings = open_images(images, "train"), open_images(images, "val"), Recipe(**recipe)
    for found in (whole, validation):
        _require_classes(images, found, model)
    subset = whole.take(subset_indices(whole.labels, model["samples_per_class"], model["seed"]))
    size = model["builder"]["image_size"]
    torch.manual_seed(model["seed"])
    backbone = suite.build({**model, "checkpoint": base}, weights=base is not None)
    inputs = {name: path for name, path in (("images", images), ("base", base)) if path and Path(path).is_file()}
    with joined() as processes:
        length = training_length(settings, len(subset.labels), processes.count)
        made_by = provenance(
            inputs=inputs,
            recipe=recipe,
            training_set=_digest(subset),
            micro_batch=length.size,
            code=code,
            device=processes.device.type,
        )
        state = TrainingState(
            Path(weights).with_name(f".{Path(weights).name}.state"), json.dumps([model, made_by], sort_keys=True)
        )
        losses = train_backbone(
            backbone.network,
            subset,
            settings,
            image_size=size,
            seed=model["seed"],
            workers=workers // processes.count,
            state=state,
            processes=processes,
        )
    if processes.rank:
        return
    transform = None if needs_no_work(validation, size) else backbone.transform
    facts = {
        "pretraining_n_samples": len(subset.labels),
        "samples_seen": length.images_seen,
        "task_evaluation_acc": accuracy(backbone.network, validation, transform=transform, workers=workers),
        "final_loss": float(losses[-max(1, len(losses) // 10) :].mean()),
        "made_by": made_by,
    }
    names = [os.fsdecode(name) for name in subset.names]
    write_table(pd.DataFrame({"image": names, "label": subset.labels}), training_set, made_by)
    with whole_file(report) as part:
        part.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    with whole_file(weights) as part:
        torch.save({name: tensor.cpu() for name, tensor in backbone.network.state_dict().items()}, part)
    state.remove()


def _require_classes(images: str, found: LabelledImages, model: dict[str, Any]) -> None:
    expected = model["builder"]["classes"]
    if found.n_classes != expected:
        raise InputError(images, f"{found.n_classes} classes", f"{expected} classes", "correct the suite's `classes` or `images`")


def _digest(images: LabelledImages) -> str:
    """Hash of the names and classes of images."""
    digest = hashlib.blake2b(np.char.add(images.names, b"\n").tobytes(), digest_size=16)
    digest.update(images.labels.tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    job, log_file = sys.argv[1:]
    with logged(log_file if os.environ["RANK"] == "0" else os.devnull):
        train_model(**json.loads(job))
