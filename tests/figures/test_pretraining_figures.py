"""Figures of pretraining: their numbers against plain recomputation, and all of them on small and on the paper's tables."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import linregress

mpl.use("agg")

from galleries import DATASETS, draw, gallery, some
from published_tables import LABELS, our_tables

from cortexscale.alignment.layer_profiles import agreement_correlations, layer_agreement, layer_profiles
from cortexscale.alignment.super_rois import super_roi
from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.errors import InputError
from cortexscale.figures import accuracy, convergence, layers, scaling_laws
from cortexscale.figures.accuracy import p_value
from cortexscale.figures.convergence import usual_models
from cortexscale.figures.panels import columns_for
from cortexscale.scaling.accuracy import accuracy_scores, correlations, roi_scores, supervised
from cortexscale.scaling.laws import DISTANCES
from cortexscale.scaling.points import axis_points, benchmark_scores, selected_scores

SIZES = ("demo", "thin")


@pytest.fixture(autouse=True)
def closed():
    yield
    mpl.pyplot.close("all")


# --- accuracy and alignment -------------------------------------------------------------------------------------------


def two_sets(n: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    accuracy = rng.uniform(0, 0.8, 2 * n)
    return pd.DataFrame(
        {
            "pretraining_dataset": ["imagenet"] * n + ["ecoset"] * n,
            "task_evaluation_acc": accuracy,
            "score": 0.3 + 0.2 * accuracy + rng.normal(0, 0.1, 2 * n),
        }
    )


def test_correlations_and_lines_are_those_of_scipy():
    scores = two_sets()
    found = correlations(scores, ["pretraining_dataset"]).set_index("pretraining_dataset")
    for name, group in scores.groupby("pretraining_dataset"):
        plain = linregress(group["task_evaluation_acc"], group["score"])
        expected = [plain.rvalue, plain.slope, plain.intercept, plain.pvalue, len(group)]
        assert found.loc[name, ["r", "slope", "intercept", "p", "n"]].tolist() == pytest.approx(expected)


def test_intervals_are_those_of_resampled_models():
    scores = two_sets()
    found = correlations(scores, ["pretraining_dataset"]).set_index("pretraining_dataset")
    group = scores[scores["pretraining_dataset"] == "ecoset"].reset_index(drop=True)
    rng = np.random.default_rng(0)
    resampled = [group.loc[rng.integers(len(group), size=len(group))] for _ in range(1000)]
    r = [rows["task_evaluation_acc"].corr(rows["score"]) for rows in resampled]
    assert found.loc["ecoset", ["low", "high"]].tolist() == pytest.approx(list(np.percentile(r, (2.5, 97.5))))
    assert found.loc["ecoset", "low"] < found.loc["ecoset", "r"] < found.loc["ecoset", "high"]


@given(st.lists(st.floats(0, 1.5), min_size=1, max_size=12))
def test_false_discoveries_are_controlled_as_benjamini_and_hochberg_say(slopes):
    rng = np.random.default_rng(0)
    accuracy = rng.uniform(0, 1, 12)
    rows = [
        pd.DataFrame({"roi": str(n), "task_evaluation_acc": accuracy, "score": slope * accuracy + rng.normal(size=12)})
        for n, slope in enumerate(slopes)
    ]
    found = correlations(pd.concat(rows), ["roi"]).sort_values("p")
    p = found["p"].to_numpy()
    adjusted = [min(p[later] * len(p) / (later + 1) for later in range(rank, len(p))) for rank in range(len(p))]
    np.testing.assert_allclose(found["p_fdr"], np.minimum(adjusted, 1))


def test_too_few_or_equal_models_have_no_correlation():
    scores = two_sets()
    few = scores.groupby("pretraining_dataset").head(2)
    flat = scores.assign(score=0.5)
    for table in (few, flat):
        assert correlations(table, ["pretraining_dataset"]).empty


def test_supervised_models_of_suites_count_and_flexible_ones_belong_to_their_family():
    table = our_tables(0, "demo")["pretraining"]
    scores = accuracy_scores(table)
    assert not scores["model_id"].str.startswith("adv_").any() and scores["task_evaluation_acc"].notna().all()
    assert not scores["backbone_arch_family"].str.endswith("Flex").any() and scores["model_id"].str.startswith("deitflex").any()
    assert set(supervised(table)["backbone_source"]) == {"spvvs"}
    by_roi = roi_scores(table)
    one = by_roi.iloc[100]
    rows = table[(table["model_id"] == one["model_id"]) & (table["benchmark_name"] == one["benchmark_name"])]
    assert one["score"] == pytest.approx(rows.loc[rows["roi"] == one["roi"], "pearsonr_nc"].mean())


# --- layers -----------------------------------------------------------------------------------------------------------


def searched(scores: dict[tuple[str, str], list[float]], model: str = "m") -> pd.DataFrame:
    """Scores of successive layers, by dataset and ROI."""
    rows = [
        (model, f"l{layer}", layer / 4, dataset, roi, "s", score)
        for (dataset, roi), values in scores.items()
        for layer, score in enumerate(values, start=1)
    ]
    columns = ["model_id", "layer_name", "layer_position_normalized", "benchmark_name", "roi", "subject", "cv_score"]
    return pd.DataFrame(rows, columns=columns)


def test_layers_are_ranked_within_their_model_and_super_roi():
    table = searched({("a", "V1"): [0.1, 0.2, 0.6, 0.4], ("a", "V2"): [0.3, 0.2, 0.2, 0.2], ("b", "V1d"): [0.4, 0.3, 0.2, 0.1]})
    scores = layer_agreement(table, "a", ["b"])
    assert scores["super_roi"].unique().tolist() == ["Early"] and scores["metric"].unique().tolist() == ["cv_score"]
    assert scores["score"].tolist() == pytest.approx([0.2, 0.2, 0.4, 0.3])
    assert scores["rank"].tolist() == pytest.approx([2.5 / 3, 2.5 / 3, 0, 1 / 3])
    assert scores["rank_other"].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    found = agreement_correlations(scores).set_index("aspect")
    assert found["n"].tolist() == [4, 4]
    assert found.loc["score", "r"] == pytest.approx(np.corrcoef([0.2, 0.2, 0.4, 0.3], [0.4, 0.3, 0.2, 0.1])[0, 1])


@pytest.mark.parametrize(
    ("roi", "place"),
    [
        ("V1v", "Early"),
        ("V2", "Early"),
        ("early", "Early"),
        ("hV4", "Mid"),
        ("V3d", "Mid"),
        ("midlateral", "Mid"),
        ("IT", "High"),
    ],
)
def test_rois_lie_in_super_rois(roi, place):
    assert super_roi(roi) == place


def test_profiles_show_the_second_normalisations_of_the_paper_s_model():
    table = our_tables(0, "demo")["layer_search"]
    profiles = layer_profiles(table, "tvsd")
    assert profiles["model_id"].unique().tolist() == ["deit_small_imagenet_full_seed-0"]
    assert profiles["layer_name"].unique().tolist() == [f"blocks.{block}.norm2" for block in range(12)]
    one = profiles[(profiles["roi"] == "IT") & (profiles["layer_name"] == "blocks.3.norm2")].set_index("metric")
    rows = table[(table["benchmark_name"] == "tvsd") & (table["roi"] == "IT") & (table["layer_name"] == "blocks.3.norm2")]
    for metric in ("pearsonr_nc", "rsa_c_test", "rsa_ve_test", "cka_c_test", "cka_ve_test"):
        values = rows[metric]
        assert one.loc[metric, "mean"] == pytest.approx(values.mean())
        assert one.loc[metric, "sem"] == pytest.approx(values.std() / np.sqrt(len(values)))


def test_profiles_of_a_search_of_ours_are_of_the_model_with_most_layers_and_say_that_they_are_cross_validated():
    table = pd.concat([searched({("a", "V1"): [0.1, 0.2]}), searched({("a", "V1"): [0.3, 0.2, 0.1]}, model="deep")])
    profiles = layer_profiles(table, "a")
    assert profiles["model_id"].unique().tolist() == ["deep"] and profiles["metric"].unique().tolist() == ["cv_score"]
    figure, _ = layers.draw_profiles({"layer_search": table}, some(a="A-EP"))
    assert [text.get_text() for text in figure.legends[0].texts] == ["noise-normalised r, cross-validated"]
    with pytest.raises(InputError, match="no layer scores on b"):
        layer_profiles(table, "b")


# --- selected models --------------------------------------------------------------------------------------------------


def test_one_model_of_every_family_and_kind_is_selected():
    scores = selected_scores(our_tables(0, "thin")["pretraining"])
    models = scores.drop_duplicates("model_id").set_index("name")
    assert not models.duplicated(["kind", "family"]).any()
    suite = models[models["kind"] == "fitted"]
    assert suite["family"].tolist() == ["AlexNet", "CORnet-S", "ConvNeXt", "EfficientNet", "ResNet", "ViT"]
    assert (suite["pretraining_dataset"] == "imagenet").all() and suite.loc["resnet152", "pretraining_samples_per_class"] == 0
    assert models.loc["resnet50 (adversarial)", "is_adversarially_finetuned"]
    held_out = models.loc[models["kind"] == "held out", "family"]
    assert set(held_out) == {"ConvNeXt", "ViT", "Qwen3-VL"}
    assert scores.groupby("model_id").size().eq(len(LABELS) + 1).all()


# --- figures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("figure", [f"figS{n}" for n in (11, 12, 16, 19, 22, 23, 24, 25, 30, 31, 35, 38, 39, 40, 41, 42, 43)])
def test_every_figure_draws(figure, size):
    drawing = gallery().drawing(figure)
    drawn, numbers = draw(drawing, {name: our_tables(0, size)[name] for name in drawing.tables})
    drawn.canvas.draw()
    assert len(numbers) and drawn.axes
    titles = {panel.get_title() for panel in drawn.axes if panel.axison}
    assert len(titles) >= 1
    if len(drawing.datasets) < len(DATASETS) and "benchmark_name" in numbers:
        assert set(numbers["benchmark_name"]) <= set(drawing.datasets)


@pytest.mark.parametrize("axis", ["samples", "parameters"])
def test_families_show_the_mean_of_models_of_one_x(axis):
    points = axis_points(benchmark_scores(our_tables(0, "thin")["pretraining"]), axis)
    figure, numbers = convergence.draw_by_dataset({"points": points}, DATASETS, axis)
    assert [panel.get_title() for panel in figure.axes] == sorted(numbers["family"].unique())
    row = numbers.iloc[len(numbers) // 2]
    same = points[points["fitted"] & (points["family"] == row["family"]) & (points["x"] == row["x"])]
    same = same[same["benchmark_name"] == row["benchmark_name"]]
    assert row["mean"] == pytest.approx(same["score"].mean()) and row["n"] == len(same)


def test_a_panel_per_roi_has_its_own_correlation_among_those_of_the_whole_study():
    table = our_tables(0, "demo")["pretraining"]
    figure, numbers = accuracy.draw_by_roi({"pretraining": table}, some("nsd"))
    found = correlations(roi_scores(table), ["pretraining_dataset", "benchmark_name", "roi"])
    expected = found[found["benchmark_name"] == "nsd"].set_index(["pretraining_dataset", "roi"])["p_fdr"]
    shown = numbers.drop_duplicates(["pretraining_dataset", "roi"]).set_index(["pretraining_dataset", "roi"])["p_fdr"]
    pd.testing.assert_series_equal(shown.sort_index(), expected.sort_index())
    assert len([panel for panel in figure.axes if panel.axison]) == numbers["roi"].nunique()
    _, in_short = accuracy.draw_correlations({"pretraining": table}, some("nsd"))
    assert set(in_short["r"]) == set(numbers["r"])


def test_accurate_models_only_and_a_clear_word_where_there_are_none():
    table = our_tables(0, "demo")["pretraining"]
    _, numbers = accuracy.draw_accurate({"pretraining": table}, DATASETS)
    assert numbers["task_evaluation_acc"].min() >= 0.4
    with pytest.raises(InputError, match=r"accuracy of 0\.4"):
        accuracy.draw_accurate({"pretraining": table.assign(task_evaluation_acc=table["task_evaluation_acc"] / 10)}, DATASETS)


def test_agreement_wants_two_datasets():
    table = our_tables(0, "demo")["layer_search"]
    with pytest.raises(InputError, match="two datasets"):
        layers.draw_agreement({"layer_search": table}, some("nsd"))
    figure, numbers = layers.draw_agreement({"layer_search": table}, some("nsd", "tvsd"))
    assert set(numbers["super_roi"]) == {"Early", "High"}
    assert len(figure.axes) == 2 * 2 + 1


def test_figure_3_shows_models_that_are_usual_and_keeps_those_held_out_apart():
    scores = benchmark_scores(our_tables(0, "demo")["pretraining"])
    points = axis_points(scores, "samples").assign(metric="pearsonr_nc")
    shown = usual_models(points)
    assert set(shown["benchmark_name"]) == {"average"} and not shown["model_id"].str.contains("flex|adv_|dinov2|vjepa").any()
    _, numbers = convergence.draw({"compute_points": points, "samples_points": points}, DATASETS)
    means = numbers[(numbers["panel"] == "b") & numbers["n"].notna() & (numbers["family"] == "ConvNeXt")]
    suite, held_out = (means[means["held_out"] == flag] for flag in (False, True))
    of_suite = shown[(shown["family"] == "ConvNeXt") & ~shown["held_out"]]
    pd.testing.assert_series_equal(suite.set_index("x")["score"], of_suite.groupby("x")["score"].mean())
    assert set(held_out["x"]) == {14.2e6, 2.2e9}


def test_another_metric_has_the_panels_of_figures_2_and_3():
    table = our_tables(0, "demo")["pretraining"]
    scores = benchmark_scores(table, metric="rsa_c_test")
    empty = pd.DataFrame(columns=["axis", "metric", "family", "benchmark_name"]).assign(x=0.0, score=0.0, low=0.0, high=0.0)
    tables = {}
    for axis in MODEL_AXES:
        points = axis_points(scores, axis).assign(axis=axis, metric="rsa_c_test", **dict.fromkeys(DISTANCES, np.nan))
        tables |= {f"{axis}_points": points, f"{axis}_curves": empty}
    figure, numbers = scaling_laws.draw_with_convergence(tables, DATASETS)
    assert set(numbers["panel"]) == set("abcde")
    assert figure.axes[0].get_ylabel() == "Alignment S (cRSA)"
    held_out = set(numbers.loc[numbers["kind"] == "held out", "model_id"])
    assert held_out and held_out <= set(table.loc[table["backbone_source"] != "spvvs", "model_id"])


def test_the_grid_of_28_rois_has_no_empty_place():
    assert columns_for(28) == 7 and columns_for(2) == 2 and columns_for(7) == 4
    assert all(-n % columns_for(n) < 5 for n in range(9, 60))


@pytest.mark.parametrize(("p", "text"), [(0.04, "= 0.040"), (3e-12, "{-11}"), (1e-12, "{-12}"), (0.0, "{-300}")])
def test_p_values_in_words(p, text):
    assert text in p_value(p)
