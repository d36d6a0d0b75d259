"""What the rules need to know of a study: which results there are, where they lie, and what each job may use.

The Snakefile and every cluster job load this module, so it imports nothing heavy.
"""

import importlib
import json
import os
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ValidationError

from cortexscale.code import stage_digest
from cortexscale.errors import InputError
from cortexscale.figures import FIGURES
from cortexscale.models.inventory import Model, model_inventory
from cortexscale.study import Study, Suite, describe, load_study

ROOT = Path(__file__).parents[1]
DOWNLOADED_SCORES = "resources/spvvs/benchmark_scores.csv"
"""Where the rule download_scores puts the published score table."""
SCRIPTS = ROOT / "workflow" / "scripts"


def share_library() -> None:
    """Let scripts import the library from this checkout, in every environment and on every node."""
    paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))


class Plan:
    """A checked study.

    Args:
        config: the parsed config file.

    Raises:
        InputError: the config is wrong, the results root belongs to another study, or raw files are missing.
    """

    def __init__(self, config: dict[str, Any]):
        self.study: Study = load_study({key: value for key, value in config.items() if key != "pathvars"})
        self.results = self.study.results
        self.models: dict[str, Model] = model_inventory(self.study)
        self.datasets = self.study.datasets
        unknown = [name for name in self.study.figures if name not in FIGURES]
        if unknown:
            raise InputError("config key figures", ", ".join(unknown), f"names among {', '.join(FIGURES)}", "correct the names")
        self._options = {name: self._read_options(name) for name in self.datasets}
        self._refuse_other_study()
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
        self.require_raw_files()
        self._marker.parent.mkdir(parents=True, exist_ok=True)
        self._marker.write_text(json.dumps({"study": self.study.study}) + "\n")

    # ------------------------------------------------------------------------------------------ datasets

    def reader(self, dataset: str) -> ModuleType:
        """The module that reads a dataset."""
        name = f"cortexscale.datasets.{self.datasets[dataset].reader}"
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            known = sorted(
                file.stem for file in (Path(__file__).parent / "datasets").glob("*.py") if "\ndef read(" in file.read_text()
            )
            raise InputError(
                f"config key datasets.{dataset}.reader",
                self.datasets[dataset].reader,
                f"one of {', '.join(known)}",
                "correct the name, or add a module to cortexscale/datasets",
            ) from None

    def _read_options(self, dataset: str) -> BaseModel:
        entry, reader = self.datasets[dataset], self.reader(dataset)
        for key, known in (("subjects", reader.SUBJECTS), ("rois", reader.ROIS)):
            unknown = [name for name in getattr(entry, key) if name not in known]
            if unknown:
                raise InputError(
                    f"config key datasets.{dataset}.{key}",
                    ", ".join(unknown),
                    f"names among {', '.join(known)}",
                    "correct the names",
                )
        try:
            return reader.Options(**entry.options)
        except ValidationError as error:
            lines = "".join(f"\n      - {describe(problem, reader.Options.model_fields)}" for problem in error.errors())
            raise InputError(
                f"config key datasets.{dataset}.options",
                f"{error.error_count()} problem(s){lines}",
                "options of this reader",
                f"see the class Options of cortexscale/datasets/{entry.reader}.py",
            ) from None

    @cache  # noqa: B019 (one Plan per process)
    def raw_files(self, dataset: str, subject: str) -> list[str]:
        """Released files that a subject is read from."""
        path = Path(self.datasets[dataset].path)
        return [str(file) for file in self.reader(dataset).raw_files(path, subject, self._options[dataset])]

    def options(self, dataset: str) -> dict[str, Any]:
        """The reader's options with their defaults, as plain values."""
        return self._options[dataset].model_dump(mode="json")

    def simulated_files(self, dataset: str) -> list[str]:
        """Raw files that the simulation makes: those of every subject, and the images if they are part of the release.

        None for a dataset that the study does not have.
        """
        if dataset not in self.datasets:
            return []
        entry = self.datasets[dataset]
        images = self.study.stimuli[entry.stimuli].path
        files = [file for subject in entry.subjects for file in self.raw_files(dataset, subject)]
        return list(dict.fromkeys([*files, *([images] if Path(entry.path) in Path(images).parents else [])]))

    def simulated_subjects(self, dataset: str) -> list[str]:
        return self.datasets[dataset].subjects if dataset in self.datasets else []

    def stimulus_path(self, stimuli: str) -> list[str]:
        """Where the images of a stimulus set lie."""
        return self._planned([self.study.stimuli[stimuli].path])

    def raw_inputs(self, dataset: str, subject: str) -> list[str]:
        """Released files that a subject is read from, as inputs of its rule."""
        return self._planned(self.raw_files(dataset, subject))

    def _planned(self, files: list[str]) -> list[str]:
        """The files that a rule waits for: all of them, or where the config plans without data, those that can be had."""
        return [file for file in files if not self.study.plan_without_data or self._at_hand(file)]

    def _at_hand(self, file: str) -> bool:
        """Whether a file is there, or made by the simulation or the download of this study."""
        simulated = self.study.simulation is not None and Path(self.results) / "raw" in Path(file).parents
        return simulated or file == DOWNLOADED_SCORES or Path(file).exists()

    def require_raw_files(self) -> None:
        """Raise one error for all missing raw files."""
        wanted = [stimuli.path for stimuli in self.study.stimuli.values()]
        wanted += [
            file for name, entry in self.datasets.items() for subject in entry.subjects for file in self.raw_files(name, subject)
        ]
        wanted += [source.images for source in self.study.models if isinstance(source, Suite)]
        wanted += [model.checkpoint for model in self.models.values() if model.checkpoint and model.source != "suite"]
        wanted += [self.study.scores.path] if self.study.scores else []
        missing = [file for file in wanted if not self._at_hand(file)]
        if missing:
            shown = "".join(f"\n      - {file}" for file in missing[:12]) + ("\n      - ..." if len(missing) > 12 else "")
            raise InputError(
                "raw data",
                f"{len(missing)} of {len(wanted)} files are missing{shown}",
                "every file where the config says",
                "fetch them (docs/datasets.md), correct their paths in the config, or plan (-n) with plan_without_data: true",
            )

    def recordings(self, dataset: str) -> list[str]:
        return [f"{self.results}/neural/{dataset}/{subject}.h5" for subject in self.datasets[dataset].subjects]

    # ------------------------------------------------------------------------------------------ models

    @cached_property
    def references(self) -> list[str]:
        """Models that carry a layer search."""
        return list(dict.fromkeys(model.reference for model in self.models.values()))

    def commitments(self, model: str, stimuli: str | None = None) -> list[str]:
        """Commitment files of a model's reference, for all datasets or those of one stimulus set."""
        names = [name for name, entry in self.datasets.items() if stimuli in (None, entry.stimuli)]
        return [f"{self.results}/commitments/{name}/{self.models[model].reference}.json" for name in names]

    def task_images(self, wildcards: Any) -> str:
        """The labelled images that a suite model is trained on."""
        return self._suite(wildcards.model).images

    def recipe(self, model: str) -> dict[str, Any]:
        """How a suite model is trained."""
        suite, arch = self._suite(model), self.models[model].arch
        return {
            "steps": suite.steps,
            "batch": suite.batch_size,
            "learning_rate": suite.architectures[arch].learning_rate,
            "weight_decay": suite.weight_decay,
        }

    @property
    def training_reports(self) -> list[str]:
        return [f"{self.results}/models/{model.id}.training.json" for model in self.models.values() if model.source == "suite"]

    def _suite(self, model: str) -> Suite:
        arch = self.models[model].arch
        return next(source for source in self.study.models if isinstance(source, Suite) and arch in source.architectures)

    def weights(self, model: str) -> list[str]:
        """The checkpoint file of a model; empty for weights that its source fetches."""
        checkpoint = self.models[model].checkpoint
        if checkpoint is None:
            return []
        return [checkpoint] if self.models[model].source == "suite" else self._planned([checkpoint])

    # ------------------------------------------------------------------------------------------ stages

    def code(self, stage: str, *modules: str) -> str:
        """Digest of the code of a stage, for the ``params`` of its rule."""
        return stage_digest(SCRIPTS / f"{stage}.py", *modules)

    def per_alignment(self, pattern: str) -> list[str]:
        """A path for every dataset x model."""
        return [pattern.format(results=self.results, dataset=d, model=m) for d in self.datasets for m in self.models]

    def per_search(self, pattern: str) -> list[str]:
        """A path for every dataset x reference model."""
        return [pattern.format(results=self.results, dataset=d, model=m) for d in self.datasets for m in self.references]

    # ------------------------------------------------------------------------------------------ resources

    def shape(self, dataset: str) -> Any:
        """Stimuli and units of one kernel of this dataset, as the full release has them."""
        return self.reader(dataset).shape(self._options[dataset], self.datasets[dataset].subjects)

    def preprocess_mb(self, dataset: str) -> int:
        return 500 + self.reader(dataset).memory_mb(self._options[dataset])

    def ridge_mb(self, dataset: str) -> int:
        """Kernel, two factors and workspace (n x n each), responses and dual coefficients (n x units each), one slab.

        The base holds the libraries, and the host side of a CUDA context.
        """
        n_train, n_test, n_units = self.shape(dataset)
        value = 8 if self.study.ridge.precision == "float64" else 4
        n_rows = self.images(self.datasets[dataset].stimuli) or n_train + n_test
        square, wide, slab = 5 * (n_train + n_test) ** 2, 4 * n_train * n_units, 4 * n_rows * 4096
        return 4000 + int((square * value + wide * value + slab) / 1e6)

    def ridge_minutes(self, dataset: str, layers: int) -> int:
        """A generous bound: 10 penalties x folds at 100 GFLOP/s per layer."""
        n_train, _, n_units = self.shape(dataset)
        work = self.study.ridge.alphas.count * (2 * n_train**3 + 4 * n_train**2 * n_units)
        return 20 + int(layers * work / 1e11 / 60)

    def images(self, stimuli: str) -> int | None:
        return self.study.stimuli[stimuli].expected

    def features_mb(self, layers: int) -> int:
        """Network and images, waiting rows of every layer, and the projection matrices."""
        rows = 512 * layers * self.study.features.projection.dimensions * 4
        return 6000 + int(rows / 1e6)

    def features_minutes(self, stimuli: str) -> int:
        """A generous bound: 50 images/s."""
        return 30 + int((self.images(stimuli) or 0) / 50 / 60)
