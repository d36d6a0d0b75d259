"""Train the hidden network on task images. From its layers, the demo study simulates the responses of higher areas."""

import logging
from pathlib import Path

import torch

from cortexscale.files import whole_file
from cortexscale.jobs import run
from cortexscale.models.build import build_backbone
from cortexscale.models.training.data import open_images
from cortexscale.models.training.loop import accuracy, train_backbone
from cortexscale.recipe import Recipe
from cortexscale.simulation.visual_system import HIDDEN_NETWORK


def main(*, task: Path, steps: int, seed: int, weights: Path) -> None:
    images = open_images(task, "train")
    torch.manual_seed(seed)
    network = build_backbone(HIDDEN_NETWORK).network
    recipe = Recipe(steps=steps, batch=64, learning_rate=5e-3)
    train_backbone(network, images, recipe, image_size=images[0].width, seed=seed)
    logging.info("accuracy %.3f", accuracy(network, open_images(task, "val")))
    with whole_file(weights) as part:
        torch.save(network.state_dict(), part)


if "snakemake" in globals():
    run(main, snakemake)
