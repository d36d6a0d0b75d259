"""Which points are fitted on which axis, what is resampled together, how far held-out models are, and what is not identified."""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from markdown_cells import unpadded
from published_tables import our_tables
from scripts import script

from cortexscale.alignment.averages import benchmark_means
from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.plan.tables import FIT, FitPlan
from cortexscale.scaling import laws
from cortexscale.scaling.fit import fit_law
from cortexscale.scaling.laws import MODEL_CLUSTERS, cluster_labels, fit_axis, fit_families
from cortexscale.scaling.points import ALL, axis_points, benchmark_scores, finetuning_points, law_families
from cortexscale.stores import read_table, table_provenance, write_table
from cortexscale.study import Study
from cortexscale.study.fits import AverageSettings, Fits, FitSettings

SETTINGS = FitSettings(bootstraps=20, seed=0)
TABLES = {"finetuning": "finetuning", "mapping": "mapping"}
LEAVES = {"compute": 45, "parameters": 45, "samples": 63, "finetuning": 54, "mapping": 18}


tables = cache(our_tables)


@cache
def any_law():
    x = np.geomspace(1, 1e6, 40)
    return fit_law(x, 1 - (0.4 + 0.5 * x**-0.3) * np.linspace(0.99, 1.01, 40), form="reduced", x_scale=1.0, bootstraps=2)


@pytest.mark.slow
@pytest.mark.parametrize("axis", LEAVES)
def test_the_tables_of_the_paper_have_its_225_fits(axis, monkeypatch):
    """All points of all fits are looked at; the search is left out."""
    seen = {}

    def look(x, score, *, experiment, **how):
        seen[experiment] = len(score)
        return any_law()

    monkeypatch.setattr(laws, "fit_law", look)
    fits, _, _ = fit_axis(tables()[TABLES.get(axis, "pretraining")], axis, "reduced", SETTINGS)
    assert len(fits) == LEAVES[axis] == len(seen) and sum(LEAVES.values()) == 225
    if axis in MODEL_AXES:
        models = {"compute": 620, "parameters": 191, "samples": 620 - 83}
        assert {n for name, n in seen.items() if name.startswith(f"{axis}/all/")} == {models[axis]}
    elif axis == "finetuning":
        assert set(seen.values()) == {9 * 3}


def test_every_fit_of_the_plan_has_a_name():
    for name in (*LEAVES, "compute.rsa_c_test", "samples.cka_ve_test"):
        assert re.fullmatch(FIT, name)
    for name in ("compute.curves", "spvvs", "model_and_data", "compute.mae"):
        assert not re.fullmatch(FIT, name)


def fit_plan(**study) -> FitPlan:
    return FitPlan(Study(study="s", results="r", **study))


def test_a_name_says_axis_metric_table_and_settings():
    plan = fit_plan(fits=Fits(axes={"samples": "auto"}, delta=0.002, bootstrap_unit="config"))
    fit = "samples.cka_ve_test"
    assert (plan.axis(fit), plan.metric(fit), plan.form(fit)) == ("samples", "cka_ve_test", "auto")
    assert plan.resampling(fit) == plan.resampling() == FitSettings(delta=0.002, bootstrap_unit="config")
    assert (plan.metric("finetuning"), plan.form("finetuning")) == ("pearsonr_nc", "reduced")
    assert plan.resampling("finetuning") == FitSettings(delta=1e-5, bootstrap_unit="config")
    assert [plan.table(fit) for fit in ("compute", "mapping", "finetuning")] == [
        f"r/tables/{table}.parquet" for table in ("pretraining", "mapping", "finetuning")
    ]


