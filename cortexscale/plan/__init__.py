"""The plan of a study: its results, their paths, and the resources of each job.

The Snakefile and every cluster job load the plan, so it imports nothing heavy. Each part of the plan uses only parts that are
made before it.
"""

import os
import shlex
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cortexscale.code import stage_digest
from cortexscale.costs import H200, SLOWEST, Machine
from cortexscale.errors import InputError, Problems, suggestions
from cortexscale.plan.alignment import AlignmentPlan
from cortexscale.plan.costs import Costs
from cortexscale.plan.counts import check_counts
from cortexscale.plan.data import DataPlan
from cortexscale.plan.figures import FigurePlan
from cortexscale.plan.finetuning import FinetuningPlan
from cortexscale.plan.inputs import Inputs, require_files
from cortexscale.plan.mapping import MappingPlan
from cortexscale.plan.models import ModelPlan
from cortexscale.plan.owner import claim, require_owner, require_place
from cortexscale.plan.pages import PagePlan
from cortexscale.plan.sizes import Sizes
from cortexscale.plan.tables import FitPlan, PublishedPlan, TablePlan
from cortexscale.plan.targets import require_known_targets
from cortexscale.study import Study, read_study
from cortexscale.study.models import Suite
from cortexscale.study.problems import checked

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "workflow" / "scripts"
DOWNLOADED_SCORES = "resources/spvvs/benchmark_scores.csv"
"""The published score table, which the rule download_scores downloads."""
CHECKS = {"check_data", "check_dataset", "check_model", "estimate", "list_figures"}
"""Diagnostic rules. The plan does not check readers, their options or raw files for these rules, because the rules themselves
report what is missing or broken."""


def share_library() -> None:
    """Set PYTHONPATH so that scripts import the library from this checkout, in every environment and on every node."""
    paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))


def require_usable_paths(checkout: Path = ROOT, python: str = sys.executable) -> None:
    """Raise an InputError if Snakemake cannot run jobs because of the path of this checkout or of the Python interpreter.

    Snakemake writes the path of the interpreter into commands without quotes, and takes braces in paths for wildcards.
    """
    if "{" in f"{checkout}{python}" or "}" in f"{checkout}{python}":
        found, expected = (
            f"{checkout}, with the interpreter {python}",
            "paths without { and }, which Snakemake takes for wildcards",
        )
        raise InputError("path of the checkout", found, expected, "rename the folder, or move the checkout")
    if shlex.quote(python) != python:
        expected = "a path of letters, digits and ._-/ only, without spaces, because Snakemake gives it to a shell without quotes"
        remedy = "make the environment elsewhere (make demo VENV=$HOME/cortexscale_environment), or move the checkout"
        raise InputError("path of the Python interpreter", python, expected, remedy)


class Checks(BaseModel, extra="forbid"):
    """Keys that a user can pass to a diagnostic rule with ``--config``, in addition to the keys of the study."""

    dataset: str | None = None
    model: str | None = None
    checksums: bool = False


