"""Fine-tune a base model, with its heads, on recordings and labelled images; write weights and a card."""

from pathlib import Path

from cortexscale.alignment.subjects import load_targets
from cortexscale.finetuning.job import finetune
from cortexscale.finetuning.overlap import images_of_tests, without_images
from cortexscale.jobs import run
from cortexscale.kernels.device import keep_freed_memory
from cortexscale.models.model import Model
from cortexscale.models.tuning import Tuning
from cortexscale.recipe import NeuralRecipe, Recipe
from cortexscale.stimuli import StimulusImages, read_stimulus_table, table_hash
from cortexscale.stores import provenance, read_table
from cortexscale.study.images import ImageFiles
from cortexscale.study.ridge import Ridge
from cortexscale.study.targets import DatasetTargets


def main(
    *,
    heads: Path,
    stimuli: Path,
    recordings: list[Path],
    commitments: Path,
    split_images: Path | None = None,
    base_report: Path | None = None,
    labelled_images: Path | None = None,
    base: Model,
    tuning: Tuning,
    targets: DatasetTargets,
    images: ImageFiles,
    recipe: NeuralRecipe,
    image_recipe: Recipe | None = None,
    left_out: list[str],
    ridge: Ridge,
    heads_code: str,
    threads: int,
    weights: Path,
    card: Path,
    code: str,
) -> None:
    keep_freed_memory()
    table = read_stimulus_table(stimuli)
    inputs = {"commitments": commitments} | {file.stem: file for file in recordings}
    others = {"base": base.checkpoint and Path(base.checkpoint), "images": labelled_images}
    inputs |= {name: file for name, file in others.items() if file and file.is_file()}
    loaded = load_targets(recordings, {tuning.dataset: targets}, table)
    if split_images:
        inputs["split_images"] = split_images
        loaded = without_images(loaded, table, images_of_tests(read_table(split_images), left_out))
    finetune(
        base,
        heads,
        loaded,
        StimulusImages(images.layout, images.path, table),
        recipe,
        labelled_images,
        image_recipe,
        tuning,
        weights=weights,
        card=card,
        workers=threads - 1,
        base_report=base_report,
        made_by=provenance(
            inputs=inputs,
            tuning=tuning,
            stimuli=table_hash(table),
            image_recipe=image_recipe,
            heads={"ridge": ridge, "code": heads_code},
            code=code,
        ),
    )


if "snakemake" in globals():
    run(main, snakemake)
