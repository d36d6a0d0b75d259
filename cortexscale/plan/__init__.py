"""What the rules need to know of a study: which results there are, where they lie, and what each job may use.

The Snakefile and every cluster job load this module, so it imports nothing heavy.
"""

import difflib
import json
import os
from collections.abc import Collection, Sequence
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from cortexscale.alignment.published import commitments_for, read_published
from cortexscale.code import stage_digest, syntax
from cortexscale.datasets.readers import load_reader, load_simulator, require_interface, require_known
from cortexscale.errors import InputError
from cortexscale.figures import FIGURES
from cortexscale.models.inventory import Model, model_inventory
from cortexscale.models.training.recipes import Length, resolve, training_length
from cortexscale.plan.finetuning import FinetuningPlan
from cortexscale.plan.fits import FitPlan
from cortexscale.plan.mapping import MappingPlan
from cortexscale.plan.pages import PagePlan
from cortexscale.plan.published import PublishedPlan
from cortexscale.plan.resources import Resources
from cortexscale.published import FILES
from cortexscale.recipe import Recipe
from cortexscale.study import Study, load_study
from cortexscale.study.models import PublishedSuite, Suite
from cortexscale.study.problems import checked

ROOT = Path(__file__).parents[2]
DOWNLOADED_SCORES = "resources/spvvs/benchmark_scores.csv"
"""Where the rule download_scores puts the published score table."""
CHECKS = {"check_data", "check_dataset", "check_model", "estimate"}
"""Rules that look at a study before it can run, and so must run where raw files or dataset modules are missing or wrong."""
SCRIPTS = ROOT / "workflow" / "scripts"


def share_library() -> None:
    """Let scripts import the library from this checkout, in every environment and on every node."""
    paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))


class Checks(BaseModel, extra="forbid"):
    """What ``--config`` may say to a check, beside the keys of the study."""

    dataset: str | None = None
    model: str | None = None
    checksums: bool = False


