"""Sum up the time and memory of every stage from Snakemake's benchmark files."""

from pathlib import Path

from cortexscale.files import whole_file
from cortexscale.logs import logged
from cortexscale.qc.cost import cost_table, readable
from cortexscale.stores import provenance, write_table


def main(outputs: dict[str, Path], benchmarks: Path, code: str) -> None:
    table = cost_table(benchmarks)
    for name, text in (("csv", table.to_csv(index=False)), ("markdown", readable(table))):
        with whole_file(outputs[name]) as part:
            part.write_text(text, encoding="utf-8")
    write_table(table, outputs["table"], provenance(code=code))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        outputs = {name: Path(path) for name, path in snakemake.output.items()}
        main(outputs, Path(snakemake.params.benchmarks), snakemake.params.code)
