"""Figures, drawn from result tables alone.

``registry.py`` has one entry per figure, ``paper.py`` the paper's names for them, and ``gallery.py`` says which of them a study
can draw. A function that draws a figure takes ``(tables, datasets, **arguments)`` and returns the figure with every number that
is plotted in it. It raises ``NothingToShow`` if the results leave nothing to draw, or another ``InputError`` if they lack runs.
"""
