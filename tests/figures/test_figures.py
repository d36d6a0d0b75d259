"""Figures draw whatever a study has: few models, held-out models, any named experiment."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("agg")

from galleries import some

from cortexscale.catalogue.axes import MODEL_AXES
from cortexscale.figures import convergence, scaling_laws
from cortexscale.scaling.laws import fit_axis
from cortexscale.scaling.points import axis_points, benchmark_scores
from cortexscale.study.fits import FitSettings

SETTINGS = FitSettings(bootstraps=20, seed=0)


def pretraining(n_sizes: int) -> pd.DataFrame:
    """One row per model: two architectures on ``n_sizes`` training sets, a flex width, and a held-out timm model."""
    rows = [
        ("suite", arch, arch.title(), width, size) for arch, width in (("resnet", 1e5), ("vit", 3e5)) for size in range(n_sizes)
    ]
    rows += [("suite", "resnet_flex", "ResnetFlex", 5e4, n_sizes - 1), ("timm", "big", "timm", 1e8, n_sizes)]
    table = pd.DataFrame(rows, columns=["backbone_source", "backbone_arch", "backbone_arch_family", "backbone_n_params", "size"])
    samples = 10.0 ** (1 + table["size"])
    return table.assign(
        model_id=table["backbone_arch"] + "_" + table["size"].astype(str),
        benchmark_name="tvsd",
        subject="s",
        roi="V1",
        pearsonr_nc=0.8 - 0.5 * samples**-0.3,
        pretraining_dataset="d",
        pretraining_samples_per_class=np.where(table["size"] == n_sizes - 1, 0, table["size"] + 1),
        pretraining_seed=0,
        pretraining_n_samples=samples,
        pretraining_total_flops_estimate=samples * table["backbone_n_params"],
        held_out=table["backbone_source"] != "suite",
        is_selfsupervised_learning=False,
        is_adversarially_finetuned=False,
    )


def tables(n_sizes: int) -> dict[str, pd.DataFrame]:
    found = {}
    for axis, form in (("compute", "offset"), ("samples", "offset"), ("parameters", "reduced")):
        _, found[f"{axis}_curves"], found[f"{axis}_points"] = fit_axis(pretraining(n_sizes), axis, form, SETTINGS)
    return found


@pytest.mark.parametrize(("n_sizes", "fitted"), [(2, False), (7, True)])
def test_figure_2_with_few_and_many_models(n_sizes, fitted):
    figure, numbers = scaling_laws.draw(tables(n_sizes), some("tvsd"))
    legend = [text.get_text() for text in figure.axes[2].get_legend().texts]
    assert len(figure.axes) == 3 and legend == ["Resnet", "Vit", "timm", *["TVSD-EP: law"] * fitted, "held out"]
    assert (numbers["kind"] == "fit").any() == fitted
    held_out = numbers[numbers["kind"] == "held out"]
    assert held_out.loc[held_out["axis"] == "compute", "residual_half_widths"].notna().all() == fitted
    assert numbers.loc[numbers["kind"] == "fit", ["low", "high"]].notna().all(axis=None)
    assert set(held_out["model_id"]) == {f"big_{n_sizes}"} and set(held_out["axis"]) == {"compute", "samples", "parameters"}
    by_samples = numbers[(numbers["axis"] == "samples") & (numbers["kind"] == "model")]
    assert not by_samples["model_id"].str.contains("flex").any()


def test_the_parameter_axis_has_full_data_models_only():
    points = tables(7)["parameters_points"]
    assert (points.loc[points["fitted"], "pretraining_samples_per_class"] == 0).all()
    assert set(points.loc[points["fitted"], "family"]) == {"Resnet", "Vit"}


def test_adversarial_copies_are_held_out_of_every_fit():
    table = pretraining(4)
    copy = table[table["model_id"] == "resnet_3"].assign(model_id="adv_resnet_3", is_adversarially_finetuned=True)
    for axis in MODEL_AXES:
        points = axis_points(benchmark_scores(pd.concat([table, copy])), axis).set_index("model_id")
        assert points.loc["resnet_3", "fitted"].all() and not points.loc["adv_resnet_3", "fitted"].any()


def test_figure_3_leaves_out_flexible_widths():
    figure, numbers = convergence.draw(tables(3), {})
    assert len(figure.axes) == 2 and set(numbers["panel"]) == {"a", "b"}
    assert not numbers["model_id"].str.contains("flex").any() and numbers["model_id"].str.startswith("big").any()


def scores(experiments: list[str]) -> dict[str, pd.DataFrame]:
    fits = pd.DataFrame({"experiment": experiments, "E": 0.5, "E_low": 0.4, "E_high": 0.6, "saturates": True})
    x = np.geomspace(1, 100, 5)
    each = [
        pd.DataFrame({"experiment": name, "x": x, "score": 0.3, "low": 0.2, "high": 0.4, "model_id": "m"}) for name in experiments
    ]
    return {
        "fits": fits,
        "curves": pd.concat(each).drop(columns="model_id"),
        "points": pd.concat(each).drop(columns=["low", "high"]),
    }


@pytest.mark.parametrize(
    ("experiments", "panels"),
    [
        (["region_it_group1"], 1),
        (["compute_neuro", "region_it_group1", "simclr_it"], 3),
        (["compute_neuro", *(f"region_{r}_group1" for r in ("v1", "v2", "v4", "it", "avg"))], 1),
    ],
)
def test_named_experiments_are_drawn(experiments, panels):
    figure, numbers = scaling_laws.draw_published_scores(scores(experiments), {})
    assert len(figure.axes) == panels
    assert set(numbers["experiment"]) <= set(experiments)
