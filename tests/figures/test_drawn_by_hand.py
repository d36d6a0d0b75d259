"""Numbers and marks of figures, drawn from tables that are small enough to be computed by hand."""

import math
import re
from statistics import geometric_mean, mean, stdev

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("agg")

import matplotlib.pyplot as plt
from galleries import some
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

from cortexscale.figures import accuracy, convergence, layers, readouts, recordings, scaling_laws
from cortexscale.scaling.fit import fit_law
from cortexscale.scaling.laws import DISTANCES
from cortexscale.scaling.points import selected_scores


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def lines_of(panel: Axes) -> list[tuple[list[float], list[float]]]:
    """Return x and y of every line of a panel that is not empty."""
    data = [(line.get_xdata(), line.get_ydata()) for line in panel.get_lines()]
    return [(np.asarray(x, float).tolist(), np.asarray(y, float).tolist()) for x, y in data if len(x)]


def dots_of(panel: Axes) -> list[list[list[float]]]:
    return [np.asarray(dots.get_offsets()).tolist() for dots in panel.collections if len(dots.get_offsets())]


# ---------------------------------------------------------------------------------------------- projections


def projected(scores: dict[tuple[str, str], float], **columns: object) -> pd.DataFrame:
    """Scores of a model by subject and ROI, in the table ``projection``."""
    rows = [{"subject": subject, "roi": roi, "pearsonr_nc": score} for (subject, roi), score in scores.items()]
    return pd.DataFrame(rows).assign(**{"model_id": "m", "benchmark_name": "tvsd", "layer_width": 50_000, **columns})


def test_dimensions_of_a_projection_are_drawn_with_means_over_subjects_then_rois_then_seeds():
    """Of V1 there are two subjects and of IT one, so a flat mean of all rows would weigh V1 twice."""
    places = [("a", "V1"), ("b", "V1"), ("a", "IT")]
    scores = {(10, 1): (0.1, 0.2, 0.5), (10, 2): (0.3, 0.4, 0.9), (10, 3): (0.0, 0.0, 0.1), (20, 1): (0.4, 0.4, 0.8)}
    parts = [
        projected(dict(zip(places, each, strict=True)), dimensions=dimensions, seed=seed)
        for (dimensions, seed), each in scores.items()
    ]
    whole = projected(dict(zip(places, (0.5, 0.7, 1.0), strict=True)), dimensions=pd.NA, seed=pd.NA)
    table = pd.concat([*parts, whole], ignore_index=True).astype({"dimensions": "Int64", "seed": "Int64"})
    figure, numbers = layers.draw_dimensions({"projection": table}, some("tvsd"))
    ways = numbers.set_index(["dimensions", "seed"])["score"]
    assert ways.loc[10, 1] == pytest.approx((0.15 + 0.5) / 2) and ways.loc[10, 2] == pytest.approx((0.35 + 0.9) / 2)
    (x, y), (_, full) = lines_of(figure.axes[0])
    assert x == [10, 20] and y == pytest.approx([(0.325 + 0.625 + 0.05) / 3, 0.6]) and full == pytest.approx([0.8, 0.8])


def test_projected_and_whole_features_are_compared_at_the_most_dimensions_that_all_models_have():
    """A layer that is no wider than the projection was not projected, and is not shown."""
    subjects = {("a", "V1"): 0.2, ("b", "V1"): 0.4, ("c", "V1"): 0.9}
    narrow = {"roi": "IT", "layer_width": 20}
    made = [(10, 1, 0.1), (20, 1, 0.2), (20, 2, 0.3), (30, 1, 0.4), (pd.NA, pd.NA, 0.0)]
    parts = [
        projected({place: score - loss for place, score in subjects.items()}, dimensions=dimensions, seed=seed, **changed)
        for dimensions, seed, loss in made
        for changed in ({}, narrow)
    ]
    other = [projected(subjects, dimensions=dimensions, seed=1, model_id="n") for dimensions in (10, 20, pd.NA)]
    table = pd.concat([*parts, *other], ignore_index=True).astype({"dimensions": "Int64", "seed": "Int64"})
    numbers, dimensions = layers.paired_scores(table)
    of_m = numbers[numbers["model_id"] == "m"]
    assert dimensions == 20 and of_m["roi"].tolist() == ["V1", "V1"] and len(numbers) == 3
    assert of_m["full"].tolist() == pytest.approx([0.5, 0.5]) and of_m["projected"].tolist() == pytest.approx([0.3, 0.2])
    figure, _ = layers.draw_projected_scores({"projection": table}, some("tvsd"))
    assert dots_of(figure.axes[0])[0] == [pytest.approx([0.5, 0.3]), pytest.approx([0.5, 0.2])]