class Plan:
    """A checked study. It has several parts, such as data, models and figures. Rules read these parts.

    Args:
        config: the parsed config file.
        targets: the requested rules and files.
        files: the config files that ``config`` was read from. They are searched for repeated keys.

    Raises:
        InputError: the config has problems, files are missing, or the results folder belongs to another study. The error lists
            every problem and all missing files.
    """

    def __init__(self, config: dict[str, Any], targets: Collection[str] = (), files: Iterable[str | Path] = ()):
        checks = CHECKS.intersection(targets)
        ours = {"pathvars", *(Checks.model_fields if checks else ())}
        read = read_study({key: value for key, value in config.items() if key not in ours}, files)
        study, problems, incomplete = read.value, read.problems, {place[0] for place in read.removed}
        assert study is not None, "all but two keys are optional, and these have stand-ins"
        self.study: Study = study
        self.results = study.results
        self.checks = checked(Checks, {key: config[key] for key in Checks.model_fields if checks and key in config}, "--config")
        self._checking = bool(checks)

        self.inputs = Inputs(study)
        self.data = DataPlan(study, self.inputs)
        self.models = ModelPlan(study, self.inputs, complete="models" not in incomplete)
        self.alignment = AlignmentPlan(study, self.data, self.models)
        self.fits = FitPlan(study)
        self.mapping = MappingPlan(study, study.mapping, self.data, self.models) if study.mapping else None
        self.published = PublishedPlan(study.published) if study.published else None
        self.finetuning: FinetuningPlan | None = None
        with problems.collected():
            possible = self.models.complete and "datasets" not in incomplete and not problems.of("config key finetuning")
            if study.finetuning and possible:
                self.finetuning = FinetuningPlan(study, study.finetuning, self.data, self.models, self.alignment)
        self.figures = FigurePlan(study, self.data, self.models, self.alignment)
        self.tables = TablePlan(study, self.alignment, self.mapping, self.finetuning)
        self.pages = PagePlan(study, self.tables, self.figures)
        self.limits = self.costs(Sizes(study, self.data, self.models), SLOWEST)

        self._check_targets(checks, problems)
        with problems.collected():
            contained = {"this checkout": ROOT, "the folder that Snakemake runs in": Path.cwd()}
            require_place(self.results, contained, self._folders_of_inputs)
        for part in (self.inputs, self.models, self.mapping, self.published, self.finetuning):
            if part:
                part.check(problems)
        if not checks:
            sound = self.data.check(problems)
            check_counts(study, self.data, sound, problems)
            self.alignment.check(problems)
            self.fits.check(problems, targets)
            self.figures.check(problems, targets, complete=not incomplete)
            if not study.plan_without_data:
                with problems.collected():
                    self._require_files(sound)
        problems.require_none()
        require_owner(self.results, study.study)

    def _check_targets(self, checks: Collection[str], problems: Problems) -> None:
        """Report a request of ``check_dataset`` or ``check_model`` that names no dataset or no model of the study."""
        for kind, known in (("dataset", self.data.datasets), ("model", self.models.inventory)):
            asked, rule = getattr(self.checks, kind), f"check_{kind}"
            if rule in checks and asked not in known:
                found, expected = f"{kind}={asked}" if asked else f"no {kind}", f"one of {suggestions(asked or '', known, 12)}"
                problems.found.append(InputError(rule, found, expected, f"snakemake {rule} --config {kind}=NAME"))

    def begin(self) -> None:
        """Prepare a real run: require all input files, and note in the results folder which study and which process write there.

        Diagnostic rules make no results. They can run while the study runs.
        """
        if not self._checking:
            self._require_files(list(self.data.datasets))
            claim(self.results, self.study.study)

    def require_known_targets(self, unknown: Iterable[str], rules: Mapping[str, Collection[str]]) -> None:
        """Raise an InputError that suggests similar targets if there are targets that no rule makes.

        ``rules`` has the name of every rule -> paths of the files that it makes. The paths can have wildcards.
        """
        known: dict[str, Collection[str]] = {
            "model": self.models.inventory,
            "stimuli": self.study.stimuli,
            "dataset": self.data.datasets,
        }
        tables = [f"{self.results}/tables/{name}.parquet" for name in self.tables.names]
        files = [*self.figures.files(), *tables, *(f"{self.results}/{page}" for page in self.pages.names)]
        require_known_targets(unknown, rules, known, files)

    @property
    def _other_files(self) -> list[str]:
        """Input files other than stimuli and recordings: labelled images, checkpoints, and files that the authors published."""
        files = self.models.files + self.alignment.files
        files += self.published.files if self.published else []
        files += [self.study.finetuning.images] if self.study.finetuning and self.study.finetuning.images else []
        return files + ([self.study.scores.path] if self.study.scores else [])

    @property
    def _folders_of_inputs(self) -> dict[str, str]:
        """Config key -> path of recordings or images that the study gets from outside."""
        study = self.study
        given = {f"datasets.{name}.path": dataset.path for name, dataset in study.datasets.items()}
        given |= {f"stimuli.{name}.path": images.path for name, images in study.stimuli.items()}
        given |= {f"models.{number}.images": each.images for number, each in enumerate(study.models) if isinstance(each, Suite)}
        return given | ({"finetuning.images": study.finetuning.images} if study.finetuning and study.finetuning.images else {})

    @property
    def score_contents(self) -> list[str]:
        """A list with the digest of the published score table. The list is empty if a rule downloads the table."""
        given = [self.study.scores.path] if self.study.scores and self.study.scores.path != DOWNLOADED_SCORES else []
        return self.inputs.contents(given)

    def missing_files(self, files: list[str]) -> list[str]:
        """List the files among ``files`` that do not exist and will be neither simulated nor downloaded."""
        downloaded = {DOWNLOADED_SCORES, *self.models.downloads, *(self.published.downloads if self.published else ())}
        return [file for file in files if not self.inputs.at_hand(file) and file not in downloaded]

    @property
    def missing_files_of_models(self) -> list[str]:
        """Missing input files other than stimuli and recordings."""
        return self.missing_files(self._other_files)

    def _require_files(self, datasets: list[str]) -> None:
        wanted = self.data.all_raw_files(datasets) + self._other_files
        require_files(self.missing_files(wanted), len(wanted), self.study.downloads)

    @property
    def expected_costs(self) -> Costs:
        """The costs of all jobs on a GPU of today, at the rates that the config sets, to compare jobs of different rules."""
        return self.costs(self.limits.sizes, H200.model_copy(update=self.study.estimate.rates))

    def costs(self, sizes: Sizes, machine: Machine) -> Costs:
        """Return the costs of all jobs on a machine. Rules ask the scheduler for the resources in ``limits``."""
        return Costs(sizes, machine, self.alignment, self.mapping, self.finetuning)

    def code(self, stage: str, *modules: str | Path) -> str:
        """Return a digest of the code that a stage runs. The rule of the stage has this digest among its ``params``."""
        return stage_digest(SCRIPTS / f"{stage}.py", *modules)
