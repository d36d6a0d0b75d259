"""Functions that several figures share: they make grids of panels, and draw curves, tables, legends and colour bars."""

from collections.abc import Callable, Iterable, Sequence
from string import ascii_lowercase
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure, SubFigure

from cortexscale.figures.content import Drawn, NothingToShow
from cortexscale.figures.style import Style

SCORE = "Alignment S (noise-normalised r)"
AVERAGE_SCORE = "Average alignment S (noise-normalised r)"
ACCURACY = "Task accuracy (top-1)"
FEW_MODELS = 12
"""Points are labelled with the names of models if there are at most this many models."""
BESIDE: Style = {"loc": "center left", "bbox_to_anchor": (1.02, 0.5)}
"""Place of a legend to the right of a panel."""
SLANTED: Style = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
"""Style of tick labels that are too long to be written side by side."""
_ROIS = {"occipital_parietal": "occ. + parietal"}
_FEW = 4
_COLUMNS = range(7, 4, -1)


def panels(
    titles: Sequence[str], columns: int, size: tuple[float, float], *, x: str = "", y: str = "", **shared: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure with one panel of ``size`` inches per title, in rows of at most ``columns`` panels.

    Args:
        x, y: labels that are written once for all panels.
        shared: the arguments ``sharex`` and ``sharey`` of ``plt.subplots``.
    """
    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    inches = (size[0] * columns + 0.4, size[1] * rows + 0.4)
    figure, grid = plt.subplots(rows, columns, figsize=inches, squeeze=False, layout="constrained", **shared)
    for number, panel in enumerate(grid.flat):
        if number < len(titles):
            panel.set_title(titles[number], fontsize=9)
            # With a shared axis only the last row has tick labels, so a panel above an empty place needs labels of its own.
            panel.tick_params(labelsize=8, labelbottom=not shared.get("sharex") or number + columns >= len(titles))
        else:
            panel.set_axis_off()
    if x:
        figure.supxlabel(x, fontsize=9)
    if y:
        figure.supylabel(y, fontsize=9)
    return figure, list(grid.flat[: len(titles)])


def roi_panels(
    rois: Sequence[str], few: tuple[float, float], many: tuple[float, float], **labels: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure with one panel per ROI. Panels have the size ``few`` if they fit in one row, and otherwise ``many``."""
    size = few if len(rois) <= _FEW else many
    return panels([roi_name(roi) for roi in rois], columns_for(len(rois)), size, sharex=True, **labels)


def letter_panels(panels: Iterable[Axes]) -> None:
    """Write a, b, c and so on above the left ends of panels."""
    for letter, panel in zip(ascii_lowercase, panels, strict=False):
        panel.set_title(letter, loc="left", fontweight="bold")


def roi_name(roi: str) -> str:
    """Return the title of the panel of an ROI."""
    return _ROIS.get(roi, roi.replace("_", " "))


def columns_for(count: int) -> int:
    """Return the number of columns of a grid with few empty places.

    Up to four panels are in one row, and up to eight in two rows. More panels have 5 to 7 columns.
    """
    if count <= 2 * _FEW:
        return count if count <= _FEW else -(-count // 2)
    return min(_COLUMNS, key=lambda columns: -count % columns)


def name_models(panel: Axes, points: pd.DataFrame, x: str = "x") -> None:
    """Label every point with its architecture, or with the model id if architectures repeat.

    If there are more than :data:`FEW_MODELS` points, no point gets a label.
    """
    if len(points) > FEW_MODELS:
        return
    by_arch = "backbone_arch" in points and points["backbone_arch"].is_unique
    panel.margins(x=0.2)
    for place, point in enumerate(points.sort_values(x).to_dict("records")):
        # Names are written above and below points in turn.
        offset, align = ((0, -5), "top") if place % 2 else ((0, 5), "bottom")
        how: Style = {"textcoords": "offset points", "ha": "center", "va": align, "fontsize": 5.5, "color": "0.25"}
        panel.annotate(point["backbone_arch" if by_arch else "model_id"], (point[x], point["score"]), offset, **how)


def draw_means(panel: Axes, means: pd.DataFrame, x: str, **look: Any) -> None:
    """Draw the column ``mean`` against ``x`` as a line, with a band from ``low`` to ``high``."""
    panel.plot(means[x], means["mean"], **look)
    panel.fill_between(means[x], means["low"], means["high"], color=look["color"], alpha=0.15, lw=0)


def draw_law(
    panel: Axes, curve: pd.DataFrame, farthest: float, look: Style, *, beyond: str = ":", band: float = 0.15, **known: Any
) -> None:
    """Draw a fitted law with a 95 % band.

    Args:
        farthest: largest X of the fitted points.
        beyond: line style beyond ``farthest``.
        band: opacity of the band.
        known: further properties of the line up to ``farthest``.
    """
    seen = curve["x"] <= farthest
    panel.plot(curve["x"][seen], curve["score"][seen], **look, **known)
    panel.plot(curve["x"][~seen], curve["score"][~seen], ls=beyond, **look)
    panel.fill_between(curve["x"], curve["low"], curve["high"], color=look["color"], alpha=band, lw=0)


def draw_cells(
    panel: Axes, table: pd.DataFrame, text: Callable[[float], str], dark: Callable[[float], bool], **colours: Any
) -> None:
    """Draw a table as coloured cells with texts. Texts on ``dark`` values are white, and missing cells are empty."""
    panel.imshow(table, aspect="auto", **colours)
    for (row, column), value in np.ndenumerate(table.to_numpy(float)):
        if np.isfinite(value):
            shade = "white" if dark(value) else "black"
            panel.text(column, row, text(value), ha="center", va="center", fontsize=7, color=shade)
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)


def colour_bar(figure: Figure | SubFigure, image: ScalarMappable, panels: Iterable[Axes], label: str, **look: Any) -> None:
    """Draw a colour bar next to panels."""
    bar = figure.colorbar(image, ax=list(panels), **({"shrink": 0.8, "aspect": 25, "pad": 0.02} | look))
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7)


def blank(title: str, reason: NothingToShow) -> Drawn:
    """Return a figure that says why there is nothing to draw, and a table with the reason."""
    figure = plt.figure(figsize=(6, 1.6), layout="constrained")
    text = f"{title}\nnothing to show: {reason.found}\nexpected: {reason.expected}"
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=9, wrap=True)
    return figure, pd.DataFrame({"nothing_to_show": [reason.found]})


def legend_above(figure: Figure, panel: Axes, columns: int = 6) -> None:
    """Draw the legend of a panel above the figure, because all panels share it."""
    lines, names = panel.get_legend_handles_labels()
    if lines:
        figure.legend(lines, names, loc="outside upper center", ncols=min(columns, len(names)), fontsize=8)


def legend_over(panel: Axes) -> None:
    """Draw the legend of a panel above the panel, so that it hides no bar."""
    count = len(panel.get_legend_handles_labels()[1])
    look: Style = {"fontsize": 7, "handlelength": 1.6, "columnspacing": 1.0, "borderaxespad": 0.2}
    panel.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=count, **look)
