"""The table of the mapping axis. It has the columns of the published table."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cortexscale.catalogue.readouts import kind_of, subjects_of
from cortexscale.stores import read_table

SUBJECTS = {"individual": "Single-Subject", "shared": "Multi-Subject"}


def mapping_table(mappings: Sequence[Path]) -> pd.DataFrame:
    """Combine the scores of all readouts, with a row per dataset x readout x percentage x seed x subject x ROI.

    The table has the columns of ``scores`` in :data:`cortexscale.readouts.stage.Tables`, and also ``probe_subj_config``,
    ``probe_subj_config_name``, ``probe_name`` (such as ``Attention (Multi-Subject)``) and ``n_params_per_subject``, which is
    ``n_params`` divided by the number of subjects that share the readout.
    """
    table = pd.concat([read_table(file, columns=("probe_type", "data_pct", "seed")) for file in mappings], ignore_index=True)
    kind, config = table["probe_type"].map(kind_of), table["probe_type"].map(subjects_of)
    names = config.map(SUBJECTS)
    fit = ["benchmark_name", "probe_type", "data_pct", "seed", "roi"]
    sharing = table.groupby(fit)["subject"].transform("size").where(config == "shared", 1)
    return table.assign(
        probe_subj_config=config,
        probe_subj_config_name=names,
        probe_name=kind.str.capitalize() + " (" + names + ")",
        n_params_per_subject=table["n_params"] / sharing,
    )


def gates_table(gates: Sequence[Path]) -> pd.DataFrame:
    """Combine the gates of all layer gates, with a row per dataset x readout x percentage x seed x subject x ROI x layer."""
    tables = [read_table(file, columns=("layer_name", "gate")) for file in gates]
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
