"""The training loop of all models of a suite, small ones on a CPU and large ones on several GPUs."""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeGuard

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from cortexscale.errors import InputError
from cortexscale.models.normalisation import as_input
from cortexscale.models.training.adversarial import ffgsm
from cortexscale.models.training.augment import BatchAugmentation, criterion, image_transform, set_drop_path
from cortexscale.models.training.batches import Batch, evaluation_batches, loaded_batches, sliced_batches
from cortexscale.models.training.data import ArrayImages, LabelledImages
from cortexscale.models.training.order import MICRO_BATCH, MicroBatches, Order, seed_everything, seed_of
from cortexscale.models.training.processes import Processes
from cortexscale.models.training.recipes import learning_rate, training_length
from cortexscale.models.training.state import Stateful, TrainingState
from cortexscale.models.vision import timm
from cortexscale.recipe import Recipe

log = logging.getLogger(__name__)

CHECK_EVERY = 20
"""Number of steps after which the loss is read, which waits for the GPU. A state may be saved at that time."""


def train_backbone(
    network: nn.Module,
    images: LabelledImages,
    recipe: Recipe,
    *,
    image_size: int,
    seed: int,
    workers: int = 0,
    state: TrainingState | None = None,
    processes: Processes | None = None,
) -> np.ndarray:
    """Train ``network`` in place and leave it in eval mode on the device. With EMA, its weights are then the averages.

    The forward pass runs in bfloat16 autocast on a GPU and in float32 on a CPU. Gradients are averaged over the micro-batches of
    a step, wherever they are computed; batch normalisation sees one micro-batch at a time. The result depends on the
    arguments up to ``seed`` alone: the number of workers and interruptions do not change it, nor does the number of processes,
    except for the order of sums.

    Args:
        network: with its initial weights.
        images: the training images.
        recipe: a resolved recipe.
        image_size: pixels of a side of the input.
        seed: seed of the order of the images and of all augmentation.
        workers: number of processes that read images for this one. Arrays that are only mirrored need none.
        state: file from which an interrupted training continues.
        processes: processes of the training; by default this one alone, on the device of the network.

    Returns:
        (steps,) mean loss of every step.

    Raises:
        InputError: the loss is not finite, or an image cannot be read.
    """
    processes = processes or Processes(next(network.parameters()).device)
    device = processes.device
    length = training_length(recipe, len(images.labels), processes.count)
    if recipe.drop_path:
        set_drop_path(network, recipe.drop_path)
    network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    average = timm.utils.ModelEmaV3(network, recipe.ema, use_warmup=True) if recipe.ema else None
    optimiser = _optimiser(network, recipe)
    parts: dict[str, Stateful] = {"network": network, "optimiser": optimiser}
    if average:
        parts["average"] = average
    first, losses = state.restore(parts) if state else (0, [])
    micro_batches = MicroBatches(Order(len(images.labels), seed, recipe.repeats), length, processes.rank, processes.count, first)
    batches = training_batches(images, micro_batches, recipe, image_size, seed, workers, device)
    gradient = _Gradient(network, recipe, images.n_classes, processes)
    fresh: list[torch.Tensor] = []
    began = time.monotonic()
    with reproducible():
        for step in range(first, length.steps):
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(recipe, step, length.steps)
            optimiser.zero_grad()
            seeds = [seed_of(seed, MICRO_BATCH, step, number) for number in micro_batches.numbers]
            fresh.append(gradient.add(batches, seeds))
            if recipe.clip:
                nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
            optimiser.step()
            if average:
                average.update(network, step + 1)
            if (step + 1) % CHECK_EVERY == 0 or step + 1 == length.steps:
                losses += processes.mean(torch.stack(fresh)).tolist()
                fresh.clear()
                require_finite(network, losses[-CHECK_EVERY:], step + 1, recipe.learning_rate)
                rate = (step + 1 - first) * length.batch / (time.monotonic() - began)
                log.info("step %d of %d: loss %.4f, %.0f images/s", step + 1, length.steps, losses[-1], rate)
                if state and processes.rank == 0 and state.due:
                    state.save(parts, step + 1, losses)
    if average:
        network.load_state_dict(average.module.state_dict())
    network.eval()
    return np.array(losses)


