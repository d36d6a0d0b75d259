"""Every figure has an entry that holds, and a study is told which figures it can draw and why it cannot draw the others."""

import importlib
import re

import pytest
from galleries import DATASETS, gallery, some

from cortexscale.errors import InputError
from cortexscale.figures.content import LACKING, PER_DATASET, FigureDataset, table_of
from cortexscale.figures.gallery import Gallery
from cortexscale.figures.paper import PAPER
from cortexscale.figures.registry import CONTENTS, TEXTS

MINE = {
    "ephys_a": FigureDataset("Mine", "lab/reader.py", "ephys", ("V4", "IT")),
    "ephys_b": FigureDataset("Mine", "lab/reader.py", "ephys", ("V1", "V4")),
    "eeg": FigureDataset("My EEG", "lab/eeg.py", "eeg", ("occipital",)),
}
"""Two datasets of one reader, with one label; and one of another modality."""
PER_DATASET_FIGURES = [name for name, content in CONTENTS.items() if content.variants == PER_DATASET]


def refused(found: Gallery, name: str) -> str:
    with pytest.raises(InputError) as error:
        found.drawing(name)
    return str(error.value)


# --- the registry and the paper's names -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONTENTS)
def test_an_entry_names_a_function_and_describes_its_figure(name):
    content = CONTENTS[name]
    module, function = content.draw.split(".")
    assert importlib.import_module(f"cortexscale.figures.{module}").__dict__[function].__doc__
    assert not content.title.endswith(".") and re.fullmatch(r"(?:[A-Z].*[^.]\.)(?: [A-Z].*[^.]\.)*", content.caption)
    templates = [content.title, *content.tables.values(), *content.arguments.values()]
    assert bool(content.variants) == any("{variant}" in text for text in templates)
    assert {table_of(path) for path in content.tables.values()} <= LACKING.keys() and set(
        content.optional
    ) <= content.tables.keys()


def test_every_text_belongs_to_a_figure():
    assert TEXTS.keys() == CONTENTS.keys()


def test_all_figures_of_the_paper_have_their_names():
    numbers = [f"fig{number}" for number in range(2, 8)] + [f"figS{number}" for number in range(1, 64)]
    assert sorted(PAPER) == sorted(numbers)
    found = gallery()
    assert {found.drawing(name).name for name in PAPER} == set(PAPER)


def test_a_name_of_the_paper_is_the_same_figure_as_its_content():
    found = gallery()
    for alias, name in (("fig2", "scaling_laws"), ("figS7", "noise_ceilings/freemanziemba"), ("figS58", "lora_ranks/scored_on")):
        ours, papers = found.drawing(name), found.drawing(alias)
        assert papers.name == papers.heading == alias and (papers.draw, papers.tables) == (ours.draw, ours.tables)
        assert (papers.datasets, papers.arguments, papers.title) == (ours.datasets, ours.arguments, ours.title)
    assert list(found.drawing("figS11").datasets) == ["nsd", "things_fmri", "tvsd"]
    assert list(found.drawing("figS41").datasets) == ["things_meg", "things_eeg1", "things_eeg2"]
    assert found.drawing("figS42").heading == "figS42: NSD-fMRI"


# --- datasets of one's own --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PER_DATASET_FIGURES)
def test_a_figure_of_one_dataset_is_drawn_for_any_dataset(name):
    found = gallery(MINE)
    for dataset in ("ephys_a", "ephys_b"):
        drawing = found.drawing(f"{name}/{dataset}")
        assert next(iter(drawing.datasets)) == dataset and all(
            dataset in path or "{" not in path for path in drawing.tables.values()
        )
    assert f"{name}/ephys_a" in refused(found, f"{name}/ephys"), "the nearest names"
    assert "no such figure" in refused(found, name)


def test_labels_are_cosmetic():
    relabelled = {name: FigureDataset("X", each.reader, each.modality, each.rois) for name, each in DATASETS.items()}
    for name in (*PAPER, *gallery().drawable):
        ours, theirs = gallery().drawing(name), gallery(relabelled).drawing(name)
        assert (ours.tables, list(ours.datasets), ours.arguments) == (theirs.tables, list(theirs.datasets), theirs.arguments)


