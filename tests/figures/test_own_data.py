"""A study of a lab's own data draws every figure that its results allow, also with two datasets of one reader."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from example_recording import documented_entry, write_example
from galleries import draw
from published_tables import our_tables

from cortexscale.datasets.readers import load_reader
from cortexscale.errors import InputError, InputErrors
from cortexscale.figures.gallery import Gallery
from cortexscale.plan import Plan
from cortexscale.qc.ceilings import noise_ceilings, released_units

SUITE = {
    "source": "suite",
    "dataset": "objects",
    "images": "objects.npz",
    "expected": 100,
    "classes": 10,
    "image_size": 32,
    "samples_per_class": [1, 5, 0],
    "recipe": {"steps": 5},
    "architectures": {"small": {"family": "ResNet", "timm": "test_resnet", "layers": ["layer1"]}},
}
TUNED = {"targets": {"mylab": ["IT"]}, "experiments": {"data_pct": {"models": ["small_objects_full_seed-0"]}}}
STANDS_FOR = {"tvsd": "mylab", "nsd": "second"}
"""Datasets of invented tables -> the names of the example's."""
FIGURES = [
    *(
        f"{name}/{dataset}"
        for name in ("noise_ceilings", "layers", "accuracy", "layer_agreement")
        for dataset in ("mylab", "second")
    ),
    *("scaling_laws", "convergence", "families/samples", "selected_models", "accuracy_by_dataset", "accuracy_correlations"),
    *("transfer", "finetuning_gains", "finetuning_samples", "finetuning_paths", "accuracy_overview"),
]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def study(folder, *datasets: str) -> dict:
    """A study with the documented entry, once per name."""
    entry = documented_entry()
    entries = {name: entry["datasets"]["mylab"] | {"label": f"Mine {name}"} for name in datasets}
    config = {"study": "mine", "results": str(folder / "results"), "plan_without_data": True, "models": [SUITE]}
    return config | {"stimuli": entry["stimuli"], "datasets": entries, "finetuning": TUNED}


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> dict[str, pd.DataFrame]:
    """Tables of the example's recordings, and invented scores on two datasets."""
    folder, entry = tmp_path_factory.mktemp("example"), documented_entry()["datasets"]["mylab"]
    write_example(folder)
    module = load_reader(entry["reader"])
    recordings = [
        module.read(folder / entry["path"], subject, module.Options(**entry["options"])) for subject in entry["subjects"]
    ]
    scores = {name: our_tables(0, "demo")[name] for name in ("pretraining", "layer_search", "finetuning")}
    for name, table in scores.items():
        own = table[table["benchmark_name"].isin(STANDS_FOR)].copy()
        columns = [column for column in ("benchmark_name", "finetuning_dataset") if column in own]
        own[columns] = own[columns].replace(STANDS_FOR)
        scores[name] = own
    return scores | {"noise_ceilings": noise_ceilings(recordings), "released_units": released_units(recordings)}


def test_the_list_of_a_study_offers_its_own_datasets(tmp_path):
    found = Plan(study(tmp_path, "mylab", "second")).figures.gallery
    assert set(FIGURES) <= set(found.drawable)
    alone = Plan(study(tmp_path, "mylab")).figures.gallery
    assert {name for name in FIGURES if not name.endswith("second")} - set(alone.drawable) == {"layer_agreement/mylab"}
    assert "no other dataset" in (alone.reason("layer_agreement/mylab") or "")


@pytest.mark.parametrize("name", [name for name in FIGURES if not name.startswith(("scaling_laws", "convergence", "families"))])
def test_a_figure_of_own_data_is_drawn(name, tables, tmp_path):
    drawing = Plan(study(tmp_path, "mylab", "second")).figures.gallery.drawing(name)
    if name.startswith("noise_ceilings"):
        known = {"noise_ceilings": tables["noise_ceilings"].assign(benchmark_name=name.partition("/")[2])}
    else:
        known = {each: tables[each] for each in drawing.tables}
    figure, numbers = draw(drawing, known)
    figure.canvas.draw()
    assert len(numbers) and {"mylab", "second"} & set(numbers.get("benchmark_name", ["mylab"]))
    texts = [text.get_text() for text in figure.findobj(plt.Text)]
    assert any("Mine" in text for text in texts) or name == "accuracy_overview"


def test_the_papers_names_are_for_the_papers_readers(tmp_path):
    found: Gallery = Plan(study(tmp_path, "mylab", "second")).figures.gallery
    with pytest.raises(InputError, match="no dataset of the reader tvsd"):
        found.drawing("figS6")
    assert found.drawing("fig5").draw == "finetuning.draw_transfer"


def test_a_config_may_name_figures_by_content_and_is_told_of_all_wrong_ones(tmp_path):
    config = study(tmp_path, "mylab") | {"figures": ["noise_ceilings/mylab", "layers/mylab", "fig2"]}
    assert [drawing.name for drawing in Plan(config).figures.drawings] == config["figures"]
    config["figures"] += ["layers/my_lab", "fig6", "figS62", "figS1"]
    with pytest.raises(InputError) as error:
        Plan(config)
    text = str(error.value)
    assert "layers/my_lab: there is no such figure, but layers/mylab" in text
    assert (
        "fig6, figS62: the config has no section mapping" in text and "figS1: the study has no dataset of the reader nsd" in text
    )


def test_a_broken_section_is_not_reported_again_by_its_figures(tmp_path):
    config = study(tmp_path, "mylab") | {"figures": ["fig5", "scaling_lows"]}
    config["finetuning"] = TUNED | {"seeds": "many"}
    with pytest.raises(InputErrors) as error:
        Plan(config)
    assert "scaling_lows: there is no such figure" in str(error.value) and len(error.value.problems) == 2, error.value


def test_all_means_every_figure_that_the_study_can_draw(tmp_path):
    plan = Plan(study(tmp_path, "mylab", "second") | {"figures": "all"})
    assert [drawing.name for drawing in plan.figures.drawings] == plan.figures.gallery.drawable
    assert "compute.rsa_c_test" in plan.figures.fits