def test_bands_of_layer_profiles_are_one_standard_error():
    table = pd.DataFrame({"subject": list("abc"), "cv_score": [0.1, 0.2, 0.6]}).assign(
        model_id="m", benchmark_name="tvsd", roi="V1", layer_name="l", layer_position_normalized=0.5
    )
    figure, numbers = layers.draw_profiles({"layer_search": table}, some("tvsd"))
    expected, error = mean([0.1, 0.2, 0.6]), stdev([0.1, 0.2, 0.6]) / math.sqrt(3)
    assert numbers[["mean", "sem"]].iloc[0].tolist() == pytest.approx([expected, error])
    edges = figure.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    assert (edges.min(), edges.max()) == pytest.approx((expected - error, expected + error))


# ---------------------------------------------------------------------------------------------- readouts


def test_parameters_of_readouts_have_their_geometric_centre_and_mean_score():
    """Points are means over subjects and seeds of the largest percentage; a centre is over the points."""
    rows = [
        ("nsd", "V1", 100, 100, 0.2),
        ("nsd", "V1", 300, 100, 0.4),
        ("nsd", "IT", 20_000, 100, 0.2),
        ("tvsd", "IT", 2_000_000, 100, 0.7),
        ("nsd", "V1", 1, 50, 0.9),
    ]
    table = pd.DataFrame(rows, columns=["benchmark_name", "roi", "n_params_per_subject", "data_pct", "pearsonr_nc"])
    figure, numbers = readouts.draw_parameters({"mapping": table.assign(probe_type="linear_individual")}, some("nsd", "tvsd"))
    points, (centre,) = (numbers[numbers["kind"] == kind].to_dict("records") for kind in ("roi", "centroid"))
    assert [(point["n_params"], round(point["score"], 9)) for point in points] == [(200, 0.3), (20_000, 0.2), (2_000_000, 0.7)]
    assert centre["n_params"] == pytest.approx(geometric_mean([200, 20_000, 2_000_000])) == pytest.approx(20_000)
    assert centre["score"] == pytest.approx(0.4)
    small, (large,) = dots_of(figure.axes[0])
    assert len(small) == 3 and large == pytest.approx([20_000, 0.4])
    assert figure.axes[0].get_legend().texts[0].get_text() == "Linear (SS), 2e+04"


def test_formulas_of_readouts_say_the_law_of_a_tenth_of_the_stimuli():
    """S = E - A (F / 10)**-alpha, with two digits of each constant (figure S62)."""
    F = np.geomspace(30, 30_000, 12)
    law = fit_law(F, 0.85 - 0.5 * (F / 10) ** -0.25, form="reduced", x_scale=10.0, bootstraps=2)
    text = readouts.formula(pd.Series(law.row))
    E, A, exponent = map(float, re.fullmatch(r"\$(.+) - (.+)\\, F\^\{(.+)\}\$", text).groups())
    assert (E, A, exponent) == (0.85, 0.5, -0.25)
    np.testing.assert_allclose(E - A * (F / 10) ** exponent, law.fit.predict(F), atol=1e-4)
    assert readouts.formula(pd.Series(law.row | {"tau_raw": 7.0})) == "E = 0.85, exponential"


