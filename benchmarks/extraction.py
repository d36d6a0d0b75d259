"""Extraction of all candidate layers beside the forward pass alone, and beside the naive way.

    python benchmarks/extraction.py [--size small]

Forward alone: batches through the network. Projected: the same with hooks and ``countsketch`` to the paper's width.
Extraction: that, written to the finished store. The demand: at most 25 % more. Naive: one pass for each layer, activations
flattened and projected by scikit-learn's ``SparseRandomProjection``, nothing written; measured on a few images, a layer of
each width, and scaled to all layers (the drawing of its matrices is not counted). One thread, best of repetitions that
alternate; CPU seconds, the thread that writes included, and wall clock.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from sklearn.random_projection import SparseRandomProjection
from threadpoolctl import threadpool_limits

from cortexscale.features.extract import extract_features
from cortexscale.features.store import FeatureStore
from cortexscale.kernels.device import keep_freed_memory
from cortexscale.kernels.projection import Projection
from cortexscale.models.architectures import build
from cortexscale.models.backbone import Backbone
from cortexscale.models.families import LAYERS
from cortexscale.models.layers import candidate_layers, captured

NETWORKS = {"deit_small": "ViT", "convnext_tiny": "ConvNeXt"}
SIZES = {"full": (256, 32, 30_000), "small": (32, 16, 5_000)}  # images, batch, features
REPETITIONS, NAIVE_IMAGES, MOST = 2, 8, 0.25


def seconds(work: Callable[[], object]) -> np.ndarray:
    """CPU and wall."""
    started = time.process_time(), time.perf_counter()
    work()
    return np.array([time.process_time() - started[0], time.perf_counter() - started[1]])


def forward(backbone: Backbone, pictures: torch.Tensor, batch: int) -> None:
    with torch.inference_mode():
        for start in range(0, len(pictures), batch):
            backbone.network(torch.stack(list(pictures[start : start + batch])))


class Nowhere:
    """Takes the place of a store."""

    rows_written = 0

    def __init__(self, *_: object):
        pass

    def write(self, _features: dict[str, np.ndarray]) -> None:
        pass

    def finish(self, _attributes: dict) -> None:
        pass


def naive_projections(outputs: dict[str, torch.Tensor], p: int) -> float:
    """CPU seconds for all layers of an image."""
    layers = Counter(output.shape[1] for output in outputs.values())
    examples = {output.shape[1]: output.numpy() for output in outputs.values()}
    total = 0.0
    for width, count in layers.items():
        if width > p:
            projection = SparseRandomProjection(p, random_state=0).fit(examples[width][:1])
            total += count * seconds(lambda x=examples[width], projection=projection: projection.transform(x))[0] / NAIVE_IMAGES
    return total


def check(store: Path, outputs: dict[str, torch.Tensor], projection: dict) -> None:
    for name, output in outputs.items():
        expected = Projection(projection["family"], output.shape[1], projection["dimensions"], projection["seed"])(output)
        found = np.concatenate([slab[: len(output)] for slab in FeatureStore(store).slabs(name)], axis=1)
        if not np.allclose(found, expected.numpy(), rtol=2e-3, atol=2e-3 * float(expected.abs().max())):
            raise SystemExit(f"{name}: other features than those of a plain forward pass; a rate would mean nothing")


def compare(arch: str, n: int, batch: int, p: int) -> None:
    torch.manual_seed(0)
    backbone = Backbone(build(arch, 1000).eval(), torch.nn.Identity())
    layers = candidate_layers(backbone.network, LAYERS[NETWORKS[arch]])
    pictures, projection = torch.randn(n, 3, 224, 224), {"family": "countsketch", "dimensions": p, "seed": 0}
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "m.zarr.zip"

        def extract() -> None:
            how = {"identity": {"model": arch}, "projection": projection, "batch_size": batch, "made_by": {}}
            extract_features(backbone, layers, pictures, store, **how)

        def project() -> None:
            with patch("cortexscale.features.extract.StoreWriter", Nowhere):
                extract()

        ways, best = (
            {"forward alone": lambda: forward(backbone, pictures, batch), "projected": project, "extraction": extract},
            {},
        )
        for _ in range(REPETITIONS):
            for name, way in ways.items():
                best[name] = np.minimum(best.get(name, np.inf), seconds(way) / n)
        with torch.inference_mode(), captured(backbone.network, [layer.name for layer in layers]) as outputs:
            backbone.network(pictures[:NAIVE_IMAGES])
        check(store, outputs, projection)
    naive = len(layers) * best["forward alone"][0] + naive_projections(outputs, p)
    print(f"\n{arch}: {len(layers)} layers at 224 pixels to {p} features, {n} images in batches of {batch}\n")
    print(f"{'':16}{'images/s':>10}{'more than forward':>20}{'wall':>8}")
    for name, (cpu, wall) in best.items():
        more = np.array([cpu, wall]) / best["forward alone"] - 1
        print(f"{name:16}{1 / cpu:10.2f}{more[0]:20.1%}{more[1]:8.1%}{'   above the demand' if more[0] > MOST else ''}")
    print(f"{'naive':16}{1 / naive:10.2f}{naive / best['forward alone'][0] - 1:20.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="full")
    sizes = SIZES[parser.parse_args().size]
    keep_freed_memory()
    torch.set_num_threads(1)
    for arch in NETWORKS:
        compare(arch, *sizes)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
