"""Count the parameters and FLOPs of all models of a study, and describe their pretraining."""

from pathlib import Path
from typing import Any

from cortexscale.logs import logged
from cortexscale.models.cards import model_cards
from cortexscale.stores import provenance, write_table


def main(cards: Path, models: list[dict[str, Any]], fitted: list[str], code: str) -> None:
    write_table(model_cards(models, fitted), cards, provenance(code=code))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(Path(snakemake.output.cards), snakemake.params.models, snakemake.params.fitted, snakemake.params.code)
