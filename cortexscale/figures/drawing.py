"""Drawing of one figure of a study from its result tables."""

import importlib

from cortexscale.alignment.averages import averaged_rows
from cortexscale.figures.content import Drawn, Tables
from cortexscale.figures.gallery import Drawing


def draw(drawing: Drawing, tables: Tables) -> Drawn:
    """Draw a figure from its result tables. The keys of ``tables`` are those of ``drawing.tables``.

    Rows that do not count in averages are removed first, unless the figure shows every ROI on its own.
    """
    function = getattr(importlib.import_module(drawing.module), drawing.draw.rpartition(".")[2])
    if drawing.averages:
        tables = {name: averaged_rows(table, drawing.averages) for name, table in tables.items()}
    figure, numbers = function(tables, drawing.datasets, **drawing.arguments)
    return figure, numbers
