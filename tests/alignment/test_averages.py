"""Averages over ROIs and datasets have one setting, which reaches every figure and table that averages."""

import importlib
import logging

import galleries
import numpy as np
import pandas as pd
import pytest
from places import ROOT
from published_tables import our_tables
from scripts import script

from cortexscale.alignment.averages import AVERAGE, averaged_rows, benchmark_means
from cortexscale.errors import InputError
from cortexscale.figures.registry import CONTENTS
from cortexscale.plan import Plan
from cortexscale.scaling.laws import fit_axis
from cortexscale.scaling.points import axis_points, benchmark_scores
from cortexscale.stores import write_table
from cortexscale.study.fits import AverageSettings, FitSettings

COMPOSITE = {"whole_brain", "nsdgeneral", "occipital_parietal"}
WITHOUT = AverageSettings(composite_rois=False)
EVERY_ROI = {
    "noise_ceilings",
    "released_statistics",
    "layers",
    "projection_scores",
    "accuracy",
    "accuracy_correlations",
    "gate_depth",
}
"""Figures whose panels or points are single ROIs."""


def table(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    """Scores of one subject: model, benchmark, ROI, score."""
    return pd.DataFrame(rows, columns=["model_id", "benchmark_name", "roi", "pearsonr_nc"]).assign(subject="s")


def with_composite(rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows, with one of the ROIs of every dataset that has several under the name of a composite ROI."""
    several = rows.groupby("benchmark_name")["roi"].transform("nunique") > 1
    first = rows.groupby("benchmark_name")["roi"].transform("min")
    return rows.assign(roi=rows["roi"].mask(several & (rows["roi"] == first), "whole_brain"))


def test_rois_that_contain_others_are_left_out_where_there_are_others():
    rows = table(("m", "a", "V1", 0.2), ("m", "a", "whole_brain", 0.8), ("m", "b", "whole_brain", 0.6))
    means = {
        composite: benchmark_means(averaged_rows(rows, AverageSettings(composite_rois=composite)), "model_id")
        for composite in (True, False)
    }
    assert means[True]["score"].tolist() == pytest.approx([0.5, 0.6, 0.55])
    assert means[False]["score"].tolist() == pytest.approx([0.2, 0.6, 0.4])


def test_the_number_of_benchmarks_behind_an_average_is_told(caplog):
    rows = table(("full", "a", "V1", 0.2), ("full", "b", "V1", 0.4), ("half", "a", "V1", 0.3), ("half", "b", "V1", np.nan))
    with caplog.at_level(logging.WARNING):
        means = benchmark_means(rows, "model_id").set_index(["model_id", "benchmark_name"])
    assert means["n_benchmarks"].to_dict() == {
        ("full", "a"): 1,
        ("full", "b"): 1,
        ("half", "a"): 1,
        ("half", "b"): 0,
        ("full", AVERAGE): 2,
        ("half", AVERAGE): 1,
    }
    assert means.loc[("half", AVERAGE), "score"] == pytest.approx(0.3)
    assert "1 of 2 averages over datasets lack some of the 2 datasets: half" in caplog.text
    caplog.clear()
    benchmark_means(rows[rows["model_id"] == "full"], "model_id")
    assert not caplog.records


def test_incomplete_models_can_be_left_out():
    strict = AverageSettings(incomplete_models=False)
    rows = table(("full", "a", "V1", 0.2), ("full", "b", "V1", 0.4), ("half", "a", "V1", 0.3), ("none", "b", "V1", np.nan))
    assert set(averaged_rows(rows, strict)["model_id"]) == {"full"}
    assert len(averaged_rows(rows, AverageSettings())) == 4
    with pytest.raises(InputError, match="no model_id with a score on all 2 datasets"):
        averaged_rows(rows[rows["model_id"] != "full"], strict)
    readouts = rows.rename(columns={"model_id": "probe_type"}).assign(model_id="m")
    assert set(averaged_rows(readouts, strict)["probe_type"]) == {"full"}


def test_a_law_of_averages_names_the_models_that_lack_a_dataset():
    pretraining = our_tables(size="demo")["pretraining"]
    pretraining = pretraining[pretraining["benchmark_name"].isin(["tvsd", "nsd"])]
    lacking = pretraining.loc[pretraining["held_out"].eq(False), "model_id"].iloc[0]
    some = pretraining[(pretraining["model_id"] != lacking) | (pretraining["benchmark_name"] == "nsd")]
    fits, _, points = fit_axis(some, "parameters", "reduced", FitSettings(bootstraps=2))
    warned = fits[fits["warnings"].str.contains("lack some of the 2 datasets")]
    assert set(warned["benchmark_name"]) == {AVERAGE} and warned["warnings"].str.contains(f": {lacking}$").all()
    of_model = points[points["model_id"] == lacking].set_index("benchmark_name")["n_benchmarks"]
    assert of_model.to_dict() == {"nsd": 1, AVERAGE: 1}
    without, _, left = fit_axis(some, "parameters", "reduced", FitSettings(bootstraps=2, incomplete_models=False))
    assert lacking not in set(left["model_id"]) and not without["warnings"].str.contains("lack some").any()


@pytest.mark.parametrize("name", CONTENTS)
def test_the_setting_reaches_every_figure_that_averages(name, monkeypatch):
    """Tables reach the function that draws without composite ROIs, except where every ROI is shown on its own."""
    gallery = galleries.gallery(averages=WITHOUT)
    drawing = gallery.drawing(next(each for each in gallery.drawable if each.partition("/")[0] == name))
    found = {}

    def drawn(tables, datasets, **arguments):
        found.update(tables)
        return None, None

    monkeypatch.setattr(importlib.import_module(drawing.module), drawing.draw.rpartition(".")[2], drawn)
    rois = ["V1", "whole_brain"]
    scores = pd.DataFrame({"benchmark_name": "nsd", "roi": rois, "model_id": "m", "pearsonr_nc": 0.5})
    galleries.draw(drawing, dict.fromkeys(drawing.tables, scores))
    assert found and all(of["roi"].tolist() == (rois if name in EVERY_ROI else ["V1"]) for of in found.values())


@pytest.mark.slow
def test_fits_and_figures_average_alike():
    """Figures 4, 5, 7, S22, S30 and S39 and the points of the laws have the same averages, with and without composite ROIs."""
    tables = our_tables(size="thin") | {"pretraining": our_tables(size="demo")["pretraining"]}
    tables = {name: with_composite(rows) for name, rows in tables.items()}
    assert all(COMPOSITE & set(rows["roi"]) for rows in tables.values())
    for settings in (AverageSettings(), WITHOUT):
        pretraining, tuned = (tables[name] for name in ("pretraining", "finetuning"))
        if not settings.composite_rois:
            pretraining, tuned = (rows[~rows["roi"].isin(COMPOSITE)] for rows in (pretraining, tuned))
        by_roi = pretraining.groupby(["model_id", "benchmark_name", "roi"])["pearsonr_nc"].mean()
        of_dataset = by_roi.groupby(level=[0, 1]).mean()
        average = of_dataset.groupby(level=0).mean()

        def numbers(figure, averages=settings):
            figure, drawn = galleries.draw(galleries.gallery(averages=averages).drawing(figure), tables)
            galleries.mpl.pyplot.close(figure)
            return drawn

        selected = numbers("figS22").set_index(["model_id", "benchmark_name"])["score"]
        for key, score in selected.items():
            assert score == pytest.approx(average[key[0]] if key[1] == AVERAGE else of_dataset[key])
        for rows in (numbers("figS39"), numbers("fig7").query("panel == 'a'")):
            rows = rows.dropna(subset="model_id")
            assert len(rows) and rows["score"].tolist() == pytest.approx(average[rows["model_id"]].tolist())
        rows = numbers("figS30")
        assert rows["score"].tolist() == pytest.approx(
            of_dataset[pd.MultiIndex.from_frame(rows[["model_id", "benchmark_name"]])].tolist()
        )
        points = axis_points(benchmark_scores(averaged_rows(tables["pretraining"], settings)), "compute")
        points = points[points["benchmark_name"] == AVERAGE]
        assert points["score"].tolist() == pytest.approx(average[points["model_id"]].tolist())
        base = tuned[tuned["exp_type"] == "finetuning_baseline"]
        base = base.groupby(["model_id", "benchmark_name", "roi"])["pearsonr_nc"].mean().groupby(level=[0, 1]).mean()
        drawn = numbers("fig4").query("finetuning_dataset == 'none'")["mean"].item()
        assert base.groupby(level=0).mean().tolist().count(pytest.approx(drawn)) == 1


@pytest.mark.parametrize("composite", [True, False])
def test_readouts_are_compared_on_the_same_rois_as_they_are_fitted(composite, tmp_path):
    """Tables 2 and S4 are means over the rows of the largest percentage."""
    mapping = with_composite(our_tables(size="thin")["mapping"])
    files = {"mapping": tmp_path / "mapping.parquet", "fits": tmp_path / "fits.parquet"}
    write_table(mapping, files["mapping"], {})
    write_table(pd.DataFrame(columns=["family"]), files["fits"], {})
    outputs = {name: [tmp_path / f"{name}.{kind}" for kind in ("csv", "md", "parquet")] for name in ("table2", "tableS4")}
    settings = AverageSettings(composite_rois=composite)
    script("readout_tables").main(
        table=files["mapping"], fits=files["fits"], labels={}, averages=settings, code="digest", **outputs
    )
    rows = mapping[mapping["data_pct"] == mapping["data_pct"].max()]
    rows = rows if composite else rows[~rows["roi"].isin(COMPOSITE)]
    assert composite or len(rows) < (mapping["data_pct"] == mapping["data_pct"].max()).sum()
    means = rows.groupby(["probe_type", "benchmark_name"])["pearsonr_nc"].mean()
    for name in outputs:
        found = pd.read_parquet(tmp_path / f"{name}.parquet").set_index(["probe_type", "benchmark_name"])
        for key, row in found.iterrows():
            of_all = means[key[0]]
            expected = of_all.mean() if key[1] == AVERAGE else of_all[key[1]]
            assert row["score"] == pytest.approx(expected)
        assert set(found.xs(AVERAGE, level=1)["n_benchmarks"]) == {mapping["benchmark_name"].nunique()}


def test_one_key_of_the_config_sets_all_averages():
    published = {"path": "nowhere", "labels": {"nsd": "NSD"}}
    study = {"study": "s", "results": "r", "plan_without_data": True, "published": published}
    plan = Plan(study | {"fits": {"composite_rois": False}})
    assert plan.figures.gallery.drawing("fig4").averages == plan.study.fits.averages == WITHOUT
    assert plan.fits.resampling("compute").composite_rois is False
    rules = [(ROOT / f"workflow/rules/{name}.smk").read_text() for name in ("explore", "figures")]
    assert all("averages=plain(plan.study.fits.averages)" in rule for rule in rules)