def test_scripts_go_from_result_tables_to_laws(tmp_path):
    for name, table in (("pretraining", suite(noise=0.01)), ("mapping", tables(size="demo")["mapping"])):
        write_table(table, tmp_path / f"{name}.parquet", {})
    plan = fit_plan(fits=Fits(bootstraps=5))
    outputs = {
        fit: {what: tmp_path / f"{fit}.{what}.parquet" for what in ("fits", "curves", "points")}
        for fit in ("samples", "mapping", "model_and_data")
    }
    for fit in ("samples", "mapping"):
        how = {"axis": fit, "form": plan.form(fit), "settings": plan.resampling(fit), "metric": plan.metric(fit)}
        script("fit").main(table=tmp_path / Path(plan.table(fit)).name, code="digest", **how, **outputs[fit])
        fits, curves, points = map(read_table, outputs[fit].values())
        assert set(fits["family"]) == set(curves["family"]) and fits["warnings"].notna().all() and len(points)
    made_by = table_provenance(outputs["samples"]["fits"])
    assert made_by["form"] == "offset" and made_by["settings"]["bootstraps"] == 5
    both, settings = outputs["model_and_data"], plan.resampling()
    script("fit_model_and_data").main(table=tmp_path / "pretraining.parquet", settings=settings, code="digest", **both)
    assert read_table(both["fits"]).empty and len(read_table(both["points"])), "models of one size"
    written = {name: [tmp_path / f"{name}.{kind}" for kind in ("csv", "md", "parquet")] for name in ("table2", "tableS4")}
    inputs = {"table": tmp_path / "mapping.parquet", "fits": outputs["mapping"]["fits"]}
    script("readout_tables").main(labels={"tvsd": "TVSD-EP"}, averages=AverageSettings(), code="digest", **inputs, **written)
    assert "| TVSD-EP |" in unpadded((tmp_path / "table2.md").read_text(encoding="utf-8"))
    assert len(read_table(tmp_path / "tableS4.parquet"))


def test_models_of_other_kinds_are_not_fitted():
    table = tables(size="demo")["pretraining"]
    other = table[table["model_id"] == "resnet50_imagenet_full"].assign(
        model_id="simclr_resnet50_imagenet_full", held_out=True, is_selfsupervised_learning=True
    )
    models = benchmark_scores(pd.concat([table, other], ignore_index=True))
    for axis, spec in MODEL_AXES.items():
        points = axis_points(models, axis)
        fitted = points[points["fitted"]]
        assert not fitted["is_adversarially_finetuned"].any() and not fitted["is_selfsupervised_learning"].any()
        assert set(fitted["backbone_source"]) == {"spvvs"}
        assert fitted["flex"].any() == spec.with_flex
        assert (fitted["pretraining_samples_per_class"] == 0).all() == spec.full_data_only


def test_a_family_of_one_architecture_has_a_law_of_samples_only():
    models = benchmark_scores(tables(size="demo")["pretraining"])
    names = {axis: {name for name, _ in law_families(axis_points(models, axis), axis)} for axis in MODEL_AXES}
    assert names["samples"] - names["compute"] == names["samples"] - names["parameters"] != set()
    for name in names["samples"] - names["compute"] - {ALL}:
        members = models[(models["backbone_arch_family"] == name) & (models["backbone_source"] == "spvvs")]
        assert members["backbone_arch"].nunique() == 1


@pytest.mark.slow
def test_another_metric_is_another_column():
    table = tables(size="demo")["pretraining"]
    fits, curves, points = fit_axis(table, "samples", "reduced", SETTINGS, "rsa_c_test")
    assert set(fits["metric"]) == set(curves["metric"]) == {"rsa_c_test"}
    expected = benchmark_means(table, "model_id", "rsa_c_test")
    expected = expected.set_index(["model_id", "benchmark_name"])["score"]
    found = points.set_index(["model_id", "benchmark_name"])["score"]
    np.testing.assert_allclose(found, expected[found.index])
    nothing, _, points = fit_axis(table.assign(rsa_c_test=np.nan), "samples", "reduced", SETTINGS, "rsa_c_test")
    assert nothing.empty and points.empty


