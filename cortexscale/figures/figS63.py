"""Figure S63: alignment against the parameters of the readout."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.catalogue.readouts import READOUTS, figure_name
from cortexscale.errors import InputError
from cortexscale.figures.style import log_x


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Small points are ROIs of a dataset at the largest fraction, mean over subjects and seeds. Large ones are the geometric mean
    of the parameters and the mean score of a readout. A shared trunk is divided among its subjects.

    Raises:
        InputError: a published table, which does not count parameters.
    """
    mapping = tables["mapping"]
    if mapping["n_params_per_subject"].isna().all():
        raise InputError("figure figS63", "no n_params_per_subject", "readouts of the study", "leave it out of `figures`")
    rows = mapping[mapping["data_pct"] == mapping["data_pct"].max()]
    points = rows.groupby(["probe_type", "benchmark_name", "roi"], sort=False, as_index=False).agg(
        n_params=("n_params_per_subject", "mean"), score=("pearsonr_nc", "mean")
    )
    centroids = points.groupby("probe_type", as_index=False).agg(
        n_params=("n_params", lambda n: np.exp(np.log(n).mean())), score=("score", "mean")
    )
    figure, panel = plt.subplots(figsize=(5.2, 3.8), layout="constrained")
    for readout, colour in READOUTS.items():
        of_readout, centroid = (table[table["probe_type"] == readout] for table in (points, centroids))
        if len(of_readout):
            panel.scatter(of_readout["n_params"], of_readout["score"], s=14, color=colour, alpha=0.45, linewidths=0)
            label = f"{figure_name(readout)}, {centroid['n_params'].iloc[0]:.2g}"
            panel.scatter(centroid["n_params"], centroid["score"], s=110, color=colour, edgecolors="white", label=label, zorder=3)
    log_x(panel, points["n_params"])
    panel.set(xlabel="Parameters per subject and ROI", ylabel="Alignment S (noise-normalised r)")
    panel.legend(
        fontsize=7, loc="center left", bbox_to_anchor=(1.02, 0.5), title="geometric mean of parameters", title_fontsize=7
    )
    return figure, pd.concat([points.assign(kind="roi"), centroids.assign(kind="centroid")], ignore_index=True)
