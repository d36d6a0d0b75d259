"""Sections of experiments on responses: readouts of growing data, and fine-tuning."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from cortexscale.catalogue.readouts import READOUTS, TRAINED
from cortexscale.recipe import NeuralRecipe, Recipe
from cortexscale.section import Name, Percent, Section, Seed

if TYPE_CHECKING:
    TrainedReadout = Readout = str
else:
    TrainedReadout, Readout = Literal[TRAINED], Literal[tuple(READOUTS)]


class Mapping(Section):
    """Readouts of unprojected features, and how they gain from mapping data (paper, sections 3 and 4.7 to 4.9)."""

    model: str
    """Its features are read, at its committed layers."""
    datasets: Annotated[list[Name], Field(min_length=1)]
    readouts: Annotated[list[Readout], Field(min_length=1)]
    """``individual``: one per subject and ROI; ``shared``: subjects share the trunk of a ROI."""
    percent: Annotated[list[Percent], Field(min_length=1)] = [1, 3, 5, 7, 10, 30, 50, 70, 100]
    """Percent of the training stimuli."""
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0, 1, 2]
    recipes: dict[TrainedReadout, dict[Name, dict[str, Any]]] = {}
    """Readout -> dataset, or ``all`` -> values of ``cortexscale.readouts.recipes.ReadoutRecipe`` that replace the published."""
    validation_fraction: Annotated[float, Field(ge=0, lt=1)] = 0
    """Share of the training stimuli that trained readouts do not see and are scored on as well, to tune recipes with."""
    save: bool = True
    """Keep the readouts of the largest fraction and the first seed."""


class FinetuningGrid(Section):
    """Every combination of its keys is a fine-tuned model."""

    models: Annotated[list[str], Field(min_length=1)]
    """Base models."""
    datasets: Annotated[list[Name], Field(min_length=1)] | None = None
    """By default those of ``rois``, or without these all ``targets``."""
    rois: dict[Name, Annotated[list[Annotated[list[str], Field(min_length=1)]], Field(min_length=1)]] = {}
    """Dataset -> sets of ROIs, each fitted together; by default its ``targets``."""
    subjects: Annotated[list[PositiveInt], Field(min_length=1)] | None = None
    """How many, chosen at random; by default all that are scored."""
    recipes: Annotated[list[Name], Field(min_length=1)] = ["full"]
    percent: Annotated[list[Percent], Field(min_length=1)] = [100]
    """Percent of the training stimuli."""
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = None
    """By default those of the section."""
    permuted: bool = False
    """The control: each subject's responses are paired with its stimuli at random."""


class Finetuning(Section):
    """Models that are trained on, on responses and their task together (paper, sections 3 and 4.3 to 4.6)."""

    targets: Annotated[dict[Name, Annotated[list[str], Field(min_length=1)]], Field(min_length=1)]
    """Dataset -> ROIs that are fitted."""
    images: str | None = None
    """Labelled images for base models that are not of a ``suite``, as there."""
    image_recipe: Recipe | None = None
    """How those images are augmented: what differs from the published recipe of the base model's family."""
    recipes: dict[Name, NeuralRecipe] = {"full": NeuralRecipe()}
    """What differs from the paper's recipe, by a name that becomes part of model ids."""
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0, 1, 2]
    """Of subsets, subjects, permutations and the order of batches."""
    experiments: Annotated[dict[Name, Annotated[list[FinetuningGrid], Field(min_length=1)]], Field(min_length=1)]
    """``exp_type`` -> one grid, or several; a model of two experiments is made once."""
    benchmarks: Annotated[list[Name], Field(min_length=1)] | None = None
    """Datasets that fine-tuned models and their base models are scored on, without projection; by default all."""

    @model_validator(mode="before")
    @classmethod
    def one_grid_is_a_list_of_one(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("experiments"), dict):
            return given
        grids = {name: grid if isinstance(grid, list) else [grid] for name, grid in given["experiments"].items()}
        return given | {"experiments": grids}

    @property
    def datasets(self) -> set[str]:
        """Every dataset whose responses a grid is fitted to."""
        named = set(self.targets)
        for _, grid in self.grids():
            named |= set(grid.datasets or ()) | set(grid.rois)
        return named

    def grids(self) -> Iterator[tuple[tuple[str | int, ...], FinetuningGrid]]:
        """All grids with their paths in the section."""
        for name, grids in self.experiments.items():
            for number, grid in enumerate(grids):
                yield ("experiments", name, *((number,) if len(grids) > 1 else ())), grid
