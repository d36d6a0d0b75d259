"""Every mean that figure 3 draws is in its csv."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from published_tables import our_tables

from cortexscale.figures import convergence
from cortexscale.scaling.points import axis_points, benchmark_scores


def test_the_lines_of_both_panels_are_in_the_csv():
    pretraining = our_tables(size="demo")["pretraining"]
    more = pretraining.assign(model_id=pretraining["model_id"] + "-again", pearsonr_nc=pretraining["pearsonr_nc"] + 0.01)
    scores = benchmark_scores(pd.concat([pretraining, more]))
    tables = {f"{axis}_points": axis_points(scores, axis).assign(metric="pearsonr_nc") for axis in ("compute", "samples")}
    figure, numbers = convergence.draw(tables, {})
    for name, panel in zip("ab", figure.axes[:2], strict=True):
        means = numbers[(numbers["panel"] == name) & (numbers["kind"] == "mean")]
        models = numbers[(numbers["panel"] == name) & (numbers["kind"] == "model")]
        drawn = np.concatenate([line.get_xydata() for line in panel.get_lines() if len(line.get_xydata())])
        order = np.lexsort(drawn.T)
        expected = means[["x", "score"]].to_numpy()
        np.testing.assert_allclose(drawn[order], expected[np.lexsort(expected.T)])
        keys = (
            ["family", "held_out", "x"]
            if name == "b"
            else ["family", "backbone_arch", "backbone_source", "backbone_n_params", "x"]
        )
        by_hand = models.groupby(keys)["score"].mean()
        found = means.set_index(keys)["score"]
        np.testing.assert_allclose(found.reindex(by_hand.index), by_hand)
        assert len(means) == len(by_hand) < len(models)
    plt.close(figure)
