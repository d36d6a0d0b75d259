"""Readouts in files. A file has everything that is needed to predict responses to new images."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from cortexscale.errors import InputError
from cortexscale.files import whole_file
from cortexscale.readouts.mapping import Fitted
from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.readouts.roi_readouts import Head
from cortexscale.readouts.trunks import build_head, build_trunk

_BATCH = 256


@dataclass(frozen=True)
class ReadoutFacts:
    """Facts about a saved readout.

    Attributes:
        readout: kind of readout, such as ``linear`` or ``attention``.
        layer: layer that the readout reads. For a layer gate, it is ``pooled``, the name of the mean tokens of all layers.
        model, weights_hash: model whose features the readout reads, and hash of the model's weights.
        units: names of the units of each subject, in the order of predictions.
        training_stimuli: ids of the stimuli to which the readout was fitted, for each subject.
        widths: number of channels of every token. A linear readout has only one width, its number of features.
        alpha: penalties of a linear readout for each subject, either one for all units or one per unit.
    """

    readout: str
    dataset: str
    roi: str
    layer: str
    model: str
    weights_hash: str
    units: dict[str, list[str]]
    training_stimuli: dict[str, list[str]]
    widths: list[int]
    alpha: dict[str, list[float]] | None = None
    recipe: dict[str, Any] | None = None


class Readout:
    """A readout of one ROI for one subject, or for several subjects that share its trunk."""

    def __init__(self, facts: ReadoutFacts, tensors: dict[str, Tensor]):
        self.facts, self.tensors = facts, tensors

    @classmethod
    def of_fitted(cls, fitted: Fitted, roi: str, **facts: Any) -> "Readout":
        """Make the readout of one ROI from trained readouts.

        ``facts`` has the fields of :class:`ReadoutFacts` that ``fitted`` does not have.
        """
        readouts = fitted.readouts
        g = readouts.rois.index(roi)
        tensors = {f"trunk.{name}": value for name, value in readouts.trunks.module(g).state_dict().items()}
        for number in range(len(readouts.subjects)):
            tensors |= {f"head.{number}.{name}": value for name, value in readouts.heads_of(number)[g].state_dict().items()}
        facts["units"] = {subject: list(facts["units"][subject]) for subject in readouts.subjects}
        known: dict[str, Any] = {
            "readout": readouts.recipe.readout,
            "roi": roi,
            "layer": fitted.layer,
            "widths": list(readouts.widths),
        }
        on_host = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        return cls(ReadoutFacts(**known, **facts, recipe=asdict(readouts.recipe)), on_host)

    @classmethod
    def linear(cls, weights: np.ndarray, intercept: np.ndarray, **facts: Any) -> "Readout":
        """Make a linear readout of one subject from weights (units, features), intercepts (units,) and its facts."""
        tensors = {"weights": torch.from_numpy(weights), "intercept": torch.from_numpy(intercept)}
        return cls(ReadoutFacts(readout="linear", widths=[weights.shape[1]], **facts), tensors)

    @property
    def subjects(self) -> list[str]:
        return list(self.facts.units)

    def predict(self, features: np.ndarray, subject: str | None = None) -> np.ndarray:
        """Predict the responses to n stimuli, (n, units) float32, on the scale of the recording.

        Args:
            features: unprojected features (n, tokens, channels) of the stimuli at ``facts.layer`` of ``facts.model``. A linear
                readout flattens them to (n, features).
            subject: one of ``subjects``. If there is only one subject, this argument can be omitted.

        Raises:
            InputError: the features have another shape, or the readout has no head for the subject.
        """
        if subject is None and len(self.subjects) == 1:
            subject = self.subjects[0]
        if subject not in self.subjects:
            raise InputError(f"subject of {self._name}", str(subject), f"one of {', '.join(self.subjects)}", "name one of them")
        if self.facts.readout == "linear":
            features = self._fitting(features.reshape(len(features), -1), (self.facts.widths[0],))
            return _in_batches(features, lambda x: torch.addmm(self.tensors["intercept"], x, self.tensors["weights"].T))
        features = self._fitting(features, (len(self.facts.widths), max(self.facts.widths)))
        recipe = ReadoutRecipe(**(self.facts.recipe or {}))
        trunk, number = build_trunk(recipe, self.facts.widths), self.subjects.index(subject)
        n_units = len(self.facts.units[subject])
        head = Head(build_head(recipe, trunk.n_features, n_units), np.zeros((1, n_units), dtype=np.float32))
        trunk.load_state_dict(self._part("trunk."))
        head.load_state_dict(self._part(f"head.{number}."))
        trunk.eval()
        return _in_batches(features, lambda x: head.responses(trunk(x)))

    @property
    def _name(self) -> str:
        facts = self.facts
        return f"{facts.readout} readout of {facts.roi}, {facts.dataset}"

    def _part(self, prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): value for name, value in self.tensors.items() if name.startswith(prefix)}

    def _fitting(self, features: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        if features.shape[1:] != shape:
            expected = f"(stimuli, {', '.join(map(str, shape))}), features of layer {self.facts.layer} of {self.facts.model}"
            remedy = "extract that layer of that model, without projection"
            raise InputError(f"features for the {self._name}", f"an array of shape {features.shape}", expected, remedy)
        return features

    def save(self, path: Path | str) -> None:
        """Write the readout to a safetensors file, which appears complete or not at all."""
        with whole_file(path) as part:
            save_file(self.tensors, part, {"readout": json.dumps(asdict(self.facts))})


def load_readout(path: Path | str) -> Readout:
    """Load a saved readout. If the file is not a saved readout, raise an InputError."""
    try:
        with safe_open(path, "pt") as file:
            facts = ReadoutFacts(**json.loads(file.metadata()["readout"]))
            return Readout(facts, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise InputError(path, f"not a saved readout ({error})", "a file that Readout.save wrote", "fit it again") from None


def _in_batches(features: np.ndarray, predict: Callable[[Tensor], Tensor]) -> np.ndarray:
    with torch.inference_mode():
        batches = (torch.from_numpy(features[start : start + _BATCH]).float() for start in range(0, len(features), _BATCH))
        return np.concatenate([predict(batch).numpy() for batch in batches])
