"""One model of every kind, side by side (paper, appendix E.2)."""

import pandas as pd

from cortexscale.scaling.axes import FITTED_SOURCES, benchmark_scores

_KIND = ["kind", "family"]
_ORDER = {"suite": 0, "adversarial": 1, "self-supervised": 2, "held out": 3}


def selected_scores(pretraining: pd.DataFrame) -> pd.DataFrame:
    """Alignment of the largest model of every family: of suites, models held out, self-supervised ones and adversarial copies.

    Of models of one size the one of ImageNet if there is one, as adversarial copies are; then of most images; then the first id.

    Returns:
        The rows of :func:`cortexscale.scaling.axes.benchmark_scores` of these models, with ``family``, ``kind`` (``suite``,
        ``adversarial``, ``self-supervised`` or ``held out``) and ``name``, unique to the model.
    """
    scores = benchmark_scores(pretraining)
    models = scores.drop_duplicates("model_id")
    models = models.assign(family=models["backbone_arch_family"].str.removesuffix("Flex"), kind="held out")
    models.loc[models["backbone_source"].isin(FITTED_SOURCES), "kind"] = "suite"
    models.loc[models["is_selfsupervised_learning"].eq(True), "kind"] = "self-supervised"
    models.loc[models["is_adversarially_finetuned"].eq(True), "kind"] = "adversarial"
    models = models.assign(place=models["kind"].map(_ORDER), elsewhere=models["pretraining_dataset"] != "imagenet")
    ranks = {"backbone_n_params": False, "elsewhere": True, "pretraining_n_samples": False, "model_id": True}
    chosen = (
        models.sort_values(list(ranks), ascending=list(ranks.values())).drop_duplicates(_KIND).sort_values(["place", "family"])
    )
    special = chosen["kind"].isin(["adversarial", "self-supervised"])
    names = chosen["backbone_arch"] + (" (" + chosen["kind"] + ")").where(special, "")
    chosen = chosen.assign(name=names.mask(names.duplicated(keep=False), chosen["model_id"]))
    return chosen[["model_id", *_KIND, "name"]].merge(scores, on="model_id", validate="one_to_many")