def accuracy(
    network: nn.Module,
    images: LabelledImages,
    *,
    transform: Callable[[Image.Image], torch.Tensor] | None = None,
    batch: int = 500,
    workers: int = 0,
) -> float:
    """Fraction of the images whose label the network ranks first (top-1 accuracy). Images are read batch by batch.

    Args:
        network: put into eval mode.
        images: the images.
        transform: function from an image to the network's input; arrays of the right size need none.
        batch: images of a forward pass.
        workers: number of processes that read images.

    Raises:
        InputError: an image cannot be read.
    """
    device = next(network.parameters()).device
    if transform:
        batches = evaluation_batches(images, transform, batch, workers, device)
    elif isinstance(images, ArrayImages):
        batches = _array_batches(images, batch, device)
    else:
        raise TypeError("images that are not an array need a transform")
    network.eval()
    with torch.inference_mode():
        hits = [(network(inputs).argmax(1) == labels).sum() for inputs, labels in batches]
    return int(torch.stack(hits).sum()) / len(images.labels)


def _array_batches(images: ArrayImages, batch: int, device: torch.device) -> Iterator[Batch]:
    for start in range(0, len(images.labels), batch):
        rows = slice(start, start + batch)
        yield as_input(images.images[rows], device=device), torch.from_numpy(images.labels[rows]).to(device)


class _Gradient:
    """Computes the gradient of a step: the mean over its micro-batches in all processes."""

    def __init__(self, network: nn.Module, recipe: Recipe, n_classes: int, processes: Processes) -> None:
        self.network, self.recipe, self.device = network, recipe, processes.device
        self.model = DistributedDataParallel(network) if processes.count > 1 else network
        self.augmentation = BatchAugmentation(recipe, n_classes, processes.device)
        self.criterion = criterion(recipe)

    def add(self, batches: Iterator[Batch], seeds: list[int]) -> torch.Tensor:
        """Add the gradient of the next micro-batches, one per seed, to that of the network; return their mean loss."""
        total = torch.zeros((), device=self.device)
        for number, seed in enumerate(seeds, 1):
            pixels, labels = next(batches)
            seed_everything(seed)
            with (
                self._exchanged(last=number == len(seeds)),
                torch.autocast(self.device.type, torch.bfloat16, self.device.type == "cuda"),
            ):
                inputs, targets = self.augmentation(pixels, labels)
                if self.recipe.attack:
                    inputs = ffgsm(self.network, inputs, targets, self._loss, self.recipe.attack)
                loss = self._loss(self.model(inputs), targets) / len(seeds)
                loss.backward()
            total += loss.detach()
        return total

    def _loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self.criterion(outputs.float(), targets)

    def _exchanged(self, last: bool) -> AbstractContextManager[None]:
        """Let processes exchange gradients only once a step, in the backward pass of their last micro-batch."""
        if last or not isinstance(self.model, DistributedDataParallel):
            return nullcontext()
        return self.model.no_sync()


def needs_no_work(images: LabelledImages, image_size: int) -> TypeGuard[ArrayImages]:
    """Whether the images are an array of the right size, which needs no transform."""
    return isinstance(images, ArrayImages) and images.images.shape[1:3] == (image_size, image_size)


def training_batches(
    images: LabelledImages,
    micro_batches: MicroBatches,
    recipe: Recipe,
    image_size: int,
    seed: int,
    workers: int,
    device: torch.device,
) -> Iterator[Batch]:
    """Yield the micro-batches, with images augmented one by one; ``seed`` and ``workers`` as in :func:`train_backbone`."""
    if needs_no_work(images, image_size) and not recipe.augments:
        return sliced_batches(images, micro_batches, device)
    return loaded_batches(images, micro_batches, image_transform(recipe, image_size), seed, workers, device)


def _optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    from timm.optim import param_groups_weight_decay  # imported here because it loads torch.compile, as optimisers do

    exempt: Collection[str] = getattr(network, "no_weight_decay", tuple)()  # for example position embeddings
    groups = param_groups_weight_decay(network, recipe.weight_decay, no_weight_decay_list=exempt)
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9, fused=True)
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)


def require_finite(network: nn.Module, losses: Sequence[float], steps: int, learning_rate: float) -> None:
    """Stop a training that diverges, before its state is saved.

    Args:
        network: the network that is trained.
        losses: losses of the last steps.
        steps: number of steps so far.
        learning_rate: the largest learning rate, for the message.

    Raises:
        InputError: a loss or a weight is not finite.
    """
    if np.isfinite(losses).all() and all(torch.isfinite(parameter).all() for parameter in network.parameters()):
        return
    raise InputError(
        f"training of a {type(network).__name__}, at most {CHECK_EVERY} steps before step {steps}",
        f"a loss of {losses[-1]}",
        "a finite loss",
        f"lower the learning rate ({learning_rate:g})",
    )


@contextmanager
def reproducible() -> Iterator[None]:
    """Make a training with one seed give the same weights on any number of cores.

    The number of threads changes how a sum is split, and so its last bit, which training amplifies; the block therefore uses
    one thread. Small models train faster side by side than each on several threads, and large ones train on a GPU.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            yield
    finally:
        torch.set_num_threads(threads)
