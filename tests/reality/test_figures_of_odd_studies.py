"""Labels of any letters are shown as they stand, and studies with little to show have figures or pages that say why not."""

import dataclasses

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from galleries import DATASETS, draw, gallery
from published_tables import our_tables

from cortexscale.catalogue.axes import AXES
from cortexscale.figures.content import Datasets, NothingToShow
from cortexscale.figures.style import STYLE, Powers, legible
from cortexscale.markdown import markdown_table
from cortexscale.pages.template import MARKDOWN
from cortexscale.scaling.laws import fit_axis
from cortexscale.study.fits import FORMS, FitSettings

ODD = ["Lab $V_{4$ 50 %", "_V4", r"a\$b\frac{", "<b>&amp;</b> | x", "", "$$", "é" * 40, "\\"]
"""Labels that matplotlib, HTML or Markdown would take for something else."""
MODELS = ["scaling_laws", "convergence", "families/samples", "selected_models", "selected_models_by_dataset"]
MODELS += ["selected_models_table", "selected_models_size", "accuracy_overview", "accuracy_by_dataset", "accuracy/tvsd"]
MODELS += ["accurate_models", "accuracy_correlations", "layers/tvsd"]
TUNED = ["finetuning_gains", "transfer", "finetuning_samples", "finetuning_accuracy", "finetuning_paths", "finetuning_controls"]
TUNED += ["finetuning_permuted", "accuracy_overview"]
ONE_PANEL = ["selected_models_size", "accuracy_overview", "convergence", "accurate_models"]
"""Figures that may show the average over datasets alone."""
Results = dict[str, pd.DataFrame]


@pytest.fixture(autouse=True)
def style():
    with mpl.rc_context(STYLE):
        yield
    plt.close("all")


def results(*datasets: str, models: int | None = None, rois: int | None = None) -> Results:
    """The invented tables with some datasets, models and ROIs."""
    tables = {}
    for name, table in our_tables(0, "demo").items():
        for column in ("benchmark_name", "finetuning_dataset"):
            if column in table:
                table = table[table[column].isin(datasets) | table[column].isna()]
        if rois:
            table = table[table["roi"].isin(table["roi"].unique()[:rois])]
        if models and name == "pretraining":
            table = table[table["model_id"].isin(table["model_id"].unique()[:models])]
        tables[name] = table.copy()
    return tables


def own(tables: Results) -> Results:
    """Return the tables of a study whose models are all the user's own, and are held out."""
    facts = {"backbone_source": "python", "held_out": True, "task_evaluation_acc": np.nan, "pretraining_dataset": None}
    facts |= {"is_adversarially_finetuned": False, "is_selfsupervised_learning": False}
    return tables | {"pretraining": tables["pretraining"].assign(**facts)}


def without_images(tables: Results) -> Results:
    return tables | {"finetuning": tables["finetuning"].assign(task_evaluation_acc=np.nan)}


def drawn(name: str, tables: Results, datasets: Datasets) -> list[str]:
    """Draw a figure and return its texts. A figure with nothing to show has none."""
    experiments = frozenset(tables["finetuning"]["exp_type"].str.removeprefix("finetuning_"))
    found = gallery(datasets, experiments=experiments)
    if found.reason(name):
        return []
    drawing, known = found.drawing(name), {}
    for key, path in drawing.tables.items():
        folder, stem = path.removesuffix(".parquet").split("/")
        if folder == "fits":
            axis, kind = stem.split(".")
            fitted = fit_axis(tables[AXES[axis].table], axis, FORMS[axis], FitSettings(bootstraps=2))
            known[key] = dict(zip(("fits", "curves", "points"), fitted, strict=True))[kind]
        else:
            known[key] = tables[stem]
    try:
        figure, numbers = draw(drawing, known)
    except NothingToShow:
        return []
    figure.canvas.draw()
    assert len(numbers)
    return [text.get_text() for text in figure.findobj(plt.Text) if text.get_visible()]


