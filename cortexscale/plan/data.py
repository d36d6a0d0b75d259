"""The datasets and stimulus sets of a study: their files, readers and sizes."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from cortexscale.datasets.facts import Facts
from cortexscale.datasets.readers import (
    default_modality,
    load_reader,
    load_simulator,
    require_interface,
    require_known,
    require_names,
)
from cortexscale.datasets.registry import NAMES, facts
from cortexscale.errors import Problems
from cortexscale.plan.inputs import Inputs
from cortexscale.study import Study
from cortexscale.study.data import Modality
from cortexscale.study.images import ImageFiles
from cortexscale.study.problems import checked
from cortexscale.study.targets import DatasetTargets


class DataPlan:
    """The sections ``datasets``, ``stimuli`` and ``simulation`` of a study."""

    def __init__(self, study: Study, inputs: Inputs):
        self.study, self.inputs, self.results = study, inputs, study.results
        self.datasets = study.datasets

    def check(self, problems: Problems) -> list[str]:
        """Report datasets whose reader, subjects, ROIs, options or simulation settings are wrong. Return the correct datasets."""
        sound = []
        for name in self.datasets:
            before = len(problems.found)
            with problems.collected():
                self._check_entry(name, problems)
            if len(problems.found) == before:
                sound.append(name)
                with problems.collected():
                    self._simulation_settings(name)
        return sound

    def _check_entry(self, dataset: str, problems: Problems) -> None:
        """Report every problem of a dataset's entry. If the reader cannot be loaded, the other checks are left out."""
        entry, reader, key = self.datasets[dataset], self.reader(dataset), _key(dataset)
        require_interface(reader, f"{key}.reader")
        require_names(reader, f"{key}.reader")
        with problems.collected():
            self.modality(dataset)
        best = [entry.best_subjects.roi] if entry.best_subjects else []
        for names, known, where in (
            (entry.subjects, reader.SUBJECTS, "subjects"),
            (entry.rois, reader.ROIS, "rois"),
            (best, reader.ROIS, "best_subjects.roi"),
        ):
            with problems.collected():
                require_known(names, known, f"{key}.{where}")
        self._options(dataset)

    # ------------------------------------------------------------------------------------------ readers

    @property
    def labels(self) -> dict[str, str]:
        """Dataset -> label in figures and tables. Published tables have built-in datasets only."""
        if self.study.published:
            return {name: label for name, label in self.study.published.labels.items() if name in NAMES}
        return {name: dataset.label for name, dataset in self.datasets.items()}

    @property
    def readers(self) -> dict[str, str]:
        """Dataset -> reader. Datasets of published tables have the names of their readers."""
        if self.study.published:
            return {name: name for name in self.labels}
        return {name: dataset.reader for name, dataset in self.datasets.items()}

    @property
    def modalities(self) -> dict[str, Modality | None]:
        return {name: self.modality(name) for name in self.readers}

    def modality(self, dataset: str) -> Modality | None:
        """Return the modality of a dataset, which the config or the reader states; None if neither states it."""
        given = self.datasets[dataset].modality if dataset in self.datasets else None
        return given or default_modality(self.readers[dataset], f"{_key(dataset)}.reader")

    def facts(self, dataset: str) -> Facts | None:
        """Return the facts of a built-in dataset; None for a dataset with a reader of the user's own."""
        return facts(self.readers[dataset])

    @property
    def paper_counts(self) -> dict[str, dict[str, float]]:
        """Dataset -> row of the paper's Table S1, for the datasets in this table."""
        known = {name: self.facts(name) for name in self.datasets}
        return {name: asdict(entry.counts) for name, entry in known.items() if entry and entry.counts}

    def reader(self, dataset: str) -> ModuleType:
        return load_reader(self.datasets[dataset].reader, f"{_key(dataset)}.reader")

    def reader_file(self, dataset: str) -> Path:
        file = self.reader(dataset).__file__
        assert file is not None
        return Path(file)

    def options(self, dataset: str) -> dict[str, Any]:
        """Return the options of a dataset's reader as plain values, including defaults."""
        return self._options(dataset).model_dump(mode="json")

    @cache  # noqa: B019 (one plan per process)
    def _options(self, dataset: str) -> BaseModel:
        return checked(self.reader(dataset).Options, self.datasets[dataset].options, f"{_key(dataset)}.options")

    # ------------------------------------------------------------------------------------------ files

    @cache  # noqa: B019 (one plan per process)
    def raw_files(self, dataset: str, subject: str) -> list[str]:
        """List the released files that a subject is read from."""
        path = Path(self.datasets[dataset].path)
        return [str(file) for file in self.reader(dataset).raw_files(path, subject, self._options(dataset))]

    def all_raw_files(self, datasets: Collection[str]) -> list[str]:
        """List the images of all stimulus sets and the released files of some datasets."""
        images = [stimuli.path for stimuli in self.study.stimuli.values()]
        subjects = ((name, subject) for name in datasets for subject in self.datasets[name].subjects)
        return images + [file for name, subject in subjects for file in self.raw_files(name, subject)]

    def raw_inputs(self, dataset: str, subject: str) -> list[str]:
        """List the inputs of the rule that reads a subject.

        A simulated dataset has one input, its folder. A released dataset has no inputs, because rules get the digests of its
        files instead.
        """
        if dataset in self.simulated:
            return [self.datasets[dataset].path]
        return []

    def raw_contents(self, dataset: str, subject: str) -> list[str]:
        """Return the digests of the released files of a subject, and of files that the reader's options name.

        Simulated files have no digest.
        """
        named = self.inputs.named(self.options(dataset))
        return named if dataset in self.simulated else self.inputs.contents(self.raw_files(dataset, subject)) + named

    def recordings(self, *datasets: str) -> list[str]:
        """List the recordings of all subjects of some datasets."""
        return [f"{self.results}/neural/{name}/{subject}.h5" for name in datasets for subject in self.datasets[name].subjects]

    def stimulus_path(self, stimuli: str) -> list[str]:
        """List the inputs of the rule that makes the table of a stimulus set.

        Some simulated datasets bring their own images. The input is then the folder of the dataset. For released images the list
        is empty.
        """
        path = self.study.stimuli[stimuli].path
        made = [self.datasets[name].path for name in self.simulated if Path(self.datasets[name].path) in Path(path).parents]
        return made or self.inputs.simulated([path])

    def image_contents(self, stimuli: str) -> list[str]:
        """Return the digest of the images of a stimulus set; nothing for simulated images."""
        return self.inputs.contents([self.study.stimuli[stimuli].path])

    def images_of(self, dataset: str) -> ImageFiles:
        return self.study.stimuli[self.datasets[dataset].stimuli].files

    def stimulus_table(self, dataset: str) -> str:
        return f"{self.results}/stimuli/{self.datasets[dataset].stimuli}.parquet"

    # ------------------------------------------------------------------------------------------ simulation

    @cached_property
    def simulated(self) -> dict[str, dict[str, Any]]:
        """Simulated dataset -> settings of its simulator as plain values."""
        settings = {name: self._simulation_settings(name) for name in self.datasets}
        return {name: found.model_dump(mode="json") for name, found in settings.items() if found}

    def truths(self, stimuli: str) -> list[str]:
        """List the folders with the noise-free responses of the simulated datasets on a stimulus set."""
        return [f"{self.results}/raw/truth/{name}" for name in self.datasets_on(stimuli) if name in self.simulated]

    def _simulation_settings(self, dataset: str) -> BaseModel | None:
        given = self.study.simulation.datasets if self.study.simulation else {}
        if dataset not in given:
            return None
        simulator = load_simulator(self.datasets[dataset].reader, f"{_key(dataset)}.reader")
        return checked(simulator.Settings, given[dataset], f"config key simulation.datasets.{dataset}")

    def simulated_inputs(self, datasets: Collection[str]) -> list[str]:
        """List the simulated files that a check of some datasets waits for. Released files are not listed."""
        images = [path for name in datasets for path in self.stimulus_path(self.datasets[name].stimuli)]
        folders = [self.datasets[name].path for name in datasets if name in self.simulated]
        return list(dict.fromkeys(path for path in (*folders, *images) if self.inputs.is_simulated(path)))

    # ------------------------------------------------------------------------------------------ what is scored

    @cached_property
    def stimuli(self) -> list[str]:
        """The stimulus sets that at least one dataset was recorded with."""
        return [stimuli for stimuli in self.study.stimuli if self.datasets_on(stimuli)]

    def datasets_on(self, stimuli: str) -> list[str]:
        """List the datasets that were recorded with a stimulus set."""
        return [name for name, dataset in self.datasets.items() if dataset.stimuli == stimuli]

    def targets(self, stimuli: str) -> dict[str, DatasetTargets]:
        """Return dataset -> ROIs and subjects that are scored, for the datasets that were recorded with a stimulus set."""
        return {name: self.datasets[name].targets for name in self.datasets_on(stimuli)}

    def subjects_scored(self, dataset: str) -> list[str]:
        """List as many subjects as will be scored, from the beginning of the config's list.

        In the end, the study can score other subjects, because subjects can be chosen by their noise ceilings.
        """
        return self.datasets[dataset].subjects[: self.datasets[dataset].scored]

    def shape(self, dataset: str, subjects: Sequence[str] | None = None) -> tuple[int, int, int]:
        """Return the numbers of training stimuli, test stimuli and units in a kernel that ``subjects`` share.

        By default, ``subjects`` are all scored subjects.
        """
        return self.reader(dataset).shape(self._options(dataset), subjects or self.subjects_scored(dataset))

    def reading_mb(self, dataset: str) -> int:
        """Return the memory in MB that the reader of a dataset needs for one subject."""
        return self.reader(dataset).memory_mb(self._options(dataset))


def _key(dataset: str) -> str:
    return f"config key datasets.{dataset}"
