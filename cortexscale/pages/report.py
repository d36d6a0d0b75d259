"""The report: one page with the figures, captions, tables, quality checks, costs and origins of a study."""

import hashlib
import json
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import yaml
from PIL import Image

from cortexscale.alignment.averages import AVERAGE
from cortexscale.catalogue.metrics import TRUE
from cortexscale.figures.gallery import KINDS, Drawing
from cortexscale.markdown import markdown_table
from cortexscale.pages.template import render
from cortexscale.scaling.points import ALL
from cortexscale.stores import file_hash, read_table, table_provenance

REPOSITORY = Path(__file__).parents[2]
DOTS, PIXELS = 300, 110
"""Dots per inch of the figures, and CSS pixels per inch on the page."""
COUNTED = {
    "model_id": "models",
    "benchmark_name": "datasets",
    "finetuning_dataset": "fine-tuning sets",
    "subject": "subjects",
    "roi": "ROIs",
    "probe_type": "readouts",
}
"""Column in the plotted numbers of a figure -> word for the things that the column names."""


def report_page(
    *,
    root: Path,
    config: Mapping[str, Any],
    labels: Mapping[str, str],
    figures: Sequence[Drawing],
    tables: Sequence[Path],
    checks: Sequence[Path],
    fits: Sequence[Path],
    pages: Sequence[str],
) -> str:
    """Return the HTML of the page. It contains the figures, and its links lead to files in the same results folder.

    Args:
        config: the config of the study, including defaults.
        labels: dataset -> label in the report.
        tables: parquet files, which include ``cost``. The page shows tables that also exist in Markdown, and links to the others.
        checks: parquet files of small tables, for the section on quality.
    """
    shown = [table for table in tables if table.stem != "cost"]
    files = [*tables, *checks, *fits]
    sources, inputs = origins(files, root)
    laws, labelled = _laws_with_warnings(fits), {"benchmark_name": dict(labels)}
    quality = {table.stem: read_table(table) for table in checks} | _scores(shown)
    return render(
        "report.html",
        config=config,
        config_text=yaml.safe_dump(dict(config), sort_keys=False),
        pages=pages,
        facts=run_facts(config, files),
        figures=[_figure(root, drawing) for drawing in figures],
        tables=[_table(table, root) for table in shown],
        checks={name: _frame(check.replace(labelled)) for name, check in quality.items()},
        truth=recovered_truth(fits, labels),
        warned_laws="" if laws.empty else _frame(laws.replace(labelled)),
        n_warned_laws=len(laws),
        cost=(root / "tables/cost.md").read_text(encoding="utf-8"),
        origins=_frame(sources),
        inputs=_frame(inputs),
    )


