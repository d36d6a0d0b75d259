"""Figures plot the numbers that they plotted before. ``python tests/support/figure_summaries.py`` renews these numbers."""

import json

import figure_summaries
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

COUNTS = {"n", "distinct", "true"}
RENEW = "if this is meant: python tests/support/figure_summaries.py"


FITTED_FIRST = ("figS26", "figS27", "figS28", "figS29")
"""Figures of another metric, whose laws are fitted for them alone."""


@pytest.mark.parametrize(
    "figure", [pytest.param(name, marks=[pytest.mark.slow] * (name in FITTED_FIRST)) for name in figure_summaries.FIGURES]
)
def test_a_figure_plots_the_numbers_that_are_stored(figure):
    drawing, numbers = figure_summaries.draw(figure)
    plt.close(drawing)
    stored = figure_summaries.stored(figure)
    assert stored.exists(), f"no summary yet; {RENEW}"
    expected, found = json.loads(stored.read_text()), figure_summaries.summary(numbers)
    assert list(found) == list(expected), RENEW
    for name, column in expected.items():
        for count in COUNTS & column.keys():
            assert found[name].get(count) == column[count], f"{name}; {RENEW}"
        # Six digits are stored, and fits differ in the last bits between machines. The mean of numbers on both sides of zero may
        # consist of such bits alone.
        scale = max(-column["min"], column["max"]) if column.get("min", 0) < 0 < column["max"] else 0
        assert found[name] == pytest.approx(column, rel=1e-5, abs=1e-6 * scale), f"{name}; {RENEW}"


def test_a_summary_counts_and_measures():
    columns = {"score": [0.1, 0.2, 0.6, np.nan], "model_id": ["a", "b", "a", None], "fitted": [True, False, True, True]}
    assert figure_summaries.summary(pd.DataFrame(columns)) == {
        "score": {"n": 3, "mean": 0.3, "min": 0.1, "q25": 0.15, "median": 0.2, "q75": 0.4, "max": 0.6},
        "model_id": {"n": 3, "distinct": 2},
        "fitted": {"n": 4, "true": 3},
    }


def test_every_summary_belongs_to_a_figure():
    assert {file.stem for file in figure_summaries.FOLDER.glob("*.json")} == set(figure_summaries.FIGURES)
