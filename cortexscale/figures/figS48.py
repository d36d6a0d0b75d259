"""Figure S48: fine-tuning on permuted stimuli, benchmark by benchmark."""

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_controls import CONDITION_COLOURS, CONDITIONS
from cortexscale.figures.finetuning_panels import draw_gains_by_dataset
from cortexscale.scaling.finetuning import experiment, finetuning_scores


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One panel per dataset of the fine-tuning, bars per benchmark: means over seeds with 95 % bootstrap intervals.

    Raises:
        InputError: the study has no permuted runs.
    """
    rows = experiment(finetuning_scores(tables["finetuning"]), "ablation")
    return draw_gains_by_dataset(rows, labels, ("random_shuffle", CONDITIONS), CONDITION_COLOURS)
