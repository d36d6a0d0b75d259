"""Figures, drawn from result tables alone.

``registry.py`` has one entry per figure, ``paper.py`` the paper's names for them, and ``gallery.py`` says which of them a study
can draw. A module that draws has functions ``draw(tables, datasets, **arguments) -> (Figure, DataFrame)``: the figure, and every
number that is plotted in it.
"""