def test_curves_of_readouts_end_at_twice_the_stimuli():
    points = pd.DataFrame({"x": [10.0, 100.0], "score": [0.1, 0.2]}).assign(
        family="linear_individual", benchmark_name="tvsd", data_pct=100.0, seed=0
    )
    at = np.array([10.0, 100.0, 200.0, 201.0, 1000.0])
    curve = pd.DataFrame({"x": at, "score": at / 1e4, "low": 0.0, "high": 1.0})
    curves = curve.assign(family="linear_individual", benchmark_name="tvsd")
    figure, numbers = readouts.draw_linear({"points": points, "curves": curves}, some("tvsd"))
    assert numbers.loc[numbers["kind"] == "fit", "x"].tolist() == [10, 100, 200]
    assert [x for x, _ in lines_of(figure.axes[0])] == [[10, 100], [200]]


def test_gates_are_means_and_their_entropy_is_relative_to_even_gates():
    names = {"one": 0.25, "two": 0.5, "three": 0.75, "four": 1.0}
    shares = {"a": (0.1, 0.2, 0.3, 0.4), "b": (0.3, 0.2, 0.5, 0.0)}
    place = {"benchmark_name": "tvsd", "roi": "V1", "probe_type": "layer_gate_shared", "data_pct": 100.0}
    gates = [
        {**place, "subject": subject, "layer_name": name, "layer_position_normalized": names[name], "gate": gate}
        for subject, each in shares.items()
        for name, gate in zip(names, each, strict=True)
    ]
    gates = pd.DataFrame(gates).assign(committed=lambda table: table["layer_name"] == "two")
    summaries = {"expected_depth": (0.75, 0.55), "depth_sd": (0.1, 0.3), "gate_entropy": (1.0, 1.2)}
    mapping = pd.DataFrame({**summaries, "subject": list("ab")}).assign(**place)
    smaller = mapping.assign(data_pct=10.0, expected_depth=0.0)
    tables = {"gates": gates, "mapping": pd.concat([mapping, smaller])}
    _, numbers = readouts.draw_gates(tables, some("tvsd"))
    depth, layer = (numbers[numbers["kind"] == kind] for kind in ("roi", "layer"))
    found = depth[["expected_depth", "depth_sd", "committed_depth", "relative_entropy"]].iloc[0].tolist()
    assert found == pytest.approx([0.65, 0.2, 0.5, 1.1 / math.log(4)])
    assert dict(zip(layer["layer_name"], layer["gate"], strict=True)) == pytest.approx(
        {"one": 0.2, "two": 0.2, "three": 0.4, "four": 0.2}
    )


# ---------------------------------------------------------------------------------------------- pretraining


def models(*rows: tuple[str, str, float, float], **columns: object) -> pd.DataFrame:
    """Points of models on an axis, given by id, family, x and average score."""
    table = pd.DataFrame(rows, columns=["model_id", "family", "x", "score"])
    plain = {"backbone_source": "spvvs", "flex": False, "fitted": True, "held_out": False, "metric": "pearsonr_nc"}
    plain |= {"is_selfsupervised_learning": False, "is_adversarially_finetuned": False, "benchmark_name": "average"}
    plain |= {"n_benchmarks": 2}
    return table.assign(
        **{"backbone_arch": table["family"].str.lower(), "backbone_n_params": 1e6, "n_benchmarks": 2, **plain, **columns}
    )


