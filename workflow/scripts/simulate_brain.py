"""The demo study's hidden network: task images -> weights."""

import logging
from pathlib import Path

import numpy as np
import torch

from cortexscale.files import whole_file
from cortexscale.logs import logged
from cortexscale.models.build import build_architecture
from cortexscale.models.training import accuracy, train_backbone
from cortexscale.simulation.visual_system import HIDDEN_NETWORK


def main(weights: Path, task: Path, steps: int, seed: int) -> None:
    images = np.load(task)
    torch.manual_seed(seed)
    network = build_architecture(HIDDEN_NETWORK)
    train_backbone(
        network,
        images["train_images"],
        images["train_labels"],
        steps=steps,
        batch=64,
        learning_rate=5e-3,
        weight_decay=0.05,
        seed=seed,
    )
    logging.info("accuracy %.3f", accuracy(network, images["validation_images"], images["validation_labels"]))
    with whole_file(weights) as part:
        torch.save(network.state_dict(), part)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        params = snakemake.params
        main(Path(snakemake.output.weights), Path(snakemake.input.task), params.steps, params.seed)
