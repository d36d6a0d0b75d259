"""Tables of readouts for people to read, from small tables."""

import numpy as np
import pandas as pd
import pytest
from markdown_cells import unpadded

from cortexscale.scaling.mapping import readable

LIMITED = {"E": 0.614, "E_low": 0.586, "E_high": 0.645, "saturates": True}
UNLIMITED = {"E": 1.0, "E_low": 0.7, "E_high": 1.0, "saturates": False}
UNKNOWN = {"E": np.nan, "E_low": np.nan, "E_high": np.nan, "saturates": np.nan}


def table(*rows: tuple) -> pd.DataFrame:
    """Make a table from benchmark, readout, score, mean numbers of parameters, and the limit of each row."""
    names = {"linear_individual": "Linear (Single-Subject)", "attention_shared": "Attention (Multi-Subject)"}
    return pd.DataFrame(
        [
            {
                "benchmark_name": benchmark,
                "probe_type": readout,
                "probe_name": names[readout],
                "score": score,
                "n_params_mean": mean,
                "n_params_geometric_mean": geometric,
                **limit,
            }
            for benchmark, readout, score, (mean, geometric), limit in rows
        ]
    )


SOME = table(
    ("nsd", "linear_individual", 0.5004, (np.nan, np.nan), LIMITED),
    ("nsd", "attention_shared", 0.4996, (np.nan, np.nan), UNLIMITED),
    ("tvsd", "linear_individual", 0.25, (np.nan, np.nan), UNKNOWN),
    ("tvsd", "attention_shared", 0.75, (np.nan, np.nan), UNKNOWN),
    ("average", "linear_individual", 0.3752, (1234.4, 1000), UNKNOWN),
    ("average", "attention_shared", 0.6248, (5_000_000, 70), UNKNOWN),
)


@pytest.mark.parametrize(
    ("parameters", "shown"), [("n_params_mean", "1,234 | 5,000,000"), ("n_params_geometric_mean", "1,000 | 70")]
)
def test_the_best_score_of_a_row_is_bold_and_limits_and_parameters_follow(parameters, shown):
    lines = unpadded(readable(SOME, {"nsd": "NSD"}, parameters)).splitlines()
    assert lines[0] == "| Benchmark | Linear (Single-Subject) | Attention (Multi-Subject) |"
    assert lines[1].startswith("| :-") and lines[1].count("-: |") == 2, "scores are aligned right"
    assert lines[2:7] == [
        "| NSD | **0.500** | 0.500 |",
        "| Tvsd | 0.250 | **0.750** |",
        "| Average | 0.375 | **0.625** |",
        f"| Parameters | {shown} |",
        "| E, NSD | 0.61 [0.59, 0.65] | no saturation |",
    ]
    assert ("the geometric mean over subjects" in lines[-1]) == (parameters == "n_params_geometric_mean")


def test_numbers_that_are_not_known_have_no_row():
    text = unpadded(readable(SOME[:4].drop(columns=list(LIMITED)), {}, "n_params_mean"))
    assert "| Nsd | **0.500** | 0.500 |\n| Tvsd |" in text and "Parameters" not in text and "| E" not in text
