"""Sections of experiments on responses: readouts of growing data, and fine-tuning."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from cortexscale.catalogue.readouts import READOUTS, TRAINED
from cortexscale.recipe import NeuralRecipe, Recipe
from cortexscale.section import Name, Percent, Section, Seed

if TYPE_CHECKING:
    TrainedReadout = str
    Readout = str
else:
    TrainedReadout = Literal[TRAINED]
    Readout = Literal[tuple(READOUTS)]


class Mapping(Section):
    """Readouts of unprojected features, and how they gain from mapping data (paper, sections 3 and 4.7 to 4.9)."""

    model: str
    """Model whose features are read, at its committed layers."""
    datasets: Annotated[list[Name], Field(min_length=1)]
    """Datasets that readouts are fitted to, keys of `datasets`."""
    readouts: Annotated[list[Readout], Field(min_length=1)]
    """Kinds of readout. `individual` fits one per subject and ROI; in `shared` the subjects of a ROI share all but the last
    layer. `layer_gate` reads all candidate layers and needs no committed one."""
    percent: Annotated[list[Percent], Field(min_length=1)] = [1, 3, 5, 7, 10, 30, 50, 70, 100]
    """Percentages of the training stimuli that readouts are fitted to."""
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0, 1, 2]
    """Seeds of the subsets and of the trainings."""
    recipes: dict[TrainedReadout, dict[Name, dict[str, Any]]] = {}
    """Readout → dataset, or `all` → keys of `ReadoutRecipe` (cortexscale/readouts/recipes.py) that replace the published
    values."""
    validation_fraction: Annotated[float, Field(ge=0, lt=1)] = 0
    """Fraction of the training stimuli that trained readouts do not see and are scored on as well. Set it to tune recipes;
    the score is the column `validation_pearsonr`."""
    save: bool = True
    """Keep the readouts of the largest percentage and the first seed, in `<results>/readouts`."""


class FinetuningGrid(Section):
    """Every combination of its keys is a fine-tuned model."""

    models: Annotated[list[str], Field(min_length=1)]
    """Ids of the base models."""
    datasets: Annotated[list[Name], Field(min_length=1)] | None = None
    """Datasets whose responses are fitted; by default those of `rois`, or without `rois` all of `finetuning.targets`."""
    rois: dict[Name, Annotated[list[Annotated[list[str], Field(min_length=1)]], Field(min_length=1)]] = {}
    """Dataset → sets of ROIs. The ROIs of a set are fitted together, and each set is a model. By default the ROIs of
    `finetuning.targets`."""
    subjects: Annotated[list[PositiveInt], Field(min_length=1)] | None = None
    """Numbers of subjects, chosen at random; by default all that are scored."""
    recipes: Annotated[list[Name], Field(min_length=1)] = ["full"]
    """Names of recipes, keys of `finetuning.recipes`."""
    percent: Annotated[list[Percent], Field(min_length=1)] = [100]
    """Percentages of the training stimuli."""
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = None
    """Seeds; by default `finetuning.seeds`."""
    permuted: bool = False
    """Pair each subject's responses with its stimuli at random: the control."""


class Finetuning(Section):
    """Models that are trained on, on responses and their task together (paper, sections 3 and 4.3 to 4.6)."""

    targets: Annotated[dict[Name, Annotated[list[str], Field(min_length=1)]], Field(min_length=1)]
    """Dataset → ROIs whose responses are fitted together, at the committed layers of the base model."""
    images: str | None = None
    """Labelled images for base models that are not of a `suite`, in a layout of `models` → `images`. A suite has its own."""
    image_recipe: Recipe | None = None
    """How those images are augmented: keys that differ from the published recipe of the base model's family."""
    recipes: dict[Name, NeuralRecipe] = {"full": NeuralRecipe()}
    """Name → keys that differ from the paper's recipe. The name becomes part of model ids."""
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0, 1, 2]
    """Seeds of subsets, subjects, permutations and the order of batches."""
    experiments: Annotated[dict[Name, Annotated[list[FinetuningGrid], Field(min_length=1)]], Field(min_length=1)]
    """Name → grid, or list of grids: models × datasets or ROIs × recipes × percentages × subjects × seeds. Figures find
    experiments by their names. A model that two experiments share is made once."""
    benchmarks: Annotated[list[Name], Field(min_length=1)] | None = None
    """Datasets on which fine-tuned models and their base models are scored, without projection; by default all."""

    @model_validator(mode="before")
    @classmethod
    def one_grid_is_a_list_of_one(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("experiments"), dict):
            return given
        grids = {name: grid if isinstance(grid, list) else [grid] for name, grid in given["experiments"].items()}
        return given | {"experiments": grids}

    def grids(self) -> Iterator[tuple[tuple[str | int, ...], FinetuningGrid]]:
        """All grids with their paths in the section."""
        for name, grids in self.experiments.items():
            for number, grid in enumerate(grids):
                yield ("experiments", name, *((number,) if len(grids) > 1 else ())), grid
