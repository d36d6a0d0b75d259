"""The study as configuration: every key that a config file may have, typed, documented and checked.

``config/config.yaml`` shows each key in use. All problems of a file are reported at once.
"""

import difflib
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from cortexscale.errors import InputError
from cortexscale.recipe import Attack, Jitter, Lora, NeuralRecipe, Recipe

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Section(BaseModel):
    """A section of the config: unknown keys are errors, values cannot be changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StimulusSet(Section):
    """Images that were shown to subjects. Features are extracted once per model and stimulus set."""

    layout: Literal["image_folder", "nsd", "brainscore"]
    path: str
    expected: PositiveInt | None = None
    """Number of images in the full release; sizes jobs before the images are there."""


class BestSubjects(Section):
    """Subjects with the highest mean noise ceiling in a ROI, over all its units (paper, appendix A.3)."""

    count: PositiveInt
    roi: str


class Dataset(Section):
    """One neural dataset."""

    label: str
    reader: Annotated[str, Field(pattern=r"^(\w+|\S+\.py)$")]
    """A module of ``cortexscale.datasets``, or the path of one of your own: ``my/reader.py``."""
    stimuli: Name
    path: str
    subjects: Annotated[list[Name], Field(min_length=1)]
    rois: Annotated[list[str], Field(min_length=1)]
    best_subjects: BestSubjects | None = None
    """Score only these subjects; all are preprocessed."""
    options: dict[str, Any] = {}
    """Keys of the reader's own ``Options``."""

    @model_validator(mode="after")
    def has_the_best_subjects(self) -> "Dataset":
        if self.best_subjects and self.best_subjects.count > len(self.subjects):
            raise ValueError(f"best_subjects wants the best {self.best_subjects.count} of {len(self.subjects)} subjects")
        return self


class SuiteArchitecture(Section):
    """One architecture of a suite."""

    family: str
    timm: str | None = None
    """A timm name, with the ``arguments`` that set its size."""
    arguments: dict[str, Any] = {}
    architecture: str | None = None
    """Or an architecture of the published suite, such as ``resnet50`` or ``deit_small``."""
    layers: Annotated[list[str], Field(min_length=1)]
    """Candidate layers: regular expressions over whole module names."""
    image_size: PositiveInt | None = None
    """Where it differs from the suite's."""
    recipe: Recipe = Recipe()
    """What differs from the suite's."""

    @model_validator(mode="after")
    def has_one_architecture(self) -> "SuiteArchitecture":
        if (self.architecture is None) == (self.timm is None):
            raise ValueError("give either `architecture` (of the published suite) or `timm` (a timm name)")
        return self


class AdversarialCopies(Section):
    """Full-data models of a suite, trained on against attacks: ``adv_<model>_ffgsm_eps-<eps>_alpha-<alpha>-ep<epochs>``."""

    architectures: Annotated[list[Name], Field(min_length=1)]
    recipe: Recipe = Recipe(preset="adversarial")


class Suite(Section):
    """A controlled suite: every architecture trained on subsets of one labelled image set."""

    source: Literal["suite"]
    dataset: Name
    images: str
    """Labelled images: an ``.npz`` with ``train_images``, ``train_labels``, ``validation_images``, ``validation_labels``; a
    folder with ``train/<class>/*.jpg`` and ``val/<class>/*.jpg`` (ImageNet, Ecoset); or one with webdataset shards
    ``train*.tar`` and ``val*.tar``."""
    expected: PositiveInt
    """Training images of the full set; sizes jobs before the images are there."""
    classes: Annotated[int, Field(ge=2)]
    image_size: PositiveInt
    architectures: dict[Name, SuiteArchitecture]
    samples_per_class: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
    """Training images per class; 0 is the full set, as in the published tables."""
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0]
    recipe: Recipe
    adversarial: AdversarialCopies | None = None

    @model_validator(mode="after")
    def adversarial_copies_have_originals(self) -> "Suite":
        copied = self.adversarial.architectures if self.adversarial else []
        unknown = sorted(set(copied) - set(self.architectures))
        if unknown:
            raise ValueError(f"adversarial.architectures: {', '.join(unknown)} not among {', '.join(self.architectures)}")
        return self

    @model_validator(mode="after")
    def has_reference(self) -> "Suite":
        if 0 not in self.samples_per_class or 0 not in self.seeds:
            raise ValueError(
                "samples_per_class and seeds must both hold 0: the full-data, seed-0 model is the reference of its architecture"
            )
        return self


