"""Join the alignment tables and cards of all fine-tuned models and baselines in one table."""

from pathlib import Path

from cortexscale.finetuning.overlap import images_of_tests
from cortexscale.finetuning.table import finetuning_table
from cortexscale.jobs import run
from cortexscale.models.tuning import TunedModel
from cortexscale.stores import provenance, read_table, write_table


def main(
    *,
    alignment: list[Path],
    tuned: list[Path],
    cards: Path,
    split_images: Path,
    models: dict[str, TunedModel],
    left_out: list[str],
    table: Path,
    code: str,
) -> None:
    images = read_table(split_images, columns=("benchmark_name", "subject", "split", "hash"))
    scores = finetuning_table(alignment, tuned, cards, models, images, images_of_tests(images, left_out))
    write_table(scores, table, provenance(inputs={"cards": cards, "split_images": split_images}, left_out=left_out, code=code))


if "snakemake" in globals():
    run(main, snakemake)
