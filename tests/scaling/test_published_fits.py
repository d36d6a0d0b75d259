"""Parity with the published fits of Gokce & Schrimpf (2025), and the scripts that make them."""

import gzip
import hashlib
from functools import cache

import numpy as np
import pandas as pd
import pytest
import yaml
from places import ROOT
from scripts import script
from shipped_data import SCORES, read_json

from cortexscale.errors import InputError
from cortexscale.figures.scaling_laws import draw_published_scores
from cortexscale.kernels.power_law import PowerLawFit, choose_form, fit_power_law, resample_counts
from cortexscale.scaling.experiments import EXPERIMENTS, find_experiment, read_scores, select_rows

PUBLISHED = read_json("scaling_primate_vvs/published_fits.json.gz")
CURVES = [name for name in PUBLISHED if "curve" in PUBLISHED[name]]

LOSS_OF_THE_OTHER_FORM = {
    "compute_neuro": 0.070361231,
    "compute_behavior": 0.057309373,
    "parameter_scaling": 0.0040082656,
    "sample_imagenet_scaling": 0.0072555019,
    "region_v1_group1": 0.010044953,
    "region_it_group1": 0.026280801,
    "region_avg_group2": 0.024930325,
    "model_resnet_avg": 0.0080031655,
    "model_vit_neuro": 0.011976079,
    "simclr_it": 0.0012983503,
    "model_efficientnet_avg": 0.002205771,
}
"""Loss in the form that was not published: reduced if the published fit has an offset, otherwise with an offset. A separate
program found these losses with scipy's BFGS from all starts of the published fits.
"""

COUNTS = {  # groups of names -> points
    "compute_neuro compute_behavior": 620,
    "compute_chinchilla": 444,
    "parameter_scaling": 191,
    "parameter_pretrained_scaling": 136,
    "sample_imagenet_scaling": 221,
    "sample_ecoset_scaling": 223,
    "sample_imagenet21kP_scaling": 11,
    "sample_infimnist_scaling": 7,
    "sample_webvisionP_scaling": 5,
    "sample_inaturalist_scaling sample_places365_scaling": 4,
    "model_resnet_avg model_resnet_neuro model_resnet_behavior": 217,
    "model_efficientnet_avg model_efficientnet_neuro model_efficientnet_behavior": 87,
    "model_convnext_avg model_convnext_neuro model_convnext_behavior model_vit_avg model_vit_neuro model_vit_behavior": 128,
    " ".join(f"region_{region}_group1" for region in ("v1", "v2", "v4", "it", "behavior", "avg")): 364,
    " ".join(f"region_{region}_group2" for region in ("v1", "v2", "v4", "it", "behavior", "avg")): 256,
    " ".join(f"simclr_{region}" for region in ("v1", "v2", "v4", "it", "behavior", "neuro", "avg")): 35,
}
COUNTS = {name: n for names, n in COUNTS.items() for name in names.split()}


@cache
def table() -> pd.DataFrame:
    return read_scores(SCORES)


@cache
def fitted(name: str) -> tuple[PowerLawFit, np.ndarray]:
    """The fit with the published resamples, and the largest X of the data."""
    experiment, rows = find_experiment(name), select_rows(table(), name)
    x = rows[["x", "x2"][: len(experiment.x)]].to_numpy()
    counts = resample_counts(len(rows), 1000, 42)
    return fit_power_law(x, rows["score"], form=experiment.form, x_scale=experiment.x_scale, counts=counts), x.max(axis=0)


