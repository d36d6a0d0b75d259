"""A model and a stimulus set, loaded together: the first step of every job that runs a network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd

from cortexscale.commitments import Commitments
from cortexscale.features.extract import ForwardPasses, forward_precision
from cortexscale.kernels.device import keep_freed_memory
from cortexscale.models.build import load_backbone, weights_hash
from cortexscale.models.layers import Layer, candidate_layers, chosen_layers
from cortexscale.models.model import Model
from cortexscale.stimuli import StimulusImages, table_hash
from cortexscale.stores import read_table
from cortexscale.study.features import Precision
from cortexscale.study.images import ImageFiles


@dataclass(frozen=True, kw_only=True)
class ModelOnImages(ForwardPasses):
    """A loaded model with its candidate layers, from shallow to deep, and the images and the table of a stimulus set."""

    candidates: list[Layer]
    table: pd.DataFrame

    @classmethod
    def load(
        cls, model: Model, stimuli: Path, images: ImageFiles, precision: Precision, *, batch_size: int, workers: int = 0
    ) -> Self:
        """Load a model, and open the images of the stimulus table in the file ``stimuli``."""
        keep_freed_memory()
        backbone, possible = load_backbone(model), forward_precision(precision)
        table = read_table(stimuli, columns=("stimulus_id", "hash", "concept"))
        identity = {
            "model": model.id,
            "weights": weights_hash(backbone.network),
            "transform": str(backbone.transform),
            "stimuli": table_hash(table),
            "precision": possible,
        }
        return cls(
            backbone=backbone,
            images=StimulusImages(images.layout, images.path, table),
            identity=identity,
            batch_size=batch_size,
            workers=workers,
            precision=possible,
            candidates=candidate_layers(backbone.network, model.layers),
            table=table,
        )

    def committed(self, commitments: Commitments) -> list[Layer]:
        """The committed layers, from shallow to deep."""
        return chosen_layers(self.candidates, commitments.layer_names, f"commitments of {commitments.model_id}")
