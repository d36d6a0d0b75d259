"""What the figures of selected models share: how each of them looks."""

import pandas as pd

from cortexscale.figures.style import FAMILIES, colours, in_order

_HATCHES = {"fitted": "", "adversarial": "xxxx", "self-supervised": "....", "held out": "////"}


def model_looks(models: pd.DataFrame) -> dict[str, dict[str, object]]:
    """How bars of a model look, by its name: the colour of the family and the hatch of the kind.

    Args:
        models: of :func:`cortexscale.scaling.selected.selected_scores`.
    """
    models = models.drop_duplicates("name")
    colour = colours(sorted(models["family"].unique()), FAMILIES)
    return {
        name: {"color": colour[family], "hatch": _HATCHES[kind], "edgecolor": "white", "lw": 0}
        for name, family, kind in zip(models["name"], models["family"], models["kind"], strict=True)
    }


def benchmark_names(scores: pd.DataFrame, labels: dict[str, str]) -> dict[str, str]:
    """Handles of the benchmarks in the order of the config, the average last."""
    names = in_order(set(scores["benchmark_name"]) - {"average"}, labels)
    return {name: labels.get(name, name) for name in names} | {"average": "Average"}
