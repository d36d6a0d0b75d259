"""Figures S26 to S29: figures 2 and 3 with another score of alignment."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from cortexscale.figures.convergence import draw_convergence
from cortexscale.figures.scaling_laws import draw_axes
from cortexscale.figures.style import panel_letter


def draw(tables: dict[str, pd.DataFrame], labels: dict[str, str]) -> tuple[Figure, pd.DataFrame]:
    """Scaling laws of compute, samples and parameters (a to c), and how architectures and families converge (d, e)."""
    figure, panels = plt.subplot_mosaic("aabbcc;dddeee", figsize=(10.5, 6.6), layout="constrained")
    laws = draw_axes([panels[letter] for letter in "abc"], tables, labels)
    convergence = draw_convergence((panels["d"], panels["e"]), tables)
    for letter, panel in panels.items():
        panel_letter(panel, letter)
    panels["e"].sharey(panels["d"])
    panels["c"].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)
    convergence["panel"] = convergence["panel"].map({"a": "d", "b": "e"})
    laws["panel"] = laws["axis"].map({"compute": "a", "samples": "b", "parameters": "c"})
    return figure, pd.concat([laws, convergence], ignore_index=True)