class Plan:
    """A checked study.

    Args:
        config: the parsed config file.
        checks: rules of ``CHECKS`` that were asked for. They report on readers, their options and raw files; without one,
            whatever is wrong there is raised.

    Raises:
        InputError: the config is wrong, the results root belongs to another study, or raw files are missing.
    """

    def __init__(self, config: dict[str, Any], checks: Collection[str] = ()):
        ours = {"pathvars", *(Checks.model_fields if checks else ())}
        self.study: Study = load_study({key: value for key, value in config.items() if key not in ours})
        self.checks = checked(Checks, {key: config[key] for key in Checks.model_fields if checks and key in config}, "--config")
        self._checking = bool(checks)
        self.results = self.study.results
        self.models: dict[str, Model] = model_inventory(self.study)
        self.datasets = self.study.datasets
        for model in self.models.values():
            if model.source == "suite":
                self._recipe(model.id)
        self.resources = Resources(self)
        self.fits = FitPlan(self)
        self.pages = PagePlan(self)
        self.mapping = MappingPlan(self) if self.study.mapping else None
        self.imported = PublishedPlan(self) if self.study.published else None
        self.finetuning = FinetuningPlan(self) if self.study.finetuning else None
        self._require_projected_models()
        unknown = [name for name in self.study.figures if name not in FIGURES]
        if unknown:
            raise InputError("config key figures", ", ".join(unknown), f"names among {', '.join(FIGURES)}", "correct the names")
        for check, known in (("dataset", self.datasets), ("model", self.models)):
            asked = getattr(self.checks, check)
            if f"check_{check}" in checks and asked not in known:
                names = ", ".join([*difflib.get_close_matches(asked or "", known, n=3), *known][:12])
                found = f"{check}={asked}" if asked else f"no {check}"
                remedy = f"snakemake check_{check} --config {check}=NAME"
                raise InputError(f"check_{check}", found, f"one of {names}" + ", ..." * (len(known) > 12), remedy)
        self._require_own_code()
        self._refuse_other_study()
        if self._checking:
            return
        for name in self.datasets:
            self._options(name)
        self._refuse_figures_without_data()
        for model in self.published_layers:
            commitments_for(read_published(self.study.layer_commitment.file), model, self.published_datasets(*self.stimuli))
        if not self.study.plan_without_data:
            self.require_raw_files()

    @property
    def _marker(self) -> Path:
        return Path(self.results) / "study.json"

    def _refuse_other_study(self) -> None:
        if not self._marker.exists():
            return
        owner = json.loads(self._marker.read_text())["study"]
        if owner != self.study.study:
            raise InputError(
                self._marker,
                f"results of study `{owner}`",
                f"results of study `{self.study.study}`, or an empty folder",
                "set `results:` in the config to a folder of its own, or pass the config file of that study with --configfile",
            )

    def begin(self) -> None:
        """Before the first job of a real run: all raw files are there, and the results root notes whose it is."""
        if not self._checking:
            self.require_raw_files()
        self._marker.parent.mkdir(parents=True, exist_ok=True)
        self._marker.write_text(json.dumps({"study": self.study.study}) + "\n")

    # ------------------------------------------------------------------------------------------ datasets

    @property
    def labels(self) -> dict[str, str]:
        """What figures and tables call the datasets."""
        if self.imported:
            return self.imported.settings.labels
        return {name: dataset.label for name, dataset in self.datasets.items()}

    @property
    def readers(self) -> dict[str, str]:
        """Dataset -> its reader; datasets of published tables go by their readers."""
        if self.imported:
            return {name: name for name in self.labels}
        return {name: dataset.reader for name, dataset in self.datasets.items()}

    def reader(self, dataset: str) -> ModuleType:
        """The module that reads a dataset."""
        return load_reader(self.datasets[dataset].reader, f"config key datasets.{dataset}.reader")

    def reader_file(self, dataset: str) -> Path:
        return Path(self.reader(dataset).__file__)

    @cache  # noqa: B019 (one Plan per process)
    def _options(self, dataset: str) -> BaseModel:
        entry, reader, key = self.datasets[dataset], self.reader(dataset), f"config key datasets.{dataset}"
        require_interface(reader, f"{key}.reader")
        require_known(entry.subjects, reader.SUBJECTS, f"{key}.subjects")
        require_known(entry.rois, reader.ROIS, f"{key}.rois")
        if entry.best_subjects:
            require_known([entry.best_subjects.roi], reader.ROIS, f"{key}.best_subjects.roi")
        return checked(reader.Options, entry.options, f"{key}.options")

    @cache  # noqa: B019 (one Plan per process)
    def raw_files(self, dataset: str, subject: str) -> list[str]:
        """Released files that a subject is read from."""
        path = Path(self.datasets[dataset].path)
        return [str(file) for file in self.reader(dataset).raw_files(path, subject, self._options(dataset))]

    def options(self, dataset: str) -> dict[str, Any]:
        """The reader's options with their defaults, as plain values."""
        return self._options(dataset).model_dump(mode="json")

    @cached_property
    def simulated(self) -> dict[str, dict[str, Any]]:
        """Datasets that the simulation makes, with their settings as plain values."""
        settings = self.study.simulation.datasets if self.study.simulation else {}
        return {name: self._simulation_settings(name, given).model_dump(mode="json") for name, given in settings.items()}

    def _simulation_settings(self, dataset: str, given: dict[str, Any]) -> BaseModel:
        simulator = load_simulator(self.datasets[dataset].reader, f"config key datasets.{dataset}.reader")
        return checked(simulator.Settings, given, f"config key simulation.datasets.{dataset}")

    def simulated_inputs(self, datasets: Collection[str]) -> list[str]:
        """What a check of these datasets waits for: files of the simulation, but not those of a release."""
        images = [path for name in datasets for path in self.stimulus_path(self.datasets[name].stimuli)]
        folders = [self.datasets[name].path for name in datasets if name in self.simulated]
        return list(dict.fromkeys(path for path in (*folders, *images) if self._is_simulated(path)))

    def stimulus_path(self, stimuli: str) -> list[str]:
        """Where the images of a stimulus set lie; those that come with a simulated dataset, in its folder."""
        path = Path(self.study.stimuli[stimuli].path)
        made = [self.datasets[name].path for name in self.simulated if Path(self.datasets[name].path) in path.parents]
        return made or self._planned([str(path)])

    def raw_inputs(self, dataset: str, subject: str) -> list[str]:
        """What the rule that reads a subject waits for: its released files, or the folder that the simulation makes."""
        if dataset in self.simulated:
            return [self.datasets[dataset].path]
        return self._planned(self.raw_files(dataset, subject))

    def _planned(self, files: list[str]) -> list[str]:
        """The files that a rule waits for: all of them, or where the config plans without data, those that can be had."""
        return [file for file in files if not self.study.plan_without_data or self._at_hand(file)]

    def _at_hand(self, file: str) -> bool:
        """Whether a file is there, or made by the simulation or a download of this study."""
        return self._is_simulated(file) or file in self._downloaded or Path(file).exists()

    @cached_property
    def _downloaded(self) -> set[str]:
        return {DOWNLOADED_SCORES, *self.downloads, *(self.imported.downloads if self.imported else ())}

    def _is_simulated(self, file: str) -> bool:
        return self.study.simulation is not None and Path(self.results) / "raw" in Path(file).parents

    def _files_of_models(self) -> list[str]:
        """Files that models and published scores come from."""
        files = [source.images for source in self.study.models if isinstance(source, Suite)]
        files += [model.checkpoint for model in self.models.values() if model.checkpoint and model.source != "suite"]
        files += [self.study.layer_commitment.file] if self.study.layer_commitment.file else []
        files += self.imported.files if self.imported else []
        files += [self.study.finetuning.images] if self.study.finetuning and self.study.finetuning.images else []
        return files + ([self.study.scores.path] if self.study.scores else [])

    def missing_files_of_models(self) -> list[str]:
        return [file for file in self._files_of_models() if not self._at_hand(file)]

    def require_raw_files(self) -> None:
        """Raise one error for all missing raw files."""
        wanted = [stimuli.path for stimuli in self.study.stimuli.values()]
        wanted += [
            file for name, entry in self.datasets.items() for subject in entry.subjects for file in self.raw_files(name, subject)
        ]
        wanted += self._files_of_models()
        missing = [file for file in wanted if not self._at_hand(file)]
        if missing:
            shown = "".join(f"\n      - {file}" for file in missing[:12]) + ("\n      - ..." if len(missing) > 12 else "")
            raise InputError(
                "raw data",
                f"{len(missing)} of {len(wanted)} files are missing{shown}",
                "every file where the config says",
                "`snakemake check_data` says more: fetch them, correct their paths in the config, or plan (-n) with "
                "plan_without_data: true",
            )

    def recordings(self, *datasets: str) -> list[str]:
        return [f"{self.results}/neural/{name}/{subject}.h5" for name in datasets for subject in self.datasets[name].subjects]

    def best_subjects(self, dataset: str) -> dict[str, Any] | None:
        """How many subjects are scored, and by the ceilings of which ROI; None for all."""
        best = self.datasets[dataset].best_subjects
        return best.model_dump() if best else None

    @cached_property
    def stimuli(self) -> list[str]:
        """Stimulus sets that a dataset shows."""
        return [stimuli for stimuli in self.study.stimuli if self.datasets_on(stimuli)]

    def datasets_on(self, stimuli: str) -> list[str]:
        """Datasets that show a stimulus set."""
        return [name for name, dataset in self.datasets.items() if dataset.stimuli == stimuli]

    def targets(self, stimuli: str) -> dict[str, dict[str, Any]]:
        """What is scored on a stimulus set: dataset -> ROIs, and which subjects."""
        return {name: self.datasets[name].model_dump(include={"rois", "best_subjects"}) for name in self.datasets_on(stimuli)}

    # ------------------------------------------------------------------------------------------ models

    @cached_property
    def references(self) -> list[str]:
        """Models that carry a layer search."""
        return list(dict.fromkeys(model.reference for model in self.models.values()))

    @cached_property
    def published_layers(self) -> list[str]:
        """Reference models that take the layers which the authors published."""
        file = self.study.layer_commitment.file
        known = read_published(file) if file and Path(file).exists() else {}
        return [model for model in self.references if model in known]

    @property
    def tables(self) -> list[str]:
        """Result tables of the study."""
        if self.imported:
            return [*FILES, "table2", "tableS4"]
        if not self.datasets:
            return []
        searched, projected = (["layer_search"] if self.searched else []), (["projection"] if self.study.projection_study else [])
        mapped = ["mapping", "table2", "tableS4"] if self.mapping else []
        tuned = ["finetuning"] if self.finetuning else []
        return ["pretraining", *searched, *projected, "datasets", "models", *mapped, *tuned, *self.hyperparameters]

    @property
    def hyperparameters(self) -> dict[str, dict[str, Any]]:
        """Tables of hyper-parameters (:mod:`cortexscale.hyperparameters`): name -> arguments."""
        mapped = self.mapping.hyperparameters if self.mapping else {}
        return mapped | (self.finetuning.hyperparameters if self.finetuning else {})

    @property
    def searched(self) -> list[str]:
        """Reference models whose layers are searched."""
        return [model for model in self.references if model not in self.published_layers]

    def published_datasets(self, *stimuli: str) -> dict[str, tuple[str, list[str]]]:
        """What published commitments are looked up for: dataset -> reader and ROIs."""
        names = (name for shown in stimuli for name in self.datasets_on(shown))
        return {name: (self.datasets[name].reader, self.datasets[name].rois) for name in names}

    def model_code(self, *models: str) -> list[str | Path]:
        """The modules that build models, for :meth:`code`: one per source, and files of the user's own."""
        entries = [self.models[model] for model in models]
        own = [Path(entry.builder["file"]) for entry in entries if entry.source == "python"]
        return list(dict.fromkeys([*(f"cortexscale.models.sources.{entry.source}" for entry in entries), *own]))

    def _require_own_code(self) -> None:
        for model in self.models.values():
            if model.source == "python":
                where, file = f"config key `file` of the model {model.id}", Path(model.builder["file"])
                try:
                    syntax(file)
                except (OSError, SyntaxError) as error:
                    raise InputError(where, f"{file}: {error}", "a Python file", "correct the path or the file") from None

    def commitments(self, stimuli: str, model: str) -> str:
        """The commitment file of a model's reference."""
        return f"{self.results}/commitments/{stimuli}/{self.models[model].reference}.json"

    def task_images(self, wildcards: Any) -> str:
        """The labelled images that a suite model is trained on."""
        return self._suite(wildcards.model).images

    @cache  # noqa: B019 (one Plan per process)
    def _recipe(self, model: str) -> Recipe:
        suite, entry = self._suite(model), self.models[model]
        if entry.begins_with:
            return resolve(suite.adversarial.recipe)
        return resolve(suite.recipe, suite.architectures[entry.arch].recipe)

    def recipe(self, model: str) -> dict[str, Any]:
        """How a suite model is trained."""
        return self._recipe(model).model_dump(mode="json")

    def base_weights(self, model: str) -> list[str]:
        """The weights that a suite model is trained on from; empty for one that begins with random weights."""
        base = self.models[model].begins_with
        return [self.models[base].checkpoint] if base else []

    def training_length(self, model: str) -> Length:
        """How long a suite model is trained, if its image set is as large as the config says."""
        suite, samples = self._suite(model), self.models[model].samples_per_class
        return training_length(self._recipe(model), samples * suite.classes or suite.expected, self.study.training.gpus)

    @property
    def training_reports(self) -> list[str]:
        return [f"{self.results}/models/{model.id}.training.json" for model in self.models.values() if model.source == "suite"]

    def _suite(self, model: str) -> Suite:
        arch, dataset = self.models[model].arch, self.models[model].dataset
        suites = (source for source in self.study.models if isinstance(source, Suite))
        return next(suite for suite in suites if suite.dataset == dataset and arch in suite.architectures)

    def weights(self, model: str) -> list[str]:
        """The checkpoint file of a model; empty for weights that its source fetches."""
        checkpoint = self.models[model].checkpoint
        if checkpoint is None:
            return []
        return [checkpoint] if self.models[model].source == "suite" else self._planned([checkpoint])

    def weights_follow(self, model: str) -> bool:
        """Whether the study trains or downloads the weights of a model."""
        return self.models[model].source == "suite" or self.models[model].checkpoint in self.downloads

    @property
    def checkpoints(self) -> str | None:
        """The folder that published checkpoints are downloaded to."""
        suites = (source for source in self.study.models if isinstance(source, PublishedSuite))
        return next((source.path for source in suites if source.download), None)

    @cached_property
    def downloads(self) -> dict[str, str]:
        """Published checkpoints that this folder lacked when the plan was made: file -> model.

        Only these have a rule: what is there is never fetched again, whatever changes in the code.
        """
        files = {model.checkpoint: model.id for model in self.models.values() if model.source == "spvvs"}
        return {
            file: model
            for file, model in files.items()
            if self.checkpoints and Path(file).parents[1] == Path(self.checkpoints) and not Path(file).exists()
        }

    # ------------------------------------------------------------------------------------------ figures

    def figure_tables(self, figure: str) -> dict[str, str]:
        """Tables that a figure reads, by name.

        Raises:
            InputError: the figure shows datasets, and the study has none of them; or layers, and the study searches none.
        """
        source, shown = FIGURES[figure], next(iter(self.figure_labels(figure)), None)
        if "layer_search" in source.tables and not (self.searched or self.imported):
            found, remedy = (
                "a study whose layers are all taken from a file",
                "ask for another figure, or set layer_commitment.commit to search",
            )
            raise InputError(f"figure {figure}", found, "a search among layers, which it shows", remedy)
        absent = {name for name, section in source.optional.items() if not self.has(section)}
        return {
            name: f"{self.results}/{path.format(dataset=shown)}" for name, path in source.tables.items() if name not in absent
        }

    def figure_labels(self, figure: str) -> dict[str, str]:
        """What a figure calls the datasets that it shows, in its order; without any of its own, all datasets of the study.

        Raises:
            InputError: as for :meth:`figure_tables`.
        """
        readers = FIGURES[figure].readers
        shown = [next((name for name, own in self.readers.items() if own == reader), None) for reader in readers]
        if readers and not any(shown):
            found = f"a study without a dataset of the reader {' or '.join(readers)}"
            raise InputError(f"figure {figure}", found, "the dataset that it shows", "ask for another figure, or add the dataset")
        return {name: self.labels[name] for name in shown if name} or self.labels

    def has(self, section: str) -> bool:
        """Whether the study has a section of the config, or a published table in its place."""
        return getattr(self.study, section, None) is not None or (self.imported is not None and section in FILES)

    def _refuse_figures_without_data(self) -> None:
        unpublished = [figure for figure in self.study.figures if self.imported and not self.imported.allows(FIGURES[figure])]
        if unpublished:
            expected = "figures of the published tables, and of fits to them"
            raise InputError("config key figures", ", ".join(unpublished), expected, "leave them out")
        sections = {figure: FIGURES[figure].section for figure in self.study.figures}
        lacking = {figure: name for figure, name in sections.items() if name and not self.has(name)}
        if lacking:
            names = ", ".join(dict.fromkeys(lacking.values()))
            found, remedy = (
                f"{', '.join(lacking)}, but no section {names}",
                f"leave them out, or add {names} (config/config.yaml)",
            )
            raise InputError("config key figures", found, "figures of experiments that the study has", remedy)
        tuned = self.study.finetuning
        needed = {figure: set(FIGURES[figure].experiments) - set(tuned.experiments) for figure in self.study.figures if tuned}
        if any(needed.values()):
            found = ", ".join(f"{figure} (shows {' and '.join(sorted(names))})" for figure, names in needed.items() if names)
            expected = f"figures of the experiments {', '.join(tuned.experiments)}"
            raise InputError("config key figures", found, expected, "leave them out, or add to finetuning.experiments")
        shown = {figure: FIGURES[figure].readers for figure in self.study.figures}
        lacking = {figure: names for figure, names in shown.items() if names and not {*names} & {*self.readers.values()}}
        if lacking:
            found = ", ".join(f"{figure} (shows {', '.join(names)})" for figure, names in lacking.items())
            remedy = f"leave them out: figures: [{', '.join(figure for figure in self.study.figures if figure not in lacking)}]"
            raise InputError(
                "config key figures", f"figures of datasets that the study lacks: {found}", "figures of its own", remedy
            )

    # ------------------------------------------------------------------------------------------ stages

    def code(self, stage: str, *modules: str | Path) -> str:
        """Digest of the code of a stage, for the ``params`` of its rule."""
        return stage_digest(SCRIPTS / f"{stage}.py", *modules)

    def per_alignment(self, pattern: str) -> list[str]:
        """A path for every stimulus set x model."""
        return [pattern.format(results=self.results, stimuli=s, model=m) for s in self.stimuli for m in self.models]

    def per_search(self, pattern: str) -> list[str]:
        """A path for every stimulus set x reference model whose layers are searched."""
        return [pattern.format(results=self.results, stimuli=s, model=m) for s in self.stimuli for m in self.searched]

    # ------------------------------------------------------------------------------------------ projections

    def _require_projected_models(self) -> None:
        remedy = "correct the id, or leave out projection_study with its figures"
        for model in self.study.projection_study.models if self.study.projection_study else ():
            if model not in self.models:
                names = [*difflib.get_close_matches(model, self.models, n=3), *self.models][:6]
                raise InputError("config key projection_study.models", model, f"one of {', '.join(names)}, ...", remedy)

    def projections(self, model: str) -> list[dict[str, Any]]:
        """Projections under which a model is compared with all its activations."""
        study = self.study.projection_study
        return [
            {"family": study.family, "dimensions": dimensions, "seed": seed}
            for dimensions in study.models[model]
            for seed in study.seeds
        ]

    @property
    def projected(self) -> list[tuple[str, str]]:
        """Stimulus sets and models of the projection study."""
        study = self.study.projection_study
        shown = [stimuli for stimuli in self.stimuli if study and (study.stimuli is None or stimuli in study.stimuli)]
        return [(stimuli, model) for stimuli in shown for model in study.models]

    def per_projected(self, pattern: str) -> list[str]:
        """A path for every stimulus set x model of the projection study."""
        return [pattern.format(results=self.results, stimuli=s, model=m) for s, m in self.projected]

    # ------------------------------------------------------------------------------------------ shapes

    def shape(self, dataset: str, subjects: Sequence[str] | None = None) -> tuple[int, int, int]:
        """Stimuli and units of one kernel, as the full release has them; of the subjects that are scored, or of these."""
        return self.reader(dataset).shape(self._options(dataset), subjects or self.subjects_scored(dataset))

    def subjects_scored(self, dataset: str) -> list[str]:
        """As many subjects as are scored; which of them depends on their noise ceilings."""
        entry = self.datasets[dataset]
        return entry.subjects[: entry.best_subjects.count] if entry.best_subjects else entry.subjects

    def images(self, stimuli: str) -> int | None:
        return self.study.stimuli[stimuli].expected

    @property
    def exact(self) -> bool:
        """Whether kernels of all activations take the place of features."""
        return self.study.features.projection.family == "exact"

    @property
    def projection(self) -> dict[str, Any]:
        """What features depend on: the keys that its family knows."""
        return {"family": "exact"} if self.exact else self.study.features.projection.model_dump()

    def kernel_subjects(self, stimuli: str) -> dict[str, dict[str, Any]]:
        """Datasets whose images have exact kernels, and which of their subjects."""
        return {name: {"best_subjects": self.best_subjects(name)} for name in self.datasets_on(stimuli) if self.exact}

    def kernel_recordings(self, stimuli: str) -> list[str]:
        """Recordings that say which images those are."""
        return self.recordings(*self.kernel_subjects(stimuli))
