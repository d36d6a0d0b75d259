"""Compare the extraction of all candidate layers with the forward pass alone, and with a naive extraction.

    python benchmarks/extraction.py [--size small] [--network deit_small]

Four ways are compared. The forward pass alone runs batches through the network. The second adds hooks and a projection by
``countsketch`` to the paper's width. The extraction also writes the features to a finished store. The naive way has one forward
pass per layer, projects flattened activations by scikit-learn's ``SparseRandomProjection``, and writes nothing. It is measured
on a few images and one layer of each width, and scaled to all layers; the time to draw its matrices is not counted.

All ways run with one thread and with all threads. The best of alternating repetitions counts. One extraction runs before them,
because its first block of rows needs new memory, which jobs with thousands of images do not notice. The extraction should take
at most 25 % more than the forward pass alone. This is judged by the CPU seconds of one computing thread and the writing thread,
so that an idle core cannot hide work. Wall time is what users notice on an idle machine.
"""

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from sklearn.random_projection import SparseRandomProjection

from cortexscale.features.extract import ForwardPasses, extract_features
from cortexscale.features.store import FeatureStore
from cortexscale.kernels.device import keep_freed_memory
from cortexscale.kernels.projection import RandomProjection
from cortexscale.models.architectures import build
from cortexscale.models.backbone import Backbone
from cortexscale.models.families import LAYERS
from cortexscale.models.layers import candidate_layers, captured
from cortexscale.study.features import Projection

NETWORKS = {"deit_small": "ViT", "convnext_tiny": "ConvNeXt"}
SIZES = {"full": (256, 32, 30_000), "small": (32, 16, 5_000)}  # images, batch, features
REPETITIONS, NAIVE_IMAGES, MOST = 3, 8, 0.25


def seconds(work: Callable[[], object]) -> np.ndarray:
    """Return the CPU and wall time of a call in seconds."""
    started = time.process_time(), time.perf_counter()
    work()
    return np.array([time.process_time() - started[0], time.perf_counter() - started[1]])


def forward(backbone: Backbone, pictures: torch.Tensor, batch: int) -> None:
    with torch.inference_mode():
        for start in range(0, len(pictures), batch):
            backbone.network(torch.stack(list(pictures[start : start + batch])))


class Nowhere:
    """A store that writes nothing."""

    rows_written = 0

    def __init__(self, *_: object):
        pass

    def write(self, _features: dict[str, np.ndarray]) -> None:
        pass

    def finish(self, _attributes: dict) -> None:
        pass


def naive_projections(outputs: dict[str, torch.Tensor], p: int) -> float:
    """Return the CPU seconds to project all layers of an image."""
    layers = Counter(output.shape[1] for output in outputs.values())
    examples = {output.shape[1]: output.numpy() for output in outputs.values()}
    total = 0.0
    for width, count in layers.items():
        if width > p:
            projection = SparseRandomProjection(p, random_state=0).fit(examples[width][:1])
            total += count * seconds(lambda x=examples[width], projection=projection: projection.transform(x))[0] / NAIVE_IMAGES
    return total


def check(store: Path, outputs: dict[str, torch.Tensor], projection: Projection) -> None:
    for name, output in outputs.items():
        expected = RandomProjection(projection.family, output.shape[1], projection.dimensions, projection.seed)(output)
        found = np.concatenate([slab[: len(output)] for slab in FeatureStore(store).slabs(name)], axis=1)
        if not np.allclose(found, expected.numpy(), rtol=2e-3, atol=2e-3 * float(expected.abs().max())):
            raise SystemExit(f"{name}: other features than those of a plain forward pass; a rate would mean nothing")


def compare(arch: str, n: int, batch: int, p: int) -> None:
    torch.manual_seed(0)
    backbone = Backbone(build(arch, 1000).eval(), torch.nn.Identity())
    layers = candidate_layers(backbone.network, LAYERS[NETWORKS[arch]])
    pictures, projection = torch.randn(n, 3, 224, 224), Projection(family="countsketch", dimensions=p, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "m.zarr.zip"

        def extract() -> None:
            passes = ForwardPasses(backbone, pictures, {"model": arch}, batch)
            extract_features(passes, layers, store, projection=projection, made_by={})

        def project() -> None:
            with patch("cortexscale.features.extract.StoreWriter", Nowhere):
                extract()

        ways = {"forward alone": lambda: forward(backbone, pictures, batch), "projected": project, "extraction": extract}
        print(f"\n{arch}: {len(layers)} layers at 224 pixels to {p} features, {n} images in batches of {batch}")
        for threads in (1, os.cpu_count()):
            torch.set_num_threads(threads)
            if threads == 1:
                print(f"the first extraction: {n / seconds(extract)[0]:.2f} images/CPU s")
            best = dict.fromkeys(ways, np.array([np.inf, np.inf]))
            for _ in range(REPETITIONS):
                for name, way in ways.items():
                    best[name] = np.minimum(best[name], seconds(way) / n)
            report(threads, best)
            if threads == 1:
                alone = best["forward alone"][0]
                with torch.inference_mode(), captured(backbone.network, [layer.name for layer in layers]) as outputs:
                    backbone.network(pictures[:NAIVE_IMAGES])
                check(store, outputs, projection)
                naive = len(layers) * alone + naive_projections(outputs, p)
                print(f"{'naive':16}{1 / naive:14.2f}{naive / alone - 1:10.1%}")


def report(threads: int, best: dict[str, np.ndarray]) -> None:
    print(f"\n{f'{threads} thread(s)':16}{'images/CPU s':>14}{'more':>10}{'images/s':>12}{'more':>10}")
    for name, (cpu, wall) in best.items():
        more = np.array([cpu, wall]) / best["forward alone"] - 1
        verdict = "   above the demand" if threads == 1 and more[0] > MOST else ""
        print(f"{name:16}{1 / cpu:14.2f}{more[0]:10.1%}{1 / wall:12.2f}{more[1]:10.1%}{verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--network", choices=NETWORKS, nargs="*", default=list(NETWORKS))
    given = parser.parse_args()
    keep_freed_memory()
    for arch in given.network:
        compare(arch, *SIZES[given.size])


if __name__ == "__main__":
    main()