def test_fine_tuned_models_are_points_of_the_data_they_saw():
    table = tables(size="demo")["finetuning"]
    points = finetuning_points(table, "finetuning")
    rows = table[table["exp_type"] == "finetuning_data_pct"]
    assert len(points) == rows["model_id"].nunique() * (rows["benchmark_name"].nunique() + 1)
    other = rows[rows["seed"] == 0].assign(model_id=lambda runs: "other_" + runs["model_id"], base_model_id="other")
    pd.testing.assert_frame_equal(finetuning_points(pd.concat([table, other]), "finetuning"), points)
    one = points.query("benchmark_name == 'nsd'").iloc[0]
    of_it = rows[(rows["model_id"] == one["model_id"]) & (rows["benchmark_name"] == "nsd")]
    assert one["score"] == pytest.approx(of_it.groupby("roi")["pearsonr_nc"].mean().mean())
    assert (one["family"], one["x"]) == tuple(of_it[["finetuning_dataset", "fitting_samples"]].iloc[0])


def suite(noise: float = 0.0, held_out: float = 0.0, seeds: int = 3) -> pd.DataFrame:
    """A family of 6 architectures on 5 training sets, which follows a law of samples, and a model beside it."""
    rng = np.random.default_rng(0)
    rows = [(f"a{arch}", 10.0**size, seed) for arch in range(6) for size in range(1, 6) for seed in range(seeds)]
    table = pd.DataFrame(rows, columns=["backbone_arch", "pretraining_n_samples", "pretraining_seed"])
    table["backbone_source"] = "suite"
    table.loc[len(table)] = ["big", 1e9, 0, "timm"]
    score = 0.7 - 0.6 * table["pretraining_n_samples"] ** -0.3 + noise * rng.standard_normal(len(table))
    score.iloc[-1] += held_out
    return table.assign(
        model_id=table.index.map("m{}".format),
        benchmark_name="tvsd",
        subject="s",
        roi="V1",
        pearsonr_nc=score,
        backbone_arch_family="A",
        backbone_n_params=1e6,
        pretraining_dataset="d",
        pretraining_samples_per_class=table["pretraining_n_samples"],
        pretraining_total_flops_estimate=1e9 * table["pretraining_n_samples"],
        held_out=table["backbone_source"] != "suite",
        is_selfsupervised_learning=False,
        is_adversarially_finetuned=False,
    )


def test_the_distance_of_a_held_out_model_is_what_was_planted():
    settings = SETTINGS.model_copy(update={"bootstraps": 200})
    _, curves, points = fit_axis(suite(noise=0.004, held_out=0.05), "samples", "reduced", settings)
    big = points[(points["model_id"] == "m90") & (points["benchmark_name"] == "tvsd")].iloc[0]
    fitted = points[points["fitted"] & (points["benchmark_name"] == "tvsd")]
    assert big["residual"] == pytest.approx(0.05, abs=0.012) and big["predicted"] + big["residual"] == pytest.approx(big["score"])
    curve = curves[(curves["family"] == ALL) & (curves["benchmark_name"] == "tvsd")]
    assert curve["x"].max() == pytest.approx(1e9), "the curve reaches the model"
    half_width = (curve["high"].iloc[-1] - curve["low"].iloc[-1]) / 2
    assert big["residual_half_widths"] == pytest.approx(big["residual"] / half_width)
    assert big["residual_spreads"] == pytest.approx(0.05 / 0.004, rel=0.4)
    assert fitted["residual_spreads"].std() == pytest.approx(1, rel=0.4)
    within = points[points["model_id"] == "m0"]
    assert within["predicted"].notna().all()


def test_points_without_a_fit_have_no_distance():
    _, _, points = fit_axis(suite().iloc[[0, 5, 90]], "samples", "offset", SETTINGS)
    assert points["residual"].isna().all() and len(points) == 6


