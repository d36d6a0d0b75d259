"""A few runs of fine-tuning in the columns of the table ``finetuning``, whose means can be computed by hand."""

import numpy as np
import pandas as pd

from cortexscale.scaling.finetuning import finetuning_scores

BASES = {"other": ("resnet50", 0.3, 0.2, 0.6), "small": ("deit_small", 0.5, 0.4, 0.7)}
"""Base model -> architecture, scores on TVSD and NSD, and accuracy. The first one has fewer runs, and is first in all tables."""
NAMES = ("tvsd", "nsd")


def rows(model: str, base: str, scores: tuple[float, float], right: float, **columns: object) -> list[dict[str, object]]:
    """Scores of a model on TVSD and NSD, each for two subjects that differ by 0.2."""
    about = {"model_id": model, "base_model_id": base, "arch": BASES[base][0], "task_evaluation_acc": right, "roi": "V1"}
    return [
        about | {"benchmark_name": name, "subject": subject, "pearsonr_nc": score + step} | columns
        for name, score in zip(NAMES, scores, strict=True)
        for subject, step in (("a", -0.1), ("b", 0.1))
    ]


def run(kind: str, base: str, gains: tuple[float, float], **columns: object) -> list[dict[str, object]]:
    """A run in an experiment, given by its gains on TVSD and NSD. Its accuracy is 0.1 below that of its base model."""
    _, tvsd, nsd, right = BASES[base]
    plain = {"finetuning_dataset": "tvsd", "finetuning_regions": "IT", "finetuning_subjects": "all", "data_pct": 100.0, "seed": 0}
    plain |= {"epochs": 20, "learning_rate": 1e-5, "random_shuffle": False, "lora_rank": np.nan, "fitting_samples": 1000.0}
    plain |= {"exp_type": f"finetuning_{kind}"} | columns
    name = "-".join(map(str, [base, *plain.values()]))
    return rows(name, base, (tvsd + gains[0], nsd + gains[1]), right - 0.1, **plain)


def finetuned(*runs: list[dict[str, object]]) -> pd.DataFrame:
    baselines = [rows(base, base, BASES[base][1:3], BASES[base][3], exp_type="finetuning_baseline") for base in BASES]
    return pd.DataFrame([row for each in (*baselines, *runs) for row in each])


GROWTH = (
    run("data_pct", "other", (0.9, 0.9)),
    run("data_pct", "small", (0.01, 0.01), data_pct=1.0, fitting_samples=10.0),
    run("data_pct", "small", (0.01, 0.03), data_pct=1.0, fitting_samples=14.0, seed=1),
    run("data_pct", "small", (0.02, 0.04)),
    run("data_pct", "small", (0.04, 0.06), seed=1),
    run("data_pct", "small", (0.10, 0.30), finetuning_dataset="nsd", fitting_samples=500.0),
)
"""Of the base model ``small``, the mean gains are .01 and .02 at one percent, and .03 and .05 (TVSD) or .2 (NSD) on all data."""


def runs_of(*runs: list[dict[str, object]]) -> pd.DataFrame:
    """Return gains of some runs."""
    return finetuning_scores(finetuned(*runs))


LORA = (
    *GROWTH,
    *(
        run("lora", "small", gains, lora_rank=rank, finetuning_dataset=name)
        for rank, name, gains in [
            (8.0, "tvsd", (0.5, -0.3)),
            (8.0, "nsd", (0.0, 0.0)),
            (16.0, "tvsd", (0.0, 0.12)),
            (16.0, "nsd", (0.04, 0.16)),
            (32.0, "tvsd", (0.9, 0.9)),
        ]
    ),
)
"""Mean gains: .1 and 0 at rank 8, .06 and .1 at rank 16, and .9 at rank 32, which only TVSD has."""
