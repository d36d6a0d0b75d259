"""Report the weights, layers and costs of one model of the study; the job fails if something is wrong."""

import sys
from pathlib import Path
from typing import Any

from cortexscale.check.model import check_model
from cortexscale.logs import logged


def main(report: Path, model: dict[str, Any], features: dict[str, Any], asked_mb: int, weights_follow: bool) -> int:
    """The number of problems."""
    checked = check_model(model, features["batch_size"], features["projection"], asked_mb, weights_follow)
    checked.publish(report)
    return checked.n_problems


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        params = snakemake.params
        problems = main(Path(params.report), params.model, params.features, params.asked_mb, params.weights_follow)
    sys.exit(1 if problems else 0)