def test_a_score_above_1_is_named_and_all_laws_are_fitted():
    table = suite(noise=0.01)
    table.loc[40, "pearsonr_nc"] = 1.04
    fits, curves, points = fit_axis(table, "samples", "reduced", FitSettings(bootstraps=20))
    assert set(fits["family"]) == {ALL, "A"} and len(curves) == 2 * 2 * 100 and points["score"].max() == 1.04
    assert fits["warnings"].str.contains(r"1 of 90 scores are not below 1 \(m40\)").all()
    without, *_ = fit_axis(suite(noise=0.01), "samples", "reduced", FitSettings(bootstraps=20))
    np.testing.assert_allclose(fits["E"], without["E"], atol=0.005)
    assert not without["warnings"].str.contains("below 1").any()


def test_architectures_are_kept_together_and_one_alone_is_resampled_by_configuration():
    points = axis_points(benchmark_scores(suite()), "samples")
    points = points[points["fitted"] & (points["benchmark_name"] == "tvsd")]
    unit, labels = cluster_labels(points, "row", MODEL_CLUSTERS)
    assert unit == "row" and labels.nunique() == 6
    unit, labels = cluster_labels(points, "config", MODEL_CLUSTERS)
    assert unit == "config" and labels.nunique() == 30
    alone = points[points["backbone_arch"] == "a0"]
    for asked, kept in (("row", "row"), ("architecture", "config")):
        unit, labels = cluster_labels(alone, asked, MODEL_CLUSTERS)
        assert unit == kept and labels.nunique() == 5
    laws = fit_families(
        [("A", points)], "samples", "reduced", 1.0, SETTINGS.model_copy(update={"bootstrap_unit": "architecture"}), MODEL_CLUSTERS
    )
    row = laws["A", "tvsd"].row
    assert row["bootstrap_unit"] == "architecture" and "6 units (architecture) to resample" in row["warnings"]


def warnings(x: np.ndarray, score: np.ndarray, form: str = "offset", **how) -> str:
    return fit_law(x, score, form=form, x_scale=1.0, bootstraps=50, seed=0, **how).row["warnings"]


X = np.geomspace(10, 1e7, 60)
NOISE = np.exp(0.02 * np.random.default_rng(0).standard_normal(60))


def test_a_fit_that_the_points_determine_has_no_warning():
    assert warnings(X, 1 - (0.4 + 3 * (X + 1e3) ** -0.4) * NOISE**0.1) == ""
    assert warnings(X, 1 - (0.4 + X**-0.3) * NOISE**0.1, "reduced") == ""


@pytest.mark.parametrize(
    ("said", "x", "score", "form"),
    [
        ("E at its cap of 1: the points show no saturation", X, 1 - 1.1 * X**-0.06, "reduced"),
        ("E at its cap of 1 in ", X, 1 - 1.1 * X**-0.06 * NOISE, "reduced"),
        ("alpha at its bound of 0: the score does not rise with X", X, 0.5 - 0.02 * np.log10(X), "reduced"),
        ("exponential in effect", X, 0.5 - 0.4 * np.exp(-X / 1e5), "offset"),
        ("alpha and lambda lie on a ridge", X, 1 - (0.5 + 0.4 * (1 + X / 1e6) ** -4.5) * NOISE, "offset"),
        ("offset below all X", X, 1 - (0.4 + X**-0.4), "offset"),
        ("2 values of X for 3 parameters", np.repeat([10.0, 1e4], 30), 1 - np.repeat([0.6, 0.5], 30) * NOISE, "reduced"),
        ("10 points, fewer than 12", X[::6], 1 - (0.4 + X[::6] ** -0.3), "reduced"),
    ],
)
def test_what_the_points_do_not_tell_is_said(said, x, score, form):
    assert said in warnings(x, score, form)


def test_few_units_to_resample_are_said():
    assert "5 units (config) to resample, fewer than 12" in warnings(
        X, 1 - (0.4 + X**-0.3) * NOISE, "reduced", bootstrap_unit="config", clusters=np.arange(60) % 5
    )
