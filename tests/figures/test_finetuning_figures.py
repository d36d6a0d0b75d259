"""Figures of neural fine-tuning: their numbers against plain recomputations, and that every study can draw what it has."""

from itertools import combinations

import galleries
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from galleries import gallery
from hypothesis import given
from hypothesis import strategies as st
from published_tables import our_tables
from scipy import stats

mpl.use("agg")

import matplotlib.pyplot as plt

from cortexscale.alignment.super_rois import region_order
from cortexscale.errors import InputError
from cortexscale.figures.paper import PAPER
from cortexscale.figures.registry import CONTENTS
from cortexscale.scaling.finetuning import (
    best_lora,
    experiment,
    finetuning_scores,
    fractions,
    full_data,
    lora_and_full,
    model_sizes,
    models_compared,
    rate_sweep,
    relations,
    summary,
)

NAMES = [name for name, figure in PAPER.items() if "finetuning" in CONTENTS[figure.content].tables]
CHECKED_RUNS = 4


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def paper() -> dict[str, pd.DataFrame]:
    return our_tables(0, "thin")


@pytest.fixture(scope="module")
def runs(paper) -> pd.DataFrame:
    return finetuning_scores(paper["finetuning"])


def plain_average(rows: pd.DataFrame) -> dict[str, float]:
    """Average over subjects, then ROIs, then benchmarks, in plain loops."""
    found = {}
    for benchmark in set(rows["benchmark_name"]):
        of = rows[rows["benchmark_name"] == benchmark]
        found[benchmark] = np.mean([of.loc[of["roi"] == roi, "pearsonr_nc"].mean() for roi in set(of["roi"])])
    return found | {"average": np.mean(list(found.values()))}


