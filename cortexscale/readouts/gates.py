"""Depths at which the layer-gate readouts of each ROI read a network."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cortexscale.readouts.mapping import Fitted
from cortexscale.readouts.tokens import Tokens


def gate_tables(fitted: Fitted, tokens: Tokens, depths: Mapping[str, float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Average the gates of trained layer-gate readouts over the training stimuli of each subject, for layers with these depths.

    Returns:
        Rows per subject x ROI x layer with ``layer_name``, ``layer_position_normalized``, ``gate``; and rows per subject x ROI
        with the columns of :func:`gate_summary`.
    """
    layers, positions = list(depths), np.array(list(depths.values()))
    gates, summaries = [], []
    for subject, trials in fitted.trials.items():
        for roi, gate in zip(fitted.readouts.rois, fitted.readouts.gates(tokens, trials.rows), strict=True):
            place = {"subject": subject, "roi": roi, "probe_type": fitted.probe_type}
            gates.append(pd.DataFrame({**place, "layer_name": layers, "layer_position_normalized": positions, "gate": gate}))
            summaries.append({**place, **gate_summary(gate, positions)})
    return pd.concat(gates, ignore_index=True), pd.DataFrame(summaries)


def gate_summary(gates: np.ndarray, depths: np.ndarray) -> dict[str, float]:
    """Summarise at which depth, and how narrowly, a ROI reads a network, from its gates and the depths of the layers, (L,) each.

    Returns:
        ``expected_depth``, ``depth_sd``, and ``gate_entropy`` in nats, which is 0 for a single layer and log L for equal gates.
    """
    expected = float(gates @ depths)
    positive = gates[gates > 0]
    return {
        "expected_depth": expected,
        "depth_sd": float(np.sqrt(gates @ (depths - expected) ** 2)),
        "gate_entropy": float(-(positive * np.log(positive)).sum()),
    }
