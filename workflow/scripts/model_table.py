"""Complete the cards of all models with training reports and published accuracies, and make Table S2."""

from pathlib import Path

from cortexscale.jobs import run
from cortexscale.models.table import complete_cards, model_table, readable
from cortexscale.scaling.experiments import read_scores
from cortexscale.stores import provenance, read_table, write_readable


def main(
    *,
    counted: Path,
    reports: list[Path],
    scores: Path | None = None,
    cards: Path,
    cards_csv: Path,
    table: Path,
    csv: Path,
    markdown: Path,
    code: str,
) -> None:
    complete = complete_cards(read_table(counted, columns=("model_id",)), reports, read_scores(scores) if scores else None)
    by_family = model_table(complete)
    inputs = {"cards": counted, **{report.name: report for report in reports}, **({"scores": scores} if scores else {})}
    made_by = provenance(inputs=inputs, code=code)
    write_readable(complete, "", (cards_csv, cards), made_by)
    write_readable(by_family, readable(by_family), (csv, markdown, table), made_by)


if "snakemake" in globals():
    run(main, snakemake)
