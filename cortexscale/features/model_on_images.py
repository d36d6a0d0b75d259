"""A model and a stimulus set, loaded together: the first step of every job that runs a network."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pandas as pd

from cortexscale.features.extract import forward_precision
from cortexscale.kernels.device import keep_freed_memory
from cortexscale.models.backbone import Backbone
from cortexscale.models.build import load_backbone, weights_hash
from cortexscale.models.layers import Layer, candidate_layers, chosen_layers
from cortexscale.stimuli import StimulusImages, table_hash
from cortexscale.stores import read_commitments, read_table


@dataclass(frozen=True)
class ModelOnImages:
    """A loaded model and the images of a stimulus set.

    Attributes:
        backbone: the network and its transform.
        candidates: candidate layers, from shallow to deep.
        images: images of the stimulus set.
        table: the stimulus table.
        precision: precision of forward passes on this machine.
        identity: everything that the activations of any layer depend on.
    """

    backbone: Backbone
    candidates: list[Layer]
    images: StimulusImages
    table: pd.DataFrame
    precision: str
    identity: dict[str, Any]

    @classmethod
    def load(cls, model: dict[str, Any], stimuli: Path, layout: str, images: Path, precision: str) -> Self:
        """Load a model of the inventory and the images of a stimulus table.

        Args:
            model: a :class:`cortexscale.models.inventory.Model` as a dict.
            stimuli: the stimulus table.
            layout, images: layout and path of the images.
            precision: the precision that is wanted, see :func:`~cortexscale.features.extract.forward_precision`.

        Raises:
            InputError: the model cannot be loaded, or the table is no stimulus table.
        """
        keep_freed_memory()
        backbone, precision = load_backbone(model), forward_precision(precision)
        table = read_table(stimuli, columns=("stimulus_id", "hash", "concept"))
        identity = {
            "model": model["id"],
            "weights": weights_hash(backbone.network),
            "transform": str(backbone.transform),
            "stimuli": table_hash(table),
            "precision": precision,
        }
        candidates = candidate_layers(backbone.network, model["layers"])
        return cls(backbone, candidates, StimulusImages(layout, images, table), table, precision, identity)

    def committed(self, file: Path, datasets: Iterable[str] | None = None) -> list[Layer]:
        """The layers that a commitment file names for some datasets, by default for all.

        Raises:
            InputError: one of them is no candidate.
        """
        commitments = read_commitments(file)
        chosen = commitments if datasets is None else datasets
        wanted = {entry["layer_name"] for name in chosen for entry in commitments[name].values()}
        return chosen_layers(self.candidates, wanted, f"commitments {file}")
