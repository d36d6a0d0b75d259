"""Captions of figures: what a figure shows, where its numbers come from, and how many there are."""

import re

import pandas as pd

from cortexscale.figures.gallery import Drawing

COUNTED = {
    "model_id": "models",
    "benchmark_name": "datasets",
    "finetuning_dataset": "fine-tuning sets",
    "subject": "subjects",
    "roi": "ROIs",
    "probe_type": "readouts",
}
"""Column of the numbers -> name of what it counts."""


def caption(drawing: Drawing, numbers: pd.DataFrame) -> str:
    """Return the caption of a figure in plain text. The files of one fit count as one source.

    Args:
        numbers: every number in the figure.
    """
    if "nothing_to_show" in numbers:
        return f"{drawing.title}. There is nothing to show: {numbers['nothing_to_show'].iloc[0]}."
    counts = {word: numbers[column].nunique() for column, word in COUNTED.items() if column in numbers}
    kinds = [f"{count:,} {word}" for word, count in counts.items() if count > 1]
    sources = dict.fromkeys(re.sub(r"(\.points|\.curves)?\.parquet$", "", table) for table in drawing.tables.values())
    plotted = ", ".join([f"n = {len(numbers):,} plotted values", *kinds])
    return f"{drawing.title}. {drawing.caption} From {', '.join(sources)}; {plotted}."