def test_convergence_is_drawn_with_the_mean_of_models_of_one_x():
    usual = models(("a", "ResNet", 1e3, 0.1), ("b", "ResNet", 1e3, 0.2), ("c", "ResNet", 1e3, 0.6), ("d", "ResNet", 1e5, 0.7))
    flex = models(("e", "ResNet", 1e3, 0.9), flex=True)
    adversarial = models(("f", "ResNet", 1e3, 0.9), is_adversarially_finetuned=True, fitted=False)
    on_one = models(("a", "ResNet", 1e3, 0.9), benchmark_name="tvsd")
    outside = models(("g", "ResNet", 1e7, 0.4), held_out=True, fitted=False, backbone_source="timm", backbone_arch="big")
    points = pd.concat([usual, flex, adversarial, on_one, outside], ignore_index=True)
    figure, numbers = convergence.draw({"compute_points": points, "samples_points": points}, some("tvsd"))
    assert sorted(numbers.loc[(numbers["panel"] == "a") & (numbers["kind"] == "model"), "model_id"]) == list("abcdg")
    (big,), (of_architecture,) = ([line for line in lines_of(figure.axes[0]) if len(line[0]) == n] for n in (1, 2))
    assert of_architecture[1] == pytest.approx([0.3, 0.7]) and big == ([1e7], [0.4])
    means = numbers[(numbers["panel"] == "b") & numbers["n"].notna()]
    assert means[["held_out", "x", "score", "n"]].to_numpy().tolist() == [
        [False, 1e3, pytest.approx(0.3), 3],
        [False, 1e5, 0.7, 1],
        [True, 1e7, 0.4, 1],
    ]
    assert means["sem"].iloc[0] == pytest.approx(stdev([0.1, 0.2, 0.6]) / math.sqrt(3))
    assert [y for _, y in lines_of(figure.axes[1])] == [pytest.approx([0.3, 0.7]), [0.4]]


def test_families_on_every_dataset_leave_out_the_average_and_models_that_are_held_out():
    points = [models(("a", "ViT", 1e3, 0.1), ("b", "ViT", 1e3, 0.2), benchmark_name=name) for name in ("tvsd", "nsd", "average")]
    points += [models(("c", "ViT", 1e3, 0.9), benchmark_name="tvsd", fitted=False)]
    figure, numbers = convergence.draw_by_dataset({"points": pd.concat(points)}, some("tvsd", "nsd"), "samples")
    assert numbers[["benchmark_name", "mean", "n"]].to_numpy().tolist() == [
        [name, pytest.approx(0.15), 2] for name in ("tvsd", "nsd")
    ]
    assert [y for _, y in lines_of(figure.axes[0])] == [pytest.approx([0.15])] * 2


def test_laws_in_figures_are_those_of_all_families():
    points = models(("a", "ViT", 1e3, 0.1), ("b", "ViT", 1e5, 0.2)).assign(**dict.fromkeys(DISTANCES, np.nan))
    curve = pd.DataFrame({"x": [1e3, 1e5, 1e6], "score": [0.1, 0.2, 0.3], "low": 0.0, "high": 1.0})
    curves = pd.concat([curve.assign(family="all"), curve.assign(family="ViT", score=0.9)])
    curves = curves.assign(benchmark_name="average", metric="pearsonr_nc")
    tables = {
        f"{axis}_{kind}": table.assign(axis=axis)
        for axis in ("compute", "samples", "parameters")
        for kind, table in (("points", points), ("curves", curves))
    }
    figure, numbers = scaling_laws.draw(tables, some("tvsd"))
    for panel in figure.axes:
        assert lines_of(panel) == [([1e3, 1e5], [0.1, 0.2]), ([1e6], [0.3])], "dotted beyond the last model"
    assert numbers.loc[numbers["kind"] == "fit", "score"].tolist() == [0.1, 0.2, 0.3] * 3
    assert "truth" not in numbers


def test_laws_of_true_scores_are_drawn_up_to_the_last_model_at_the_x_of_the_curves():
    points = models(("a", "ViT", 1e3, 0.1), ("b", "ViT", 1e5, 0.2)).assign(**dict.fromkeys(DISTANCES, np.nan))
    curves = pd.DataFrame({"x": [1e3, 1e4, 1e5, 1e6], "score": 0.5, "low": 0.0, "high": 1.0})
    truths = pd.DataFrame({"x": [1e3, 1e5, 1e6], "score": [0.2, 0.4, 0.6], "low": 0.0, "high": 1.0})
    curves, truths = (
        each.assign(family="all", benchmark_name="average", metric="pearsonr_nc", axis="compute") for each in (curves, truths)
    )
    truths = pd.concat([truths.assign(family="ViT", score=0.9), truths])
    axes = ("compute", "samples", "parameters")
    tables = {f"{axis}_{kind}": table for axis in axes for kind, table in (("points", points), ("curves", curves))}
    figure, numbers = scaling_laws.draw(tables | {"compute_truth": truths}, some("tvsd"))
    at_x = pytest.approx([0.2, 0.3, 0.4])  # halfway between 1e3 and 1e5 on the logarithmic axis is 1e4
    assert ([1e3, 1e4, 1e5], at_x) in lines_of(figure.axes[0]) and len(lines_of(figure.axes[1])) == 2
    assert numbers.loc[numbers["kind"] == "fit", "truth"].tolist()[:4] == pytest.approx([0.2, 0.3, 0.4, 0.6])
    assert numbers["truth"].notna().sum() == 4
    assert "simulated truth" in [text.get_text() for text in figure.axes[2].get_legend().texts]


