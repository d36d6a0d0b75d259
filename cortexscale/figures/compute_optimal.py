"""Parameters, samples and alignment along the compute-optimal frontier."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.figures.content import FigureDataset, NothingToShow
from cortexscale.figures.style import dataset_looks, panel_letter
from cortexscale.scaling.points import ALL

PANELS = {
    "n_params": ("x", "Parameters N"),
    "n_samples": ("x2", "Pretraining samples D"),
    "score": ("score", "Alignment S (noise-normalised r)"),
}
"""Quantity at the optimum -> the column of the models, and the label of the axis."""
AROUND = 30
"""Factor by which panels reach beyond the models; optima farther away are not shown."""


def draw(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel per quantity at the optimum, with one line per dataset over the fitted models.

    Raises:
        NothingToShow: no law has an optimum.
    """
    points, curves = tables["points"], tables["curves"]
    curves = curves[curves["family"] == ALL]
    if curves.empty:
        found = "no law of parameters and samples that rises with both"
        remedy = "leave the figure out; the log of fit_model_and_data says why"
        raise NothingToShow("figure compute_optimal", found, "enough models, of several sizes and training sets", remedy)
    looks = dataset_looks(curves["benchmark_name"], datasets)
    names = list(looks)
    figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.4), layout="constrained")
    models = points[points["benchmark_name"] == names[-1]]
    for letter, (quantity, (column, label)), panel in zip("abc", PANELS.items(), panels, strict=True):
        panel.scatter(models["compute"], models[column], color="0.6", s=8, alpha=0.5, linewidths=0, label="Models")
        for name, shown in looks.items():
            curve = curves[curves["benchmark_name"] == name]
            width = 2.5 if name == names[-1] else 1.0
            seen = curve["compute"] <= models["compute"].max()
            look = {"color": shown.colour, "lw": width, "marker": shown.marker, "ms": 4}
            for part, style, known in ((seen, "-", shown.label), (~seen, ":", None)):
                marked = dict(look, ls=style, label=known, markevery=(2 * names.index(name), 20) if known else [])
                panel.plot(curve["compute"][part], curve[quantity][part], **marked)
            if name == names[-1]:
                band = curve[f"{quantity}_low"], curve[f"{quantity}_high"]
                panel.fill_between(curve["compute"], *band, color=shown.colour, alpha=0.15, lw=0)
        scale = "linear" if quantity == "score" else "log"
        panel.set(xscale="log", yscale=scale, xlabel=MODEL_AXES["compute"].label, ylabel=label)
        if quantity != "score":
            panel.set_ylim(models[column].min() / AROUND, models[column].max() * AROUND)
        panel_letter(panel, letter)
    panels[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)
    measured = ["family", "benchmark_name", "model_id", "compute", "x", "x2", "score"]
    shown_models = models[measured].rename(columns={"x": "n_params", "x2": "n_samples"}).assign(kind="model")
    return figure, pd.concat([shown_models, curves.assign(kind="optimum")], ignore_index=True)