def test_gains_are_those_of_a_plain_recomputation():
    table = our_tables(1, "demo")["finetuning"]
    table = table.drop(table.index[table["roi"] == "V4"][::3])  # ROIs with unequal numbers of subjects
    before = plain_average(table[table["exp_type"] == "finetuning_baseline"])
    found = finetuning_scores(table)
    models = found["model_id"].unique()
    assert len(models) == table["model_id"].nunique() - 1
    for model in models[:: len(models) // CHECKED_RUNS]:
        after = plain_average(table[table["model_id"] == model])
        of_model = found[found["model_id"] == model].set_index("benchmark_name")
        assert set(of_model.index) == set(after)
        for benchmark, score in after.items():
            assert of_model.loc[benchmark, "score"] == pytest.approx(score, rel=1e-12)
            assert of_model.loc[benchmark, "delta"] == pytest.approx(score - before[benchmark], abs=1e-12)


def test_a_base_model_must_be_scored_on_the_same_benchmarks():
    table = our_tables(0, "demo")["finetuning"]
    base = table["exp_type"] == "finetuning_baseline"
    for wrong in (
        table[~base],
        table[~base | (table["benchmark_name"] != "tvsd")],
        table[base | (table["benchmark_name"] != "nsd")],
    ):
        with pytest.raises(InputError, match="deit_small_imagenet_full_seed-0"):
            finetuning_scores(wrong)


def test_a_run_of_two_experiments_counts_once(runs):
    shared = full_data(runs)
    assert set(shared["data_pct"]) == {100.0} and set(shared["arch"]) == {"deit_small"}
    twice = pd.concat([runs, shared.assign(exp_type="architecture")])
    for table in (runs, twice):
        rows = experiment(table, "architecture")
        assert not rows.duplicated(["arch", "finetuning_dataset", "seed", "benchmark_name"]).any()
        assert set(rows["arch"]) == {"deit_small", "convnext_small", "resnet50"} and len(rows) == 3 * 6 * 3 * 9


def test_every_experiment_finds_its_runs(runs):
    regions = experiment(runs, "region").groupby("finetuning_dataset")["finetuning_regions"].unique()
    assert {name: region_order(found) for name, found in regions.items()} == {
        "tvsd": ["V1", "V4", "IT", "V1_V4_IT"],
        "things_fmri": ["V1", "V4", "IT", "V1_V4_IT"],
        "nsd": ["early", "midventral", "ventral", "early_midventral_ventral"],
    }
    assert sorted(experiment(runs, "subject")["n_subjects"].unique()) == [1, 2, 3, 4, 5, 6, 7]  # `all` are 2 in these tables
    assert set(rate_sweep(runs)["arch"]) == {"deit_small"} and len(rate_sweep(runs)) == 15 * 6 * 3 * 9
    assert set(model_sizes(runs)["arch"]) == {"deit_small", "deit_base", "deit_large"}
    assert set(model_sizes(runs)["learning_rate"]) == {1e-5}
    assert models_compared(runs)["arch"].nunique() == 5
    assert fractions(runs)["data_pct"].nunique() == 9


def test_lora_is_chosen_by_its_mean_gain(runs):
    lora = (runs["exp_type"] == "lora") & (runs["benchmark_name"] == "average")
    chosen = best_lora(runs)[["lora_rank", "learning_rate"]].drop_duplicates()
    means = runs[lora].groupby(["lora_rank", "learning_rate"])["delta"].mean()
    assert len(chosen) == 1 and means[tuple(chosen.iloc[0])] == means.max()
    for name, rows in best_lora(runs, per_dataset=True).groupby("finetuning_dataset"):
        of_dataset = runs[lora & (runs["finetuning_dataset"] == name)]
        assert rows.loc[rows["benchmark_name"] == "average", "delta"].mean() == of_dataset["delta"].max()
    pairs = lora_and_full(runs)
    one = pairs[(pairs["finetuning_dataset"] == "nsd") & (pairs["benchmark_name"] == "tvsd")].iloc[0]
    same = (runs["finetuning_dataset"] == "nsd") & (runs["benchmark_name"] == "tvsd")
    full = runs[same & (runs["exp_type"] == "data_pct") & (runs["data_pct"] == 100)]["delta"]
    assert len(full) == 3 and one["full"] == pytest.approx(full.mean(), abs=1e-15)
    assert one["difference"] == pytest.approx(one["lora"] - full.mean(), abs=1e-15) and len(pairs) == 6 * 9


def test_figures_of_one_model_do_not_mix_models(runs):
    both = pd.concat([runs, runs[runs["exp_type"] == "architecture"].assign(exp_type="data_pct")])
    assert set(fractions(both)["arch"]) == {"deit_small"} == set(experiment(both, "region")["arch"])
    other = runs.assign(base_model_id=runs["base_model_id"].where(runs["exp_type"] != "lora", "another"))
    with pytest.raises(InputError, match="of the model of the data fractions"):
        lora_and_full(other)


def test_relations_follow_the_modality():
    pairs = pd.DataFrame(
        [
            ("nsd", "nsd"),
            ("nsd", "things_fmri"),
            ("nsd", "tvsd"),
            ("things_eeg1", "things_meg"),
            ("mine", "mine"),
            ("mine", "other"),
        ],
        columns=["finetuning_dataset", "benchmark_name"],
    )
    modality = {"nsd": "fMRI", "things_fmri": "fMRI", "tvsd": "ephys", "things_eeg1": "EEG", "things_meg": "MEG"}
    expected = ["same dataset", "same modality", "cross modality", "cross modality", "same dataset", "cross modality"]
    assert relations(pairs, modality).tolist() == expected


def test_intervals_are_those_of_a_reference_bootstrap():
    values = np.random.default_rng(3).normal(0.5, 0.1, 25)
    found = summary(pd.DataFrame({"group": "a", "delta": values}), ["group"]).iloc[0]
    resampled = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=0).confidence_interval
    width = resampled.high - resampled.low
    assert abs(found["low"] - resampled.low) < 0.1 * width and abs(found["high"] - resampled.high) < 0.1 * width
    assert found["mean"] == pytest.approx(values.mean()) and found["sem"] == pytest.approx(stats.sem(values)) and found["n"] == 25


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=6))
def test_intervals_hold_the_mean(values):
    found = summary(pd.DataFrame({"group": 1, "delta": values}), ["group"]).iloc[0]
    if len(values) == 1:
        assert np.isnan(found[["low", "high", "sem"]].astype(float)).all()
    else:
        assert min(values) - 1e-12 <= found["low"] <= found["mean"] + 1e-12 <= found["high"] + 2e-12 <= max(values) + 3e-12


def draw(name: str, tables: dict[str, pd.DataFrame]) -> tuple[plt.Figure, pd.DataFrame]:
    return galleries.draw(gallery().drawing(name), tables)


