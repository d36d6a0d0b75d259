"""How every figure looks."""

from collections.abc import Iterable

import matplotlib as mpl
import seaborn as sns
from matplotlib.axes import Axes

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
}
"""The colours of the paper."""

MARKERS = {"suite": "o", "spvvs": "o", "timm": "X", "huggingface": "X", "checkpoint": "D", "python": "D"}


def use_style() -> None:
    mpl.rcParams.update(STYLE)


def colours(names: Iterable[str], known: dict[str, str]) -> dict[str, str]:
    """A colour for every name: the paper's where it has one."""
    names = list(names)
    others = iter(sns.color_palette("husl", max(1, len([name for name in names if name not in known]))).as_hex())
    return {name: known.get(name) or next(others) for name in names}


def panel_letter(axes: Axes, letter: str) -> None:
    axes.set_title(letter, loc="left", fontweight="bold")
