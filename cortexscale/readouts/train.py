"""Training of readouts by AdamW on the squared error, for a fixed number of epochs, on the training split alone."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

import numpy as np
import torch

from cortexscale.errors import InputError
from cortexscale.kernels.device import best_device
from cortexscale.models.training.order import seed_of
from cortexscale.models.training.steps import Stateful, TrainingState, autocast, reproducible
from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.readouts.roi_readouts import RoiReadouts
from cortexscale.readouts.tokens import Tokens
from cortexscale.readouts.trials import Trials

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


def train_readouts(
    tokens: Tokens,
    trials: Sequence[Trials],
    rois: Sequence[str],
    recipe: ReadoutRecipe,
    *,
    seed: int,
    state: TrainingState | None = None,
) -> RoiReadouts:
    """Train readouts of ROIs on one layer, for one subject or for several subjects that share the trunk of each ROI.

    Training is as in the paper (appendix K). Every epoch visits the subjects in random order, and all batches of a subject follow
    each other. The loss is the squared error of z-scored responses, averaged over stimuli and units. After each epoch, the
    learning rate falls along a cosine to 0. The weights after the last epoch are the result. A GPU computes in bfloat16 with
    autocast, and a CPU in float32. The order of stimuli and all dropout depend on the seed and the epoch, but not on the ROIs.
    Each ROI is therefore trained as it would be alone. All subjects must have all of ``rois``.

    If the loss of an ROI is not finite, an InputError is raised, and the saved ``state`` is not changed. After a
    torch.OutOfMemoryError, try fewer ROIs.
    """
    device = best_device()
    readouts = RoiReadouts(recipe, tokens.widths, trials, rois, seed).to(device)
    optimiser = torch.optim.AdamW(readouts.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    parts: dict[str, Stateful] = {"readouts": readouts, "optimiser": optimiser}
    first, losses = state.restore(parts) if state else (0, [])
    columns = [[torch.from_numpy(subject.units[roi]) for roi in rois] for subject in trials]

    def load(batch: tuple[int, np.ndarray]) -> tuple[int, torch.Tensor, torch.Tensor]:
        subject, places = batch
        rows, responses = trials[subject].rows[places], trials[subject].responses[places]
        return subject, torch.from_numpy(tokens.read(rows)), torch.from_numpy(responses)

    with reproducible(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        for epoch in range(first, recipe.epochs):
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs))
            torch.manual_seed(seed_of(seed, epoch))
            readouts.train()
            of_batches = []
            for subject, inputs, responses in one_ahead(load, _batches(trials, recipe.batch, seed_of(seed, epoch))):
                inputs = inputs.to(device, non_blocking=True).float()
                wanted = [responses[:, units].to(device, non_blocking=True) for units in columns[subject]]
                with autocast(device):
                    of_rois = readouts.losses(subject, inputs, wanted)
                optimiser.zero_grad()
                of_rois.sum().backward()
                lengths = readouts.clip_gradients(subject, recipe.clip)
                optimiser.step()
                of_batches.append(of_rois.detach().where(lengths.isfinite(), torch.nan))  # an infinite gradient gives nan weights
            of_epoch = torch.stack(of_batches).mean(dim=0).cpu().numpy()
            _require_finite(of_epoch, rois, epoch, recipe)
            losses.append(float(of_epoch.mean()))
            log.info("epoch %d of %d: loss %.4f", epoch + 1, recipe.epochs, losses[-1])
            if state and (state.due or epoch + 1 == recipe.epochs):
                state.save(parts, epoch + 1, losses)
    return readouts.eval()


def _batches(trials: Sequence[Trials], size: int, seed: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the batches of an epoch. Each batch is the number of a subject, and positions of stimuli in the subject's trials.

    A subject's last batch can be smaller.
    """
    rng = np.random.default_rng(seed)
    for subject in rng.permutation(len(trials)).tolist():
        order = rng.permutation(len(trials[subject].rows))
        for start in range(0, len(order), size):
            yield subject, order[start : start + size]


def one_ahead(read: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield ``read(item)`` for each item. The next item is read in a thread while the current one is used."""
    with ThreadPoolExecutor(1) as reader:
        waiting = None
        for item in chain(items, (None,)):
            coming = None if item is None else reader.submit(read, item)
            if waiting is not None:
                yield waiting.result()
            waiting = coming


def _require_finite(losses: np.ndarray, rois: Sequence[str], epoch: int, recipe: ReadoutRecipe) -> None:
    bad = np.flatnonzero(~np.isfinite(losses))
    if len(bad):
        where = f"training of the {recipe.readout} readout of {', '.join(rois[g] for g in bad.tolist())}"
        remedy = f"lower its learning rate ({recipe.learning_rate:g}); the state that was saved after earlier epochs is kept"
        raise InputError(where, f"a loss of {losses[bad[0]]:g} in epoch {epoch + 1}", "a finite loss", remedy)