def nothing_overlaps(figure: plt.Figure) -> None:
    """Titles, legends outside of panels and common labels keep apart, and so do the tick labels of an axis."""
    figure.canvas.draw()
    common = [text for text in (figure._supxlabel, figure._supylabel) if text]
    titles = [text for panel in figure.axes for text in (panel.title, panel._left_title) if text.get_text()]
    apart([*common, *titles, *figure.legends])
    for panel in figure.axes:
        for axis in (panel.xaxis, panel.yaxis):
            texts = [label for label in axis.get_ticklabels() if label.get_text() and label.get_visible()]
            apart([label for label in texts if label.get_rotation() == 0])


def apart(artists: list) -> None:
    boxes = [artist.get_window_extent() for artist in artists]
    touching = [(a, b) for a, b in combinations(range(len(boxes)), 2) if boxes[a].overlaps(boxes[b])]
    assert not touching, [(artists[a], artists[b]) for a, b in touching]


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_of_the_paper(name, paper):
    figure, numbers = draw(name, paper)
    value = next(column for column in ("mean", "score", "difference") if column in numbers)
    assert len(numbers) >= 9 and numbers[value].notna().any() and not np.isinf(numbers.select_dtypes("number")).any(axis=None)
    nothing_overlaps(figure)


@pytest.mark.parametrize("name", NAMES)
def test_a_small_study_draws_what_it_has(name):
    tables = our_tables(0, "demo")
    kinds = set(tables["finetuning"]["exp_type"].str.removeprefix("finetuning_"))
    if not gallery(experiments=frozenset(kinds)).reason(name):
        figure, numbers = draw(name, tables)
        assert len(figure.axes) and len(numbers)
        nothing_overlaps(figure)
    else:
        with pytest.raises(InputError, match=r"finetuning\.experiments"):
            draw(name, tables)


def test_figure_5_shows_the_gains(paper, runs):
    figure, numbers = draw("fig5", paper)
    assert [panel.get_title() for panel in figure.axes] == ["TVSD-EP", "T-fMRI", "NSD-fMRI", "T-MEG", "T-EEG1", "T-EEG2"]
    rows = full_data(runs)
    cell = rows[(rows["finetuning_dataset"] == "nsd") & (rows["benchmark_name"] == "things_eeg2")]["delta"]
    shown = numbers[(numbers["finetuning_dataset"] == "nsd") & (numbers["benchmark_name"] == "things_eeg2")].iloc[0]
    assert shown["n"] == 3 and shown["mean"] == pytest.approx(cell.mean()) and shown["low"] >= cell.min() - 1e-15
    bars = figure.axes[2].patches
    assert len(bars) == 8 and bars[-1].get_height() == pytest.approx(cell.mean())


def test_heat_maps_show_hundredfold_means(paper, runs):
    _, numbers = draw("figS52", paper)
    cell = numbers[(numbers["epochs"] == 20) & (numbers["learning_rate"] == 1e-5)].iloc[0]
    expected = full_data(runs).query("benchmark_name == 'average'")["delta"]
    assert cell["n"] == 18 and cell["mean"] == pytest.approx(100 * expected.mean())
    _, by_relation = draw("figS56", paper)
    assert set(by_relation["relation"]) == {"same dataset", "same modality", "cross modality"}
    assert by_relation.groupby("relation")["n"].first().to_dict() == {
        "same dataset": 18,  # 6 pairs x 3 seeds
        "same modality": 3 * (2 + 1 + 1 + 1 + 1),  # TVSD with FZ and MH; the two fMRI, the two EEG sets
        "cross modality": 3 * (48 - 6 - 6),
    }


def test_figure_7_without_fine_tuning_is_its_first_panel(paper):
    figure, numbers = draw("fig7", {"pretraining": paper["pretraining"]})
    assert len(figure.axes) == 1 and len(numbers) == 620
    held_out = paper["pretraining"].loc[lambda table: table["backbone_source"] != "spvvs", "model_id"]
    assert not numbers["model_id"].isin(held_out).any() and not numbers["model_id"].str.startswith("adv_").any()
    with pytest.raises(InputError, match="task_evaluation_acc"):
        draw("fig7", {"pretraining": paper["pretraining"].assign(task_evaluation_acc=np.nan)})


def test_figure_7_reads_the_tables_that_there_are():
    assert set(gallery(tables=frozenset({"pretraining"})).drawing("fig7").tables) == {"pretraining"}
    assert set(gallery().drawing("fig7").tables) == {"pretraining", "finetuning"}
