"""Sections of the config for scores and experiments: metrics, layers, projections, readouts and fine-tuning."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from cortexscale.catalogue.metrics import PLS, SIMILARITY
from cortexscale.catalogue.readouts import READOUTS, TRAINED
from cortexscale.recipe import NeuralRecipe, Recipe
from cortexscale.section import Contradiction, FilePath, Name, Named, NonEmpty, Once, Percent, Section, Seed

if TYPE_CHECKING:
    TrainedReadout = str
    Readout = str
else:
    TrainedReadout = Literal[TRAINED]
    Readout = Literal[tuple(READOUTS)]


class Metrics(Section):
    """Metrics of alignment in addition to Pearson r between predicted and measured responses."""

    similarity: Once[Literal["train", "test"]] = ["test"]
    """Splits on whose stimuli RSA and CKA are computed. With an empty list neither is computed. The training stimuli of THINGS
    take 2 GB per subject and ROI."""
    pls_components: PositiveInt | None = None
    """Number of components of partial least squares regression (PLS). Brain-Score uses 25. One regression predicts all units of a
    subject and ROI. With this key, the results have the metrics `pls` and `pls_nc`. Without this key, PLS is left out."""

    @property
    def unscored(self) -> dict[str, str]:
        """Metric of the test stimuli that is not computed -> the reason."""
        lacking = {} if "test" in self.similarity else dict.fromkeys(SIMILARITY, "metrics.similarity has no test")
        return lacking | ({} if self.pls_components else dict.fromkeys(PLS, "metrics has no pls_components"))


class LayerCommitment(Section):
    """For each model and ROI, choice of the layer that predicts the responses in the ROI."""

    borrow: bool = True
    """If true, layers are searched for the reference model of an architecture, and the other models of the architecture use its
    committed layers. If false, layers are searched for every model."""
    commit: Literal["search", "published"] = "search"
    """Search the layers, or take the published layers. For a model without published layers, they are always searched."""
    file: FilePath | None = None
    """Path of the authors' `layer_commitments.json` or `.json.gz`. It is required with `commit: published`."""

    def contradictions(self) -> Iterator[Contradiction]:
        if self.commit == "published" and self.file is None:
            expected = "the authors' file, with `commit: published`"
            yield Contradiction("file", "nothing", expected, "add its path, or set commit: search")
        if self.commit == "search" and self.file is not None:
            yield Contradiction("file", self.file, "no file with `commit: search`", "set commit: published, or remove the file")


class ProjectionStudy(Section):
    """Comparison of alignment with projected features and with all activations, for some models (figures S9 and S10)."""

    models: Annotated[dict[str, NonEmpty[PositiveInt]], Field(min_length=1)]
    """Model id → numbers of dimensions to project to. Each projection is compared with all activations."""
    family: Literal["sparse", "countsketch", "gaussian"] = "sparse"
    """Kind of random matrix."""
    seeds: NonEmpty[Seed] = [42]
    """Seeds of the random matrix. Every seed gives one comparison."""
    stimuli: Once[Name] | None = None
    """Stimulus sets whose datasets are used. By default all stimulus sets are used."""


class Mapping(Section):
    """Readouts of unprojected features that are fitted to growing numbers of stimuli (paper, sections 3 and 4.7 to 4.9)."""

    model: str
    """Id of the model. Readouts read the features of its committed layers."""
    datasets: NonEmpty[Name]
    """Datasets that readouts are fitted to: keys of `datasets`."""
    readouts: NonEmpty[Readout]
    """Kinds of readout. Kinds with `individual` fit one readout per subject and ROI. In kinds with `shared` all subjects
    share the layers of the readout of an ROI, except the last layer. A `layer_gate` reads all candidate layers and needs no
    committed layer."""
    percent: NonEmpty[Percent] = [1, 3, 5, 7, 10, 30, 50, 70, 100]
    """Percentages of the training stimuli that readouts are fitted to."""
    seeds: NonEmpty[Seed] = [0, 1, 2]
    """Seeds. A seed decides which subset of the stimuli is drawn and how the training begins."""
    recipes: dict[TrainedReadout, dict[Name, dict[str, Any]]] = {}
    """Readout → dataset or `all` → keys of its recipe that differ from the default (`ReadoutRecipe` in
    cortexscale/readouts/recipes.py)."""
    validation_fraction: Annotated[float, Field(ge=0, lt=1)] = 0
    """Fraction of the training stimuli to which trained readouts are not fitted. The column `validation_pearsonr` has the scores
    of the readouts on these stimuli, with which you can tune recipes."""
    save: bool = True
    """Save the readouts of the largest percentage and the first seed in `<results>/readouts`."""