class PublishedSuite(Section):
    """The 620 supervised ImageNet and Ecoset checkpoints of Gokce & Schrimpf (2025)."""

    source: Literal["spvvs"]
    path: str
    """Folder of checkpoints, ``<model id>/ep<epoch>.pt``."""
    only: list[str] = ["*"]
    """Shell patterns over model ids."""
    download: bool = True
    """Fetch what the folder lacks from the authors; otherwise that is an error."""
    ema: bool | Literal["auto"] = "auto"
    """Load averaged weights, where the file has both; ``auto`` prefers them, as the authors do."""


Layers = Annotated[list[str], Field(min_length=1)] | str
"""Candidate layers: regular expressions over whole module names, or the name of a family of ``cortexscale.models.families``."""


class HubModels(Section):
    """What is said of pretrained models that are fetched by their ids, and held out from the fits of the suites."""

    ids: Annotated[list[str], Field(min_length=1)]
    layers: Layers
    pretraining_samples: dict[str, PositiveInt] = {}
    """Training images per entry of ``ids``, by default what the id tells; only models with a known number appear on the axes of
    samples and compute.
    """

    @model_validator(mode="after")
    def samples_are_of_its_models(self) -> "HubModels":
        unknown = sorted(set(self.pretraining_samples) - set(self.ids))
        if unknown:
            raise ValueError(f"pretraining_samples: {', '.join(unknown)} not among `ids`")
        return self


class TimmModels(HubModels):
    """Pretrained timm models."""

    source: Literal["timm"]


class HuggingFaceModels(HubModels):
    """Pretrained vision models of the Hugging Face hub; needs the package ``transformers``. A model's id is the name
    after the slash.
    """

    source: Literal["huggingface"]
    ids: Annotated[list[Annotated[str, Field(pattern=r"^([\w.-]+/)?[\w.-]+$")]], Field(min_length=1)]


class OwnModel(Section):
    """What is said of one model of the user's own."""

    id: Name
    reference: Name | None = None
    """The model whose committed layers this one borrows; by default its own are searched."""
    dataset: str | None = None
    samples: PositiveInt | None = None
    """Images that it was trained on, where known: it appears on the samples and compute axes, held out from the fits."""
    seed: Annotated[int, Field(ge=0)] | None = None


class CheckpointModel(OwnModel):
    """Own weights in a known architecture."""

    source: Literal["checkpoint"]
    file: str
    """A state dict, or a checkpoint that holds one."""
    architecture: str | None = None
    """One of the published suite, such as ``resnet50`` or ``deit_small``."""
    timm: str | None = None
    """Or a timm name, with its ``arguments``."""
    arguments: dict[str, Any] = {}
    classes: PositiveInt
    """Outputs of the classifier."""
    family: str | None = None
    """By default that of the published architecture."""
    layers: Layers | None = None
    """By default those of the family."""
    image_size: PositiveInt | None = None
    """Resize the shorter side to this and crop the centre; by default the evaluation of the architecture."""
    ema: bool | Literal["auto"] = "auto"
    """Load averaged weights, where the file has both; `auto` prefers them."""

    @model_validator(mode="after")
    def has_one_architecture(self) -> "CheckpointModel":
        if (self.architecture is None) == (self.timm is None):
            raise ValueError("give either `architecture` (of the published suite) or `timm` (a timm name)")
        if self.arguments and not self.timm:
            raise ValueError("`arguments` go with `timm`")
        return self


