"""Committed layers: one layer of a model for each ROI of each dataset. It is the same layer for all subjects of the dataset."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from cortexscale.errors import InputError
from cortexscale.files import write_text


@dataclass(frozen=True)
class CommittedLayer:
    """The layer that was chosen for one ROI.

    Attributes:
        layer_position, layer_position_normalized: position and depth, as in :class:`cortexscale.models.layers.Layer`.
        score: score of the layer in the layer search, averaged over subjects.
        margin: score of this layer minus the score of ``runner_up``; None if there is no runner-up, or if it is unknown.
        runner_up: best layer at another depth; None if no other depth was searched, or if it is unknown.
    """

    layer_name: str
    layer_position: int
    layer_position_normalized: float
    score: float
    margin: float | None = None
    runner_up: str | None = None


RoiLayers = Mapping[str, CommittedLayer]
"""The committed layer of each ROI."""


@dataclass(frozen=True)
class Commitments:
    """The committed layers of a model. ``datasets`` has the layer of each ROI of each dataset."""

    model_id: str
    datasets: Mapping[str, RoiLayers]

    def __getitem__(self, dataset: str) -> RoiLayers:
        return self.datasets[dataset]

    @property
    def layer_names(self) -> list[str]:
        """All committed layers, with each name once."""
        return list(dict.fromkeys(layer.layer_name for rois in self.datasets.values() for layer in rois.values()))

    def restricted(self, datasets: Iterable[str]) -> Self:
        """Return the commitments of the given datasets."""
        return type(self)(self.model_id, {name: self.datasets[name] for name in datasets})

    def at_layers(self, names: Collection[str]) -> Self:
        """Return the commitments of those ROIs whose layer is in ``names``."""
        kept = {
            dataset: {roi: layer for roi, layer in rois.items() if layer.layer_name in names}
            for dataset, rois in self.datasets.items()
        }
        return type(self)(self.model_id, kept)

    def save(self, path: Path, made_by: Mapping[str, Any]) -> None:
        """Write a JSON file with its provenance. The file appears complete or not at all."""
        datasets = {dataset: {roi: asdict(layer) for roi, layer in rois.items()} for dataset, rois in self.datasets.items()}
        write_text(path, json.dumps({"model_id": self.model_id, "commitments": datasets, "made_by": made_by}, indent=1))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that :meth:`save` wrote. Any other file raises an InputError."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            datasets = TypeAdapter(dict[str, dict[str, CommittedLayer]]).validate_python(content["commitments"])
            return cls(content["model_id"], datasets)
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            found = f"no committed layers ({type(error).__name__}: {error})"
            raise InputError(path, found, "a file of commit_layers", "delete the file and run again") from None


def rois_at(layers: RoiLayers, name: str) -> list[str]:
    """List the ROIs that are committed to a layer."""
    return [roi for roi, layer in layers.items() if layer.layer_name == name]
