"""Tables of a study's models: complete cards, and a summary by family (paper, Table S2)."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cortexscale.markdown import markdown_table
from cortexscale.models import spvvs
from cortexscale.models.pretraining import IMAGE_TEXT, SELF_SUPERVISED, SUPERVISED
from cortexscale.models.roles import families
from cortexscale.stores import read_json

_LABELS = {SUPERVISED: "SUP", SELF_SUPERVISED: "SSL", IMAGE_TEXT: "I–L"}
_ADVERSARIAL, _UNKNOWN = "ADV", "?"
_MEASURES = {"n_params": "backbone_n_params", "n_samples": "pretraining_n_samples", "flops": "pretraining_total_flops_estimate"}


def complete_cards(cards: pd.DataFrame, reports: Sequence[Path], scores: pd.DataFrame | None = None) -> pd.DataFrame:
    """Add facts that are known after training to the table of model cards.

    Returns:
        The cards with three columns from training ``reports`` and published ``scores``. ``task_evaluation_acc`` is nan if
        unknown. ``pretraining_total_flops_estimate`` is training images x forward FLOPs (paper, Eq. 8).
        ``pretraining_total_flops`` is 3 x forward FLOPs x images seen in training.
    """
    cards = cards.set_index("model_id")
    suite = cards.index[cards["backbone_source"] == "spvvs"]
    facts = pd.concat([_published(scores).reindex(suite), _reported(reports)]).reindex(cards.index)
    samples = facts["pretraining_n_samples"].fillna(cards["pretraining_n_samples"].astype(float))
    complete = cards.assign(
        pretraining_n_samples=samples,
        pretraining_total_flops_estimate=samples * cards["backbone_flops"],
        pretraining_total_flops=3 * cards["backbone_flops"] * facts["samples_seen"],
        task_evaluation_acc=facts["task_evaluation_acc"],
    )
    return complete.reset_index()


def _published(scores: pd.DataFrame | None) -> pd.DataFrame:
    suite = {entry.id: (entry.n_samples, entry.n_samples * entry.epochs) for entry in spvvs.checkpoints()}
    table = pd.DataFrame.from_dict(suite, "index", dtype=float, columns=["pretraining_n_samples", "samples_seen"])
    accuracy = np.nan if scores is None else scores.drop_duplicates("model_id").set_index("model_id")["acc"]
    return table.assign(task_evaluation_acc=accuracy)


def _reported(reports: Sequence[Path]) -> pd.DataFrame:
    told = {report.name.removesuffix(".training.json"): read_json(report) for report in reports}
    columns = ["pretraining_n_samples", "samples_seen", "task_evaluation_acc"]
    rows = {model: [facts[column] for column in columns] for model, facts in told.items()}
    return pd.DataFrame.from_dict(rows, "index", dtype=float, columns=columns)


def model_table(cards: pd.DataFrame) -> pd.DataFrame:
    """Summarise complete cards by source and family. Flex families are merged into their parents (Table S2).

    Returns:
        A table with one row per ``source`` and ``family``. It has the numbers of ``runs``, of ``configs`` (runs that differ in
        more than the seed at the end of their id), of ``archs`` and of ``sizes`` (distinct numbers of parameters). It has the
        smallest and largest ``n_params_*``, ``n_samples_*`` (D) and ``flops_*`` (C), which are nan if unknown. ``datasets`` and
        ``objectives`` are text.
    """
    groups = cards.assign(family=families(cards)).groupby(["backbone_source", "family"])
    return pd.DataFrame([{"source": source, "family": family, **_row(rows)} for (source, family), rows in groups])


def _row(rows: pd.DataFrame) -> dict[str, Any]:
    label = rows["pretraining_objective"].map(_LABELS).fillna(_UNKNOWN).mask(rows["is_adversarially_finetuned"], _ADVERSARIAL)
    counts = ((name, (label == name).sum()) for name in (*_LABELS.values(), _ADVERSARIAL, _UNKNOWN))
    return {
        "runs": len(rows),
        "configs": rows["model_id"].str.replace(r"_seed-\d+$", "", regex=True).nunique(),
        "archs": rows["backbone_arch"].nunique(),
        "sizes": rows["backbone_n_params"].nunique(),
        **{f"{name}_{end}": rows[column].agg(end) for name, column in _MEASURES.items() for end in ("min", "max")},
        "datasets": ", ".join(sorted(rows["pretraining_dataset"].dropna().unique())),
        "objectives": ", ".join(f"{name}:{count}" for name, count in counts if count),
    }


def readable(table: pd.DataFrame) -> str:
    """Write a table of :func:`model_table` in Markdown."""
    cells = table[["source", "family", "runs", "configs", "archs", "sizes"]].rename(columns=str.capitalize)
    for name, measure, text in (("N (M)", "n_params", _millions), ("D", "n_samples", _images), ("C", "flops", _flops)):
        cells[name] = [_range(row, measure, text) for row in table.to_dict("records")]
    cells = cells.assign(Pretraining=table["datasets"], Objective=table["objectives"])
    note = (
        "N: parameters in millions. D: images of the pretraining. C: D x FLOPs of one forward pass. "
        "SUP: supervised, SSL: self-supervised, I–L: image-text, ADV: adversarially fine-tuned, ?: not known."
    )
    return markdown_table(cells, note, left=["Source", "Family", "Pretraining", "Objective"])


def _range(row: Mapping[Any, Any], name: str, text: Callable[[float], str]) -> str:
    ends = [row[f"{name}_{end}"] for end in ("min", "max")]
    return "–".join(dict.fromkeys(text(end) for end in ends)) if np.isfinite(ends).all() else ""


def _millions(n: float) -> str:
    return f"{n / 1e6:,.0f}" if n >= 1e9 else f"{n / 1e6:.3g}"


def _images(n: float) -> str:
    for size, letter in ((1e9, "B"), (1e6, "M")):
        if n >= size:
            return f"{n / size:.{int(n < 10 * size)}f}{letter}"
    return f"{n:,.0f}"


def _flops(n: float) -> str:
    return f"{n:.2e}".replace("e+", "e")
