"""Fine-tune a base model, with its heads, on recordings and labelled images; write weights and a card."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortexscale.alignment.subjects import load_targets
from cortexscale.finetuning.job import finetune
from cortexscale.kernels.device import keep_freed_memory
from cortexscale.logs import logged
from cortexscale.recipe import NeuralRecipe, Recipe
from cortexscale.stimuli import StimulusImages, table_hash
from cortexscale.stores import provenance, read_table


def main(
    weights: Path,
    card: Path,
    heads: Path,
    base_weights: Sequence[Path],
    images: Sequence[str],
    stimuli: Path,
    recordings: Sequence[Path],
    commitments: Path,
    base: dict[str, Any],
    tuning: dict[str, Any],
    targets: dict[str, Any],
    pictures: dict[str, Any],
    recipe: dict[str, Any],
    image_recipe: dict[str, Any],
    ridge: dict[str, Any],
    heads_code: str,
    code: str,
    workers: int,
) -> None:
    keep_freed_memory()
    shown = read_table(stimuli, columns=("stimulus_id", "hash", "concept"))
    labelled = next(iter(images), None)
    inputs = {"commitments": commitments} | {file.stem: file for file in recordings}
    inputs |= {name: path for name, path in (("base", next(iter(base_weights), None)), ("images", labelled)) if path}
    finetune(
        base,
        heads,
        load_targets(recordings, {tuning["dataset"]: targets}, shown),
        StimulusImages(**pictures, table=shown),
        NeuralRecipe(**recipe),
        labelled,
        Recipe(**image_recipe),
        percent=tuning["percent"],
        seed=tuning["seed"],
        n_subjects=tuning["subjects"],
        permuted=tuning["permuted"],
        weights=weights,
        card=card,
        workers=workers,
        made_by=provenance(
            inputs={name: path for name, path in inputs.items() if Path(path).is_file()},
            tuning=tuning,
            stimuli=table_hash(shown),
            image_recipe=image_recipe,
            heads={"ridge": ridge, "code": heads_code},
            code=code,
        ),
    )


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        source, out, params = snakemake.input, snakemake.output, snakemake.params
        main(
            Path(out.weights),
            Path(out.card),
            Path(source.heads),
            [Path(file) for file in source.base],
            list(source.images),
            Path(source.stimuli),
            [Path(file) for file in source.recordings],
            Path(source.commitments),
            params.base,
            params.tuning,
            params.targets,
            params.stimuli,
            params.recipe,
            params.image_recipe,
            params.ridge,
            params.heads_code,
            params.code,
            workers=snakemake.threads - 1,
        )
