"""Does a dataset module keep its promises? For people who write one: everything that is wrong, at once."""

import inspect
import json
import logging
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from cortexscale.check.report import Report, Section
from cortexscale.datasets.readers import load_reader, require_known
from cortexscale.datasets.source import Source
from cortexscale.errors import InputError
from cortexscale.stimuli import LAYOUTS
from cortexscale.study.data import Dataset, StimulusSet
from cortexscale.study.problems import checked

log = logging.getLogger(__name__)

FUNCTIONS = {
    "raw_files": ("root", "subject", "options"),
    "inspect": ("root", "subject", "options"),
    "memory_mb": ("options",),
    "shape": ("options", "subjects"),
    "read": ("root", "subject", "options"),
}
"""The functions of a dataset module and their arguments."""

_HELP = "docs/adding_a_dataset.md says what each part of a dataset module promises, with a complete example."
_MODULE = "an InputError is expected for bad input, nothing for good input"


def check_dataset(name: str, dataset: Dataset, images: StimulusSet) -> Report:
    """Run the whole interface of a dataset module on the raw files of a study.

    Every subject is read in a process of its own, which measures its memory; the first one twice, to compare.

    Args:
        name: the dataset's key in the config.
        images: the stimulus set that it names.
    """
    report = Report(f"The dataset `{name}` and its reader `{dataset.reader}`")
    section = report.section("module")
    section.help.append(_HELP)
    with section.collect("loading the module", "correct the module"):
        module = load_reader(dataset.reader, f"config key datasets.{name}.reader")
        _check_interface(section, module)
        if section.problems:
            section.facts.append("nothing was read: the module comes first")
            return report
        options = checked(module.Options, dataset.options, f"config key datasets.{name}.options")
        for kind, wanted, known in (("subjects", dataset.subjects, module.SUBJECTS), ("rois", dataset.rois, module.ROIS)):
            with section.collect(f"checking {kind}", _MODULE):
                require_known(wanted, known, f"config key datasets.{name}.{kind}")
        answers = _read_all(report, module, dataset, options)
        _check_sizes(section, module, dataset, options, answers)
        _check_rois(section, module, dataset, answers)
        _check_stimuli(report.section(f"images {dataset.stimuli}"), images, answers)
    return report


def _check_interface(section: Section, module: ModuleType) -> None:
    for name in ("SUBJECTS", "ROIS"):
        value = getattr(module, name, None)
        if not (isinstance(value, tuple) and value and all(isinstance(entry, str) for entry in value)):
            section.problems.append(f"{name} is {value!r}; a tuple of names")
        elif len(set(value)) < len(value):
            section.problems.append(f"{name} has a name twice")
    source = getattr(module, "SOURCE", None)
    if not isinstance(source, Source):
        section.problems.append("no SOURCE; a Source (cortexscale/datasets/source.py)")
    elif empty := [key for key, text in vars(source).items() if not str(text).strip()]:
        section.problems.append(f"SOURCE says nothing of {', '.join(empty)}")
    for name, arguments in FUNCTIONS.items():
        function, expected = getattr(module, name, None), f"{name}({', '.join(arguments)})"
        if not callable(function):
            section.problems.append(f"no function {expected}")
        elif (found := tuple(inspect.signature(function).parameters)) != arguments:
            section.problems.append(f"{name}({', '.join(found)}); {expected}")
        elif not function.__doc__:
            section.problems.append(f"{expected} has no docstring")
    _check_options_class(section, getattr(module, "Options", None))
    if not module.__doc__:
        section.problems.append("the module has no docstring; what was recorded, from whom, the paper")


def _check_options_class(section: Section, options: Any) -> None:
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        section.problems.append("no class Options; a pydantic BaseModel, empty if there is nothing to choose")
        return
    if options.model_config.get("extra") != "forbid":
        section.problems.append('Options accepts misspelt keys; class Options(BaseModel, extra="forbid")')
    for name, field in options.model_fields.items():
        if field.is_required():
            section.problems.append(f"Options.{name} has no default; the value of the release")
        if not field.description and name not in (options.__doc__ or ""):
            section.problems.append(f"Options.{name} is not documented; Field(description=...) or a line in the class docstring")


def _read_all(report: Report, module: ModuleType, dataset: Dataset, options: BaseModel) -> dict[str, dict[str, Any]]:
    """Check and read every subject; answers of :mod:`cortexscale.check.one_read` for those that could be read."""
    answers = {}
    for number, subject in enumerate(dataset.subjects):
        section = report.section(subject)
        if not _check_files(section, module, Path(dataset.path), subject, options):
            continue
        log.info("reading %s", subject)
        answer = read_apart(dataset.reader, dataset.path, subject, options)
        if "error" in answer:
            section.problems.append(f"read fails: {answer['error'].strip()}")
            continue
        answers[subject] = answer
        section.problems += answer["problems"]
        _check_memory(section, module.memory_mb(options), answer["peak_mb"])
        section.facts.append(
            f"{len(answer['train_ids'])} train and {len(answer['test_ids'])} test stimuli, {answer['n_units']} units"
        )
        if number == 0:
            if answer["heavy"]:
                section.problems.append(f"the module imports {', '.join(answer['heavy'])} at its top; inside functions only")
            again = read_apart(dataset.reader, dataset.path, subject, options)
            if again.get("digest") != answer["digest"]:
                section.problems.append("two reads give different recordings; the same numbers every time (seeds from Options)")
    return answers


