"""Figure 2: alignment against pretraining compute, samples and parameters, with the fitted scaling laws."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.style import BENCHMARKS, MARKERS, colours, panel_letter
from cortexscale.scaling.axes import ALL, AXES, FITTED_SOURCES


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Points are models, lines are fits to the controlled suite with 95 % bootstrap bands; crosses are held-out models.

    Lines are dotted beyond the models that they were fitted to.
    """
    shown = set(tables["compute_points"]["benchmark_name"])
    names = [*(name for name in labels if name in shown), "average"]
    handles = {name: labels.get(name, name.capitalize()) for name in names}
    colour = colours(handles.values(), BENCHMARKS)
    figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.4), sharey=True)
    plotted = []
    for letter, (axis, spec), panel in zip("abc", AXES.items(), panels, strict=True):
        points = tables[f"{axis}_points"]
        points = points[points["fitted"] | ~points["backbone_source"].isin(FITTED_SOURCES)]
        points = points.assign(kind=np.where(points["fitted"], "model", "held out"))
        curves = tables[f"{axis}_curves"]
        curves = curves[curves["family"] == ALL]
        for name in names:
            width, strong = (2.5, 0.8) if name == "average" else (1.5, 0.35)
            for source, rows in points[points["benchmark_name"] == name].groupby("backbone_source"):
                panel.scatter(
                    rows["x"],
                    rows["score"],
                    color=colour[handles[name]],
                    marker=MARKERS[source],
                    alpha=strong,
                    s=10,
                    linewidths=0,
                )
            curve = curves[curves["benchmark_name"] == name]
            seen = curve["x"] <= points["x"].max()
            panel.plot(curve["x"][seen], curve["score"][seen], color=colour[handles[name]], lw=width, label=handles[name])
            panel.plot(curve["x"][~seen], curve["score"][~seen], color=colour[handles[name]], lw=width, ls=":")
            panel.fill_between(curve["x"], curve["low"], curve["high"], color=colour[handles[name]], alpha=0.15, lw=0)
        panel.set(xscale="log", xlabel=spec.label)
        panel_letter(panel, letter)
        kept = ["axis", "kind", "benchmark_name", "model_id", "x", "score"]
        plotted += [points.assign(axis=axis)[kept], curves.assign(axis=axis, kind="fit")]
    numbers = pd.concat(plotted, ignore_index=True)
    scores = numbers.loc[numbers["kind"] != "fit", "score"]
    panels[0].set(ylabel="Alignment S (noise-normalised r)", ylim=(scores.min() - 0.1, scores.max() + 0.1))
    figure.tight_layout()
    panels[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)
    return figure, numbers