def test_the_compute_optimum_is_drawn_among_parameters_and_samples():
    points = models(("a", "ViT", 2e6, 0.5)).assign(x2=3e4, compute=1e15)
    curve = pd.DataFrame({"compute": [1e14, 1e16], "n_params": [1e6, 4e6], "n_samples": [1e4, 9e4], "score": [0.4, 0.6]})
    curve = curve.assign(
        **{f"{name}_{end}": curve[name] for name in ("n_params", "n_samples", "score") for end in ("low", "high")}
    )
    curves = pd.concat([curve.assign(family=family, benchmark_name="average") for family in ("all", "ViT")])
    figure, _ = scaling_laws.draw_optima({"points": points, "curves": curves}, some("tvsd"))
    for panel, model, optimum in zip(figure.axes, (2e6, 3e4, 0.5), ("n_params", "n_samples", "score"), strict=True):
        assert dots_of(panel)[0] == [[1e15, model]]
        assert [y for _, y in lines_of(panel)] == [[curve[optimum][0]], [curve[optimum][1]]]


def test_the_largest_model_of_a_family_is_selected_and_imagenet_and_more_images_are_preferred():
    rows = [("small", 1e6, "imagenet", 9e6), ("more", 5e6, "imagenet", 2e6), ("fewer", 5e6, "imagenet", 1e6)]
    rows += [("elsewhere", 5e6, "ecoset", 3e6)]
    columns = ["model_id", "backbone_n_params", "pretraining_dataset", "pretraining_n_samples"]
    known = {"backbone_source": "spvvs", "backbone_arch_family": "ViTFlex", "held_out": False, "benchmark_name": "tvsd"}
    known |= {"is_selfsupervised_learning": False, "is_adversarially_finetuned": False, "pretraining_seed": 0}
    known |= {"pretraining_samples_per_class": 0, "pretraining_total_flops_estimate": 1.0, "subject": "s"}
    table = pd.DataFrame(rows, columns=columns).assign(**known, backbone_arch=lambda models: models["model_id"])
    table = pd.concat([table.assign(roi=roi, pearsonr_nc=score) for roi, score in (("V1", 0.2), ("whole_brain", 0.4))])
    for shuffled in (table, table.iloc[::-1]):
        chosen = selected_scores(shuffled)
        assert set(chosen["model_id"]) == {"more"} and set(chosen["family"]) == {"ViT"} and set(chosen["kind"]) == {"fitted"}
        assert chosen["score"].tolist() == pytest.approx([0.3, 0.3]), "ROIs that contain others count, as in the paper"


# ---------------------------------------------------------------------------------------------- accuracy


def rated(*models: tuple[float, float], dataset: str = "imagenet") -> pd.DataFrame:
    """Scores in V1 and whole_brain, given by accuracy and the score in V1. The score of whole_brain is larger by 0.2."""
    known = {"backbone_source": "spvvs", "backbone_arch_family": "ViT", "held_out": False, "pretraining_dataset": dataset}
    known |= {"is_selfsupervised_learning": False, "is_adversarially_finetuned": False, "subject": "s", "backbone_arch": "v"}
    rows = [
        {
            "model_id": f"{dataset}{n}",
            "task_evaluation_acc": right,
            "benchmark_name": "tvsd",
            "roi": roi,
            "pearsonr_nc": score + more,
        }
        for n, (right, score) in enumerate(models)
        for roi, more in (("V1", 0.0), ("whole_brain", 0.2))
    ]
    return pd.DataFrame(rows).assign(**known)


