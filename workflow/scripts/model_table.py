"""Complete the cards of all models with training reports and published accuracies, and make Table S2."""

from collections.abc import Sequence
from pathlib import Path

from cortexscale.files import whole_file
from cortexscale.logs import logged
from cortexscale.models.table import complete_cards, model_table, readable
from cortexscale.scaling.experiments import read_scores
from cortexscale.stores import provenance, read_table, write_table


def main(outputs: dict[str, Path], counted: Path, reports: Sequence[Path], scores: Path | None, code: str) -> None:
    cards = complete_cards(read_table(counted, columns=("model_id",)), reports, read_scores(scores) if scores else None)
    table = model_table(cards)
    inputs = {"cards": counted, **{report.name: report for report in reports}, **({"scores": scores} if scores else {})}
    made_by = provenance(inputs=inputs, code=code)
    write_table(cards, outputs["cards"], made_by)
    write_table(table, outputs["table"], made_by)
    texts = {"cards_csv": cards.to_csv(index=False), "csv": table.to_csv(index=False), "markdown": readable(table)}
    for name, text in texts.items():
        with whole_file(outputs[name]) as part:
            part.write_text(text, encoding="utf-8")


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source = snakemake.input
        outputs = {name: Path(path) for name, path in snakemake.output.items()}
        scores = next((Path(file) for file in source.scores), None)
        main(outputs, Path(source.cards), [Path(file) for file in source.reports], scores, snakemake.params.code)
