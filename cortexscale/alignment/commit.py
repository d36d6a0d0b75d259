"""Layer commitment: choice of one layer per ROI, which all subjects of a dataset share (paper, section 3)."""

import pandas as pd

from cortexscale.alignment.averages import mean_scores
from cortexscale.commitments import Commitments, CommittedLayer
from cortexscale.errors import InputError


def commit_layers(search: pd.DataFrame, model: str) -> Commitments:
    """Choose a layer for each ROI of each dataset, from the table of :func:`cortexscale.alignment.search.search_layers`."""
    datasets = {str(dataset): commit_rois(rows) for dataset, rows in search.groupby("benchmark_name", sort=False)}
    return Commitments(model, datasets)


def commit_rois(search: pd.DataFrame) -> dict[str, CommittedLayer]:
    """Choose for each ROI of a dataset the layer with the highest cross-validated score, averaged over subjects.

    If scores are equal, the shallower layer is chosen. The margin is the score of the chosen layer minus the score of the best
    layer at another depth. A stage and its last block have the same depth, because they put out the same tensor. A layer that has
    no score for at least one subject is dead or constant, and is never chosen. An InputError is raised if an ROI has no layer
    with scores.
    """
    keys = ["roi", "layer_position", "layer_position_normalized", "layer_name"]
    unscored = search.loc[search["cv_score"].isna(), ["roi", "layer_name"]].apply(tuple, axis=1)
    scored = search[~search[["roi", "layer_name"]].apply(tuple, axis=1).isin(set(unscored))]
    scores = mean_scores(scored, keys, "cv_score", levels=("subject",))
    scores = scores.sort_values(["score", "layer_position"], ascending=[False, True], kind="stable")
    committed = {}
    for roi in search["roi"].unique():
        ranked = scores[scores["roi"] == roi]
        if ranked.empty:
            found = f"no score of any of the {search['layer_name'].nunique()} candidate layers: all are dead or constant"
            remedy = "check the weights of the model, or choose other `layers` in the config"
            raise InputError(f"layer search of {roi}", found, "a layer whose outputs differ between stimuli", remedy)
        best = ranked.iloc[0]
        others = ranked[ranked["layer_position"] != best["layer_position"]]
        committed[str(roi)] = CommittedLayer(
            layer_name=best["layer_name"],
            layer_position=int(best["layer_position"]),
            layer_position_normalized=float(best["layer_position_normalized"]),
            score=float(best["score"]),
            margin=float(best["score"] - others.iloc[0]["score"]) if len(others) else None,
            runner_up=others.iloc[0]["layer_name"] if len(others) else None,
        )
    return committed
