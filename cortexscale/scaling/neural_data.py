"""The axes of neural data: alignment against the stimuli that a model is fine-tuned on, or that a readout is fitted to.

Both count stimuli F and see F / 10 (paper, sections 3, 4.3 and 4.7; figure S62).
"""

import pandas as pd

from cortexscale.scaling.axes import chosen_rois, hierarchical_mean

SCALE = 10.0
CLUSTERS = {"config": ["data_pct", "x"], "architecture": ["data_pct", "x"]}
"""The seeds of a fraction belong together. There is one architecture."""
_READOUT = ["probe_type", "benchmark_name", "fitting_samples", "data_pct", "seed"]
_RUN = ["model_id", "finetuning_dataset", "fitting_samples", "data_pct", "seed"]


def mapping_points(mapping: pd.DataFrame, composite_rois: bool = True, score: str = "pearsonr_nc") -> pd.DataFrame:
    """One point per readout x dataset x number of stimuli x seed: the mean over subjects and ROIs, all rows alike.

    Subjects with other numbers of stimuli (NSD) are points of their own. The pretraining axes average ROI by ROI; the
    authors do not here.

    Args:
        mapping: table of :func:`cortexscale.readouts.table.mapping_table`.
        composite_rois: count ROIs that hold others as ROIs of their own, as the paper does.

    Returns:
        ``family`` (the readout), ``benchmark_name``, ``x``, ``data_pct``, ``seed``, ``score``.
    """
    rows = chosen_rois(mapping, composite_rois)
    points = rows.groupby(_READOUT, sort=False)[score].mean().rename("score").reset_index().dropna(subset="score")
    points = points.rename(columns={"probe_type": "family"})
    return points.assign(x=points.pop("fitting_samples").astype(float))


def finetuning_points(finetuning: pd.DataFrame, composite_rois: bool = True, score: str = "pearsonr_nc") -> pd.DataFrame:
    """One point per fine-tuned model x benchmark, and x the mean of its benchmarks, of the experiment on fractions of the data.

    Of several base models that were fine-tuned on fractions, the one with most scores.

    Args:
        finetuning: ``tables/finetuning.parquet``, rows per model x benchmark x subject x ROI.
        composite_rois: count ROIs that hold others as ROIs of their own, as the paper does.

    Returns:
        ``family`` (the dataset that models are fine-tuned on), ``benchmark_name``, ``x``, ``data_pct``, ``seed``,
        ``model_id``, ``score``.
    """
    rows = finetuning[finetuning["exp_type"] == "finetuning_data_pct"]
    rows = rows[rows["base_model_id"].isin(rows["base_model_id"].mode()[:1])]
    runs = rows[_RUN].drop_duplicates("model_id")
    points = hierarchical_mean(chosen_rois(rows, composite_rois), "model_id", score).dropna(subset="score")
    points = points.merge(runs, on="model_id", validate="many_to_one").rename(columns={"finetuning_dataset": "family"})
    return points.assign(x=points.pop("fitting_samples").astype(float))


POINTS = {"mapping": mapping_points, "finetuning": finetuning_points}
