"""Fit one readout to one dataset, from tokens and recordings; write scores of all percentages and seeds, and the readouts."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.alignment.layer import RidgeSettings, check_store
from cortexscale.alignment.subjects import load_targets
from cortexscale.files import link_or_copy
from cortexscale.logs import logged
from cortexscale.readouts.parts import Parts
from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.readouts.stage import Stage
from cortexscale.readouts.token_store import TokenStore
from cortexscale.stimuli import table_hash
from cortexscale.stores import provenance, read_commitments, read_table, write_table


def main(
    outputs: dict[str, Path],
    readouts: Path | None,
    tokens: Path,
    stimuli: Path,
    recordings: Sequence[Path],
    prepared: Path | None,
    commitments: Path,
    dataset: str,
    targets: dict[str, Any],
    recipe: dict[str, Any] | None,
    shared: bool,
    percents: Sequence[float],
    seeds: Sequence[int],
    validation_fraction: float,
    ridge: dict[str, Any],
    code: str,
) -> None:
    store, images = TokenStore(tokens), read_table(stimuli, columns=("stimulus_id", "hash", "concept"))
    check_store(store, table_hash(images))
    inputs = {"commitments": commitments} | {f"{file.parent.name}/{file.stem}": file for file in recordings}
    how = {"ridge": ridge} if recipe is None else {"recipe": recipe, "shared": shared, "validation_fraction": validation_fraction}
    how |= {
        "targets": targets,
        "percents": percents,
        "seeds": seeds,
        "similarity": prepared is not None,
        "save": bool(readouts),
    }
    made_by = provenance(inputs=inputs, tokens=store.attributes["identity"], **how, code=code)
    parts = Parts(outputs["scores"].with_name(f".{outputs['scores'].stem}.parts"), made_by)
    committed = read_commitments(commitments)[dataset]
    stage = Stage(
        store,
        load_targets(recordings, {dataset: targets}, images, prepared),
        {roi: committed[roi] for roi in targets["rois"]},
        images["stimulus_id"].to_numpy(),
        percents,
        seeds,
        parts,
        validation_fraction,
        save=readouts is not None,
    )
    if recipe is None:
        tables = stage.linear(RidgeSettings.from_config(ridge))
    else:
        tables = stage.trained(ReadoutRecipe(**recipe), shared=shared)
    tables["scores"].insert(0, "model_id", store.attributes["identity"]["model"])
    if readouts:
        shutil.copytree(stage.saved, readouts, copy_function=link_or_copy)
    for kind, path in outputs.items():
        write_table(tables[kind], path, made_by)
    parts.remove()


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source, out, params = snakemake.input, snakemake.output, snakemake.params
        main(
            {kind: Path(out[kind]) for kind in ("scores", "units", "gates")},
            Path(out.readouts) if hasattr(out, "readouts") else None,
            Path(source.tokens),
            Path(source.stimuli),
            [Path(file) for file in source.recordings],
            Path(source.prepared) if hasattr(source, "prepared") else None,
            Path(source.commitments),
            params.dataset,
            params.targets,
            params.recipe,
            params.shared,
            params.percents,
            params.seeds,
            params.validation_fraction,
            params.ridge,
            params.code,
        )
