"""Choose one layer per dataset and ROI for one reference model, from its table of layer scores."""

import json
from pathlib import Path

from cortexscale.alignment.commit import commit_layers
from cortexscale.files import whole_file
from cortexscale.logs import logged
from cortexscale.stores import provenance, read_table


def main(commitments: Path, table: Path, model: str, code: str) -> None:
    committed = commit_layers(read_table(table, columns=("benchmark_name", "roi", "layer_name", "cv_score")))
    made_by = provenance(inputs={"layer_search": table}, code=code)
    with whole_file(commitments) as part:
        part.write_text(json.dumps({"model_id": model, "commitments": committed, "made_by": made_by}, indent=1), encoding="utf-8")


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        params = snakemake.params
        main(Path(snakemake.output.commitments), Path(snakemake.input.table), params.model, params.code)