class PythonModel(OwnModel):
    """A network from a function of the user's own."""

    source: Literal["python"]
    file: Annotated[str, Field(pattern=r"\.py$")]
    function: str = "build"
    """Returns a ``torch.nn.Module``, with its weights unless there is a ``checkpoint``."""
    arguments: dict[str, Any] = {}
    """Of the function."""
    transform: str | None = None
    """A function of the file: RGB picture -> (3, height, width) tensor. By default resize to 256, crop to 224, normalise."""
    checkpoint: str | None = None
    family: str
    layers: Layers


Models = Annotated[
    Suite | PublishedSuite | TimmModels | HuggingFaceModels | CheckpointModel | PythonModel, Field(discriminator="source")
]


class Projection(Section):
    """Random projection of flattened activations (paper, section 3)."""

    family: Literal["sparse", "countsketch", "gaussian", "exact"] = "sparse"
    """``exact`` projects nothing: kernels of all activations take the place of features, and know no other key here."""
    dimensions: PositiveInt = 30_000
    seed: int = 42


class Features(Section):
    projection: Projection = Projection()
    precision: Literal["float16", "bfloat16", "float32"] = "float16"
    """Of forward passes on a GPU; float16 as in the paper. A CPU computes in float32."""
    batch_size: PositiveInt = 32
    scratch_gb: PositiveInt = 100
    """Room on disk for the activations that exact kernels are made of; with less, images pass the network more often."""


class Alphas(Section):
    """Ridge penalties: ``count`` values from 10**low to 10**high."""

    low: float = 1
    high: float = 7
    count: PositiveInt = 10
    search: Literal["adaptive", "full"] = "adaptive"
    """Evaluate those around the minimum of each ROI, or all; the same wherever the error has one valley."""


class Folds(Section):
    """Outer cross-validation of the layer search."""

    count: Annotated[int, Field(ge=2)] = 5
    kind: Literal["contiguous", "shuffled", "grouped"] = "contiguous"
    """``grouped`` keeps the images of a concept (THINGS, MajajHong2015; a family of textures) in one fold."""
    seed: int = 42


class Ridge(Section):
    alphas: Alphas = Alphas()
    alpha_per: Literal["roi", "unit"] = "roi"
    folds: Folds = Folds()
    precision: Literal["auto", "float32", "float64"] = "auto"

    @model_validator(mode="after")
    def units_need_the_full_grid(self) -> "Ridge":
        if self.alpha_per == "unit" and self.alphas.search != "full":
            raise ValueError("alpha_per: unit needs alphas.search: full, as the error of a single unit has many valleys")
        return self


class Training(Section):
    """What a training of a suite's model may use."""

    gpus: PositiveInt = 1
    """Of one machine. Their number does not change the result beyond rounding, as long as it divides the micro-batches."""


class Similarity(Section):
    """RSA and CKA between committed layers and responses."""

    splits: list[Literal["train", "test"]] = ["test"]
    """A geometry of n images takes 4 n**2 bytes: 2 GB for each subject and ROI of a THINGS training split."""


TrainedReadout = Literal["attention", "shallow_mlp", "low_rank", "layer_gate"]
Readout = Literal[
    "linear_individual",
    "attention_individual",
    "attention_shared",
    "shallow_mlp_individual",
    "shallow_mlp_shared",
    "low_rank_individual",
    "low_rank_shared",
    "layer_gate_individual",
    "layer_gate_shared",
]
Percent = Annotated[float, Field(gt=0, le=100)]


