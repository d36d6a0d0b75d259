"""The costs of a study: the time and memory of the jobs of every stage, from Snakemake's benchmark files."""

from pathlib import Path

import pandas as pd

from cortexscale.listing import files_below
from cortexscale.markdown import markdown_table


def cost_table(benchmarks: Path) -> pd.DataFrame:
    """Sum the costs of the jobs of each stage, and the costs of all jobs.

    The stage that took longest comes first, the total last. The folder has ``<stage>.tsv`` and ``<stage>/**.tsv``. Each job
    counts with its last run, even if the study no longer has the model of this job. The columns are ``stage``, ``jobs``,
    ``wall_s``, ``cpu_s``, ``longest_s`` and ``peak_rss_mb``. ``wall_s`` and ``cpu_s`` are sums over jobs in seconds. Snakemake
    measures CPU time at intervals, so a very short job has no CPU time. ``longest_s`` is the time of the longest job, and
    ``peak_rss_mb`` is the largest memory of a job, in MB.
    """
    tables = []
    for file in (file for file in files_below(benchmarks) if file.suffix == ".tsv"):
        job = pd.read_csv(file, sep="\t", na_values="-")[["s", "cpu_time", "max_rss"]]
        tables.append(job.assign(stage=file.relative_to(benchmarks).parts[0].removesuffix(".tsv")))
    jobs = pd.concat(tables)
    sums = {"jobs": ("s", "size"), "wall_s": ("s", "sum"), "cpu_s": ("cpu_time", "sum")}
    sums |= {"longest_s": ("s", "max"), "peak_rss_mb": ("max_rss", "max")}
    stages = jobs.groupby("stage").agg(**sums).sort_values("wall_s", ascending=False).reset_index()
    total = jobs.assign(stage="total").groupby("stage").agg(**sums).reset_index()
    return pd.concat([stages, total], ignore_index=True)


def readable(table: pd.DataFrame) -> str:
    """Format the table from :func:`cost_table` in Markdown."""
    cells = pd.DataFrame(
        {
            "Stage": table["stage"].str.replace("_", " "),
            "Jobs": table["jobs"].map("{:,}".format),
            "Time, all jobs": table["wall_s"].map(_duration),
            "CPU time": table["cpu_s"].map(_duration),
            "Longest job": table["longest_s"].map(_duration),
            "Peak memory": table["peak_rss_mb"].map(lambda mb: f"{mb / 1000:.2f} GB"),
        }
    )
    note = (
        "Jobs run side by side: a study takes less time than all its jobs. CPU times are samples and therefore too low: those of "
    )
    note += "jobs below a second are not measured, and the last part of longer jobs is missing."
    return markdown_table(cells, note, left=["Stage"])


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:,.1f} h"
