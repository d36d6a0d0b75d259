"""The report: figures with captions, tables, quality checks, cost and provenance of a study on one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from cortexscale.pages.captions import caption
from cortexscale.pages.markup import details, facts, html_table, links, markdown, picture
from cortexscale.pages.origin import origins, run_facts
from cortexscale.pages.template import page, style
from cortexscale.stores import read_table


@dataclass(frozen=True)
class Contents:
    """What a report gathers.

    Attributes:
        root: results root.
        config: of the study, with all defaults.
        labels: of datasets.
        figures: name -> ``module``, ``tables`` that it reads, as paths, and labels of the ``datasets`` that it shows, if not all;
            pictures and numbers lie in ``figures/``.
        tables: parquet files, ``cost`` among them; one that has a twin in Markdown is shown, others are linked.
        checks: parquet files of small tables for the section on quality.
        fits: parquet files of scaling laws.
        pages: other pages beside it.
    """

    root: Path
    config: Mapping[str, Any]
    labels: Mapping[str, str]
    figures: Mapping[str, Mapping[str, Any]]
    tables: Sequence[Path]
    checks: Sequence[Path]
    fits: Sequence[Path]
    pages: Sequence[str]


def report_page(of: Contents) -> str:
    """The page, pictures inside; links lead to files beside it."""
    shown = [table for table in of.tables if table.stem != "cost"]
    files = [*of.tables, *of.checks, *of.fits]
    quality = "".join(_check(table, of.labels) for table in of.checks) + _scores(shown, of.labels) + _laws(of.fits, of.labels)
    return page(
        "report.html",
        style=style("page.css", "report.css"),
        study=escape(of.config["study"]),
        pages="".join(f'<p><a href="{name}">Explore the scores and their scaling laws</a></p>' for name in of.pages),
        facts=facts(run_facts(of.config, files)),
        figures="".join(_figure(of.root, name, **figure) for name, figure in of.figures.items()),
        tables="".join(_table(table, of.root) for table in shown),
        checks=quality,
        cost=markdown((of.root / "tables/cost.md").read_text(encoding="utf-8")),
        origins=_origins(files, of.root),
        config=details("Config, with all defaults", f"<pre>{escape(yaml.safe_dump(dict(of.config), sort_keys=False))}</pre>"),
    )


def _figure(root: Path, name: str, module: str, tables: Sequence[str], datasets: Sequence[str]) -> str:
    files = {kind: f"figures/{name}.{kind}" for kind in ("pdf", "svg", "png", "csv")}
    text = caption(module, [str(Path(table).relative_to(root)) for table in tables], pd.read_csv(root / files["csv"]))
    drawing = picture(root / files["png"], f"{name}: {text}")
    title = ": ".join([name, ", ".join(datasets)]) if datasets else name
    below = f"<figcaption>{escape(text)} {links(files.values())}</figcaption>"
    return f'<figure id="{name}"><h3>{escape(title)}</h3>{drawing}{below}</figure>\n'


def _table(table: Path, root: Path) -> str:
    readable = table.with_suffix(".md")
    twins = [file for file in (table, table.with_suffix(".csv"), readable) if file.exists()]
    files = links(str(file.relative_to(root)) for file in twins)
    inside = markdown(readable.read_text(encoding="utf-8")) if readable.exists() else ""
    return f"<h3>{escape(table.stem)} <small>{files}</small></h3>\n{inside}"


def _check(table: Path, labels: Mapping[str, str]) -> str:
    rows = read_table(table)
    return f"<h3>{escape(table.stem)}</h3>\n" + _frame(rows.replace({"benchmark_name": dict(labels)}))


def _scores(tables: Sequence[Path], labels: Mapping[str, str]) -> str:
    """Shares of units that score above 1, and whose penalty ends at the edge of its grid."""
    pretraining = next((table for table in tables if table.stem == "pretraining"), None)
    rows = read_table(pretraining) if pretraining else pd.DataFrame()
    if not {"n_units", "n_units_above_1", "alpha_at_edge"} <= set(rows):
        return ""
    sums = rows.groupby("benchmark_name", sort=False).agg(
        scores=("n_units", "sum"), above=("n_units_above_1", "sum"), alpha_at_edge=("alpha_at_edge", "mean")
    )
    found = pd.DataFrame(
        {
            "benchmark_name": [labels.get(name, name) for name in sums.index],
            "scores of units": sums["scores"].tolist(),
            "share above 1": (sums["above"] / sums["scores"]).tolist(),
            "share with the ridge penalty at an end of its grid": sums["alpha_at_edge"].tolist(),
        }
    )
    return "<h3>scores</h3>\n" + _frame(found)


def _laws(fits: Sequence[Path], labels: Mapping[str, str]) -> str:
    """Scaling laws whose constants should not be read as they stand."""
    tables = (read_table(file).assign(fit=file.stem) for file in fits)
    warned = [table[table["warnings"].fillna("") != ""] for table in tables if "warnings" in table]
    rows = pd.concat(warned) if warned else pd.DataFrame()
    if rows.empty:
        return ""
    names = [name for name in ("fit", "family", "benchmark_name", "experiment", "n", "warnings") if name in rows]
    shown = rows[names].fillna("").replace({"benchmark_name": dict(labels)})
    return "<h3>scaling laws</h3>\n" + details(f"{len(rows)} laws with a warning", _frame(shown))


def _frame(table: pd.DataFrame) -> str:
    shown = [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in table.to_numpy(object)]
    return html_table([column.replace("_", " ") for column in table], shown)


def _origins(files: Sequence[Path], root: Path) -> str:
    found = origins(files, root)
    head = ["table", "rows", "columns", "content", "code", "inputs"]
    rows = [
        [each["table"], f"{each['rows']:,}", str(each["columns"]), each["content"], each["code"], str(len(each["inputs"]))]
        for each in found
    ]
    inputs = [[each["table"], name, content] for each in found for name, content in each["inputs"].items()]
    return html_table(head, rows) + details("Hashes of all inputs", html_table(["table", "input", "content"], inputs))