@pytest.mark.parametrize("name", [*MODELS, *TUNED])
def test_labels_are_shown_as_they_stand(name):
    tables = results("tvsd", "nsd", "things_fmri", models=8)
    for labels in (ODD[:3], ODD[3:6], ODD[5:]):
        names = dict(zip(("tvsd", "nsd", "things_fmri"), labels, strict=False))
        datasets = {each: dataclasses.replace(DATASETS[each], label=label) for each, label in names.items()}
        own_name = tables["pretraining"]["backbone_arch_family"].replace({"ResNet": labels[0]})
        odd = tables | {"pretraining": tables["pretraining"].assign(backbone_arch_family=own_name)}
        texts = "\n".join(drawn(name, odd, datasets))
        shows_labels = texts and name not in ONE_PANEL
        assert not shows_labels or any(legible(label) in texts for label in labels if label), texts


def test_a_text_with_dollar_signs_is_no_formula():
    figure, panel = plt.subplots()
    text = panel.set_title("Lab $V_{4$ 50 %")
    figure.canvas.draw()
    assert not text.get_parse_math()


@pytest.mark.parametrize(("label", "shown"), [("", " "), ("_V4", " _V4"), ("V4_", "V4_")])
def test_matplotlib_leaves_no_label_out_of_a_legend(label, shown):
    assert legible(label) == shown


@pytest.mark.parametrize(("x", "label"), [(1e5, "10⁵"), (3e5, "3×10⁵"), (1e-3, "10⁻³"), (1, "10⁰"), (2.5e12, "2.5×10¹²")])
def test_ticks_of_logarithmic_axes_are_no_formulas(x, label):
    panel = plt.figure().subplots()
    panel.set(xscale="log", xlim=(x / 2, x * 2))
    powers = Powers(labelOnlyBase=False, minor_thresholds=(np.inf, np.inf))
    panel.xaxis.set_major_formatter(powers)
    powers.set_locs([x])
    assert powers(x) == label


@pytest.mark.parametrize(
    "text", ["a_b_c", "*x*", "a|b", "<b>x</b>", "&lt;", "$x$ and $y$", r"\frac", "[a](b)", "_x_", "`x`", "E = 0.6 [0.5, 0.7]"]
)
def test_a_cell_of_a_table_is_shown_as_it_stands(text):
    html = MARKDOWN.render(markdown_table(pd.DataFrame({text: [text]})))
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert html.count(f">{escaped}</t") == 2, html


@pytest.mark.parametrize(
    "tables",
    [
        own(results("tvsd", "nsd")),
        own(results("tvsd", models=1, rois=1)),
        own(results("tvsd", models=2)),
        results("tvsd", models=1, rois=1),
        results("tvsd", models=3),
    ],
    ids=["own", "one own model", "two own models", "one model", "three models"],
)
@pytest.mark.parametrize("name", MODELS)
def test_studies_with_few_or_own_models_have_figures_or_say_why_not(name, tables):
    drawn(name, tables, {each: DATASETS[each] for each in tables["pretraining"]["benchmark_name"].unique()})


@pytest.mark.parametrize("name", MODELS)
def test_an_unknown_size_or_score_is_left_out(name):
    tables = results("tvsd", "nsd", models=6)
    scores = tables["pretraining"]
    missing = scores["pearsonr_nc"].where(scores["benchmark_name"] != "nsd")
    unknown = scores.assign(pearsonr_nc=missing, backbone_n_params=np.nan)
    drawn(name, tables | {"pretraining": unknown}, {each: DATASETS[each] for each in ("tvsd", "nsd")})


@pytest.mark.parametrize("kinds", [None, ["ablation"], ["data_pct"]], ids=["all", "ablation", "data_pct"])
@pytest.mark.parametrize("name", TUNED)
def test_fine_tuning_without_images_has_figures_or_says_why_not(name, kinds):
    tables = without_images(results("tvsd"))
    if kinds:
        wanted = tables["finetuning"]["exp_type"].isin([f"finetuning_{kind}" for kind in [*kinds, "baseline"]])
        tables["finetuning"] = tables["finetuning"][wanted]
    texts = drawn(name, tables, {"tvsd": DATASETS["tvsd"]})
    assert not texts or name not in ("finetuning_accuracy", "finetuning_paths")
