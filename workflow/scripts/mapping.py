"""Fit one readout to one dataset, from tokens and recordings; write scores of all percentages and seeds, and the readouts."""

import shutil
from pathlib import Path

from cortexscale.alignment.layer import check_store
from cortexscale.alignment.subjects import load_targets, named_recordings
from cortexscale.commitments import Commitments
from cortexscale.files import link_or_copy
from cortexscale.jobs import run
from cortexscale.readouts.parts import Parts
from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.readouts.stage import Stage
from cortexscale.readouts.token_store import TokenStore
from cortexscale.stimuli import read_stimulus_table, table_hash
from cortexscale.stores import provenance, write_table
from cortexscale.study.ridge import Ridge
from cortexscale.study.targets import DatasetTargets


def main(
    *,
    tokens: Path,
    stimuli: Path,
    recordings: list[Path],
    prepared: Path | None = None,
    commitments: Path,
    dataset: str,
    targets: DatasetTargets,
    recipe: ReadoutRecipe | None,
    shared: bool,
    percents: list[float],
    seeds: list[int],
    validation_fraction: float,
    ridge: Ridge,
    scores: Path,
    units: Path,
    gates: Path,
    readouts: Path | None = None,
    code: str,
) -> None:
    store, images = TokenStore(tokens), read_stimulus_table(stimuli)
    check_store(store, table_hash(images))
    how = {"ridge": ridge} if recipe is None else {"recipe": recipe, "shared": shared, "validation_fraction": validation_fraction}
    how |= {"targets": targets, "percents": percents, "seeds": seeds}
    how |= {"similarity": prepared is not None, "save": readouts is not None}
    inputs = {"commitments": commitments} | named_recordings(recordings)
    made_by = provenance(inputs=inputs, tokens=store.attributes["identity"], **how, code=code)
    parts = Parts(scores.with_name(f".{scores.stem}.parts"), made_by)
    committed = Commitments.load(commitments)[dataset]
    stage = Stage(
        store,
        load_targets(recordings, {dataset: targets}, images, prepared),
        {roi: committed[roi] for roi in targets.rois},
        images["stimulus_id"].to_numpy(),
        percents,
        seeds,
        parts,
        validation_fraction,
        save=readouts is not None,
    )
    tables = stage.linear(ridge) if recipe is None else stage.trained(recipe, shared=shared)
    tables["scores"].insert(0, "model_id", store.attributes["identity"]["model"])
    if readouts:
        shutil.copytree(stage.saved, readouts, copy_function=link_or_copy)
    for kind, path in (("scores", scores), ("units", units), ("gates", gates)):
        write_table(tables[kind], path, made_by)
    parts.remove()


if "snakemake" in globals():
    run(main, snakemake)
