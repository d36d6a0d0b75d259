"""Make those of Tables S3, S5 and S6 that the study has recipes for, from the config."""

from pathlib import Path
from typing import Any

from cortexscale.files import whole_file
from cortexscale.hyperparameters import attention_table, finetuning_table, readable, readout_table
from cortexscale.logs import logged
from cortexscale.stores import provenance, write_table

TABLES = {"tableS3": finetuning_table, "tableS5": attention_table, "tableS6": readout_table}


def main(outputs: dict[str, Path], tables: dict[str, dict[str, Any]], code: str) -> None:
    made_by = provenance(code=code)
    for name, values in tables.items():
        table = TABLES[name](**values)
        write_table(table, outputs[f"{name}_parquet"], made_by)
        for kind, text in (("csv", table.to_csv(index=False)), ("md", readable(table))):
            with whole_file(outputs[f"{name}_{kind}"]) as part:
                part.write_text(text, encoding="utf-8")


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        outputs = {name: Path(path) for name, path in snakemake.output.items()}
        main(outputs, snakemake.params.tables, snakemake.params.code)
