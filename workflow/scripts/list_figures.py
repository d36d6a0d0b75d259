"""The figures of a study -> the terminal."""

from cortexscale.jobs import run


def main(*, figures: str) -> None:
    print(f"\n{figures}", flush=True)


if "snakemake" in globals():
    run(main, snakemake)
