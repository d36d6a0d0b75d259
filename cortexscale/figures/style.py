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
    "fz": "#2E7D32",
    "mh": "#4CAF50",
    "tvsd": "#66BB6A",
    "things_fmri": "#1F4E79",
    "nsd": "#2E6F95",
    "things_eeg1": "#2A9D8F",
    "things_eeg2": "#4FB3A2",
    "things_meg": "#3CA6A6",
    "average": "#1b263b",
}
FAMILIES = {
    "AlexNet": "#b12a90",
    "ConvNeXt": "#f77f00",
    "CORnet-S": "#2d0b59",
    "ViT": "#e63946",
    "EfficientNet": "#7a3e00",
    "ResNet": "#6a0572",
}
"""The colours of the paper."""

MARKERS = {"suite": "o", "spvvs": "o", "timm": "X"}


def use_style() -> None:
    mpl.rcParams.update(STYLE)


def colours(names: Iterable[str], known: dict[str, str]) -> dict[str, str]:
    """A colour for every name: the paper's where it has one."""
    names = list(names)
    others = iter(sns.color_palette("husl", max(1, len([name for name in names if name not in known]))).as_hex())
    return {name: known.get(name) or next(others) for name in names}


def panel_letter(axes: Axes, letter: str) -> None:
    axes.set_title(letter, loc="left", fontweight="bold")