class Mapping(Section):
    """Readouts of unprojected features, and how they gain from mapping data (paper, sections 3 and 4.7 to 4.9)."""

    model: str
    """Its features are read, at its committed layers."""
    datasets: Annotated[list[Name], Field(min_length=1)]
    readouts: Annotated[list[Readout], Field(min_length=1)]
    """``individual``: one per subject and ROI; ``shared``: subjects share the trunk of a ROI."""
    fractions: Annotated[list[Percent], Field(min_length=1)] = [1, 3, 5, 7, 10, 30, 50, 70, 100]
    """Percent of the training stimuli."""
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0, 1, 2]
    recipes: dict[TrainedReadout, dict[Name, dict[str, Any]]] = {}
    """Readout -> dataset, or ``all`` -> values of ``cortexscale.readouts.recipes.ReadoutRecipe`` that replace the published."""
    validation_share: Annotated[float, Field(ge=0, lt=1)] = 0
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
    fractions: Annotated[list[Percent], Field(min_length=1)] = [100]
    """Percent of the training stimuli."""
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] | None = None
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
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0, 1, 2]
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

    @model_validator(mode="after")
    def grids_name_what_the_section_has(self) -> "Finetuning":
        for where, grid in self.grids():
            for recipe in grid.recipes:
                if recipe not in self.recipes:
                    raise ValueError(f"{where}.recipes: {recipe} not among {', '.join(self.recipes)}")
            for dataset in grid.datasets or ():
                if dataset not in self.targets and dataset not in grid.rois:
                    raise ValueError(f"{where}.datasets: {dataset} has no ROIs in `targets` or `rois`")
        return self

    def grids(self) -> Iterator[tuple[str, FinetuningGrid]]:
        """All grids with their places in the section."""
        for name, grids in self.experiments.items():
            for number, grid in enumerate(grids):
                yield f"experiments.{name}" + (f".{number}" if len(grids) > 1 else ""), grid


class LayerCommitment(Section):
    borrow: bool = True
    """Search layers on the reference model of an architecture only; its other checkpoints borrow the result."""
    commit: Literal["search", "published"] = "search"
    """Search the layers, or take those that the authors published; models that they do not list are searched."""
    file: str | None = None
    """Their ``layer_commitments.json``, or ``.json.gz``."""

    @model_validator(mode="after")
    def published_layers_come_from_a_file(self) -> "LayerCommitment":
        if (self.commit == "published") != (self.file is not None):
            raise ValueError("`commit: published` and `file` go together")
        return self


class ProjectionStudy(Section):
    """Alignment of some models with projected features beside that with all activations (figures S9 and S10)."""

    models: Annotated[dict[str, Annotated[list[PositiveInt], Field(min_length=1)]], Field(min_length=1)]
    """Model id -> numbers of dimensions."""
    family: Literal["sparse", "countsketch", "gaussian"] = "sparse"
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [42]
    stimuli: list[Name] | None = None
    """By default all stimulus sets."""


Form = Literal["offset", "reduced", "auto"]
"""``auto``: whichever predicts architectures better that it was not fitted to."""


class FitForms(Section):
    """By axis. The offset 10**lambda is that of the paper's fits."""

    compute: Form = "offset"
    samples: Form = "offset"
    parameters: Form = "reduced"
    finetuning: Form = "reduced"
    mapping: Form = "reduced"


class Fits(Section):
    """Scaling laws S = E - A (X + 10**lambda)**-alpha (paper, Eq. 3)."""

    axes: FitForms = FitForms()
    bootstraps: PositiveInt = 1000
    bootstrap_unit: Literal["row", "config", "architecture"] = "row"
    delta: PositiveFloat = 1e-3
    """Of the Huber loss on ln(1 - S)."""
    finetuning_delta: PositiveFloat = 1e-5
    """The same on the axis of fine-tuning, which moves scores by thousandths."""
    seed: int = 42
    composite_rois: bool = True
    """Count ROIs that hold others (whole brain, nsdgeneral) as ROIs of their own, as the paper does."""


