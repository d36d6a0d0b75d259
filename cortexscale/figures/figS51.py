"""Figure S51: what fine-tuning gains by the size of the model, for every dataset of the fine-tuning and every benchmark."""

import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.finetuning_panels import draw_gains_by_dataset, model_colours, model_names
from cortexscale.scaling.finetuning import finetuning_scores, model_sizes


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """One panel per dataset of the fine-tuning: means over seeds, with their standard errors.

    Raises:
        InputError: the study has no experiment `explore`.
    """
    rows = model_sizes(finetuning_scores(tables["finetuning"]))
    hue = model_names(rows.sort_values("baseline_acc")["arch"])
    return draw_gains_by_dataset(rows, labels, ("arch", hue), model_colours(hue.values()), error="sem")