def curve(name: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """X and the published numbers, over the range of the data."""
    _, largest = fitted(name)
    numbers = {key: np.array(value) for key, value in PUBLISHED[name]["curve"].items()}
    seen = numbers["x_raw"] <= largest[0] * (1 + 1e-6)
    assert seen.sum() >= 8
    return numbers["x_raw"][seen], {key: value[seen] for key, value in numbers.items()}


def test_the_score_table_is_the_one_that_a_study_downloads():
    """The digest is that of the released file, with which a download is verified."""
    study = yaml.safe_load((ROOT / "config/paper.yaml").read_text(encoding="utf-8"))
    assert hashlib.sha256(gzip.decompress(SCORES.read_bytes())).hexdigest() == study["scores"]["sha256"]


def test_there_are_43_experiments():
    assert set(EXPERIMENTS) == set(COUNTS) and len(EXPERIMENTS) == len(COUNTS) == 43


@pytest.mark.parametrize("name", COUNTS)
def test_every_experiment_selects_its_models(name):
    rows = select_rows(table(), name)
    assert len(rows) == COUNTS[name] and rows["model_id"].is_unique and rows["model_id"].is_monotonic_increasing
    assert rows["score"].between(-1, 1).all() and (rows["x"] > 0).all()
    assert not rows["arch_family"].str.endswith("Flex").any()


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_loss_is_not_above_the_published_one(name):
    fit, largest = fitted(name)
    axes = PUBLISHED[name]["x"]
    assert largest == pytest.approx([axis["raw_max"] for axis in ([axes] if "raw_max" in axes else axes.values())], rel=1e-6)
    assert fit.loss <= PUBLISHED[name]["loss_sum_huber"] * (1 + 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", CURVES)
def test_curve_is_the_published_one(name):
    x, published = curve(name)
    np.testing.assert_allclose(fitted(name)[0].predict(x), published["S"], atol=1e-4, rtol=0)


STOPPED_EARLY = pytest.mark.xfail(
    strict=True,
    reason="Published resamples are not all at their optimum: on 8 of 15 that were refitted from all 750 published starts BFGS "
    "stops on the exponential ridge, 1e-3 to 3e-3 (relative) above our loss; between two basins the percentile moves by 5e-3.",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=STOPPED_EARLY) if name == "model_vit_neuro" else name for name in CURVES]
)
def test_band_is_the_published_one(name):
    x, published = curve(name)
    low, high = fitted(name)[0].band(x)
    np.testing.assert_allclose(low, published["ci95_low"], atol=3e-3, rtol=0)
    np.testing.assert_allclose(high, published["ci95_high"], atol=3e-3, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", CURVES)
def test_the_published_band_holds_95_percent_of_our_resamples(name):
    x, published = curve(name)
    fit = fitted(name)[0]
    curves = np.array(
        [PowerLawFit(fit.form, p, 0.0, fit.x_scale, fit.bootstrap[:0], np.empty(0)).predict(x) for p in fit.bootstrap]
    )
    for outside in (curves < published["ci95_low"], curves > published["ci95_high"]):
        assert ((outside.mean(axis=0) > 0.01) & (outside.mean(axis=0) < 0.05)).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(PUBLISHED) - {"model_vit_neuro", "region_avg_group2"}))
