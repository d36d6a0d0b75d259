"""The tables of readouts and gates, computed by hand from small files."""

import pandas as pd
import pytest

from cortexscale.errors import InputError
from cortexscale.readouts.table import gates_table, mapping_table
from cortexscale.stores import write_table


def written(folder, tables):
    files = [folder / f"{number}.parquet" for number in range(len(tables))]
    for table, file in zip(tables, files, strict=True):
        write_table(table, file, {})
    return files


def scores(readout: str, subjects: list[str], **columns: object) -> pd.DataFrame:
    plain = {"benchmark_name": "tvsd", "probe_type": readout, "data_pct": 10.0, "seed": 0, "roi": "V1", "n_params": 600}
    return pd.DataFrame([{**plain, "subject": subject, **columns} for subject in subjects])


def test_parameters_of_shared_readouts_are_divided_among_the_subjects_of_a_fit(tmp_path):
    """A fit has one dataset, percentage, seed and ROI; in one of them, one subject lacks the ROI."""
    tables = [
        scores("attention_shared", ["a", "b", "c"]),
        scores("attention_shared", ["a", "b"], roi="IT"),
        scores("attention_shared", ["a", "b", "c"], seed=1, n_params=300),
        scores("low_rank_individual", ["a", "b", "c"]),
    ]
    table = mapping_table(written(tmp_path, tables))
    assert table.index.tolist() == list(range(11))
    assert table["n_params_per_subject"].tolist() == pytest.approx([200] * 3 + [300] * 2 + [100] * 3 + [600] * 3)
    assert table["probe_subj_config"].tolist() == ["shared"] * 8 + ["individual"] * 3
    assert table["probe_subj_config_name"].tolist() == ["Multi-Subject"] * 8 + ["Single-Subject"] * 3
    assert table["probe_name"].tolist() == ["Attention (Multi-Subject)"] * 8 + ["Low_rank (Single-Subject)"] * 3


def test_gates_of_all_files_are_in_one_table(tmp_path):
    gates = pd.DataFrame({"layer_name": ["one", "two"], "gate": [0.25, 0.75]})
    table = gates_table(written(tmp_path, [gates[:0], gates, gates]))
    assert table["gate"].tolist() == [0.25, 0.75] * 2 and table.index.tolist() == [0, 1, 2, 3]
    assert list(gates_table(written(tmp_path, [gates[:0], gates[:0]]))) == ["layer_name", "gate"], "no readout has gates"


def test_tables_of_another_kind_are_refused(tmp_path):
    with pytest.raises(InputError, match="no column data_pct"):
        mapping_table(written(tmp_path, [scores("attention_shared", ["a"]).drop(columns="data_pct")]))
    with pytest.raises(InputError, match="no column gate"):
        gates_table(written(tmp_path, [pd.DataFrame({"layer_name": ["one"]})]))
