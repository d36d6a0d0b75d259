"""Sections of scores and experiments: metrics, committed layers, projections, readouts of growing data, fine-tuning."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from cortexscale.catalogue.metrics import PLS, SIMILARITY
from cortexscale.catalogue.readouts import READOUTS, TRAINED
from cortexscale.recipe import NeuralRecipe, Recipe
from cortexscale.section import Contradiction, Name, NonEmpty, Percent, Section, Seed

if TYPE_CHECKING:
    TrainedReadout = str
    Readout = str
else:
    TrainedReadout = Literal[TRAINED]
    Readout = Literal[tuple(READOUTS)]


class Metrics(Section):
    """Metrics of alignment in addition to Pearson r of the responses that ridge regression predicts."""

    similarity: list[Literal["train", "test"]] = ["test"]
    """Stimuli on which RSA and CKA are computed, if any. The training stimuli of THINGS take 2 GB per subject and ROI."""
    pls_components: PositiveInt | None = None
    """Components of partial least squares regression (PLS), the classic mapping of Brain-Score, which takes 25. The units of a
    subject and ROI share them. Results then have the metrics `pls` and `pls_nc`. Without this key PLS is left out."""

    @property
    def unscored(self) -> dict[str, str]:
        """Metrics of the test stimuli that are not computed, and the reason."""
        lacking = {} if "test" in self.similarity else dict.fromkeys(SIMILARITY, "metrics.similarity has no test")
        return lacking | ({} if self.pls_components else dict.fromkeys(PLS, "metrics has no pls_components"))


class LayerCommitment(Section):
    """Choice of the layer that predicts an ROI, for each model."""

    borrow: bool = True
    """Search layers only on the reference model of an architecture, for all its checkpoints; with false on every model."""
    commit: Literal["search", "published"] = "search"
    """Search the layers, or take the published ones. Models without published layers are searched in any case."""
    file: str | None = None
    """The authors' `layer_commitments.json` or `.json.gz`, with `commit: published`."""

    def contradictions(self) -> Iterator[Contradiction]:
        if self.commit == "published" and self.file is None:
            expected = "the authors' file, with `commit: published`"
            yield Contradiction("file", "nothing", expected, "add its path, or set commit: search")
        if self.commit == "search" and self.file is not None:
            yield Contradiction("file", self.file, "no file with `commit: search`", "set commit: published, or remove the file")


class ProjectionStudy(Section):
    """Alignment of some models with projected features beside that with all activations (figures S9 and S10)."""

    models: Annotated[dict[str, NonEmpty[PositiveInt]], Field(min_length=1)]
    """Model id → numbers of dimensions that are compared with all activations."""
    family: Literal["sparse", "countsketch", "gaussian"] = "sparse"
    """Kind of random matrix."""
    seeds: NonEmpty[Seed] = [42]
    """Seeds of the random matrix; each is a comparison of its own."""
    stimuli: list[Name] | None = None
    """Stimulus sets on which models are compared; by default all."""


class Mapping(Section):
    """Readouts of unprojected features on growing numbers of stimuli (paper, sections 3 and 4.7 to 4.9)."""

    model: str
    """Model whose features are read, at its committed layers."""
    datasets: NonEmpty[Name]
    """Datasets that readouts are fitted to, keys of `datasets`."""
    readouts: NonEmpty[Readout]
    """Kinds of readout. `individual` fits one per subject and ROI; in `shared` the subjects of an ROI share all but the last
    layer. `layer_gate` reads all candidate layers and needs no committed one."""
    percent: NonEmpty[Percent] = [1, 3, 5, 7, 10, 30, 50, 70, 100]
    """Percentages of the training stimuli that readouts are fitted to."""
    seeds: NonEmpty[Seed] = [0, 1, 2]
    """Seeds of the subsets and of the trainings."""
    recipes: dict[TrainedReadout, dict[Name, dict[str, Any]]] = {}
    """Readout → dataset, or `all` → keys of `ReadoutRecipe` (cortexscale/readouts/recipes.py) with new values."""
    validation_fraction: Annotated[float, Field(ge=0, lt=1)] = 0
    """Fraction of the training stimuli that trained readouts do not see and are scored on as well. Set it to tune recipes;
    the score is the column `validation_pearsonr`."""
    save: bool = True
    """Keep the readouts of the largest percentage and the first seed, in `<results>/readouts`."""


class FinetuningGrid(Section):
    """A fine-tuned model for every combination of the values of these keys."""

    models: NonEmpty[str]
    """Ids of the base models."""
    datasets: NonEmpty[Name] | None = None
    """Datasets whose responses are fitted; by default those of `rois`, or without `rois` all of `finetuning.targets`."""
    rois: dict[Name, NonEmpty[NonEmpty[str]]] = {}
    """Dataset → sets of ROIs. Each set is fitted together, as one model. By default the ROIs of `finetuning.targets`."""
    subjects: NonEmpty[PositiveInt] | None = None
    """Numbers of subjects, chosen at random; by default all that are scored."""
    recipes: NonEmpty[Name] = ["full"]
    """Names of recipes, keys of `finetuning.recipes`."""
    percent: NonEmpty[Percent] = [100]
    """Percentages of the training stimuli."""
    seeds: NonEmpty[Seed] | None = None
    """Seeds; by default `finetuning.seeds`."""
    permuted: bool = False
    """Pair each subject's responses with its stimuli at random: the control."""


class Finetuning(Section):
    """Training of models on responses and their task together (paper, sections 3 and 4.3 to 4.6)."""

    targets: Annotated[dict[Name, NonEmpty[str]], Field(min_length=1)]
    """Dataset → ROIs whose responses are fitted together, at the committed layers of the base model."""
    images: str | None = None
    """Labelled images for base models that are not of a `suite`, in a layout of `models` → `images`. A suite has its own."""
    image_recipe: Recipe | None = None
    """Augmentation of these images: keys that differ from the published recipe of the base model's family."""
    recipes: dict[Name, NeuralRecipe] = {"full": NeuralRecipe()}
    """Name → keys that differ from the paper's recipe. The name becomes part of model ids."""
    seeds: NonEmpty[Seed] = [0, 1, 2]
    """Seeds of subsets, subjects, permutations and the order of batches."""
    experiments: Annotated[dict[Name, NonEmpty[FinetuningGrid]], Field(min_length=1)]
    """Name → grid, or list of grids: models × datasets or ROIs × recipes × percentages × subjects × seeds. Figures find
    experiments by their names. A model that two experiments share is made once."""
    benchmarks: NonEmpty[Name] | None = None
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
