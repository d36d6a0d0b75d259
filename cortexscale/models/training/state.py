"""How far a training has come: a file beside its result, from which it goes on after a kill."""

import logging
import pickle
import time
from pathlib import Path
from typing import Any, Protocol

import torch

from cortexscale.files import whole_file

log = logging.getLogger(__name__)


class Stateful(Protocol):
    """Networks and optimisers."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


class TrainingState:
    """Saves and restores the parts of a training, and the losses of its steps: a number each, or several.

    What chance decides is no part of it: that follows from the step (:mod:`cortexscale.models.training.order`).

    Args:
        path: of the file.
        made_of: everything that the result depends on. A file that says otherwise is not continued.
        seconds: between two savings.
    """

    def __init__(self, path: Path, made_of: str, seconds: float = 600):
        self.path, self.made_of, self.seconds = path, made_of, seconds
        self._saved = time.monotonic()

    def restore(self, parts: dict[str, Stateful]) -> tuple[int, list[Any]]:
        """Load ``parts``; return the steps they have done and the losses of these. Without a usable file: 0 and none."""
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
        return time.monotonic() - self._saved >= self.seconds

    def save(self, parts: dict[str, Stateful], step: int, losses: list[Any]) -> None:
        states = {name: part.state_dict() for name, part in parts.items()}
        with whole_file(self.path) as part:
            torch.save({**states, "made_of": self.made_of, "step": step, "losses": losses}, part)
        self._saved = time.monotonic()

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
