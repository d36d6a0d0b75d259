"""The facts of fine-tuned models.

They are in a separate module with little code, so that changes in other code do not repeat fine-tunings.
"""

from dataclasses import dataclass

from cortexscale.recipe import NeuralRecipe

SEEN = "test_stimuli_seen"
"""Column with the fraction of the test stimuli whose images are among those that a model was fine-tuned on."""


@dataclass(frozen=True)
class Tuning:
    """The base model and the training data of a fine-tuned model.

    Attributes:
        rois: ROIs whose responses are fitted, in the order of the dataset.
        subjects: number of subjects that are chosen at random; None stands for all scored subjects.
        permuted: whether responses are paired with stimuli at random.
        percent: percentage of the training stimuli that are used.
        seed: seed for the choice of stimuli and subjects, the permutation, and the order of batches.
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
    """A fine-tuned model of a study, with its recipe and the names of the experiments that use it."""

    tuning: Tuning
    recipe: NeuralRecipe
    experiments: tuple[str, ...]