class FinetuningGrid(Section):
    """A grid of fine-tunings. Every combination of the values of these keys gives one fine-tuned model."""

    models: NonEmpty[str]
    """Ids of the base models."""
    datasets: NonEmpty[Name] | None = None
    """Datasets to whose responses models are fitted. By default these are the datasets in `rois` or, without `rois`, all datasets
    in `finetuning.targets`."""
    rois: dict[Name, NonEmpty[NonEmpty[str]]] = {}
    """Dataset → sets of ROIs. Each set gives one model, which is fitted to all ROIs of the set together. The default is one set:
    the ROIs of `finetuning.targets`."""
    subjects: NonEmpty[PositiveInt] | None = None
    """Numbers of subjects to whose responses models are fitted. The subjects are chosen at random. The default is all subjects
    that are scored."""
    recipes: NonEmpty[Name] = ["full"]
    """Names of recipes: keys of `finetuning.recipes`."""
    percent: NonEmpty[Percent] = [100]
    """Percentages of the training stimuli."""
    seeds: NonEmpty[Seed] | None = None
    """Seeds of the fine-tunings. The default is `finetuning.seeds`."""
    permuted: bool = False
    """Pair each subject's responses with its stimuli at random. This is the control condition of the fine-tuning."""


class Finetuning(Section):
    """Training of models on responses and on their task together (paper, sections 3 and 4.3 to 4.6)."""

    targets: Annotated[dict[Name, NonEmpty[str]], Field(min_length=1)]
    """Dataset → ROIs. A model is fitted to the responses in all these ROIs together, unless an experiment names other ROIs. The
    responses in an ROI are predicted from the layer to which the base model is committed for this ROI."""
    images: FilePath | None = None
    """Labelled images for base models that do not come from a `suite`, in a layout that the key `images` of a suite allows. Base
    models of a suite use the images of the suite."""
    image_recipe: Recipe | None = None
    """Augmentation of the images in `images`: keys that differ from the published recipe of the base model's family."""
    recipes: Named[NeuralRecipe] = {"full": NeuralRecipe()}
    """Name of a recipe → keys that differ from the paper's recipe. The name becomes part of model ids."""
    seeds: NonEmpty[Seed] = [0, 1, 2]
    """Seeds. A seed decides the choice of stimuli and subjects, the permutation, and the order of batches."""
    experiments: Annotated[Named[NonEmpty[FinetuningGrid]], Field(min_length=1)]
    """Name of an experiment → grid or list of grids. Figures find experiments by these names. A model that two experiments share
    is trained once."""
    benchmarks: NonEmpty[Name] | None = None
    """Datasets on which fine-tuned models and their base models are scored, without projection. The default is all datasets."""
    train_on_test_images: bool = True
    """Train models on images that are test images of another of these datasets, as the paper does. With `false` such images are
    left out of the training stimuli of heads and fine-tunings. Images are compared by content. The column `test_stimuli_seen`
    of the results says which fraction of the test stimuli was trained on."""

    @model_validator(mode="before")
    @classmethod
    def one_grid_is_a_list_of_one(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("experiments"), dict):
            return given
        grids = {name: grid if isinstance(grid, list) else [grid] for name, grid in given["experiments"].items()}
        return given | {"experiments": grids}

    def grids(self) -> Iterator[tuple[tuple[str | int, ...], FinetuningGrid]]:
        """Yield every grid with its path in the section."""
        for name, grids in self.experiments.items():
            for number, grid in enumerate(grids):
                yield ("experiments", name, *((number,) if len(grids) > 1 else ())), grid
