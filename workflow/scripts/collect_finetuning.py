"""Join the alignment tables and cards of all fine-tuned models and baselines in one table."""

from pathlib import Path

from cortexscale.finetuning.table import finetuning_table
from cortexscale.jobs import run
from cortexscale.models.tuning import TunedModel
from cortexscale.stores import provenance, write_table


def main(*, alignment: list[Path], tuned: list[Path], cards: Path, models: dict[str, TunedModel], table: Path, code: str) -> None:
    scores = finetuning_table(alignment, tuned, cards, models)
    write_table(scores, table, provenance(inputs={"cards": cards}, code=code))


if "snakemake" in globals():
    run(main, snakemake)
