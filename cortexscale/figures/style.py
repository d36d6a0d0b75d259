"""How every figure looks."""

from collections.abc import Iterable

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter

STYLE = {
    "figure.dpi": 150,
    "savefig.dpi": 300,
    "savefig.bbox": "tight",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "cortexscale",
}

BENCHMARKS = {
    "FZ-EP": "#14532d",
    "MH-EP": "#2f9e44",
    "TVSD-EP": "#94d82d",
    "T-fMRI": "#1f4e79",
    "NSD-fMRI": "#4dabf7",
    "T-MEG": "#c2255c",
    "T-EEG1": "#e8590c",
    "T-EEG2": "#f5b301",
    "Average": "#1b263b",
}
"""By handle: greens for electrophysiology, blues for fMRI, warm colours for MEG and EEG."""

FAMILIES = {
    "AlexNet": "#b12a90",
    "ConvNeXt": "#f77f00",
    "CORnet-S": "#2d0b59",
    "ViT": "#e63946",
    "EfficientNet": "#7a3e00",
    "ResNet": "#6a0572",
    "Qwen3-VL": "#457b9d",
    "VJEPA2": "#2a9d8f",
}
"""The colours of the paper."""

FAMILY_MARKERS = {"AlexNet": "o", "CORnet-S": "s", "ResNet": "^", "EfficientNet": "D", "ConvNeXt": "P", "ViT": "X"}
BENCHMARK_MARKERS = dict(zip(BENCHMARKS, "X*osD^vPh", strict=True))
PRETRAINING = {"imagenet": "#2b8cbe", "ecoset": "#e34a33"}
"""Colours of the paper, by the data set of a pretraining."""

MARKERS = {"suite": "o", "spvvs": "o", "timm": "X", "huggingface": "X", "checkpoint": "D", "python": "D"}


def use_style() -> None:
    mpl.rcParams.update(STYLE)


def in_order(names: Iterable[str], labels: dict[str, str]) -> list[str]:
    """Datasets in the order of the config; what it does not have comes last."""
    names = list(dict.fromkeys(names))
    return sorted(names, key=[*labels, *names].index)


def colours(names: Iterable[str], known: dict[str, str]) -> dict[str, str]:
    """A colour for every name: the paper's where it has one."""
    names = list(names)
    others = iter(sns.color_palette("husl", max(1, len([name for name in names if name not in known]))).as_hex())
    return {name: known.get(name) or next(others) for name in names}


def log_x(panel: Axes, x: pd.Series) -> None:
    """A logarithmic axis of x, with ticks between the powers of ten where few of these lie in the range of ``x``."""
    decades = np.log10(x.max() / x.min())
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 1 else (1, 3) if decades < 2 else (1,)))
    panel.xaxis.set_major_formatter(LogFormatterSciNotation(labelOnlyBase=False, minor_thresholds=(np.inf, np.inf)))
    panel.xaxis.set_minor_formatter(NullFormatter())


def panel_letter(axes: Axes, letter: str) -> None:
    axes.set_title(letter, loc="left", fontweight="bold")
