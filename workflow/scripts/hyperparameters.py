"""Make Tables S3, S5 and S6. A table is left out if the study has no recipe for it."""

from pathlib import Path

from cortexscale.hyperparameters import attention_table, finetuning_table, readable, readout_table
from cortexscale.jobs import run
from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.recipe import NeuralRecipe
from cortexscale.stores import provenance, write_readable


def main(
    *,
    finetuned: dict[str, NeuralRecipe],
    attention: ReadoutRecipe | None,
    readouts: dict[str, dict[str, ReadoutRecipe]],
    readers: dict[str, str],
    labels: dict[str, str],
    tableS3: list[Path],
    tableS5: list[Path],
    tableS6: list[Path],
    code: str,
) -> None:
    tables = []
    if finetuned:
        tables.append((finetuning_table(finetuned), tableS3))
    if attention:
        tables.append((attention_table(attention), tableS5))
    if readouts:
        tables.append((readout_table(readouts, readers, labels), tableS6))
    for table, files in tables:
        write_readable(table, readable(table), files, provenance(code=code))


if "snakemake" in globals():
    run(main, snakemake)
