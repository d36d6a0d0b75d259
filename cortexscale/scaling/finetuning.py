"""Comparisons of fine-tuned models with their base models (paper, sections 4.3 to 4.6, 4.11 and 4.12)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cortexscale.alignment.averages import AVERAGE, benchmark_means
from cortexscale.errors import InputError
from cortexscale.models.roles import common_base, most_frequent
from cortexscale.models.tuning import SEEN

RELATIONS = ("same dataset", "same modality", "cross modality")
BOOTSTRAPS = 1000
_PREFIX = "finetuning_"
_SETTING = ["base_model_id", "arch", "finetuning_dataset", "finetuning_regions", "finetuning_subjects", "data_pct"]
_SETTING += ["epochs", "learning_rate", "random_shuffle", "lora_rank", "seed"]
_RUN = ["exp_type", "model_id", "fitting_samples", "task_evaluation_acc", *_SETTING]


def finetuning_scores(finetuning: pd.DataFrame) -> pd.DataFrame:
    """Compute the alignment of every fine-tuned model and the gain over its base model, from ``tables/finetuning.parquet``.

    For each seed, scores are averaged over subjects, then ROIs, then benchmarks. ``n_subjects`` is the number of subjects in the
    fine-tuning. A run that several experiments share has rows for each of them. A base model that was not scored on the same
    benchmarks as a run raises an InputError. If the table has the column ``SEEN``, it is averaged in the same way as the scores.
    """
    bases = finetuning[finetuning["exp_type"] == _PREFIX + "baseline"]
    rows = finetuning[finetuning["exp_type"] != _PREFIX + "baseline"]
    rows = rows.assign(random_shuffle=rows["random_shuffle"].eq(True))
    rows["run"] = rows.groupby(_RUN, dropna=False, sort=False).ngroup()
    runs = rows[["run", *_RUN]].drop_duplicates("run")
    runs = runs.assign(n_subjects=_n_subjects(runs, rows), exp_type=runs["exp_type"].str.removeprefix(_PREFIX))
    before = benchmark_means(bases, "model_id")
    before = before.drop(columns="n_benchmarks").rename(columns={"model_id": "base_model_id", "score": "baseline"})
    accuracy = bases.drop_duplicates("model_id").set_index("model_id")["task_evaluation_acc"]
    scores = benchmark_means(rows, "run").merge(runs, on="run", validate="many_to_one")
    if SEEN in rows:
        seen = benchmark_means(rows, "run", SEEN).rename(columns={"score": SEEN}).drop(columns="n_benchmarks")
        scores = scores.merge(seen, on=["run", "benchmark_name"], validate="one_to_one")
    scores = scores.merge(before, on=["base_model_id", "benchmark_name"], how="left", validate="many_to_one")
    expected = scores["base_model_id"].map(before.groupby("base_model_id").size())
    wrong = scores[scores["baseline"].isna() | (scores.groupby("run")["score"].transform("size") != expected)]
    if len(wrong):
        models = ", ".join(wrong["base_model_id"].unique()[:3])
        found = f"no scores of {models} on the same benchmarks as those of {wrong['model_id'].nunique()} models made of it"
        remedy = "score the base model on the same benchmarks; its rows have the exp_type finetuning_baseline"
        raise InputError("table finetuning", found, "every base model beside its fine-tuned models", remedy)
    return scores.assign(delta=scores["score"] - scores["baseline"], baseline_acc=scores["base_model_id"].map(accuracy))


def _n_subjects(runs: pd.DataFrame, rows: pd.DataFrame) -> pd.Series:
    """Return the number of subjects in each fine-tuning: k for ``randsubj_k``, otherwise the number of scored subjects."""
    everyone = rows.groupby("benchmark_name")["subject"].nunique()
    some = pd.to_numeric(runs["finetuning_subjects"].str.extract(r"^randsubj_(\d+)$")[0])
    return some.fillna(runs["finetuning_dataset"].map(everyone))


def fractions(runs: pd.DataFrame) -> pd.DataFrame:
    """Select the runs of the experiment on the amount of data, for the base model with the most runs.

    All seeds of a percentage get the same number of stimuli: the mean over seeds. An InputError is raised if no run is selected,
    here and in the other selections of this module.
    """
    rows = common_base(_required(runs[runs["exp_type"] == "data_pct"], "data_pct"))
    samples = rows.groupby(["finetuning_dataset", "data_pct"])["fitting_samples"].transform("mean")
    return rows.assign(fitting_samples=samples)


def full_data(runs: pd.DataFrame) -> pd.DataFrame:
    """Select the runs of :func:`fractions` on the largest percentage of each dataset. Controls are compared with these runs."""
    rows = fractions(runs)
    return rows[rows["data_pct"] == rows.groupby("finetuning_dataset")["data_pct"].transform("max")]


def experiment(runs: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Select the runs of an experiment and the runs on full data that it shares with the experiment on the amount of data.

    Runs of ``region``, ``subject`` and ``ablation`` have one base model. Runs of ``architecture`` and ``explore`` have several.
    """
    rows = _required(runs[runs["exp_type"] == kind], kind)
    shared = full_data(runs) if (runs["exp_type"] == "data_pct").any() else rows[:0]
    if kind not in ("architecture", "explore"):
        rows = common_base(rows)
        shared = shared[shared["base_model_id"].isin(rows["base_model_id"])]
    shared = shared[shared["finetuning_dataset"].isin(rows["finetuning_dataset"])]
    return pd.concat([rows, shared]).drop_duplicates([*_SETTING, "benchmark_name"])


