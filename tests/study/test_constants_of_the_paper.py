"""The numbers of the paper against the defaults of the code and the values of ``config/paper.yaml``.

``constants_of_the_paper.tsv`` is typed from the paper. Each line has the place in the paper, the name of the constant here, and
the value in the paper. Where it has no value, the place is ``release``, and the value is that of the authors' code. Rows of
Table S1 have the columns of the paper.
"""

import csv
from ast import literal_eval
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from places import ROOT

from cortexscale.catalogue.axes import AXES
from cortexscale.datasets.readers import load_reader
from cortexscale.datasets.registry import all_facts
from cortexscale.figures import finetuning_heat, recordings
from cortexscale.kernels.power_law import PowerLawFit
from cortexscale.models.training.recipes import PRESETS
from cortexscale.published import tables as published
from cortexscale.readouts.recipes import ReadoutRecipe, recipe_for
from cortexscale.recipe import Lora, NeuralRecipe
from cortexscale.scaling import accuracy, finetuning
from cortexscale.study import load_study
from cortexscale.study.features import Features
from cortexscale.study.fits import Fits
from cortexscale.study.ridge import Ridge

with Path(__file__).with_name("constants_of_the_paper.tsv").open(encoding="utf-8", newline="") as file:
    LINES = list(csv.reader(file, delimiter="\t"))[1:]
STUDY = load_study(yaml.safe_load((ROOT / "config/paper.yaml").read_text(encoding="utf-8")))
READERS = {name: load_reader(dataset.reader) for name, dataset in STUDY.datasets.items()}
RECIPES = STUDY.finetuning.recipes
COUNTS = ("stimuli", "noise_ceiling", "subjects", "rois", "train", "test", "train_repetitions", "test_repetitions")


def rates(experiment: str) -> list[tuple[int, float]]:
    """Return the epochs and learning rates of an experiment, each once."""
    recipes = [RECIPES[name] for grid in STUDY.finetuning.experiments[experiment] for name in grid.recipes]
    return sorted({(recipe.epochs, recipe.learning_rate) for recipe in recipes})


NAMES = {
    "study": STUDY,
    "axes": AXES,
    "options": {name: READERS[name].Options(**dataset.options) for name, dataset in STUDY.datasets.items()},
    "table_s1": {
        name: (facts.label, facts.modality, *(getattr(facts.counts, count) for count in COUNTS))
        for name, facts in all_facts().items()
        if facts.counts  # datasets of the paper
    },
    "finetuned": RECIPES,
    "swept": {experiment: rates(experiment) for experiment in ("explore", "lora")},
    "adapters": sorted((recipe.lora.rank, recipe.learning_rate) for recipe in RECIPES.values() if recipe.lora),
    "lora": Lora(),
    "readouts": {
        "default": ReadoutRecipe("attention"),
        **{kind: {name: recipe_for(kind, name) for name in READERS} for kind in ("attention", "shallow_mlp", "low_rank")},
    },
    "presets": PRESETS,
    **READERS,
    **{module.__name__.rpartition(".")[2]: module for module in (accuracy, finetuning, finetuning_heat, recordings)},
    "published": published,
}


def ours(constant: str) -> object:
    """Return a constant by its name, whose parts are separated by points."""
    value: object = SimpleNamespace(**NAMES)
    for part in constant.split("."):
        if isinstance(value, list):
            value = value[int(part)]
        else:
            value = value[part] if isinstance(value, Mapping) else getattr(value, part)
    return value


@pytest.mark.parametrize(("place", "constant", "value"), LINES, ids=lambda text: text)
def test_a_constant_has_the_value_of_the_paper(place, constant, value):
    expected = literal_eval(value)
    numbers = all(isinstance(each, int | float) for each in (expected if isinstance(expected, tuple | list) else [expected]))
    assert ours(constant) == (pytest.approx(expected, rel=1e-6) if numbers else expected), place


def test_the_study_of_the_paper_has_the_defaults():
    assert (STUDY.ridge, STUDY.fits, STUDY.features) == (Ridge(), Fits(), Features())
    assert RECIPES["full"] == NeuralRecipe(micro_batch=256), "a micro-batch only saves memory"
    assert STUDY.mapping.recipes == {}
    assert all(recipe.lora in (None, Lora(rank=recipe.lora.rank if recipe.lora else 1)) for recipe in RECIPES.values())


@pytest.mark.parametrize("name", READERS)
def test_the_study_has_the_subjects_and_rois_of_table_s1(name):
    """Of 50 subjects of THINGS-EEG1, two had no test images, and ten are scored (appendix A.3)."""
    dataset, counts = STUDY.datasets[name], all_facts()[name].counts
    scored = dataset.best_subjects.count if dataset.best_subjects else len(dataset.subjects)
    assert (scored, len(dataset.rois)) == (counts.subjects, counts.rois)
    assert len(dataset.subjects) == (48 if name == "things_eeg1" else scored)


def test_recipes_of_one_family_are_one():
    """ResNet, AlexNet, CORnet-S and EfficientNet were trained alike (Gokce & Schrimpf 2025)."""
    assert all(PRESETS[name] == PRESETS["resnet"] for name in ("alexnet", "cornet_s", "efficientnet"))


def test_bands_of_laws_have_the_interval_of_the_paper():
    """A band of 95 % (section 3) reaches from the 26th to the 976th of 1,001 laws that never cross."""
    e = -1 - 1e-4 * np.arange(1001)
    laws = np.column_stack([e, np.full(1001, -50.0), np.ones(1001)])  # E = 1 - exp(e), and A = exp(-50)
    fit = PowerLawFit("reduced", laws[0], 0.0, np.ones(1), laws, e)
    assert fit.band(np.ones(1)).ravel().tolist() == pytest.approx(1 - np.exp(e)[[25, 975]], rel=1e-12)
