"""The 43 scaling experiments of Gokce & Schrimpf (2025).

An experiment selects rows of the score table, X, and the form of the law. The score table has one row per model and benchmark. It
is ``benchmark_scores.csv`` in the authors' repository.
"""

import difflib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cortexscale.errors import InputError
from cortexscale.files import open_unpacked
from cortexscale.text_tables import read_table

REGIONS = ("V1", "V2", "V4", "IT", "Behavioral")
BENCHMARKS = {"avg": REGIONS, "neuro": REGIONS[:4], "behavior": REGIONS[4:]}
BENCHMARKS |= {region.lower(): (region,) for region in REGIONS[:4]}
"""Name of an average -> scores that are averaged with equal weights. A missing score is skipped."""
X_SCALES = {"total_flops": 1e13, "n_samples_seen": 1e4, "n_params": 1e5}
GRID = ("imagenet", "ecoset")
CONVOLUTIONAL = ("ResNet", "EfficientNet", "CORnet-S", "AlexNet")
PATCH_BASED = ("ConvNeXt", "ViT")
PRETRAINED = ("ConvNeXt", "DaVit", "EfficientNet", "EfficientViT-B", "FastViT", "LeViT", "MaxxViT", "MobileViT", "ResNet", "ViT")
DESCRIPTION = ["model_id", "arch", "arch_family", "dataset", "samples_per_class"]
KEYS = [*DESCRIPTION, "flops", "n_params", "n_samples", "n_samples_seen", "total_flops"]
"""Columns that must have a value. A model that lacks one of these values is dropped, as in the published selection."""
FLAGS = ("is_pretrained", "is_random", "is_ssl", "is_adv", "is_ablation")


@dataclass(frozen=True)
class Experiment:
    """One published fit. X is divided by ``X_SCALES``. If ``datasets`` or ``families`` is empty, all are kept.

    ``only`` is the flag in ``FLAGS`` that models must have; by default, models must have none of these flags. ``well_trained``
    drops ConvNeXt and ViT models that were trained on fewer than 300 images per class, because these families learn too little
    from so few images.
    """

    name: str
    regions: tuple[str, ...]
    x: tuple[str, ...] = ("total_flops",)
    form: str = "reduced"
    datasets: tuple[str, ...] = GRID
    families: tuple[str, ...] = ()
    only: str | None = None
    full_data: bool = False
    well_trained: bool = False

    @property
    def x_scale(self) -> tuple[float, ...]:
        """The units of X in the published constants."""
        return tuple(X_SCALES[column] for column in self.x)


def _experiments() -> dict[str, Experiment]:
    found = [Experiment(f"compute_{benchmark}", BENCHMARKS[benchmark]) for benchmark in ("neuro", "behavior")]
    found.append(Experiment("compute_chinchilla", REGIONS, ("n_params", "n_samples_seen"), "chinchilla", well_trained=True))
    found.append(Experiment("parameter_scaling", REGIONS, ("n_params",), full_data=True))
    found.append(
        Experiment("parameter_pretrained_scaling", REGIONS, ("n_params",), datasets=(), families=PRETRAINED, only="is_pretrained")
    )
    found += [
        Experiment(f"sample_{dataset}_scaling", REGIONS, ("n_samples_seen",), datasets=(dataset,), well_trained=True)
        for dataset in (*GRID, "imagenet21kP", "infimnist", "webvisionP", "inaturalist", "places365")
    ]
    for family in ("ResNet", "EfficientNet", *PATCH_BASED):
        form = "offset" if family in PATCH_BASED else "reduced"
        for benchmark in ("avg", "neuro", "behavior"):
            found.append(Experiment(f"model_{family.lower()}_{benchmark}", BENCHMARKS[benchmark], form=form, families=(family,)))
    for benchmark in ("v1", "v2", "v4", "it", "behavior", "avg"):
        for group, families, form in ((1, CONVOLUTIONAL, "reduced"), (2, PATCH_BASED, "offset")):
            found.append(Experiment(f"region_{benchmark}_group{group}", BENCHMARKS[benchmark], form=form, families=families))
    for benchmark, regions in BENCHMARKS.items():
        found.append(Experiment(f"simclr_{benchmark}", regions, datasets=("imagenet",), families=("ResNet",), only="is_ssl"))
    return {experiment.name: experiment for experiment in found}


EXPERIMENTS = _experiments()
"""Name in the publication -> experiment."""


def find_experiment(name: str) -> Experiment:
    """Return the experiment with a name. An unknown name raises an InputError with the most similar names."""
    if name not in EXPERIMENTS:
        near = difflib.get_close_matches(name, EXPERIMENTS, n=5, cutoff=0.4) or list(EXPERIMENTS)[:5]
        expected = f"one of {len(EXPERIMENTS)} names, such as {', '.join(near)}"
        where, remedy = "config key scores.experiments", "correct the name, or write `all`"
        raise InputError(where, f"no experiment {name!r}", expected, remedy)
    return EXPERIMENTS[name]


def read_scores(path: Path | str) -> pd.DataFrame:
    """Read the published score table from a CSV file, plain or compressed with gzip.

    Raises:
        InputError: the file is missing, incomplete or another table, a field is not a number or a flag, or scores are not
        fractions.
    """
    remedy = "Use benchmark_scores.csv of github.com/epflneuroailab/scaling-primate-vvs."
    numbers = [*KEYS[KEYS.index("samples_per_class") :], "score"]
    fields = read_table(path, ",", numbers, ["region", *FLAGS], remedy=remedy, gaps=numbers)
    for flag in FLAGS:
        if (other := ~fields[flag].str.lower().isin(("true", "false", "0", "1"))).any():
            raise InputError(path, f"{fields[flag][other].iloc[0]!r} in the column {flag}", "True or False", remedy)
    if (largest := fields["score"].max()) > 2:
        raise InputError(path, f"a score of {largest:g}", "correlations, not percent", remedy)
    with open_unpacked(path) as file:
        scores = pd.read_csv(file)
    if missing := [column for column in (*KEYS, "ssl_method") if column not in scores]:
        raise InputError(path, f"no column {', '.join(missing)}", "the columns of the published score table", remedy)
    return scores


def select_rows(scores: pd.DataFrame, name: str) -> pd.DataFrame:
    """Select the points of an experiment, with one row per trained model.

    Rows are sorted by model id, because resamples depend on their order. X is in raw units. A family of flexible width belongs to
    the family of which it is a variant.
    """
    experiment = find_experiment(name)
    family = scores["arch_family"].str.removesuffix("Flex")
    keep = scores["region"].isin(experiment.regions)
    for flag in FLAGS:
        keep &= scores[flag].astype(bool) == (flag == experiment.only)
    if experiment.only == "is_ssl":
        keep &= scores["ssl_method"] == "simclr"
    if experiment.datasets:
        keep &= scores["dataset"].isin(experiment.datasets)
    if experiment.families:
        keep &= family.isin(experiment.families)
    if experiment.full_data:
        keep &= scores["samples_per_class"] == 0
    if experiment.well_trained:
        keep &= ~family.isin(PATCH_BASED) | scores["samples_per_class"].isin((0, 300))
    kept = scores.assign(arch_family=family)[keep]
    points = kept.groupby(KEYS, sort=True, dropna=True)["score"].mean().reset_index()
    if points.empty:
        raise InputError(f"score table, experiment {name}", "no row", "models that match the experiment", "check the score table")
    for column, x in zip(("x", "x2"), experiment.x, strict=False):
        points[column] = points[x].astype(float)
    return points[[*DESCRIPTION, *("x", "x2")[: len(experiment.x)], "score"]]
