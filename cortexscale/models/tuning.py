"""Fine-tuned models as plain facts. This module stands alone so that a fine-tuning depends on little else."""

from dataclasses import dataclass

from cortexscale.recipe import NeuralRecipe


@dataclass(frozen=True)
class Tuning:
    """The base model and the training data of a fine-tuned model.

    Attributes:
        rois: ROIs whose responses are fitted, in the order of the dataset.
        subjects: number of subjects, chosen at random; None for all that are scored.
        permuted: responses are paired with stimuli at random.
        percent: percent of the training stimuli.
        seed: seed of the subset of stimuli, the subjects, the permutation and the order of batches.
    """

    base: str
    recipe: str
    dataset: str
    rois: tuple[str, ...]
    subjects: int | None
    permuted: bool
    percent: float
    seed: int


@dataclass(frozen=True)
class TunedModel:
    """A fine-tuned model of a study, how it is trained, and the names of the experiments that it belongs to."""

    tuning: Tuning
    recipe: NeuralRecipe
    experiments: tuple[str, ...]
