"""One reference model on one dataset: table of layer scores -> one layer per ROI."""

import json
from pathlib import Path

from cortexscale.alignment.commit import commit_layers
from cortexscale.files import whole_file
from cortexscale.logs import logged
from cortexscale.stores import provenance, read_table


def main(commitment: Path, table: Path, dataset: str, model: str, code: str) -> None:
    rois = commit_layers(read_table(table, columns=("roi", "layer_name", "cv_score")))
    made_by = provenance(inputs={"layer_search": table}, code=code)
    with whole_file(commitment) as part:
        part.write_text(json.dumps({"model_id": model, "benchmark_name": dataset, "rois": rois, "made_by": made_by}, indent=1))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        params = snakemake.params
        main(Path(snakemake.output.commitment), Path(snakemake.input.table), params.dataset, params.model, params.code)
