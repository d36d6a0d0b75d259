"""Committed layers: the layer of a model for each ROI of each dataset, shared by the subjects of the dataset."""

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
    """The layer of one ROI.

    Attributes:
        layer_position, layer_position_normalized: place in the network, as in :class:`cortexscale.models.layers.Layer`.
        score: score of the layer search, mean over subjects.
        margin, runner_up: lead over the best layer at another depth, and that layer; None where there is none or it is unknown.
    """

    layer_name: str
    layer_position: int
    layer_position_normalized: float
    score: float
    margin: float | None = None
    runner_up: str | None = None


RoiLayers = Mapping[str, CommittedLayer]
"""ROI -> layer."""


@dataclass(frozen=True)
class Commitments:
    """The committed layers of the model whose layers were searched: dataset -> ROI -> layer."""

    model_id: str
    datasets: Mapping[str, RoiLayers]

    def __getitem__(self, dataset: str) -> RoiLayers:
        return self.datasets[dataset]

    @property
    def layer_names(self) -> list[str]:
        """The names of all committed layers, each once."""
        return list(dict.fromkeys(layer.layer_name for rois in self.datasets.values() for layer in rois.values()))

    def restricted(self, datasets: Iterable[str]) -> Self:
        """Return the commitments of some datasets."""
        return type(self)(self.model_id, {name: self.datasets[name] for name in datasets})

    def at_layers(self, names: Collection[str]) -> Self:
        """Return the commitments of the ROIs whose layer is among ``names``."""
        kept = {
            dataset: {roi: layer for roi, layer in rois.items() if layer.layer_name in names}
            for dataset, rois in self.datasets.items()
        }
        return type(self)(self.model_id, kept)

    def save(self, path: Path, made_by: Mapping[str, Any]) -> None:
        """Write a JSON file with its provenance; it appears whole or not at all."""
        datasets = {dataset: {roi: asdict(layer) for roi, layer in rois.items()} for dataset, rois in self.datasets.items()}
        write_text(path, json.dumps({"model_id": self.model_id, "commitments": datasets, "made_by": made_by}, indent=1))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file of :meth:`save`; another file is an InputError."""
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
