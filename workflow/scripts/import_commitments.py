"""Import the authors' commitments of one reference model on one stimulus set: one layer per dataset and ROI."""

import json
from pathlib import Path
from typing import Any

from cortexscale.alignment.import_commitments import import_commitments
from cortexscale.alignment.published import commitments_for, read_published
from cortexscale.files import whole_file
from cortexscale.logs import logged
from cortexscale.models.build import untrained
from cortexscale.models.layers import candidate_layers
from cortexscale.stores import provenance


def main(commitments: Path, published: Path, model: dict[str, Any], datasets: dict[str, Any], code: str) -> None:
    backbone, _ = untrained(model)
    layers = candidate_layers(backbone.network, model["layers"])
    committed = commitments_for(read_published(published), model["id"], datasets)
    imported = import_commitments(committed, layers, model["family"], model["id"])
    made_by = provenance(inputs={"published": published}, code=code)
    with whole_file(commitments) as part:
        part.write_text(
            json.dumps({"model_id": model["id"], "commitments": imported, "made_by": made_by}, indent=1), encoding="utf-8"
        )


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        params = snakemake.params
        out, published = Path(snakemake.output.commitments), Path(snakemake.input.published)
        main(out, published, params.model, params.datasets, params.code)