def _check_files(section: Section, module: ModuleType, root: Path, subject: str, options: BaseModel) -> bool:
    """Whether a subject can be read."""
    before = len(section.problems)
    with section.collect("raw_files of a folder that is not there", "raw_files lists files; they need not exist"):
        module.raw_files(Path("nowhere"), subject, options)
    with section.collect("raw_files", _MODULE):
        files = module.raw_files(root, subject, options)
        if not (isinstance(files, list) and files and all(isinstance(file, Path) for file in files)):
            section.problems.append(f"raw_files gives {files!r:.200}; a list of Paths, every file that read opens")
            return False
        section.many(f"raw_files outside {root}:", [str(file) for file in files if not file.is_relative_to(root)])
        section.many("raw files that are missing:", [str(file) for file in files if not file.is_file()])
        if len(set(files)) < len(files):
            section.problems.append("raw_files lists a file twice")
    if len(section.problems) > before:
        return False
    with section.collect("inspect", _MODULE):
        module.inspect(root, subject, options)
    with tempfile.TemporaryDirectory() as empty, section.collect("inspect of an empty folder", "an InputError is expected"):
        try:
            module.inspect(Path(empty), subject, options)
        except InputError:
            pass
        else:
            section.problems.append("inspect finds nothing wrong with an empty folder; an InputError that names what is missing")
    return True


def read_apart(reader: str, root: str, subject: str, options: BaseModel) -> dict[str, Any]:
    """The answer of :mod:`cortexscale.check.one_read`, run in a fresh process."""
    job = {"reader": reader, "root": root, "subject": subject, "options": options.model_dump(mode="json")}
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [sys.executable, "-m", "cortexscale.check.one_read", str(answer)]
        run = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False)
        if run.stderr:
            log.info("%s", run.stderr)
        if run.returncode:
            return {"error": f"the process ended with {run.returncode}\n{run.stderr}"}
        return json.loads(answer.read_text(encoding="utf-8"))


def _check_memory(section: Section, declared: Any, peak: float) -> None:
    if not isinstance(declared, int) or declared <= 0:
        section.problems.append(f"memory_mb gives {declared!r}; MB as a positive int")
    elif peak > declared:
        section.problems.append(f"{peak:,.0f} MB were needed; memory_mb gives {declared:,}")
    else:
        section.facts.append(f"{peak:,.0f} MB needed, {declared:,} declared")


def _check_sizes(
    section: Section, module: ModuleType, dataset: Dataset, options: BaseModel, answers: dict[str, dict[str, Any]]
) -> None:
    """``shape`` covers what was read."""
    shape = module.shape(options, dataset.subjects)
    if not (isinstance(shape, tuple) and len(shape) == 3 and all(isinstance(n, int) for n in shape)):
        section.problems.append(f"shape gives {shape!r}; (train stimuli, test stimuli, units)")
        return
    if not answers:
        return
    units = [answer["n_units"] for answer in answers.values()]
    shared = len({tuple(sorted(answer["train_ids"])) for answer in answers.values()}) == 1
    found = (
        max(len(answer["train_ids"]) for answer in answers.values()),
        max(len(answer["test_ids"]) for answer in answers.values()),
        sum(units) if shared else max(units),
    )
    for n, bound, what in zip(found, shape, ("train stimuli", "test stimuli", "units in one kernel"), strict=True):
        if n > bound:
            section.problems.append(f"{n:,} {what} were read; shape gives at most {bound:,}")


def _check_rois(section: Section, module: ModuleType, dataset: Dataset, answers: dict[str, dict[str, Any]]) -> None:
    for subject, answer in answers.items():
        absent = [roi for roi in module.ROIS if roi not in answer["rois"]]
        if absent:
            section.problems.append(
                f"the recording of {subject} has no column for the ROIs {', '.join(absent)}; one for all of ROIS"
            )
        extra = [roi for roi in answer["rois"] if roi not in module.ROIS]
        if extra:
            section.problems.append(f"the recording of {subject} has the ROIs {', '.join(extra)}, which are not in ROIS")
    if answers:
        empty = [roi for roi in dataset.rois if not any(answer["rois"].get(roi) for answer in answers.values())]
        if empty:
            section.problems.append(
                f"no subject has a unit in {', '.join(empty)}; leave them out of `rois`, or look for the fault"
            )


def _check_stimuli(section: Section, images: StimulusSet, answers: dict[str, dict[str, Any]]) -> None:
    """Every stimulus has an image."""
    wanted = {id for answer in answers.values() for id in (*answer["train_ids"], *answer["test_ids"])}
    with section.collect("listing the images", "correct the stimulus set"):
        missing = sorted(wanted - set(LAYOUTS[images.layout](Path(images.path)).ids()))
        section.many(f"{len(missing)} of {len(wanted)} stimuli have no image in {images.path}:", missing)
        section.facts.append(f"{len(wanted) - len(missing)} of {len(wanted)} stimuli have an image")
