"""The steps of a training, for backbones and fine-tuned models."""

import logging
import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from cortexscale.errors import InputError
from cortexscale.files import whole_file
from cortexscale.models.training.processes import Processes
from cortexscale.models.training.recipes import learning_rate
from cortexscale.recipe import Recipe

log = logging.getLogger(__name__)

CHECK_EVERY = 20
"""Number of steps between two readings of the loss. A reading waits for the GPU. The state of the training can be saved only
after a reading."""


class Stateful(Protocol):
    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


class TrainingState:
    """A file with the state of a training: states of its parts (such as the network and the optimiser), and losses of its steps.

    Random numbers need no state.

    ``made_of`` describes everything on which the result depends. A file with another description is ignored.
    """

    def __init__(self, path: Path, made_of: str, seconds: float = 600) -> None:
        self.path, self.made_of, self.seconds = path, made_of, seconds
        self._saved = time.monotonic()

    def restore(self, parts: dict[str, Stateful]) -> tuple[int, list[Any]]:
        """Load ``parts``, and return the number of finished steps and their losses.

        Without a usable file, no step is finished.
        """
        try:
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return 0, []
        except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
            log.warning("%s cannot be read (%s): the training starts again", self.path, error)
            return 0, []
        if saved["made_of"] != self.made_of:
            log.info("%s belongs to another training, with other images, recipe or code: it is not continued", self.path)
            return 0, []
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        log.info("going on after step %d", saved["step"])
        return saved["step"], saved["losses"]

    @property
    def due(self) -> bool:
        return time.monotonic() - self._saved >= self.seconds

    def save(self, parts: dict[str, Stateful], step: int, losses: list[Any]) -> None:
        states = {name: part.state_dict() for name, part in parts.items()}
        with whole_file(self.path) as part:
            torch.save({**states, "made_of": self.made_of, "step": step, "losses": losses}, part)
        self._saved = time.monotonic()

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


class Average(Stateful, Protocol):
    def update(self, network: nn.Module, step: int) -> None: ...


class Steps:
    """The steps of a training. ``left`` has the remaining steps, and ``losses`` has the losses of each finished step.

    The first process saves the state at regular times, and after the last step of an epoch. An interrupted training continues
    from this state. By default the whole training of ``count`` steps is one epoch.
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
        """Run the remaining steps. ``gradient`` adds a step's gradient to the network's gradient, and returns the step's losses.

        An InputError is raised if a loss or a weight is not finite. The state that was saved last is then kept.
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
        where = f"training of a {type(self.network).__name__}, at most {CHECK_EVERY} steps before step {done}"
        found = f"a loss of {self.losses[-1]}"
        raise InputError(where, found, "a finite loss", f"lower the learning rate ({self.recipe.learning_rate:g})")


@contextmanager
def reproducible() -> Iterator[None]:
    """Make the weights of a training with one seed the same on any number of cores.

    The number of threads changes how a sum is split, and so its last bit. Training amplifies this difference, so the block uses
    one thread. Several small models train faster in parallel than one after the other on several threads, and large models train
    on a GPU.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
            yield
    finally:
        torch.set_num_threads(threads)


def autocast(device: torch.device) -> torch.autocast:
    """Return an autocast to bfloat16 for a GPU, and a disabled autocast for a CPU."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
