"""The result tables of a study, in the columns of the published ones."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cortexscale.stores import read_table


def pretraining_table(alignment: Sequence[Path], cards: Path, reports: Sequence[Path]) -> pd.DataFrame:
    """One row per model x dataset x subject x ROI: scores beside what the model is and was trained on.

    Args:
        alignment: tables of :func:`cortexscale.alignment.score.score_alignment`.
        cards: table of :func:`cortexscale.models.cards.model_cards`.
        reports: training reports of models that were trained here, ``<model>.training.json``.

    Returns:
        The rows with ``pretraining_total_flops_estimate`` = training images x forward FLOPs (paper, section 3).
    """
    models = read_table(cards, columns=("model_id", "backbone_flops")).set_index("model_id")
    for report in reports:
        facts = json.loads(report.read_text())
        model = report.name.removesuffix(".training.json")
        models.loc[model, "pretraining_n_samples"] = facts["pretraining_n_samples"]
        models.loc[model, "task_evaluation_acc"] = facts["task_evaluation_acc"]
        models.loc[model, "pretraining_total_flops"] = 3 * models.loc[model, "backbone_flops"] * facts["samples_seen"]
    models["pretraining_total_flops_estimate"] = models["pretraining_n_samples"] * models["backbone_flops"]
    scores = pd.concat([read_table(file, columns=("model_id", "pearsonr_nc")) for file in alignment], ignore_index=True)
    return scores.merge(models.reset_index(), on="model_id", how="left", validate="many_to_one")


def layer_search_table(searches: Sequence[Path]) -> pd.DataFrame:
    """One row per reference model x dataset x layer x subject x ROI."""
    return pd.concat([read_table(file, columns=("model_id", "cv_score")) for file in searches], ignore_index=True)
