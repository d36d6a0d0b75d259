"""Compare two ways of a fine-tuning step: shared stimuli pass the network once, or once per subject as in the authors' code.

    python benchmarks/finetuning.py [--size small]

All subjects saw the same stimuli. For the second way each subject has its own copies, which are not recognised as the same. If
the gradients of both ways differ, no time is printed. The formulas of cortexscale/finetuning/bounds.py are compared with both
ways. Times are CPU seconds of one thread, the better of two runs. Memory is the memory of weights and heads, and the growth of
the peak during the steps. Each way runs in a separate process.
"""

import argparse
import math
import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cortexscale.finetuning.batches import NeuralBatches
from cortexscale.finetuning.bounds import BACKWARD, StepSize, step_bytes, step_seconds
from cortexscale.finetuning.heads import FrozenHead
from cortexscale.finetuning.tasks import ImageTask, NeuralObjective, NeuralTask
from cortexscale.models import architectures
from cortexscale.models.backbone import Backbone
from cortexscale.models.counting import forward_flops, saved_activations
from cortexscale.models.inputs import evaluation_transform
from cortexscale.models.layers import output_shapes
from cortexscale.models.training.data import ArrayImages
from cortexscale.models.training.steps import reproducible
from cortexscale.models.vision import timm
from cortexscale.readouts.trials import Trials
from cortexscale.recipe import Jitter, NeuralRecipe, Recipe

LARGEST_ERROR = 1e-3  # of the largest entry of the gradient


@dataclass(frozen=True)
class Size:
    pixels: int
    subjects: int
    trials: int
    images: int
    units: int
    layers: tuple[str, ...]


SIZES = {
    "full": Size(224, 4, 8, 16, 200, ("blocks.7", "norm")),
    "small": Size(64, 4, 8, 16, 50, ("blocks.3", "norm")),
}


def network(size: Size) -> Backbone:
    torch.manual_seed(0)
    if size.pixels == 224:
        built = architectures.build("deit_small", 1000)
    else:
        built = timm.create_model("vit_tiny_patch16_224", img_size=size.pixels, depth=6)
    return Backbone(built, evaluation_transform(size.pixels, size.pixels))


def tasks(size: Size, *, shared: bool) -> tuple[Backbone, ImageTask, NeuralTask, NeuralBatches, list[FrozenHead]]:
    rng = np.random.default_rng(0)
    backbone = network(size)
    pictures = [
        Image.fromarray(pixels) for pixels in rng.integers(0, 256, (size.trials, size.pixels, size.pixels, 3), dtype=np.uint8)
    ]
    shapes = output_shapes(backbone, size.layers, backbone.transform(pictures[0]))
    heads, trials = [], []
    for subject in range(size.subjects):
        for layer in size.layers:
            weights = torch.from_numpy(rng.standard_normal((size.units, math.prod(shapes[layer])), dtype=np.float32)) / 100
            heads.append(FrozenHead(f"s{subject}", layer, layer, weights, torch.zeros(size.units)))
        responses = rng.standard_normal((size.trials, size.units * len(size.layers)), dtype=np.float32)
        units = {layer: np.arange(n * size.units, (n + 1) * size.units) for n, layer in enumerate(size.layers)}
        own = 0 if shared else subject * size.trials
        trials.append(Trials(f"s{subject}", np.arange(size.trials) + own, responses, units))
    recipe = NeuralRecipe(image_batch=size.images, neural_batch=size.trials, jitter=Jitter(shift=0, rotation=0, scale=0))
    batches = NeuralBatches(trials, size.trials, None, 0)
    labelled = ArrayImages(rng.integers(0, 256, (64, size.pixels, size.pixels, 3), dtype=np.uint8), np.arange(64), None, 1000)
    objective = NeuralObjective(heads, trials, "mse", torch.device("cpu"))
    steps = range(3)
    neural = NeuralTask(backbone, objective, batches, pictures * size.subjects, recipe, steps, 0, 0)
    return backbone, ImageTask(backbone, labelled, Recipe(steps=3), recipe, steps, 0, 0), neural, batches, heads


