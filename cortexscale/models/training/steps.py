"""The steps of a training, the same for backbones and for fine-tuned models."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from cortexscale.errors import InputError
from cortexscale.models.training.processes import Processes
from cortexscale.models.training.recipes import learning_rate
from cortexscale.models.training.state import Stateful, TrainingState
from cortexscale.recipe import Recipe

log = logging.getLogger(__name__)

CHECK_EVERY = 20
"""Number of steps after which the loss is read, which waits for the GPU. A state may be saved at that time."""


class Average(Stateful, Protocol):
    """A moving average of the weights of a network."""

    def update(self, network: nn.Module, step: int) -> None: ...


class Steps:
    """The steps of a training that are left to do, in the range ``left``, and the ``losses`` of each step that is done.

    The state from which an interrupted training continues is saved by the first process when due, and after the last step of an
    epoch. By default the whole training of ``count`` steps is one epoch.
    """

    def __init__(
        self,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        recipe: Recipe,
        count: int,
        *,
        state: TrainingState | None,
        processes: Processes,
        average: Average | None = None,
        per_epoch: int | None = None,
    ) -> None:
        self.network, self.optimiser, self.recipe, self.average = network, optimiser, recipe, average
        self.state, self.processes, self.per_epoch = state, processes, per_epoch or count
        self._parts: dict[str, Stateful] = {"network": network, "optimiser": optimiser}
        self._parts |= {"average": average} if average else {}
        first, self.losses = state.restore(self._parts) if state else (0, list[Any]())
        self.left = range(first, count)

    def run(self, gradient: Callable[[int], Tensor]) -> None:
        """Do the steps. ``gradient`` adds the gradient of a step to that of the network, and returns the losses of the step.

        It raises an InputError if a loss or a weight is not finite. The state that was saved before is kept.
        """
        fresh: list[Tensor] = []
        began = time.monotonic()
        with reproducible():
            for step in self.left:
                for group in self.optimiser.param_groups:
                    group["lr"] = learning_rate(self.recipe, step, self.left.stop)
                self.optimiser.zero_grad()
                fresh.append(gradient(step))
                if self.recipe.clip:
                    nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
                self.optimiser.step()
                done = step + 1
                if self.average:
                    self.average.update(self.network, done)
                end_of_epoch = done % self.per_epoch == 0
                if end_of_epoch or done % CHECK_EVERY == 0:
                    self.losses += self.processes.mean(torch.stack(fresh)).tolist()
                    fresh.clear()
                    self._require_finite(done)
                    spent = (time.monotonic() - began) / (done - self.left.start)
                    log.info("step %d of %d: loss %s, %.3g s a step", done, self.left.stop, self.losses[-1], spent)
                    if self.state and self.processes.rank == 0 and (end_of_epoch or self.state.due):
                        self.state.save(self._parts, done, self.losses)

    def _require_finite(self, done: int) -> None:
        finite = all(torch.isfinite(parameter).all() for parameter in self.network.parameters())
        if finite and np.isfinite(self.losses[-CHECK_EVERY:]).all():
            return
        raise InputError(
            f"training of a {type(self.network).__name__}, at most {CHECK_EVERY} steps before step {done}",
            f"a loss of {self.losses[-1]}",
            "a finite loss",
            f"lower the learning rate ({self.recipe.learning_rate:g})",
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


def autocast(device: torch.device) -> torch.autocast:
    """Autocast to bfloat16 on a GPU; none on a CPU."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
