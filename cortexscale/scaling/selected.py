"""Selection of one model of every kind, to compare them side by side (paper, appendix E.2)."""

import pandas as pd

from cortexscale.models.roles import KINDS, families, kinds
from cortexscale.scaling.points import benchmark_scores

_KIND = ["kind", "family"]


def selected_scores(pretraining: pd.DataFrame) -> pd.DataFrame:
    """Select the largest model of every kind and family, and its scores, with a ``name`` unique to the model.

    Among models of one size, the one trained on ImageNet is chosen, as adversarial copies are; then the one trained on most
    images; then the first id.
    """
    scores = benchmark_scores(pretraining, composite_rois=True)
    models = scores.drop_duplicates("model_id")
    kind = kinds(models)
    models = models.assign(family=families(models), kind=kind, place=kind.map(KINDS.index))
    models = models.assign(elsewhere=models["pretraining_dataset"] != "imagenet")
    ranks = {"backbone_n_params": False, "elsewhere": True, "pretraining_n_samples": False, "model_id": True}
    chosen = (
        models.sort_values(list(ranks), ascending=list(ranks.values())).drop_duplicates(_KIND).sort_values(["place", "family"])
    )
    special = chosen["kind"].isin(["adversarial", "self-supervised"])
    names = chosen["backbone_arch"] + (" (" + chosen["kind"] + ")").where(special, "")
    chosen = chosen.assign(name=names.mask(names.duplicated(keep=False), chosen["model_id"]))
    return chosen[["model_id", *_KIND, "name"]].merge(scores, on="model_id", validate="one_to_many")
