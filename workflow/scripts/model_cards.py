"""Count the parameters and FLOPs of all models of a study, and describe their pretraining."""

from pathlib import Path

from cortexscale.jobs import run
from cortexscale.models.cards import model_cards
from cortexscale.models.model import Model
from cortexscale.stores import provenance, write_table


def main(*, models: list[Model], cards: Path, fitted: list[str], code: str) -> None:
    write_table(model_cards(models, fitted), cards, provenance(code=code))


if "snakemake" in globals():
    run(main, snakemake)
