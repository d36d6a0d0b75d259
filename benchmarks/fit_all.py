"""Measure the 225 fits of the paper with their bootstraps, on invented tables that are as large as the authors'.

    python benchmarks/fit_all.py [--bootstraps 1000] [--compared 10]

Times are CPU seconds of the process with one thread. The time of a workflow on two cores, with one axis per job, is printed as
well. The losses of some random fits are compared with BFGS from the published starts: 750 with the offset, 150 without. If one
of our losses is worse, no time is printed.
"""

import argparse
import heapq
import logging
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from fit import STARTS, bfgs
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from published_tables import our_tables

from cortexscale.scaling.laws import fit_axis
from cortexscale.study.fits import FitSettings

AXES = {
    "compute": ("pretraining", "offset", 1e-3),
    "samples": ("pretraining", "offset", 1e-3),
    "parameters": ("pretraining", "reduced", 1e-3),
    "finetuning": ("finetuning", "reduced", 1e-5),
    "mapping": ("mapping", "reduced", 1e-3),
}
"""Axis -> table, form and delta that the paper uses."""
REDUCED = np.unique(STARTS[:, :3], axis=0)


def points_of(row: pd.Series, points: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return X in the units of the fit, and ln(1 - S), for the points of a fit."""
    points = points[points["benchmark_name"] == row["benchmark_name"]]
    points = points[points["fitted"]] if "fitted" in points else points
    points = points if row["family"] == "all" else points[points["family"] == row["family"]]
    assert len(points) == row["n"]
    return points["x"].to_numpy() / row["x_scale"], np.log1p(-points["score"].to_numpy())


def main(bootstraps: int, compared: int) -> None:
    tables, lines, fitted = our_tables(), [], {}
    for axis, (table, form, delta) in AXES.items():
        start = time.process_time()
        fits, _, points = fit_axis(tables[table], axis, form, FitSettings(bootstraps=bootstraps, delta=delta))
        lines.append((axis, len(fits), time.process_time() - start))
        fitted |= {(axis, number): (row, points) for number, row in fits.iterrows()}
    chosen = np.random.default_rng(0).choice(len(fitted), compared, replace=False)
    worst, spent = -np.inf, 0.0
    for number, (row, points) in enumerate([list(fitted.values())[index] for index in chosen], start=1):
        print(f"\rBFGS: fit {number} of {compared}, {row['experiment']}".ljust(79), end="", flush=True)
        x, target = points_of(row, points)
        start = time.process_time()
        theirs = bfgs(x, target, STARTS if row["form"] == "offset" else REDUCED, row["delta"])
        spent += time.process_time() - start
        worst = max(worst, row["loss"] / theirs - 1)
        if row["loss"] > theirs * (1 + 1e-6):
            raise SystemExit(f"\n{row['experiment']}: our loss {row['loss']:.9g} is above that of BFGS, {theirs:.9g}")
    print(f"\rour loss over that of BFGS, {compared} of {len(fitted)} fits: at most {worst:+.1e} (relative)".ljust(80))
    print(f"BFGS on these, one fit each without bootstraps: {spent:.0f} CPU s")
    print(f"{bootstraps} bootstraps   fits    CPU s")
    for axis, number, seconds in [*lines, ("all", len(fitted), sum(seconds for *_, seconds in lines))]:
        print(f"{axis:<17}{number:>5}{seconds:>9.1f}")
    cores = [0.0, 0.0]
    for *_, seconds in sorted(lines, key=lambda line: -line[2]):
        heapq.heapreplace(cores, cores[0] + seconds)
    print(f"an axis per job on two cores: {max(cores):.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bootstraps", type=int, default=1000)
    parser.add_argument("--compared", type=int, default=10, help="fits on which BFGS is run")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # BFGS from far starts overflows, as it does in the published fits
        main(arguments.bootstraps, arguments.compared)
