"""The state of an interrupted training: a file beside its result, from which it continues."""

import logging
import pickle
import time
from pathlib import Path
from typing import Any, Protocol

import torch

from cortexscale.files import whole_file

log = logging.getLogger(__name__)


class Stateful(Protocol):
    """An object with a state, such as a network or an optimiser."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


class TrainingState:
    """Saves and restores the parts of a training and the losses of its steps. Random numbers have no state to save.

    Args:
        made_of: description of everything that the result depends on. A file with another description is ignored.
        seconds: time between two savings.
    """

    def __init__(self, path: Path, made_of: str, seconds: float = 600) -> None:
        self.path, self.made_of, self.seconds = path, made_of, seconds
        self._saved = time.monotonic()

    def restore(self, parts: dict[str, Stateful]) -> tuple[int, list[Any]]:
        """Load ``parts``; return the number of steps done and their losses. Without a usable file: 0 and no losses."""
        try:
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return 0, []
        except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
            log.warning("%s cannot be read (%s): the training begins anew", self.path, error)
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
        """Whether it is time to save."""
        return time.monotonic() - self._saved >= self.seconds

    def save(self, parts: dict[str, Stateful], step: int, losses: list[Any]) -> None:
        """Save ``parts`` after so many steps, with the losses of all of them."""
        states = {name: part.state_dict() for name, part in parts.items()}
        with whole_file(self.path) as part:
            torch.save({**states, "made_of": self.made_of, "step": step, "losses": losses}, part)
        self._saved = time.monotonic()

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
