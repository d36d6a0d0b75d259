"""Training of one model of a suite, in this process or in one process per GPU."""

import hashlib
import json
import logging
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pydantic import TypeAdapter

from cortexscale.errors import InputError
from cortexscale.files import whole_file, write_text
from cortexscale.jobs import logged, plain
from cortexscale.models.build import build_backbone, load_backbone
from cortexscale.models.model import Model
from cortexscale.models.training.batches import needs_no_work
from cortexscale.models.training.data import LabelledImages, open_images, subset_indices
from cortexscale.models.training.loop import accuracy, train_backbone
from cortexscale.models.training.processes import joined, torchrun
from cortexscale.models.training.recipes import training_length
from cortexscale.models.training.steps import TrainingState
from cortexscale.recipe import Recipe
from cortexscale.stores import provenance, write_table

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingJob:
    """The training of one model of a suite.

    Attributes:
        model: model to train. Its checkpoint is not read.
        images: path for :func:`cortexscale.models.training.data.open_images`.
        base: file with initial weights of the same architecture; None stands for random weights.
        weights, report, training_set: files to write.
        workers: total number of processes that read images. They are divided among the processes that train.
        code: digest of the code. An interrupted training continues only if the code is the same.
    """

    model: Model
    recipe: Recipe
    images: Path
    base: Path | None
    weights: Path
    report: Path
    training_set: Path
    workers: int
    code: str


def launch(job: TrainingJob, gpus: int, log_file: Path) -> None:
    """Train on up to ``gpus`` GPUs, or on the CPU if there are none. Only the first process writes the log."""
    processes = min(gpus, torch.cuda.device_count())
    if processes > 1:
        torchrun(processes, __name__, json.dumps(plain(job)), str(log_file))
    else:
        train_model(job)


def train_model(job: TrainingJob) -> None:
    """Train a model. Write its weights, a report of the training, and the list of its training images.

    Every process of a training calls this function. Only the first process evaluates and writes. An InputError is raised if the
    number of classes differs from the config, if an image cannot be read, or if the training diverges.
    """
    model, images, base, weights = job.model, job.images, job.base, job.weights
    samples, seed, size = model.samples_per_class, model.seed, model.image_size
    assert samples is not None and seed is not None and size is not None, "models of suites have these"
    whole, validation = open_images(images, "train"), open_images(images, "val")
    for found in (whole, validation):
        if found.n_classes != model.classes:
            remedy = "correct the suite's `classes` or `images`"
            raise InputError(images, f"{found.n_classes} classes", f"{model.classes} classes", remedy)
    subset = whole.take(subset_indices(whole.labels, samples, seed))
    torch.manual_seed(seed)
    backbone = load_backbone(replace(model, checkpoint=str(base)), classifier=True) if base else build_backbone(model)
    inputs = {name: path for name, path in (("images", images), ("base", base)) if path and path.is_file()}
    with joined() as processes:
        length = training_length(job.recipe, len(subset.labels), processes.count)
        made_by = provenance(
            inputs=inputs,
            recipe=job.recipe,
            training_set=_digest(subset),
            micro_batch=length.size,
            code=job.code,
            device=processes.device.type,
        )
        made_of = json.dumps([plain(model), made_by], sort_keys=True)
        state = TrainingState(weights.with_name(f".{weights.name}.state"), made_of)
        workers = job.workers // processes.count
        losses = train_backbone(
            backbone.network, subset, job.recipe, image_size=size, seed=seed, workers=workers, state=state, processes=processes
        )
    if processes.rank:
        return
    transform = None if needs_no_work(validation, size) else backbone.transform
    facts = {
        "pretraining_n_samples": len(subset.labels),
        "samples_seen": length.images_seen,
        "task_evaluation_acc": accuracy(backbone.network, validation, transform=transform, workers=job.workers),
        "final_loss": float(losses[-max(1, len(losses) // 10) :].mean()),
        "made_by": made_by,
    }
    names = [os.fsdecode(name) for name in subset.names]
    write_table(pd.DataFrame({"image": names, "label": subset.labels}), job.training_set, made_by)
    write_text(job.report, json.dumps(facts, indent=1))
    with whole_file(weights) as part:
        torch.save({name: tensor.cpu() for name, tensor in backbone.network.state_dict().items()}, part)
    state.remove()


def _digest(images: LabelledImages) -> str:
    digest = hashlib.blake2b(np.char.add(images.names, b"\n").tobytes(), digest_size=16)
    digest.update(images.labels.tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    text, log_file = sys.argv[1:]
    with logged(log_file if os.environ["RANK"] == "0" else os.devnull):
        train_model(TypeAdapter(TrainingJob).validate_json(text))
