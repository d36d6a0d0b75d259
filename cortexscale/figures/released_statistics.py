"""Statistics that releases ship, against the same statistics recomputed from single trials."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.content import FigureDataset, NothingToShow
from cortexscale.figures.style import colours, dataset_looks


def draw(tables: Mapping[str, pd.DataFrame], datasets: Mapping[str, FigureDataset]) -> tuple[Figure, pd.DataFrame]:
    """Draw one panel per dataset and statistic, with one point per unit of the table ``released_units``.

    Raises:
        NothingToShow: no release of the study ships a statistic that was recomputed.
    """
    units = tables["released_units"]
    groups = list(units.groupby(["benchmark_name", "statistic"], sort=False, observed=True))
    if not groups:
        expected = "units with a released statistic"
        raise NothingToShow("table released_units", "no units", expected, "leave released_statistics out of `figures`")
    looks = dataset_looks(units["benchmark_name"], datasets)
    figure, panels = plt.subplots(1, len(groups), figsize=(3.1 * len(groups), 3.9), layout="constrained", squeeze=False)
    for panel, ((name, statistic), points) in zip(panels[0], groups, strict=True):
        for subject, colour in colours(sorted(points["subject"].unique()), {}).items():
            rows = points[points["subject"] == subject]
            difference = (rows["recomputed"] - rows["released"]).abs().median()
            label = f"{subject}: {difference:.2g}"
            panel.scatter(rows["released"], rows["recomputed"], s=4, color=colour, alpha=0.5, lw=0, label=label, rasterized=True)
        panel.axline((points["released"].median(),) * 2, slope=1, color="black", lw=0.7, ls=":")
        panel.set(title=f"{looks[name].label}: {statistic}", xlabel="Released", ylabel="Recomputed")
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.18), "ncols": 2}
        panel.legend(title="Median |difference|", fontsize=7, title_fontsize=7, markerscale=2, **below)
    return figure, units