def test_percentiles_of_the_constants(name):
    fit = fitted(name)[0]
    # On its flat end the published E stopped at 0.999, where ours goes on to 1.
    tolerance = 0.01 if name == "region_v1_group1" else 1e-4
    for constant, published in PUBLISHED[name]["bootstrap"]["param_percentiles_2.5_50_97.5"].items():
        np.testing.assert_allclose(
            np.percentile(fit.bootstrap_constants[constant], (2.5, 50, 97.5)), published, atol=tolerance, rtol=tolerance
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_constants_in_raw_units(name):
    fit = fitted(name)[0]
    published = PUBLISHED[name].get("params_raw_X", PUBLISHED[name]["params_scaled_X"])
    raw = "_raw" if "params_raw_X" in PUBLISHED[name] else ""
    for constant in ("E", "alpha", "beta"):
        if constant in published:
            assert fit.constants[constant] == pytest.approx(published[constant], rel=2e-3)
    assert fit.constants[f"ln_A{raw}"] == pytest.approx(published["ln_A"], rel=2e-3)


@pytest.mark.slow
def test_compute_optimal_allocation():
    fit, published = fitted("compute_chinchilla")[0], PUBLISHED["compute_chinchilla"]["allocation"]
    assert fit.constants["allocation"] == pytest.approx(published["params_exponent_beta_over_alpha_plus_beta"], abs=1e-5)
    np.testing.assert_allclose(np.percentile(fit.bootstrap_constants["allocation"], (2.5, 97.5)), published["ci95"], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", CURVES)
def test_loss_of_the_other_form(name):
    rows = select_rows(table(), name)
    form = "offset" if find_experiment(name).form == "reduced" else "reduced"
    fit = fit_power_law(rows["x"], rows["score"], form=form, x_scale=find_experiment(name).x_scale)
    assert fit.loss <= LOSS_OF_THE_OTHER_FORM[name] * (1 + 1e-6)


@pytest.mark.slow
def test_behaviour_saturates_in_the_form_that_predicts_better():
    rows = select_rows(table(), "compute_behavior")
    form, losses = choose_form(rows["x"], rows["score"], rows["arch"])
    assert form == "offset" and losses["offset"] < 0.9 * losses["reduced"]


def test_a_misspelt_experiment_is_answered_with_its_neighbours():
    with pytest.raises(InputError, match="model_resnet_avg"):
        find_experiment("model_resnets_avg")


def test_another_table_is_refused(tmp_path):
    (tmp_path / "scores.csv").write_text("model_id,score\na,0.1\n")
    with pytest.raises(InputError, match="no column samples_per_class"):
        read_scores(tmp_path / "scores.csv")
    with pytest.raises(InputError, match=r"nothing\.csv"):
        read_scores(tmp_path / "nothing.csv")


def test_models_that_do_not_exist_leave_no_row():
    with pytest.raises(InputError, match="no row"):
        select_rows(table().query("dataset != 'infimnist'"), "sample_infimnist_scaling")


@pytest.mark.slow
def test_script_writes_tables_that_the_figure_reads(tmp_path):
    names = ["compute_chinchilla", "model_vit_avg", "parameter_scaling"]
    paths = {name: tmp_path / f"{name}.parquet" for name in ("fits", "curves", "points")}
    script("fit_scores").main(scores=SCORES, experiments=names, bootstraps=20, seed=42, code="digest", **paths)
    tables = {name: pd.read_parquet(path) for name, path in paths.items()}
    assert tables["fits"]["experiment"].tolist() == names and tables["fits"]["n"].tolist() == [444, 128, 191]
    assert tables["curves"].groupby("experiment").size().to_dict() == {"model_vit_avg": 100, "parameter_scaling": 100}
    assert len(tables["points"]) == 444 + 128 + 191
    figure, numbers = draw_published_scores(tables, {})
    assert len(figure.axes) == 2
    assert set(numbers["experiment"]) == {"model_vit_avg", "parameter_scaling"}
    np.testing.assert_array_equal(numbers["kind"].value_counts()[["model", "fit"]], [128 + 191, 200])
    with pytest.raises(InputError, match="an experiment with one X"):
        draw_published_scores({**tables, "fits": tables["fits"].iloc[:1], "curves": tables["curves"].iloc[:0]}, {})


def test_download_is_verified_and_says_what_to_do_offline(tmp_path):
    source, output = tmp_path / "source.csv", tmp_path / "out/scores.csv"
    source.write_bytes(b"model_id\n")
    main = script("download_scores").main
    main(url=source.as_uri(), sha256=hashlib.sha256(b"model_id\n").hexdigest(), scores=output)
    assert output.read_bytes() == b"model_id\n"
    output.unlink()
    with pytest.raises(InputError, match="9 bytes with sha256"):
        main(url=source.as_uri(), sha256="0" * 64, scores=output)
    with pytest.raises(InputError, match=r"save file://.*absent\.csv by other means as .*scores\.csv"):
        main(url=(tmp_path / "absent.csv").as_uri(), sha256="0" * 64, scores=output)
    assert list(output.parent.iterdir()) == []
