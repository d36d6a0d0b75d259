"""A small world for the tests of fine-tuning: pictures of objects, a network that names them, a brain that sees their edges."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from cortexscale.alignment.targets import Targets, shared_targets
from cortexscale.commitments import CommittedLayer
from cortexscale.features.extract import ModelOnImages
from cortexscale.models.backbone import Backbone
from cortexscale.models.build import build_backbone, weights_hash
from cortexscale.models.model import Model, TimmBuilder
from cortexscale.models.training.data import ArrayImages
from cortexscale.models.training.loop import train_backbone
from cortexscale.recipe import Recipe
from cortexscale.recording import Recording, Split
from cortexscale.simulation.brain import AreaCode, gabor_energy
from cortexscale.simulation.images import CLASSES, render
from cortexscale.stimuli import StimulusImages, stimulus_table, table_hash
from cortexscale.study.ridge import Ridge

SIZE = 16
VIT = Model(
    id="vit",
    source="suite",
    arch="vit",
    family="ViT",
    builder=TimmBuilder(
        "test_vit",
        {
            "img_size": SIZE,
            "patch_size": 4,
            "depth": 3,
            "embed_dim": 32,
            "num_heads": 2,
            "class_token": False,
            "global_pool": "avg",
            "weight_init": "jax",
        },
        classes=len(CLASSES),
    ),
    layers=(r"blocks\.\d+", "norm"),
    reference="vit",
    image_size=SIZE,
)
RESNET = replace(
    VIT,
    id="resnet",
    builder=TimmBuilder("test_resnet", {"channels": [8, 8, 16, 16], "stem_width": 8}, classes=len(CLASSES)),
    layers=(r"layer\d", "global_pool"),
)
PRETRAINING = Recipe(steps=200, batch=32, learning_rate=4e-3)


@cache
def task(n: int = 1024, seed: int = 0) -> ArrayImages:
    return ArrayImages(*render(n, seed, SIZE))


@cache
def _pretrained(timm: str) -> dict:
    torch.manual_seed(0)
    network = build_backbone(RESNET if timm == "test_resnet" else VIT).network
    train_backbone(network, task(), PRETRAINING, image_size=SIZE, seed=0)
    return {name: value.clone() for name, value in network.state_dict().items()}


def pretrained(model: Model = VIT) -> Backbone:
    """A network that names the objects a little; every call gives a new copy."""
    backbone = build_backbone(model)
    backbone.network.load_state_dict(_pretrained(model.builder.timm))
    return backbone


def before(backbone: Backbone, images: StimulusImages, table: pd.DataFrame, model: str = "vit") -> ModelOnImages:
    """A network before a stimulus set."""
    weights = weights_hash(backbone.network)
    identity = {"model": model, "weights": weights, "transform": str(backbone.transform), "stimuli": table_hash(table)}
    return ModelOnImages(backbone, images, identity, 64, candidates=[], table=table)


def write_task(path: Path, n: int = 256) -> Path:
    train, validation = task(n), task(200, 1)
    arrays = {"train": train, "validation": validation}
    np.savez(
        path,
        **{f"{name}_images": images.images for name, images in arrays.items()},
        **{f"{name}_labels": images.labels for name, images in arrays.items()},
    )
    return path


def write_stimuli(folder: Path, n: int, seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    """``n`` pictures (n, SIZE, SIZE, 3) as files, a concept each, and their stimulus table."""
    pictures, _ = render(n, seed, SIZE)
    for number, picture in enumerate(pictures):
        concept = folder / f"c{number:04d}"
        concept.mkdir(parents=True)
        Image.fromarray(picture).save(concept / "1.png")
    return pictures, stimulus_table("image_folder", folder)


@cache
def brain() -> AreaCode:
    """Twelve features of edges and colours, equally strong."""
    code = AreaCode.find(gabor_energy(task(600, 7).images), 12)
    return AreaCode(code.mean, code.components / np.sqrt(code.variance), np.ones(12))


def recordings(
    pictures: np.ndarray,
    table: pd.DataFrame,
    n_test: int,
    *,
    dataset: str = "d",
    subjects: int = 2,
    units: int = 10,
    noise: float = 0.3,
    own_stimuli: bool = False,
    first_subject: int = 0,
) -> list[Recording]:
    """Responses of units that mix the brain's code, half of them in each ROI; those to the last ``n_test`` pictures are exact."""
    latent, found = brain().latent(gabor_energy(pictures)), []
    n_train = len(pictures) - n_test
    for number in range(subjects):
        seed = first_subject + number
        rng = np.random.default_rng([seed, 1])
        signal = 5 + 3 * brain().mixtures(latent, units, seed)
        train = np.arange(number, n_train, subjects) if own_stimuli else np.arange(n_train)
        test = np.arange(n_train, len(pictures))

        def split(rows: np.ndarray, sd: float, signal=signal, rng=rng) -> Split:
            responses = signal[rows] + sd * rng.standard_normal((len(rows), units))
            ids = table["stimulus_id"].to_numpy()[rows].astype(str)
            return Split(ids, responses.astype(np.float32), np.ones(len(rows), int))

        rois = pd.DataFrame({"V4": np.arange(units) < units // 2, "IT": np.arange(units) >= units // 2})
        names = pd.DataFrame({"unit": [f"u{unit}" for unit in range(units)], "nc_percent": 100.0})
        found.append(Recording(dataset, f"s{number}", split(train, 3 * noise), split(test, 0.0), names, rois).check())
    return found


def targets_of(recordings: list[Recording], table: pd.DataFrame, rois: tuple[str, ...] = ("V4", "IT")) -> list[Targets]:
    return shared_targets(recordings, table, list(rois))


def committed(layers: dict[str, str]) -> dict[str, CommittedLayer]:
    """Commit ROIs to layers, given by their names."""
    return {roi: CommittedLayer(layer, number, 1.0, score=0.5) for number, (roi, layer) in enumerate(layers.items())}


SETTINGS = Ridge()
