"""Join the alignment tables and cards of all fine-tuned models and baselines in one table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.finetuning.table import finetuning_table
from cortexscale.logs import logged
from cortexscale.stores import provenance, write_table


def main(
    table: Path, alignment: Sequence[Path], tuned: Sequence[Path], cards: Path, models: dict[str, dict[str, Any]], code: str
) -> None:
    scores = finetuning_table(alignment, tuned, cards, models)
    write_table(scores, table, provenance(inputs={"cards": cards}, code=code))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source = snakemake.input
        alignment, tuned = ([Path(file) for file in files] for files in (source.alignment, source.tuned))
        main(Path(snakemake.output.table), alignment, tuned, Path(source.cards), snakemake.params.models, snakemake.params.code)
