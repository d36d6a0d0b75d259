"""The result table of fine-tuned models. It has the columns of the published table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cortexscale.finetuning.overlap import fractions_seen
from cortexscale.models.finetuned import BASELINE
from cortexscale.models.tuning import TunedModel
from cortexscale.stores import read_json, read_table

_PREFIX = "finetuning_"


def finetuning_table(
    alignment: Sequence[Path],
    tuned: Sequence[Path],
    cards: Path,
    models: Mapping[str, TunedModel],
    images: pd.DataFrame,
    left_out: set[str],
) -> pd.DataFrame:
    """Make a table of the scores and cards of fine-tuned models and baselines.

    ``images`` and ``left_out`` are arguments of :func:`cortexscale.finetuning.overlap.fractions_seen`, which computes one of the
    columns.

    Returns:
        One row per experiment x model x dataset x subject x ROI, with the scores, ``exp_type``, the training data and recipe, and
        the card of the base model. Base models have the ``exp_type`` ``finetuning_baseline`` and their own ids. In their rows,
        the columns that describe a fine-tuning are empty. ``task_evaluation_acc`` is the accuracy of the model in the row. For a
        base model, it is the accuracy that was measured before the fine-tuning, or otherwise the accuracy on the card.
    """
    scores = pd.concat([read_table(file, columns=("model_id", "pearsonr_nc")) for file in alignment], ignore_index=True)
    told = {file.name.removesuffix(".json"): read_json(file) for file in tuned}
    runs = pd.DataFrame([_run(id, model, told[id], name) for id, model in models.items() for name in model.experiments])
    before = runs.groupby("base_model_id")["task_evaluation_acc_before"].first()
    base_cards = read_table(cards, columns=("model_id", "backbone_arch", "task_evaluation_acc")).set_index("model_id")
    base_cards = base_cards.loc[before.index]
    own = before.astype(float).fillna(base_cards["task_evaluation_acc"].astype(float))
    baselines = pd.DataFrame({"base_model_id": own.index, "task_evaluation_acc": own.to_numpy()})
    baselines = baselines.assign(model_id=own.index + BASELINE, exp_type=f"{_PREFIX}baseline")
    described = pd.concat([baselines, runs.drop(columns="task_evaluation_acc_before")], ignore_index=True)
    described = described.merge(
        base_cards.drop(columns="task_evaluation_acc"), left_on="base_model_id", right_index=True, validate="many_to_one"
    )
    table = described.assign(arch=described["backbone_arch"]).merge(scores, on="model_id", validate="many_to_many")
    seen = fractions_seen(images, {id: model.tuning for id, model in models.items()}, told, left_out)
    table = table.merge(seen, on=["model_id", "benchmark_name", "subject"], how="left", validate="many_to_one")
    return table.assign(model_id=table["model_id"].str.removesuffix(BASELINE))


def _run(id: str, model: TunedModel, card: Mapping[str, Any], experiment: str) -> dict[str, Any]:
    """Return the columns that describe a fine-tuned model in one experiment."""
    tuning, recipe, lora = model.tuning, model.recipe, model.recipe.lora
    return {
        "model_id": id,
        "base_model_id": tuning.base,
        "exp_type": _PREFIX + experiment,
        "finetuning_dataset": tuning.dataset,
        "finetuning_regions": "_".join(tuning.rois),
        "finetuning_subjects": f"randsubj_{tuning.subjects}" if tuning.subjects else "all",
        "data_pct": float(tuning.percent),
        "fitting_samples": card["fitting_samples"],
        "seed": tuning.seed,
        "epochs": recipe.epochs,
        "learning_rate": recipe.learning_rate,
        "random_shuffle": tuning.permuted,
        "lora_rank": lora.rank if lora else np.nan,
        "lora_alpha": lora.alpha if lora else np.nan,
        "lora_dropout": lora.dropout if lora else np.nan,
        "lora_target_modules": ",".join(lora.targets) if lora else None,
        "lora_update_head": lora.train_head if lora else None,
        "n_trainable_params": card["n_trainable_params"],
        "task_evaluation_acc": card["task_evaluation_acc"],
        "task_evaluation_acc_before": card["task_evaluation_acc_before"],
    }
