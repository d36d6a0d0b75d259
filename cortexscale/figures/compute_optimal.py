"""What compute is best spent on: parameters, samples and alignment along the compute-optimal frontier."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.errors import InputError
from cortexscale.figures.style import BENCHMARK_MARKERS, BENCHMARKS, colours, in_order, panel_letter
from cortexscale.scaling.points import ALL

PANELS = {
    "n_params": ("x", "Parameters N"),
    "n_samples": ("x2", "Pretraining samples D"),
    "score": ("score", "Alignment S (noise-normalised r)"),
}
"""Quantity at the optimum: the column of the models, and its label."""
AVERAGE = "average"
AROUND = 30
"""Panels reach so many times beyond the models that there are; no optimum farther away is worth a look."""


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Lines are optima of S = E - A N^-alpha - B D^-beta by benchmark, dotted beyond the compute of the fitted models; the thick
    one is that of the average, with its 95 % bootstrap band. Points are the fitted models.

    Raises:
        InputError: no law has an optimum.
    """
    points, curves = tables["points"], tables["curves"]
    curves = curves[curves["family"] == ALL]
    if curves.empty:
        found = "no law of parameters and samples that rises with both"
        remedy = "leave the figure out; the log of fit_model_and_data says why"
        raise InputError("figure compute_optimal", found, "enough models, of several sizes and training sets", remedy)
    shown = set(curves["benchmark_name"])
    names = [*in_order(shown - {AVERAGE}, labels), *({AVERAGE} & shown)]
    handles = {name: labels.get(name, name.capitalize()) for name in names}
    colour = colours(handles.values(), BENCHMARKS)
    figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.4), layout="constrained")
    models = points[points["benchmark_name"] == names[-1]]
    for letter, (quantity, (column, label)), panel in zip("abc", PANELS.items(), panels, strict=True):
        panel.scatter(models["compute"], models[column], color="0.6", s=8, alpha=0.5, linewidths=0, label="Models")
        for name in names:
            curve = curves[curves["benchmark_name"] == name]
            width = 2.5 if name == names[-1] else 1.0
            seen = curve["compute"] <= models["compute"].max()
            look = {"color": colour[handles[name]], "lw": width, "marker": BENCHMARK_MARKERS.get(handles[name]), "ms": 4}
            for part, style, known in ((seen, "-", handles[name]), (~seen, ":", None)):
                marked = dict(look, ls=style, label=known, markevery=(2 * names.index(name), 20) if known else [])
                panel.plot(curve["compute"][part], curve[quantity][part], **marked)
            if name == names[-1]:
                band = curve[f"{quantity}_low"], curve[f"{quantity}_high"]
                panel.fill_between(curve["compute"], *band, color=colour[handles[name]], alpha=0.15, lw=0)
        yscale = "linear" if quantity == "score" else "log"
        panel.set(xscale="log", yscale=yscale, xlabel=MODEL_AXES["compute"].label, ylabel=label)
        if quantity != "score":
            panel.set_ylim(models[column].min() / AROUND, models[column].max() * AROUND)
        panel_letter(panel, letter)
    panels[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)
    measured = ["family", "benchmark_name", "model_id", "compute", "x", "x2", "score"]
    shown_models = models[measured].rename(columns={"x": "n_params", "x2": "n_samples"}).assign(kind="model")
    return figure, pd.concat([shown_models, curves.assign(kind="optimum")], ignore_index=True)
