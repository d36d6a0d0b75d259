"""Tables that compare readouts (paper, Tables 2 and S4)."""

import numpy as np
import pandas as pd

from cortexscale.alignment.averages import mean_scores, over_benchmarks
from cortexscale.catalogue.readouts import LINEAR
from cortexscale.markdown import markdown_table

TABLE2 = [LINEAR, "attention_individual", "attention_shared"]


def readout_table(mapping: pd.DataFrame, fits: pd.DataFrame, readouts: list[str] | None = None) -> pd.DataFrame:
    """Compare readouts at the largest percentage of stimuli, with the limits E of their scaling laws (Tables 2 and S4).

    Rows of the benchmark ``average`` have the mean number of parameters per subject and ROI.
    """
    rows = mapping[mapping["data_pct"] == mapping["data_pct"].max()]
    rows = rows if readouts is None else rows[rows["probe_type"].isin(readouts)]
    names = rows.drop_duplicates("probe_type").set_index("probe_type")["probe_name"]
    scores = mean_scores(rows, ["benchmark_name", "probe_type"], levels=())
    if len(fits):
        constants = fits.rename(columns={"family": "probe_type"})
        constants = constants[["benchmark_name", "probe_type", "E", "E_low", "E_high", "saturates"]]
        scores = scores.merge(constants, on=["benchmark_name", "probe_type"], how="left")
    by_readout = rows.groupby("probe_type", sort=False)["n_params_per_subject"]
    sizes = pd.DataFrame(
        {"n_params_mean": by_readout.mean(), "n_params_geometric_mean": by_readout.agg(lambda n: np.exp(np.log(n).mean()))}
    )
    table = pd.concat([scores, over_benchmarks(scores, ["probe_type"]).join(sizes, on="probe_type")])
    return table.assign(probe_name=table["probe_type"].map(names)).reset_index(drop=True)


def readable(table: pd.DataFrame, labels: dict[str, str], parameters: str) -> str:
    """Write a table of :func:`readout_table` in Markdown. The best score of a row is bold.

    ``parameters`` is the column with the numbers of parameters.
    """
    wide = table.pivot(index="benchmark_name", columns="probe_type")
    names = table.drop_duplicates("probe_type").set_index("probe_type")["probe_name"]
    lines = []
    for benchmark in table["benchmark_name"].unique():
        scores = wide["score"].loc[benchmark, names.index]
        shown = [f"**{score:.3f}**" if score == scores.max() else f"{score:.3f}" for score in scores]
        lines.append([labels.get(benchmark, benchmark.capitalize()), *shown])
    if table[parameters].notna().any():  # published tables lack the numbers of parameters
        lines.append(["Parameters", *(f"{count:,.0f}" for count in wide[parameters].loc["average", names.index])])
    if "E" in table:
        for benchmark in table.loc[table["E"].notna(), "benchmark_name"].unique():
            of_benchmark = table[table["benchmark_name"] == benchmark].set_index("probe_type")
            lines.append([f"E, {labels.get(benchmark, benchmark)}", *(_limit(of_benchmark.loc[name]) for name in names.index)])
    mean = "geometric mean" if "geometric" in parameters else "mean"
    note = (
        "Scores are noise-normalised Pearson r, averaged over seeds, subjects and ROIs. The number of parameters is the "
        f"{mean} over subjects and ROIs; parameters that subjects share are divided among them. E is the limit of the scaling "
        "law S = E - A F^-alpha, with a 95 % interval."
    )
    return markdown_table(pd.DataFrame(lines, columns=["Benchmark", *names]), note, left=["Benchmark"])


def _limit(row: pd.Series) -> str:
    if pd.isna(row["E"]):
        return ""
    return f"{row['E']:.2f} [{row['E_low']:.2f}, {row['E_high']:.2f}]" if row["saturates"] else "no saturation"
