"""The report: figures with captions, tables, quality checks, cost and provenance of a study on one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from cortexscale.figures.gallery import KINDS, Drawing
from cortexscale.markdown import markdown_table
from cortexscale.pages.captions import caption
from cortexscale.pages.origin import origins, run_facts
from cortexscale.pages.template import render
from cortexscale.stores import read_table

DOTS, PIXELS = 300, 110
"""Dots per inch of the figures, and CSS pixels per inch at which the page shows them."""


@dataclass(frozen=True)
class Contents:
    """The contents of a report.

    Attributes:
        root: results root.
        config: config of the study, with all defaults.
        labels: dataset -> its name in the report.
        figures: figures whose files lie in ``figures/``.
        tables: parquet files, ``cost`` among them. A table that is there in Markdown too is shown, others are linked.
        checks: parquet files of small tables for the section on quality.
        fits: parquet files of scaling laws.
        pages: other pages in the same folder.
    """

    root: Path
    config: Mapping[str, Any]
    labels: Mapping[str, str]
    figures: Sequence[Drawing]
    tables: Sequence[Path]
    checks: Sequence[Path]
    fits: Sequence[Path]
    pages: Sequence[str]


def report_page(of: Contents) -> str:
    """Make the page. Figures are inside it, and links lead to the files beside it."""
    shown = [table for table in of.tables if table.stem != "cost"]
    files = [*of.tables, *of.checks, *of.fits]
    sources, inputs = _origins(files, of.root)
    laws = _laws_with_warnings(of.fits, of.labels)
    return render(
        "report.html",
        config=of.config,
        config_text=yaml.safe_dump(dict(of.config), sort_keys=False),
        pages=of.pages,
        facts=run_facts(of.config, files),
        figures=[_figure(of.root, drawing) for drawing in of.figures],
        tables=[_table(table, of.root) for table in shown],
        checks={table.stem: _check(table, of.labels) for table in of.checks} | _scores(shown, of.labels),
        warned_laws="" if laws.empty else _frame(laws),
        n_warned_laws=len(laws),
        cost=(of.root / "tables/cost.md").read_text(encoding="utf-8"),
        origins=sources,
        inputs=inputs,
    )


def _figure(root: Path, drawing: Drawing) -> dict[str, Any]:
    files = {kind: f"figures/{drawing.name}.{kind}" for kind in KINDS}
    text, png = caption(drawing, pd.read_csv(root / files["csv"])), root / files["png"]
    title, paths = drawing.heading, list(files.values())
    return {"name": drawing.name, "title": title, "caption": text, "png": png, "size": _size(png), "files": paths}


def _size(png: Path) -> list[int]:
    """Width and height on a screen, in CSS pixels: the figure is as large as in print."""
    head = png.read_bytes()[:24]
    return [int.from_bytes(head[start : start + 4]) * PIXELS // DOTS for start in (16, 20)]


def _table(table: Path, root: Path) -> dict[str, Any]:
    readable = table.with_suffix(".md")
    files = [str(file.relative_to(root)) for file in (table, table.with_suffix(".csv"), readable) if file.exists()]
    return {"name": table.stem, "files": files, "text": readable.read_text(encoding="utf-8") if readable.exists() else ""}


def _check(table: Path, labels: Mapping[str, str]) -> str:
    return _frame(read_table(table).replace({"benchmark_name": dict(labels)}))


def _scores(tables: Sequence[Path], labels: Mapping[str, str]) -> dict[str, str]:
    """The fractions of units that score above 1, and whose penalty is an end of its grid."""
    pretraining = next((table for table in tables if table.stem == "pretraining"), None)
    rows = read_table(pretraining) if pretraining else pd.DataFrame()
    if not {"n_units", "n_units_above_1", "alpha_at_edge"} <= set(rows):
        return {}
    sums = rows.groupby("benchmark_name", sort=False).agg(
        scores=("n_units", "sum"), above=("n_units_above_1", "sum"), alpha_at_edge=("alpha_at_edge", "mean")
    )
    found = pd.DataFrame(
        {
            "benchmark_name": [labels.get(name, name) for name in sums.index],
            "scores of units": sums["scores"].tolist(),
            "fraction above 1": (sums["above"] / sums["scores"]).tolist(),
            "fraction with the ridge penalty at an end of its grid": sums["alpha_at_edge"].tolist(),
        }
    )
    return {"scores": _frame(found)}


def _laws_with_warnings(fits: Sequence[Path], labels: Mapping[str, str]) -> pd.DataFrame:
    """The scaling laws whose constants should not be read as they stand."""
    tables = (read_table(file).assign(fit=file.stem) for file in fits)
    warned = [table[table["warnings"].fillna("") != ""] for table in tables if "warnings" in table]
    rows = pd.concat(warned) if warned else pd.DataFrame()
    names = [name for name in ("fit", "family", "benchmark_name", "experiment", "n", "warnings") if name in rows]
    return rows[names].fillna("").replace({"benchmark_name": dict(labels)})


def _frame(table: pd.DataFrame) -> str:
    """Write any table in Markdown, with four digits of its numbers."""
    numbers = table.select_dtypes("number").columns
    cells = table.apply(lambda column: column.map(lambda cell: f"{cell:.4g}" if isinstance(cell, float) else str(cell)))
    return markdown_table(cells.rename(columns=_words), left=[_words(str(name)) for name in table if name not in numbers])


def _words(column: str) -> str:
    return column.replace("_", " ")


def _origins(files: Sequence[Path], root: Path) -> tuple[str, str]:
    """Make two tables in Markdown: the origin of each file, and the hashes of the inputs that it was made of."""
    found = origins(files, root)
    rows = [{**each, "inputs": len(each["inputs"])} for each in found]
    inputs = [(each["table"], name, content) for each in found for name, content in each["inputs"].items()]
    return _frame(pd.DataFrame(rows)), _frame(pd.DataFrame(inputs, columns=["table", "input", "content"]))
