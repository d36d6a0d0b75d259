"""Colours, markers and fonts of all figures."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Literal

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter

from cortexscale.alignment.averages import AVERAGE
from cortexscale.datasets.registry import facts
from cortexscale.figures.content import Datasets

Style = dict[str, Any]
"""Properties of a line, a bar or a text, with the names that matplotlib uses."""

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")

STYLE: dict[Any, Any] = {
    "figure.dpi": 150,
    "savefig.dpi": 300,
    "savefig.bbox": "tight",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "text.parse_math": False,  # labels of datasets are shown as they stand, with every $ and \\
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "cortexscale",
}

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
"""Architecture family -> colour in the paper."""

FAMILY_MARKERS = {"AlexNet": "o", "CORnet-S": "s", "ResNet": "^", "EfficientNet": "D", "ConvNeXt": "P", "ViT": "X"}
PRETRAINING = {"imagenet": "#2b8cbe", "ecoset": "#e34a33"}
"""Pretraining set -> colour in the paper."""

MARKERS = {"suite": "o", "spvvs": "o", "timm": "X", "huggingface": "X", "checkpoint": "D", "python": "D"}


def colours(names: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """Return a colour for every name. Names in ``known`` have their known colour."""
    names = list(names)
    others = iter(sns.color_palette("husl", max(1, len([name for name in names if name not in known]))).as_hex())
    return {name: known.get(name) or next(others) for name in names}


def legible(label: str) -> str:
    """Change a label so that legends show it. Matplotlib leaves out empty labels and labels that begin with an underscore."""
    return f" {label}" if not label or label.startswith("_") else label


@dataclass(frozen=True)
class Look:
    """Colour, marker and label of a dataset or a family in figures."""

    label: str
    colour: str
    marker: str


def family_looks(families: Iterable[str]) -> dict[str, Look]:
    """Return family -> look, in alphabetical order."""
    colour = colours(sorted(set(families)), FAMILIES)
    return {name: Look(legible(name), shade, FAMILY_MARKERS.get(name, "h")) for name, shade in colour.items()}


def dataset_looks(names: Iterable[str], datasets: Datasets) -> dict[str, Look]:
    """Return dataset -> look, in the order of the study. The average comes last.

    The first dataset of each built-in reader has the colour and marker of the paper. If a dataset is not in the study, its name
    is used as its reader and as its label.
    """
    names = dict.fromkeys(names)
    order = [name for name in dict.fromkeys([*datasets, *names]) if name != AVERAGE]
    paper: dict[str, str] = {}
    for name in order:
        paper.setdefault(datasets[name].reader if name in datasets else name, name)
    known = {name: of for reader, name in paper.items() if (of := facts(reader))}
    colour = colours(order, {name: of.colour for name, of in known.items()})
    others = cycle("o^sDvP")
    marker = {name: known[name].marker if name in known else next(others) for name in order}
    looks = {
        name: Look(legible(datasets[name].label if name in datasets else name), colour[name], marker[name])
        for name in order
        if name in names
    }
    return looks | ({AVERAGE: Look("Average", "#1b263b", "h")} if AVERAGE in names else {})


class Powers(LogFormatterSciNotation):
    """Labels of a logarithmic axis without mathematical notation, such as 10⁵ and 3×10⁵."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of a tick at ``x``. The label is empty for a tick that has no label."""
        label = re.sub(r"\$|\\mathdefault|\\times", lambda found: "×" if found[0] == r"\times" else "", super().__call__(x, pos))
        return re.sub(r"\^\{(.+)\}", lambda found: found[1].translate(_SUPERSCRIPTS), label).strip("{}")


def log_scale(panel: Axes, side: Literal["x", "y"]) -> None:
    """Make the axis of x or y logarithmic."""
    panel.set(**{f"{side}scale": "log"})
    axis = panel.xaxis if side == "x" else panel.yaxis
    axis.set_major_formatter(Powers())
    axis.set_minor_formatter(Powers())


def log_x(panel: Axes, x: pd.Series) -> None:
    """Make the axis of x logarithmic. If the range has few powers of ten, ticks are drawn between them as well."""
    decades = np.log10(x.max() / x.min())
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 1 else (1, 3) if decades < 2 else (1,)))
    panel.xaxis.set_major_formatter(Powers(labelOnlyBase=False, minor_thresholds=(np.inf, np.inf)))
    panel.xaxis.set_minor_formatter(NullFormatter())