def rate_sweep(runs: pd.DataFrame) -> pd.DataFrame:
    """Select the runs that vary epochs and learning rate, for the base model with the most settings."""
    rows = experiment(runs, "explore")
    settings = rows.drop_duplicates(["base_model_id", "epochs", "learning_rate"])["base_model_id"]
    return rows[rows["base_model_id"] == most_frequent(settings)]


def model_sizes(runs: pd.DataFrame) -> pd.DataFrame:
    """Select runs of all base models, with the number of epochs and the learning rate that most models share."""
    rows = experiment(runs, "explore")
    setting = rows["epochs"].astype(str) + " " + rows["learning_rate"].astype(str)
    shared = most_frequent(setting[~rows.assign(setting=setting).duplicated(["base_model_id", "setting"])])
    return rows[setting == shared]


def models_compared(runs: pd.DataFrame) -> pd.DataFrame:
    """Select the full-data runs of all base models, from :func:`full_data` and from experiments on architectures and sizes."""
    kinds = {"architecture": lambda: experiment(runs, "architecture"), "explore": lambda: model_sizes(runs)}
    rows = [full_data(runs), *(select() for kind, select in kinds.items() if (runs["exp_type"] == kind).any())]
    return pd.concat(rows).drop_duplicates([*_SETTING, "benchmark_name"])


def lora_sweep(runs: pd.DataFrame) -> pd.DataFrame:
    """Select the runs with low-rank adapters (LoRA), for the base model that has the most such runs."""
    return common_base(_required(runs[runs["exp_type"] == "lora"], "lora"))


def best_lora(runs: pd.DataFrame, per_dataset: bool = False) -> pd.DataFrame:
    """Select the runs of :func:`lora_sweep` with the best setting: the rank and learning rate with the largest mean gain.

    The mean is over benchmarks and runs. The same scores choose the setting and are reported, as in the paper (appendix I). One
    setting is chosen for all datasets, among the settings that every dataset has. With ``per_dataset``, each dataset has its own
    best setting, which is the descriptive upper bound of the paper.
    """
    rows, setting = lora_sweep(runs), ["lora_rank", "learning_rate"]
    key = ["finetuning_dataset"] if per_dataset else []
    average = rows[rows["benchmark_name"] == AVERAGE].groupby([*key, *setting], as_index=False)
    gains = average.agg(delta=("delta", "mean"), datasets=("finetuning_dataset", "nunique"))
    gains = gains[gains["datasets"] == gains["datasets"].max()].sort_values("delta", ascending=False)
    best = gains.drop_duplicates(key) if key else gains.head(1)
    return rows.merge(best[[*key, *setting]], on=[*key, *setting])


def lora_and_full(runs: pd.DataFrame) -> pd.DataFrame:
    """Compare the best shared LoRA setting with full fine-tuning on all data, by their gains averaged over seeds."""
    pair = ["base_model_id", "finetuning_dataset", "benchmark_name"]
    tables = {"full": full_data(runs), "lora": best_lora(runs)}
    means = [rows.groupby(pair, sort=False)["delta"].mean().rename(name) for name, rows in tables.items()]
    both = pd.concat(means, axis=1, join="inner").reset_index()
    return _required(both.assign(difference=both["lora"] - both["full"]), "lora, of the model of the data fractions")


def _required(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    if rows.empty:
        remedy = f"add the experiment {kind} to `finetuning.experiments`, or leave the figure out of `figures`"
        raise InputError("table finetuning", f"no run of exp_type {_PREFIX}{kind}", "the runs that the figure shows", remedy)
    return rows


def relations(runs: pd.DataFrame, modality: Mapping[str, str]) -> pd.Series:
    """Return the relation of each benchmark to the dataset of the fine-tuning, one of ``RELATIONS``.

    A dataset whose modality is not known shares it with no other dataset.
    """
    trained, tested = runs["finetuning_dataset"], runs["benchmark_name"]
    alike = trained.map(modality).notna() & (trained.map(modality) == tested.map(modality))
    names = np.select([trained == tested, alike], RELATIONS[:2], RELATIONS[2])
    return pd.Series(names, runs.index, name="relation")


def summary(rows: pd.DataFrame, by: list[str], value: str = "delta") -> pd.DataFrame:
    """Return the mean of each group, with a standard error, and with a 95 % interval from 1,000 resamples of the rows.

    For a group of one row, the interval and the error are nan. If ``rows`` have the column ``SEEN``, its means are added.
    """
    summaries = []
    for key, values in rows.groupby(by, sort=False, dropna=False)[value]:
        numbers, n = values.to_numpy(float), len(values)
        low = high = sem = np.nan
        if n > 1:
            drawn = np.random.default_rng(0).integers(n, size=(BOOTSTRAPS, n))
            low, high = np.percentile(numbers[drawn].mean(axis=1), (2.5, 97.5))
            sem = numbers.std(ddof=1) / np.sqrt(n)
        summaries.append((*key, numbers.mean(), low, high, sem, n))
    table = pd.DataFrame(summaries, columns=[*by, "mean", "low", "high", "sem", "n"])
    return table.assign(**{SEEN: rows.groupby(by, sort=False, dropna=False)[SEEN].mean().to_numpy()}) if SEEN in rows else table
