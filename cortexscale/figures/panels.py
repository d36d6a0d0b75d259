"""Several panels of one kind, and legends that lie outside of them."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def panels(titles: Sequence[str], columns: int, size: tuple[float, float], **shared: object) -> tuple[Figure, list[Axes]]:
    """One panel per title, ``size`` inches each, in rows of at most ``columns``."""
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


def legend_above(figure: Figure, panel: Axes, columns: int = 6) -> None:
    """The legend of a panel, once for its whole figure."""
    lines, names = panel.get_legend_handles_labels()
    if lines:
        figure.legend(lines, names, loc="outside upper center", ncols=min(columns, len(names)), fontsize=8)


def legend_over(panel: Axes) -> None:
    """The legend of a panel on top of it, where no bar is."""
    count = len(panel.get_legend_handles_labels()[1])
    look = {"fontsize": 7, "handlelength": 1.6, "columnspacing": 1.0, "borderaxespad": 0.2}
    panel.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=count, **look)