class Scores(Section):
    """Scaling fits to a published table of scores (Gokce & Schrimpf 2025)."""

    path: str
    """Where the table is, or is downloaded to."""
    url: str | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Where it is downloaded from, and its checksum; not needed for a copy that is there."""
    experiments: Literal["all"] | list[str] = "all"
    bootstraps: PositiveInt = 1000
    seed: int = 42


class Published(Section):
    """Result tables that the authors of the paper published, in place of recordings and models."""

    path: str
    """Folder of the four parquet files, such as ``pretraining_results_with_metadata.parquet``."""
    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    """Dataset of the Hugging Face hub that they are downloaded from; not needed for files that are there."""
    revision: str = "main"
    labels: dict[str, str]
    """What figures call the datasets, by their readers, in the order of the figures."""


class Estimate(Section):
    """For which machine ``snakemake estimate`` predicts time and disk."""

    machine: str = "here"
    """``here`` is measured, a few seconds long; ``h200`` is arithmetic from its data sheet."""
    rates: dict[str, PositiveFloat] = {}
    """Rates of the machine that are known better; the report lists all of them by name."""
    units: dict[Name, PositiveInt] = {}
    """Dataset -> units that a subject keeps; by default the most that its reader may keep."""


class SimulatedThings(Section):
    concepts: PositiveInt
    images_per_concept: Annotated[int, Field(ge=2)]


class Simulation(Section):
    """Pictures, and recordings of a brain whose truth is known, in the released layouts."""

    image_size: PositiveInt
    task_images: PositiveInt
    validation_images: PositiveInt
    things: SimulatedThings
    """Pictures in the layout of THINGS, which several datasets show."""
    hidden_network_steps: PositiveInt
    seed: int = 0
    datasets: dict[Name, dict[str, Any]] = {}
    """Dataset -> keys of the ``Settings`` of ``cortexscale.simulation.<reader>``. Its path is ``{results}/raw/<dataset>``."""


class Study(Section):
    """A whole config file."""

    study: Name
    """Names the study. A results folder belongs to one study; another one is refused there."""
    results: str
    plan_without_data: bool = False
    """Plan (dry-run) although raw files are missing."""
    simulation: Simulation | None = None
    stimuli: dict[Name, StimulusSet] = {}
    datasets: dict[Name, Dataset] = {}
    models: list[Models] = []
    training: Training = Training()
    features: Features = Features()
    ridge: Ridge = Ridge()
    similarity: Similarity = Similarity()
    layer_commitment: LayerCommitment = LayerCommitment()
    projection_study: ProjectionStudy | None = None
    fits: Fits = Fits()
    mapping: Mapping | None = None
    finetuning: Finetuning | None = None
    scores: Scores | None = None
    published: Published | None = None
    estimate: Estimate = Estimate()
    figures: list[str] = []

    @model_validator(mode="after")
    def references_exist(self) -> "Study":
        missing = [f"datasets.{name}.stimuli: {d.stimuli}" for name, d in self.datasets.items() if d.stimuli not in self.stimuli]
        if missing:
            raise ValueError(f"no such stimulus set: {', '.join(missing)}; the config has {sorted(self.stimuli)}")
        if self.published and (self.datasets or self.models):
            raise ValueError("published tables take the place of datasets and models: give `published`, or these")
        if self.datasets and not self.models:
            raise ValueError("datasets without models: list at least one model source under `models`")
        folders = sorted({source.path for source in self.models if isinstance(source, PublishedSuite) and source.download})
        if len(folders) > 1:
            raise ValueError(f"models: spvvs checkpoints are downloaded to one folder, not to {' and '.join(folders)}")
        unknown = set(self.projection_study.stimuli or ()) - set(self.stimuli) if self.projection_study else ()
        if unknown:
            raise ValueError(f"projection_study.stimuli: {', '.join(sorted(unknown))} not among {', '.join(self.stimuli)}")
        unknown = [f"estimate.units.{name}" for name in self.estimate.units if name not in self.datasets]
        if unknown:
            raise ValueError(f"no such dataset: {', '.join(unknown)}; the config has {sorted(self.datasets)}")
        if self.mapping:
            named = {f"mapping.recipes.{kind}.{name}": name for kind, of in self.mapping.recipes.items() for name in of}
            named = {key: name for key, name in named.items() if name != "all"}
            named |= {f"mapping.datasets: {name}": name for name in self.mapping.datasets}
            unknown = [key for key, name in named.items() if name not in self.datasets]
            if unknown:
                raise ValueError(f"no such dataset: {', '.join(unknown)}; the config has {sorted(self.datasets)}")
        if self.finetuning:
            self._require_finetuned_datasets(self.finetuning)
        for name in self.simulation.datasets if self.simulation else ():
            expected = f"{self.results}/raw/{name}"
            found = self.datasets[name].path if name in self.datasets else "no such dataset"
            if found != expected:
                path = f"simulation.datasets.{name}: datasets.{name}.path"
                raise ValueError(f"{path} must be '{{results}}/raw/{name}' (found {found})")
        return self

    def _require_finetuned_datasets(self, section: Finetuning) -> None:
        """Datasets that the section names, their ROIs and as many subjects as it wants are those of the study."""
        named = {f"finetuning.targets.{name}": (name, rois) for name, rois in section.targets.items()}
        named |= {f"finetuning.benchmarks: {name}": (name, []) for name in section.benchmarks or ()}
        for where, grid in section.grids():
            regions = {name: [roi for rois in sets for roi in rois] for name, sets in grid.rois.items()}
            named |= {f"finetuning.{where}.rois.{name}": (name, rois) for name, rois in regions.items()}
        for key, (name, rois) in named.items():
            if name not in self.datasets:
                raise ValueError(f"no such dataset: {key}; the config has {sorted(self.datasets)}")
            unknown = [roi for roi in rois if roi not in self.datasets[name].rois]
            if unknown:
                raise ValueError(
                    f"no such ROI: {key}: {', '.join(unknown)}; the dataset has {', '.join(self.datasets[name].rois)}"
                )
        for where, grid in section.grids():
            for name in grid.datasets or grid.rois or section.targets:
                dataset, most = self.datasets[name], max(grid.subjects or [0])
                scored = dataset.best_subjects.count if dataset.best_subjects else len(dataset.subjects)
                if most > scored:
                    raise ValueError(f"finetuning.{where}.subjects: {most}, but {scored} subjects of {name} are scored")


def load_study(config: dict[str, Any]) -> Study:
    """Check a parsed config file and return it as a Study.

    ``{results}`` in any string stands for the results root.

    Raises:
        InputError: lists every problem of the file with its path and, for a misspelt key, the nearest known one.
    """
    results = str(config.get("results", ""))

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [fill(entry) for entry in value]
        return value.replace("{results}", results) if isinstance(value, str) else value

    try:
        return Study.model_validate(fill(config))
    except ValidationError as error:
        problems = [describe(problem) for problem in error.errors()]
        raise InputError(
            "the config",
            f"{len(problems)} problem(s)\n" + "\n".join(f"      - {problem}" for problem in problems),
            "a config as documented in config/config.yaml",
            "correct the lines named above",
        ) from None


_RECIPES = (Recipe, Attack, NeuralRecipe, Jitter, Lora)


def _sections(section: type[Section]) -> Iterator[type[Section]]:
    for kind in section.__subclasses__():
        yield kind
        yield from _sections(kind)


def describe(problem: dict[str, Any], known: Iterable[str] | None = None) -> str:
    """One line for one pydantic error: path, what is wrong, the likely intention.

    Args:
        known: keys that may have been meant; by default those of every section of the config.
    """
    path = ".".join(str(part) for part in problem["loc"]) or "the file"
    if problem["type"] == "extra_forbidden":
        known = known or {field for section in (*_sections(Section), *_RECIPES) for field in section.model_fields}
        name = path.rsplit(".", 1)[-1]
        near = difflib.get_close_matches(name, sorted(set(known) - {name}), n=1)  # it may be a key of another section
        return f"{path}: no such key" + (f"; did you mean `{near[0]}`?" if near else "")
    found = problem["input"]
    return f"{path}: {problem['msg']}" + (f" (found {found!r})" if isinstance(found, str | int | float) else "")