def step_size(size: Size, *, shared: bool) -> StepSize:
    backbone = network(size)
    shapes = output_shapes(backbone, size.layers, torch.zeros(3, size.pixels, size.pixels))
    widths = [math.prod(shapes[layer]) for layer in size.layers]
    picture = torch.zeros(1, 3, size.pixels, size.pixels)
    params = sum(parameter.numel() for parameter in backbone.network.parameters())
    return StepSize(
        params=params,
        trainable=params,
        flops=forward_flops(backbone.network, picture).products,
        activations=saved_activations(backbone, picture),
        features=sum(widths),
        head_weights=sum(widths) * size.units * size.subjects,
        images=size.images,
        trials=size.trials,
        stimuli=size.trials * (1 if shared else size.subjects),
    )


def cpu_seconds(work) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def measured(size: Size, shared: bool, pipe) -> None:
    """Measure the neural loss, the step, the gradient and the peak memory in this process, and send them to ``pipe``."""
    torch.set_num_threads(1)
    backbone, images, neural, _, heads = tasks(size, shared=shared)
    backbone.network.train()
    optimiser = torch.optim.AdamW(backbone.network.parameters(), 1e-5, fused=True)
    gradients, of_neural, of_step = [], [], []
    peak = Path("/proc/self/clear_refs")
    with reproducible():
        for step in range(3):
            if step == 0:
                peak.write_text("5", encoding="utf-8")  # the peak begins anew
                before = _kilobytes("VmRSS")
            optimiser.zero_grad()
            of_neural.append(cpu_seconds(lambda step=step: neural.gradient(step)))
            if step == 0:
                gradients = torch.cat([p.grad.flatten() for p in backbone.network.parameters() if p.grad is not None]).numpy()
            of_step.append(of_neural[-1] + cpu_seconds(lambda step=step: images.gradient(step)) + cpu_seconds(optimiser.step))
    memory = (_kilobytes("VmHWM") - before) * 1024
    weights = sum(4 * p.numel() for p in backbone.network.parameters()) + sum(4 * head.weights.numel() for head in heads)
    pipe.send((min(of_neural[1:]), min(of_step[1:]), memory + weights, gradients))


def _kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def forward_rate(size: Size) -> float:
    """Measure the FLOP/s of forward passes that keep activations for the backward pass. The formula needs this rate."""
    backbone = network(size)
    views = torch.zeros(size.images, 3, size.pixels, size.pixels)
    flops = forward_flops(backbone.network, views[:1]).products

    def both() -> None:
        backbone.network(views).sum().backward()

    with reproducible():
        both()
        return (1 + BACKWARD) * flops * size.images / min(cpu_seconds(both) for _ in range(2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="full")
    size = SIZES[parser.parse_args().size]
    rate, context = forward_rate(size), multiprocessing.get_context("spawn")
    found = {}
    for shared in (True, False):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=measured, args=(size, shared, theirs))
        process.start()
        found[shared] = ours.recv()
        process.join()
    first, second = (found[shared][3] for shared in (True, False))
    error = np.abs(first - second).max() / np.abs(second).max()
    assert error < LARGEST_ERROR, f"the gradients differ by {error:.1e}"
    print(f"{size.subjects} subjects, {size.trials} stimuli each, {size.images} labelled images, {size.pixels} pixels")
    print(f"largest difference of the gradients: {error:.1e}\n")
    print("| | neural loss, CPU s | whole step | by the formula | memory, MB | by the formula |\n|---|---|---|---|---|---|")
    for shared, name in ((True, "one shared forward pass"), (False, "one per subject")):
        neural, step, memory, _ = found[shared]
        wanted = step_size(size, shared=shared)
        seconds = step_seconds(wanted, forward=rate, gemm=rate, images=1e6)
        predicted = step_bytes(wanted, half=False)
        print(f"| {name} | {neural:.2f} | {step:.2f} | {seconds:.2f} | {memory / 1e6:.0f} | {predicted / 1e6:.0f} |")
    print(
        f"\nratio of the neural loss {found[False][0] / found[True][0]:.2f}, of the step {found[False][1] / found[True][1]:.2f}"
    )


if __name__ == "__main__":
    main()