def test_a_name_of_the_paper_never_takes_the_first_of_several_datasets():
    two = {"early": FigureDataset("NSD 1", "nsd", "fmri"), "late": FigureDataset("NSD 2", "nsd", "fmri")} | some("tvsd")
    found = gallery(two)
    for alias, content in (
        ("figS1", "noise_ceilings"),
        ("figS11", "layer_agreement"),
        ("figS16", "layers"),
        ("figS35", "accuracy"),
    ):
        assert f"ask for {content}/early, {content}/late" in refused(found, alias)
    assert "accuracy_correlations" in refused(found, "figS42")
    assert found.drawing("figS6").datasets == some("tvsd")


def test_agreement_compares_areas_and_not_groups_of_sensors():
    found = gallery(MINE)
    assert list(found.drawing("layer_agreement/ephys_b").datasets) == ["ephys_b", "ephys_a"]
    assert "no other dataset has ROIs at the same stages" in refused(found, "layer_agreement/eeg")
    apart = MINE | {"ephys_b": FigureDataset("Mine", "lab/reader.py", "ephys", ("V1",))}
    assert "no other dataset" in refused(gallery(apart), "layer_agreement/ephys_a")


def test_figures_of_a_modality_take_every_dataset_of_it():
    assert list(gallery(MINE).drawing("figS40").datasets) == ["ephys_a", "ephys_b"]
    assert list(gallery(MINE).drawing("figS41").datasets) == ["eeg"]
    assert "no dataset of the modality eeg or meg" in refused(gallery(some("tvsd")), "figS41")


# --- what a study lacks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "lacks", "reason"),
    [
        ("layers/tvsd", {"tables": frozenset(LACKING) - {"layer_search"}}, "layer_commitment takes all of them from a file"),
        ("fig4", {"tables": frozenset(LACKING) - {"finetuning"}}, "no section finetuning"),
        ("gate_depth", {"tables": frozenset(LACKING) - {"gates"}}, "no layer gate"),
        ("fig5", {"experiments": frozenset({"lora"})}, "finetuning.experiments has no data_pct"),
        ("lora_best", {"experiments": frozenset()}, "has no data_pct and no lora"),
        ("figS47", {"experiments": frozenset({"lora"})}, "none of ablation, subject"),
        ("fig6", {"readouts": ("attention_shared",)}, "no linear_individual"),
        ("figS63", {"readouts": None}, "no parameter counts"),
        ("figS9", {"projections": {"a": [1, 2], "b": [3]}}, "no number of dimensions in common"),
        ("figS10", {"projections": {"a": [1], "b": [1]}}, "several numbers of dimensions"),
        ("accuracy/tvsd", {"rated": 0}, "the study has 0"),
        ("figS40", {"rated": 2}, "it takes 3 supervised models"),
        ("fig7", {"rated": 0, "experiments": frozenset()}, "it takes 1 supervised models"),
    ],
)
def test_a_figure_that_cannot_be_drawn_says_why(name, lacks, reason):
    assert gallery().drawing(name)
    text = refused(gallery(**lacks), name)
    assert reason in text and "list_figures" in text


def test_a_study_without_datasets_draws_published_scores_alone():
    found = gallery({}, tables=frozenset({"scores"}))
    assert found.drawable == ["published_scores"]
    assert "the study has none" in refused(found, "layers/tvsd")


def test_an_unknown_figure_gives_the_nearest_names():
    assert "such as scaling_laws" in refused(gallery(), "scaling_lows")
    assert "such as figS33" in refused(gallery(), "fgS33")
    assert "no such figure" in refused(gallery(), "fig2/tvsd")


def test_the_list_has_every_figure_once():
    found = gallery(MINE, tables=frozenset(LACKING) - {"finetuning"})
    drawn, lacking = found.listing().split("cannot be drawn:")
    lines = [line.split() for part in (drawn, lacking) for line in part.splitlines() if line.startswith("  ")]
    names = [line[0] for line in lines]
    assert len(names) == len(set(names)) and set(found.drawable) <= set(names)
    assert set(PAPER) <= set(names) | {word for line in lines for word in line[1:3]}
    assert "Noise ceilings of My EEG" in drawn and re.search(r"transfer +fig5 +the config has no section finetuning", lacking)
    assert re.search(r"scaling_laws +fig2 +Alignment against", drawn) and "figS7 " in lacking
