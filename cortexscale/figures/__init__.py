"""Draw figures from result tables.

``registry.py`` has one entry per figure. ``paper.py`` has the names of figures in the paper. ``gallery.py`` tells which figures a
study can draw. A function that draws a figure takes ``(tables, datasets, **arguments)``. The function returns the figure, and a
table of every plotted number. The function raises ``NothingToShow`` if the tables have nothing to draw, and another
``InputError`` if runs are missing.
"""
