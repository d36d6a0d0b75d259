"""Grids of panels, legends outside of them, and names of models beside their points."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cortexscale.figures.content import NothingToShow

SCORE = "Alignment S (noise-normalised r)"
AVERAGE_SCORE = "Average alignment S (noise-normalised r)"
ACCURACY = "Task accuracy (top-1)"
FEW_MODELS = 12
"""Models up to which their points have names."""
_ROIS = {"occipital_parietal": "occ. + parietal"}
_FEW = 4
_COLUMNS = range(7, 4, -1)


def panels(titles: Sequence[str], columns: int, size: tuple[float, float], **shared: object) -> tuple[Figure, list[Axes]]:
    """Return a figure with one panel of ``size`` inches per title, in rows of at most ``columns`` panels."""
    columns = min(columns, len(titles))
    rows = -(-len(titles) // columns)
    inches = (size[0] * columns + 0.4, size[1] * rows + 0.4)
    figure, grid = plt.subplots(rows, columns, figsize=inches, squeeze=False, layout="constrained", **shared)
    for number, panel in enumerate(grid.flat):
        if number < len(titles):
            panel.set_title(titles[number], fontsize=9)
            # An empty place below leaves a panel without the tick labels that a shared axis has in the last row only.
            panel.tick_params(labelsize=8, labelbottom=not shared.get("sharex") or number + columns >= len(titles))
        else:
            panel.set_axis_off()
    return figure, list(grid.flat[: len(titles)])


def roi_name(roi: str) -> str:
    """Return the title of the panel of a ROI."""
    return _ROIS.get(roi, roi.replace("_", " "))


def columns_for(count: int) -> int:
    """Return the columns of a grid that leaves few places empty.

    Up to four panels are one row and up to eight are two rows; more panels have 5 to 7 columns.
    """
    if count <= 2 * _FEW:
        return count if count <= _FEW else -(-count // 2)
    return min(_COLUMNS, key=lambda columns: -count % columns)


def name_models(panel: Axes, points: pd.DataFrame, x: str = "x") -> None:
    """Write the name of its model beside every point, if there are few points.

    Args:
        points: ``model_id``, ``score`` and the column ``x``; the architecture is the name if it is unique.
    """
    if len(points) > FEW_MODELS:
        return
    by_arch = "backbone_arch" in points and points["backbone_arch"].is_unique
    panel.margins(x=0.2)
    for place, point in enumerate(points.sort_values(x).to_dict("records")):
        below = place % 2  # neighbours have their names above and below in turn
        how = {
            "textcoords": "offset points",
            "ha": "center",
            "va": "top" if below else "bottom",
            "fontsize": 5.5,
            "color": "0.25",
        }
        panel.annotate(
            point["backbone_arch" if by_arch else "model_id"], (point[x], point["score"]), (0, -5 if below else 5), **how
        )


def blank(title: str, reason: NothingToShow) -> tuple[Figure, pd.DataFrame]:
    """Return a figure that says why there is nothing to draw, and a table of the reason."""
    figure = plt.figure(figsize=(6, 1.6), layout="constrained")
    text = f"{title}\nnothing to show: {reason.found}\nexpected: {reason.expected}"
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=9, wrap=True)
    return figure, pd.DataFrame({"nothing_to_show": [reason.found]})


def legend_above(figure: Figure, panel: Axes, columns: int = 6) -> None:
    """Draw the legend of a panel above the figure, for all its panels."""
    lines, names = panel.get_legend_handles_labels()
    if lines:
        figure.legend(lines, names, loc="outside upper center", ncols=min(columns, len(names)), fontsize=8)


def legend_over(panel: Axes) -> None:
    """Draw the legend of a panel above it, where it hides no bar."""
    count = len(panel.get_legend_handles_labels()[1])
    look = {"fontsize": 7, "handlelength": 1.6, "columnspacing": 1.0, "borderaxespad": 0.2}
    panel.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=count, **look)
