"""Supervised training of small backbones: the controlled suite of the demo study.

Every model of the suite is trained by the same loop; only the model, its learning rate and the training set differ,
so what changes in alignment is due to those. It is made for sets that fit in memory and models that train in seconds.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from cortexscale.errors import InputError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, which timm's models expect by default
WARMUP = 0.1  # share of the steps


def subset_indices(labels: np.ndarray, samples_per_class: int, seed: int) -> np.ndarray:
    """Rows of a class-balanced subset, in ascending order.

    With one seed, a larger subset contains every smaller one, so that training sets differ in size and in nothing else.

    Args:
        labels: (n,) class of every sample.
        samples_per_class: how many of each class; 0 means all samples.

    Raises:
        InputError: a class has fewer samples.
    """
    if samples_per_class == 0:
        return np.arange(len(labels))
    rng = np.random.default_rng(seed)
    chosen = []
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        if len(rows) < samples_per_class:
            raise InputError(
                f"samples_per_class = {samples_per_class}",
                f"{len(rows)} samples of class {label}",
                f"at least {samples_per_class} of every class",
                "choose a smaller subset, or make the task set larger",
            )
        chosen.append(rows[:samples_per_class])
    return np.sort(np.concatenate(chosen))


def as_input(images: np.ndarray, mean: Sequence[float] = MEAN, std: Sequence[float] = STD, device: str = "cpu") -> torch.Tensor:
    """(n, size, size, 3) uint8 pictures as a normalised (n, 3, size, size) float32 tensor, channels last in memory."""
    pixels = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float().div_(255)
    shape = (1, 3, 1, 1)
    return pixels.sub_(torch.tensor(mean, device=device).view(shape)).div_(torch.tensor(std, device=device).view(shape))


@contextmanager
def _reproducible() -> Iterator[None]:
    """Same seed, same weights, on any number of cores.

    How a sum is split over threads changes its last bit, and training amplifies it; hence one thread. The
    models are so small that several trainings side by side use the cores better than several threads do.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            yield
    finally:
        torch.set_num_threads(threads)


def _batches(n: int, batch: int, steps: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """``steps`` row sets: epochs in random order, cut into batches; a rest too small for a batch opens the next epoch."""
    batch = min(batch, n)
    queue = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        if len(queue) < batch:
            queue = torch.cat([queue, torch.randperm(n, generator=generator)])
        rows, queue = queue[:batch], queue[batch:]
        yield rows


def accuracy(model: nn.Module, images: np.ndarray, labels: np.ndarray, *, batch: int = 500, device: str = "cpu") -> float:
    """Share of the pictures whose label the model ranks first (top 1)."""
    model.eval()
    with torch.inference_mode():
        guesses = [model(as_input(images[i : i + batch], device=device)).argmax(1).cpu() for i in range(0, len(images), batch)]
    return float((torch.cat(guesses).numpy() == labels).mean())


def train_backbone(
    model: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    steps: int,
    batch: int,
    learning_rate: float,
    weight_decay: float,
    seed: int,
    label_smoothing: float = 0.1,
    device: str = "cpu",
) -> float:
    """Train ``model`` in place on labelled pictures and leave it in evaluation mode on ``device``.

    AdamW with linear warm-up and cosine decay to zero; mirrored pictures are the only augmentation. Biases and
    norm scales are not decayed. The length is counted in steps, not epochs: small sets are seen more often,
    and a model's failure to learn is due to the data, not to too few updates.

    Args:
        images: (n, size, size, 3) uint8.
        labels: (n,) int64.
        batch: pictures a step, or n where the set is smaller.
        learning_rate: the peak of the schedule.
        seed: of the batches and the mirroring. The model's initial weights are the caller's.

    Returns:
        The mean loss of the last tenth of the steps.

    Raises:
        InputError: the loss is not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    model.to(device, memory_format=torch.channels_last).train()
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=learning_rate, fused=True)
    warmup = max(1, round(WARMUP * steps))

    def schedule(step: int) -> float:
        return (step + 1) / warmup if step < warmup else 0.5 * (1 + np.cos(np.pi * (step - warmup) / max(1, steps - warmup)))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule)
    criterion = nn.CrossEntropyLoss(label_smoothing=label_smoothing)
    pixels, targets = as_input(images, device=device), torch.from_numpy(labels).to(device)
    losses = []
    with _reproducible():
        for rows in _batches(len(labels), batch, steps, generator):
            mirrored = torch.rand(len(rows), generator=generator) < 0.5
            rows, mirrored = rows.to(device), mirrored.to(device)
            inputs = pixels[rows]
            inputs[mirrored] = inputs[mirrored].flip(-1)
            loss = criterion(model(inputs.contiguous(memory_format=torch.channels_last)), targets[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            scheduler.step()
            losses.append(loss.detach())
    final = float(torch.stack(losses[-max(1, steps // 10) :]).mean())
    if not np.isfinite(final):
        raise InputError(
            f"training of a {type(model).__name__}",
            f"a loss of {final}",
            "a finite loss",
            f"lower the learning rate ({learning_rate:g})",
        )
    model.eval()
    return final
