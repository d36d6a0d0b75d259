"""The training loop of models of a suite, from small models on a CPU to large models on several GPUs."""

from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from cortexscale.models.inputs import as_input
from cortexscale.models.training.augment import BatchAugmentation, criterion, ffgsm, set_drop_path
from cortexscale.models.training.batches import Batch, training_batches, transformed_batches
from cortexscale.models.training.data import ArrayImages, LabelledImages
from cortexscale.models.training.order import MICRO_BATCH, MicroBatches, Order, seed_everything, seed_of
from cortexscale.models.training.processes import Processes
from cortexscale.models.training.recipes import training_length
from cortexscale.models.training.steps import Steps, TrainingState, autocast
from cortexscale.models.vision import timm
from cortexscale.recipe import Recipe


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
    """Train ``network``, and return the losses of all steps.

    The network ends on the device in eval mode. With EMA, its weights are the average. Forward passes use bfloat16 autocast on a
    GPU and float32 on a CPU. Gradients are averaged over all micro-batches of a step, in all processes. Batch normalisation uses
    one micro-batch at a time. The number of workers and interruptions do not change the result. The number of processes changes
    only the order of sums. By default this process trains alone.
    """
    processes = processes or Processes(next(network.parameters()).device)
    device = processes.device
    length = training_length(recipe, len(images.labels), processes.count)
    if recipe.drop_path:
        set_drop_path(network, recipe.drop_path)
    network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    average = timm.utils.ModelEmaV3(network, recipe.ema, use_warmup=True) if recipe.ema else None
    steps = Steps(network, _optimiser(network, recipe), recipe, length.steps, state=state, processes=processes, average=average)
    order = Order(len(images.labels), seed, recipe.repeats)
    micro_batches = MicroBatches(order, length, processes.rank, processes.count, steps.left.start)
    batches = training_batches(images, micro_batches, recipe, image_size, seed, workers, device)
    gradient = _Gradient(network, recipe, images.n_classes, processes)
    steps.run(lambda step: gradient.add(batches, [seed_of(seed, MICRO_BATCH, step, part) for part in micro_batches.numbers]))
    if average:
        network.load_state_dict(average.module.state_dict())
    network.eval()
    return np.array(steps.losses)


def accuracy(
    network: nn.Module,
    images: LabelledImages,
    *,
    transform: Callable[[Image.Image], torch.Tensor] | None = None,
    batch: int = 500,
    workers: int = 0,
) -> float:
    """Return the top-1 accuracy of a network, as a fraction; the arguments are those of :func:`classes_named`."""
    named = classes_named(network, images, transform=transform, batch=batch, workers=workers)
    return int((named == images.labels).sum()) / len(named)


def classes_named(
    network: nn.Module,
    images: LabelledImages,
    *,
    transform: Callable[[Image.Image], torch.Tensor] | None = None,
    batch: int = 500,
    workers: int = 0,
) -> np.ndarray:
    """Return the class that a network ranks first for each image, (n,) int64. The network is set to eval mode.

    ``transform`` makes the input of the network from an image. Arrays of the right size need no transform. An InputError is
    raised if an image cannot be read.
    """
    device, n = next(network.parameters()).device, len(images.labels)
    rows = (np.arange(start, min(start + batch, n)) for start in range(0, n, batch))
    if transform:
        batches = transformed_batches(images, rows, transform, workers, device)
    elif isinstance(images, ArrayImages):
        batches = (
            (as_input(images.images[part], device=device), torch.from_numpy(images.labels[part]).to(device)) for part in rows
        )
    else:
        raise TypeError("images that are not an array need a transform")
    network.eval()
    with torch.inference_mode():
        return torch.cat([network(inputs).argmax(1) for inputs, _ in batches]).cpu().numpy()


class _Gradient:
    def __init__(self, network: nn.Module, recipe: Recipe, n_classes: int, processes: Processes) -> None:
        self.network, self.recipe, self.device = network, recipe, processes.device
        self.model = DistributedDataParallel(network) if processes.count > 1 else network
        self.augmentation = BatchAugmentation(recipe, n_classes, processes.device)
        self.criterion = criterion(recipe)

    def add(self, batches: Iterator[Batch], seeds: list[int]) -> torch.Tensor:
        """Add the gradient of the next micro-batches to the network's gradient, and return the mean loss of these micro-batches.

        There is one micro-batch for each seed.
        """
        total = torch.zeros((), device=self.device)
        for number, seed in enumerate(seeds, 1):
            pixels, labels = next(batches)
            seed_everything(seed)
            # Processes exchange gradients once in a step, in the backward pass of their last micro-batch.
            alone = self.model.no_sync if isinstance(self.model, DistributedDataParallel) and number < len(seeds) else nullcontext
            with alone(), autocast(self.device):
                inputs, targets = self.augmentation(pixels, labels)
                if self.recipe.attack:
                    inputs = ffgsm(self.network, inputs, targets, self._loss, self.recipe.attack)
                loss = self._loss(self.model(inputs), targets) / len(seeds)
                loss.backward()
            total += loss.detach()
        return total

    def _loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self.criterion(outputs.float(), targets)


def _optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    from timm.optim import param_groups_weight_decay  # imported here because it loads torch.compile, as optimisers do

    exempt: Collection[str] = getattr(network, "no_weight_decay", tuple)()  # for example position embeddings
    groups = param_groups_weight_decay(network, recipe.weight_decay, no_weight_decay_list=exempt)
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=0.9, fused=True)
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)
