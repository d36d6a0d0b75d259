"""Measure the plan of a study: the jobs, CPU time and memory of a dry-run, compared with importing Snakemake alone.

    python benchmarks/plan.py [--configfile config/paper.yaml]

A config file whose raw data are missing needs `plan_without_data: true`, as `config/paper.yaml` has.
"""

import argparse
import re
import resource
import subprocess
import sys


def cpu_seconds(*command: str) -> tuple[float, str]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if run.returncode:
        sys.exit(run.stdout + run.stderr)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, run.stdout + run.stderr


def main(configfile: str) -> None:
    start, _ = cpu_seconds("-c", "import snakemake.cli")
    options = ["--dry-run", "--quiet", "rules", "--profile", "slurm", "--configfile", configfile]
    seconds, said = cpu_seconds("-m", "snakemake", *options)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    jobs = int(re.findall(r"^total\s+(\d+)", said, re.MULTILINE)[-1])
    print(f"{configfile}: {jobs:,} jobs, {seconds:.1f} s of CPU, {peak:.2f} GiB; import of Snakemake {start:.1f} s")
    print(f"{1e3 * (seconds - start) / jobs:.1f} ms of CPU per job")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configfile", default="config/paper.yaml")
    main(**vars(parser.parse_args()))
