"""Galleries of figures as studies have them, and figures drawn from tables in memory."""

from collections.abc import Mapping

import matplotlib as mpl
import pandas as pd
from invented_tables import PROJECTED
from published_tables import LABELS

mpl.use("agg")

from matplotlib.figure import Figure

from cortexscale.figures.content import LACKING, Available, FigureDataset
from cortexscale.figures.drawing import draw as draw_figure
from cortexscale.figures.gallery import Drawing, Gallery

MODALITIES = dict(zip(LABELS, ("ephys", "ephys", "ephys", "fmri", "fmri", "meg", "eeg", "eeg"), strict=True))
DATASETS = {reader: FigureDataset(label, reader, MODALITIES[reader]) for reader, label in LABELS.items()}
"""The datasets of the paper, named by their readers."""


def some(*names: str, **labels: str) -> dict[str, FigureDataset]:
    """Return some datasets of the paper, and others by their labels."""
    return {name: DATASETS[name] for name in names} | {name: FigureDataset(label, "own.py") for name, label in labels.items()}


def gallery(datasets: Mapping[str, FigureDataset] = DATASETS, **available) -> Gallery:
    """Return the figures of a study that has every table; ``available`` replaces fields of :class:`Available`."""
    everything = {
        "tables": frozenset(LACKING) - {"true_scores"},
        "readouts": ("linear_individual", "layer_gate_shared"),
        "projections": PROJECTED,
    }
    return Gallery(Available(datasets=datasets, **(everything | available)))


def draw(drawing: Drawing, tables: Mapping[str, pd.DataFrame]) -> tuple[Figure, pd.DataFrame]:
    """Draw a figure from tables by the names that its function knows them by, as the rule does."""
    return draw_figure(drawing, tables)
