"""Fit the published experiments to the published score table; write laws, curves, and the models that each law was fitted to."""

import logging
from pathlib import Path
from typing import Literal

import pandas as pd

from cortexscale.jobs import run
from cortexscale.scaling.experiments import EXPERIMENTS, find_experiment, read_scores, select_rows
from cortexscale.scaling.fit import fit_experiment
from cortexscale.stores import provenance, write_table


def main(
    *,
    scores: Path,
    experiments: Literal["all"] | list[str],
    bootstraps: int,
    seed: int,
    fits: Path,
    curves: Path,
    points: Path,
    code: str,
) -> None:
    wanted = [find_experiment(name) for name in (EXPERIMENTS if experiments == "all" else experiments)]
    table = read_scores(scores)
    rows, fitted_curves, models = [], [], []
    for number, experiment in enumerate(wanted, start=1):
        selected = select_rows(table, experiment.name)
        row, curve = fit_experiment(
            selected[["x", "x2"][: len(experiment.x)]].to_numpy(),
            selected["score"].to_numpy(),
            experiment=experiment.name,
            form=experiment.form,
            x_scale=experiment.x_scale,
            bootstraps=bootstraps,
            seed=seed,
            names=selected["model_id"].tolist(),
        )
        rows.append(row)
        fitted_curves.append(curve)
        models.append(selected.assign(experiment=experiment.name))
        logging.info("%d/%d %s: n %d, E %.3f, loss %.6g", number, len(wanted), experiment.name, row["n"], row["E"], row["loss"])
    made_by = provenance(inputs={"scores": scores}, bootstraps=bootstraps, seed=seed, code=code)
    for parts, path in ((fitted_curves, curves), (models, points)):
        write_table(pd.concat(parts, ignore_index=True), path, made_by)
    write_table(pd.DataFrame(rows), fits, made_by)


if "snakemake" in globals():
    run(main, snakemake)
