"""One model of a suite: labelled images -> weights and a report of the training."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cortexscale.files import whole_file
from cortexscale.logs import logged
from cortexscale.models.build import build_architecture
from cortexscale.models.training import accuracy, subset_indices, train_backbone
from cortexscale.stores import provenance


def main(weights: Path, report: Path, images: Path, model: dict[str, Any], recipe: dict[str, Any], code: str) -> None:
    task = np.load(images)
    subset = subset_indices(task["train_labels"], model["samples_per_class"], model["seed"])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(model["seed"])
    network = build_architecture(model)
    loss = train_backbone(
        network, task["train_images"][subset], task["train_labels"][subset], seed=model["seed"], device=device, **recipe
    )
    facts = {
        "pretraining_n_samples": len(subset),
        "samples_seen": recipe["steps"] * min(recipe["batch"], len(subset)),
        "task_evaluation_acc": accuracy(network, task["validation_images"], task["validation_labels"], device=device),
        "final_loss": loss,
        "made_by": provenance(inputs={"images": images}, recipe=recipe, device=device, code=code),
    }
    with whole_file(weights) as part:
        torch.save({name: tensor.cpu() for name, tensor in network.state_dict().items()}, part)
    with whole_file(report) as part:
        part.write_text(json.dumps(facts, indent=1))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        out, params = snakemake.output, snakemake.params
        main(Path(out.weights), Path(out.report), Path(snakemake.input.images), params.model, params.recipe, params.code)
