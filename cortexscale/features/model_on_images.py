"""A model and a stimulus set, loaded together: the first step of every job that runs a network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pandas as pd

from cortexscale.commitments import Commitments
from cortexscale.features.extract import forward_precision
from cortexscale.kernels.device import keep_freed_memory
from cortexscale.models.backbone import Backbone
from cortexscale.models.build import load_backbone, weights_hash
from cortexscale.models.layers import Layer, candidate_layers, chosen_layers
from cortexscale.models.model import Model
from cortexscale.stimuli import StimulusImages, table_hash
from cortexscale.stores import read_table
from cortexscale.study.features import Precision
from cortexscale.study.images import ImageFiles


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
    def load(cls, model: Model, stimuli: Path, images: ImageFiles, precision: Precision) -> Self:
        """Load a model, and open the images of a stimulus table.

        Args:
            model: the model.
            stimuli: file of the stimulus table.
            images: layout and path of the images.
            precision: the precision that is wanted, see :func:`~cortexscale.features.extract.forward_precision`.

        Raises:
            InputError: the model cannot be loaded, or the table is no stimulus table.
        """
        keep_freed_memory()
        backbone, precision = load_backbone(model), forward_precision(precision)
        table = read_table(stimuli, columns=("stimulus_id", "hash", "concept"))
        identity = {
            "model": model.id,
            "weights": weights_hash(backbone.network),
            "transform": str(backbone.transform),
            "stimuli": table_hash(table),
            "precision": precision,
        }
        candidates = candidate_layers(backbone.network, model.layers)
        return cls(backbone, candidates, StimulusImages(images.layout, images.path, table), table, precision, identity)

    def committed(self, commitments: Commitments) -> list[Layer]:
        """The committed layers, from shallow to deep.

        Raises:
            InputError: one of them is no candidate.
        """
        return chosen_layers(self.candidates, commitments.layer_names, f"commitments of {commitments.model_id}")
