"""Import the authors' commitments of one reference model on one stimulus set: one layer per dataset and ROI."""

from pathlib import Path

from cortexscale.alignment.import_commitments import import_commitments
from cortexscale.alignment.published import commitments_for, read_published
from cortexscale.jobs import run
from cortexscale.models.build import untrained
from cortexscale.models.layers import candidate_layers
from cortexscale.models.model import Model
from cortexscale.stores import provenance


def main(
    *, published: Path, model: Model, datasets: dict[str, tuple[str | None, list[str]]], commitments: Path, code: str
) -> None:
    backbone, _ = untrained(model)
    layers = candidate_layers(backbone.network, model.layers)
    imported = import_commitments(commitments_for(read_published(published), model.id, datasets), layers, model.family)
    imported.save(commitments, provenance(inputs={"published": published}, code=code))


if "snakemake" in globals():
    run(main, snakemake)
