"""Print the list of the figures of a study to the terminal."""

from cortexscale.jobs import run


def main(*, figures: str) -> None:
    print(f"\n{figures}", flush=True)


if "snakemake" in globals():
    run(main, snakemake)
