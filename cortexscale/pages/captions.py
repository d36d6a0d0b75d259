"""Captions of figures: what the module that draws one says of it, where its numbers come from, and how many there are."""

import ast
import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

COUNTED = {
    "model_id": "models",
    "benchmark_name": "benchmarks",
    "finetuning_dataset": "fine-tuning sets",
    "subject": "subjects",
    "roi": "ROIs",
    "probe_type": "readouts",
}
_SECTIONS = re.compile(r"\n\s*(Args|Returns|Raises|Attributes):")
_MARKUP = re.compile(r"``|:\w+:`~?|`")


def caption(module: str, tables: Sequence[str], numbers: pd.DataFrame) -> str:
    """The caption of a figure in plain text.

    Args:
        module: of :mod:`cortexscale.figures`, which is read and not imported.
        tables: that it shows, as paths; the files of one fit count once.
        numbers: all that is plotted.
    """
    title, text = described(Path(importlib.util.find_spec(f"cortexscale.figures.{module}").origin))
    counts = {word: numbers[column].nunique() for column, word in COUNTED.items() if column in numbers}
    kinds = [f"{count:,} {word}" for word, count in counts.items() if count > 1]
    sources = dict.fromkeys(re.sub(r"(\.points|\.curves)?\.parquet$", "", table) for table in tables)
    return f"{title} {text} From {', '.join(sources)}; {', '.join([f'n = {len(numbers):,} plotted values', *kinds])}."


def described(file: Path) -> tuple[str, str]:
    """The title of a module of figures, and what its ``draw`` says of the drawing."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    draw = next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "draw"), None)
    return _plain(ast.get_docstring(tree)), _plain(ast.get_docstring(draw) if draw else None)


def _plain(docstring: str | None) -> str:
    prose = _SECTIONS.split(docstring or "")[0]
    return " ".join(_MARKUP.sub("", prose).split())