def test_accurate_models_have_at_least_two_fifths_and_the_line_of_their_least_squares():
    table = rated((0.39, 0.0), (0.4, 0.1), (0.6, 0.3), (0.8, 0.2))
    figure, numbers = accuracy.draw_accurate({"pretraining": table}, some("tvsd"))
    assert sorted(numbers["task_evaluation_acc"]) == [0.4, 0.6, 0.8] and sorted(numbers["score"]) == pytest.approx(
        [0.2, 0.3, 0.4]
    )
    slope, intercept = np.polyfit([0.4, 0.6, 0.8], [0.2, 0.4, 0.3], 1)
    for x, y in lines_of(figure.axes[0]):
        assert x == [0.4, 0.8] and y == pytest.approx([intercept + slope * 0.4, intercept + slope * 0.8])
    assert numbers["r"].iloc[0] == pytest.approx(np.corrcoef([0.4, 0.6, 0.8], [0.2, 0.4, 0.3])[0, 1])


def test_correlations_are_drawn_with_their_intervals():
    table = rated((0.1, 0.1), (0.3, 0.3), (0.6, 0.2), (0.7, 0.5), (0.9, 0.4))
    figure, numbers = accuracy.draw_correlations({"pretraining": table}, some("tvsd"))
    (bars,) = [each for each in figure.axes[0].containers if isinstance(each, ErrorbarContainer)]
    of_v1 = numbers.set_index("roi").loc["V1"]
    assert of_v1["r"] == pytest.approx(np.corrcoef([0.1, 0.3, 0.6, 0.7, 0.9], [0.1, 0.3, 0.2, 0.5, 0.4])[0, 1])
    assert bars[0].get_ydata()[0] == pytest.approx(of_v1["r"])
    assert sorted(bars[2][0].get_segments()[0][:, 1]) == pytest.approx([of_v1["low"], of_v1["high"]])


# ---------------------------------------------------------------------------------------------- recordings


def units(rows: list[tuple[str, float, bool, float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["subject", "nc_percent", "kept", "time"])
    return table.assign(benchmark_name="tvsd", roi="V1", unit=[f"u{n}" for n in range(len(rows))])


def test_noise_ceilings_of_kept_units_are_counted_in_29_bins():
    table = units([("s", 74.5, True, np.nan), ("s", 75.0, True, np.nan), ("s", 99.9, True, np.nan), ("s", 80.0, False, np.nan)])
    _, numbers = recordings.draw_noise_ceilings({"noise_ceilings": table}, some("tvsd"))
    assert len(numbers) == 29 and numbers["low"].iloc[0] == 70 and numbers["high"].iloc[-1] == pytest.approx(100)
    assert numbers["units"].sum() == 3 and numbers["units"].iloc[-1] == 1
    assert numbers.loc[(numbers["low"] <= 74.5) & (numbers["high"] > 75), "units"].tolist() == [2]


def test_noise_ceilings_over_time_are_means_over_all_channels():
    rows = [("s", 1.0, False, 0.0), ("s", 2.0, False, 0.0), ("s", 9.0, True, 0.0), ("s", 20.0, True, 0.01)]
    figure, numbers = recordings.draw_noise_ceilings({"noise_ceilings": units(rows)}, some("tvsd"))
    assert numbers[["time", "nc_percent", "channels"]].to_numpy().tolist() == [[0, 4, 3], [0.01, 20, 1]]
    assert lines_of(figure.axes[0]) == [([0, 10], [4, 20])]


def test_released_statistics_have_the_median_of_their_differences():
    table = pd.DataFrame({"released": [0.1, 0.2, 0.3], "recomputed": [0.11, 0.18, 0.9]})
    table = table.assign(benchmark_name="tvsd", statistic="reliability", subject="s", unit=list("abc"))
    figure, _ = recordings.draw_released_statistics({"released_units": table}, some("tvsd"))
    assert [text.get_text() for text in figure.axes[0].get_legend().texts] == ["s: 0.02"]