def _figure(root: Path, drawing: Drawing) -> dict[str, Any]:
    """Return the facts and the image of a figure. On a screen, the figure is as large as in print."""
    files = {kind: f"figures/{drawing.name}.{kind}" for kind in KINDS}
    text, png = caption(drawing, pd.read_csv(root / files["csv"])), root / files["png"]
    with Image.open(png) as image:
        size = [side * PIXELS // DOTS for side in image.size]
    known = {"name": drawing.name, "title": drawing.heading, "caption": text}
    return known | {"png": png, "size": size, "files": list(files.values())}


def caption(drawing: Drawing, numbers: pd.DataFrame) -> str:
    """Return the caption of a figure: what it shows, where its numbers come from, and how many values are plotted.

    All files of a fit count as one source.
    """
    if "nothing_to_show" in numbers:
        return f"{drawing.title}. There is nothing to show: {numbers['nothing_to_show'].iloc[0]}."
    counts = {word: numbers[column].nunique() for column, word in COUNTED.items() if column in numbers}
    kinds = [f"{count:,} {word}" for word, count in counts.items() if count > 1]
    sources = dict.fromkeys(re.sub(r"(\.points|\.curves)?\.parquet$", "", table) for table in drawing.tables.values())
    plotted = ", ".join([f"n = {len(numbers):,} plotted values", *kinds])
    return f"{drawing.title}. {drawing.caption} {_distance_from_truth(numbers)}From {', '.join(sources)}; {plotted}."


def _distance_from_truth(numbers: pd.DataFrame) -> str:
    """Say how far the laws of the average are from those of the true scores; an empty text without true scores."""
    if "truth" not in numbers or numbers["truth"].isna().all():
        return ""
    measured = numbers.loc[numbers["kind"] == "model"].groupby("axis")["x"].max()
    laws = numbers[(numbers["benchmark_name"] == AVERAGE) & numbers["truth"].notna()]
    laws = laws[laws["x"] <= laws["axis"].map(measured)]
    distance = (laws["score"] - laws["truth"]).abs().groupby(laws["axis"], sort=False).max()
    said = ", ".join(f"{value:.3f} ({axis})" for axis, value in distance.items())
    return f"Over the range of the models, the laws of the average differ from the simulated truth by at most {said}. "


def _table(table: Path, root: Path) -> dict[str, Any]:
    readable = table.with_suffix(".md")
    files = [str(file.relative_to(root)) for file in (table, table.with_suffix(".csv"), readable) if file.exists()]
    return {"name": table.stem, "files": files, "text": readable.read_text(encoding="utf-8") if readable.exists() else ""}


def _scores(tables: Sequence[Path]) -> dict[str, pd.DataFrame]:
    """Return two fractions for each dataset: scores above 1, and ridge penalties at an end of their grid."""
    pretraining = next((table for table in tables if table.stem == "pretraining"), None)
    rows = read_table(pretraining) if pretraining else pd.DataFrame()
    if not {"n_units", "n_units_above_1", "alpha_at_edge"} <= set(rows):
        return {}
    of_dataset = rows.groupby("benchmark_name", sort=False)
    units = of_dataset["n_units"].sum()
    fractions = {
        "scores of units": units,
        "fraction above 1": of_dataset["n_units_above_1"].sum() / units,
        "fraction with the ridge penalty at an end of its grid": of_dataset["alpha_at_edge"].mean(),
    }
    return {"scores": pd.DataFrame(fractions).reset_index()}


def _laws_with_warnings(fits: Sequence[Path]) -> pd.DataFrame:
    """Return the scaling laws that have warnings about their constants."""
    tables = (read_table(file).assign(fit=file.stem) for file in fits)
    warned = [table[table["warnings"].fillna("") != ""] for table in tables if "warnings" in table]
    rows = pd.concat(warned) if warned else pd.DataFrame()
    names = [name for name in ("fit", "family", "benchmark_name", "experiment", "n", "warnings") if name in rows]
    return rows[names].fillna("")


def recovered_truth(fits: Sequence[Path], labels: Mapping[str, str]) -> list[str]:
    """Return a sentence for each law that was also fitted to the true scores, which only simulated recordings have.

    It compares both values of E, the alignment in the limit of large X.
    """
    of_stem = {file.stem: file for file in fits}
    sentences = []
    for stem, file in of_stem.items():
        if not (true_file := of_stem.get(f"{stem}.{TRUE}")):
            continue
        laws, true = read_table(file), read_table(true_file)
        if laws.empty or true.empty:
            continue
        keys = ["family", "benchmark_name"]
        both = laws.merge(true[[*keys, "E"]], on=keys, suffixes=("", "_true"))
        for _, law in both[both["family"] == ALL].iterrows():
            name, (limit, low, high, truth) = law["benchmark_name"], law[["E", "E_low", "E_high", "E_true"]]
            inside = "inside" if low <= truth <= high else "outside"
            sentences.append(
                f"{stem}, {labels.get(name, name)}: E is {limit:.3f} (95 % interval {low:.3f} to {high:.3f}), and the law of the "
                f"true scores has {truth:.3f}, {inside} the interval."
            )
    return sentences


def _frame(table: pd.DataFrame) -> str:
    """Write a table in Markdown. Numbers have four digits."""
    table = table.rename(columns=lambda name: str(name).replace("_", " "))
    cells = table.map(lambda cell: f"{cell:.4g}" if isinstance(cell, float) else str(cell))
    return markdown_table(cells, left=table.select_dtypes(exclude="number").columns.tolist())


def run_facts(config: Mapping[str, Any], tables: Sequence[Path]) -> dict[str, str]:
    """Return facts about the run that made some tables. Versions are read from the tables and not from this process."""
    made_by = [table_provenance(table) for table in tables]
    versions: dict[str, set[str]] = {}
    for each in made_by:
        for package, version in {**each["packages"], "python": each["python"]}.items():
            versions.setdefault(package, set()).add(version)
    return {
        "Study": config["study"],
        "Config": hashlib.blake2b(json.dumps(config, sort_keys=True).encode(), digest_size=16).hexdigest(),
        "Code": _commit(),
        "Versions": ", ".join(f"{package} {' and '.join(sorted(found))}" for package, found in sorted(versions.items())),
        "Machine": ", ".join([*sorted({each["machine"] for each in made_by}), platform.system()]),
    }


def _commit() -> str:
    """Return a text with the commit of the code, which also says whether files differ from the commit."""
    try:
        found = _git("rev-parse", "HEAD")
        return f"git {found}" + (", with changes that are not committed" if _git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "not a git repository"


def _git(*arguments: str) -> str:
    return subprocess.check_output(["git", "-C", REPOSITORY, *arguments], encoding="utf-8", stderr=subprocess.DEVNULL).strip()


def origins(tables: Sequence[Path], root: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the origin of every table.

    Returns:
        Two tables. The first has one row per result table: path below the root, numbers of rows and columns, hash of the content,
        digest of the code of the stage, and number of inputs. The second has one row per input of a result table, with a hash.
    """
    found, hashes = [], []
    for file in tables:
        made_by, shape, table = table_provenance(file), pq.read_metadata(file), str(file.relative_to(root))
        inputs = made_by["inputs"]
        found.append((table, shape.num_rows, shape.num_columns, file_hash(file), made_by.get("code", ""), len(inputs)))
        hashes += [(table, name, content) for name, content in inputs.items()]
    columns = ["table", "rows", "columns", "content", "code", "inputs"]
    return pd.DataFrame(found, columns=columns), pd.DataFrame(hashes, columns=["table", "input", "content"])
