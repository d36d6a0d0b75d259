"""Check that a dataset module does what its interface promises, and report everything that is wrong at once."""

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

from cortexscale.check.report import Report, ReportSection
from cortexscale.datasets.facts import MODALITY_NAMES
from cortexscale.datasets.readers import load_reader, require_known
from cortexscale.datasets.source import Source
from cortexscale.errors import InputError
from cortexscale.stimuli import LAYOUTS
from cortexscale.study.data import Dataset
from cortexscale.study.images import StimulusSet
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
_MODULE = "the module should raise an InputError for bad input, and nothing for good input"


def check_dataset(name: str, dataset: Dataset, images: StimulusSet) -> Report:
    """Run the whole interface of a dataset module on the raw files of a study.

    Every subject is read in a process of its own, which measures its memory. The first subject is read twice, to compare.

    Args:
        name: name of the dataset in the config.
        dataset: its entry in the config.
        images: the stimulus set that the entry names.
    """
    report = Report(f"The dataset `{name}` and its reader `{dataset.reader}`")
    section = report.section("module")
    section.help.append(_HELP)
    with section.collect("loading the module", "correct the module"):
        module = load_reader(dataset.reader, f"config key datasets.{name}.reader")
        _check_interface(section, module)
        if section.problems:
            section.facts.append("no subject was read, because the module must be corrected first")
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


def _check_interface(section: ReportSection, module: ModuleType) -> None:
    for name in ("SUBJECTS", "ROIS"):
        value = getattr(module, name, None)
        if not (isinstance(value, tuple) and value and all(isinstance(entry, str) for entry in value)):
            section.problems.append(f"{name} is {value!r}; a tuple of names is expected")
        elif len(set(value)) < len(value):
            section.problems.append(f"{name} has a name twice")
    source = getattr(module, "SOURCE", None)
    if not isinstance(source, Source):
        section.problems.append("there is no SOURCE; a Source is expected (cortexscale/datasets/source.py)")
    elif empty := [key for key, text in vars(source).items() if key != "images" and not str(text).strip()]:
        section.problems.append(f"SOURCE has no text for {', '.join(empty)}")
    modality = getattr(module, "MODALITY", None)
    if modality is not None and modality not in MODALITY_NAMES:
        section.problems.append(f"MODALITY is {modality!r}; one of {', '.join(MODALITY_NAMES)} is expected")
    for name, arguments in FUNCTIONS.items():
        function, expected = getattr(module, name, None), f"{name}({', '.join(arguments)})"
        if not callable(function):
            section.problems.append(f"there is no function {expected}")
        elif (found := tuple(inspect.signature(function).parameters)) != arguments:
            section.problems.append(f"{name}({', '.join(found)}) is defined; {expected} is expected")
        elif not function.__doc__:
            section.problems.append(f"{expected} has no docstring")
    _check_options_class(section, getattr(module, "Options", None))
    if not module.__doc__:
        section.problems.append("the module has no docstring; it should say what was recorded, from whom, and name the paper")


def _check_options_class(section: ReportSection, options: Any) -> None:
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        section.problems.append("there is no class Options; a pydantic BaseModel is expected, empty if there are no options")
        return
    if options.model_config.get("extra") != "forbid":
        section.problems.append('Options accepts misspelt keys; class Options(BaseModel, extra="forbid") is expected')
    for name, field in options.model_fields.items():
        if field.is_required():
            section.problems.append(f"Options.{name} has no default; it should be the value of the release")
        if not field.description and name not in (options.__doc__ or ""):
            section.problems.append(
                f"Options.{name} is not documented; Field(description=...) or a line in the class docstring is expected"
            )


def _read_all(report: Report, module: ModuleType, dataset: Dataset, options: BaseModel) -> dict[str, dict[str, Any]]:
    """Check and read every subject; return the answers of :mod:`cortexscale.check.one_read` for those that could be read."""
    answers: dict[str, dict[str, Any]] = {}
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
                section.problems.append(f"the module imports {', '.join(answer['heavy'])} at its top; import them in functions")
            again = read_apart(dataset.reader, dataset.path, subject, options)
            if again.get("digest") != answer["digest"]:
                section.problems.append("two reads give different recordings; equal ones are expected (take seeds from Options)")
    return answers


def _check_files(section: ReportSection, module: ModuleType, root: Path, subject: str, options: BaseModel) -> bool:
    """Check ``raw_files`` and ``inspect`` for a subject; return whether the subject can be read."""
    before = len(section.problems)
    with section.collect("raw_files of a missing folder", "raw_files should list the files whether or not they exist"):
        module.raw_files(Path("nowhere"), subject, options)
    with section.collect("raw_files", _MODULE):
        files = module.raw_files(root, subject, options)
        if not (isinstance(files, list) and files and all(isinstance(file, Path) for file in files)):
            section.problems.append(f"raw_files gives {files!r:.200}; a list of Paths is expected, of every file that read opens")
            return False
        section.add_cases(f"raw_files outside {root}:", [str(file) for file in files if not file.is_relative_to(root)])
        section.add_cases("raw files that are missing:", [str(file) for file in files if not file.is_file()])
        if len(set(files)) < len(files):
            section.problems.append("raw_files lists a file twice")
    if len(section.problems) > before:
        return False
    with section.collect("inspect", _MODULE):
        module.inspect(root, subject, options)
    with tempfile.TemporaryDirectory() as empty, section.collect("inspect of an empty folder", "it should raise an InputError"):
        try:
            module.inspect(Path(empty), subject, options)
        except InputError:
            pass
        else:
            section.problems.append("inspect accepts an empty folder; an InputError that names what is missing is expected")
    return True


def read_apart(reader: str, root: str, subject: str, options: BaseModel) -> dict[str, Any]:
    """Read a subject in a fresh process; return the answer of :mod:`cortexscale.check.one_read`."""
    job = {"reader": reader, "root": root, "subject": subject, "options": options.model_dump(mode="json")}
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [sys.executable, "-m", "cortexscale.check.one_read", str(answer)]
        run = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False)
        if run.stderr:
            log.info("%s", run.stderr)
        if run.returncode:
            return {"error": f"the process ended with code {run.returncode}\n{run.stderr}"}
        return json.loads(answer.read_text(encoding="utf-8"))


def _check_memory(section: ReportSection, declared: Any, peak: float) -> None:
    if not isinstance(declared, int) or declared <= 0:
        section.problems.append(f"memory_mb gives {declared!r}; a positive int, in MB, is expected")
    elif peak > declared:
        section.problems.append(f"read needs {peak:,.0f} MB; memory_mb gives {declared:,}")
    else:
        section.facts.append(f"read needs {peak:,.0f} MB; memory_mb gives {declared:,}")


def _check_sizes(
    section: ReportSection, module: ModuleType, dataset: Dataset, options: BaseModel, answers: dict[str, dict[str, Any]]
) -> None:
    """Check that ``shape`` is at least as large as what was read."""
    shape = module.shape(options, dataset.subjects)
    if not (isinstance(shape, tuple) and len(shape) == 3 and all(isinstance(n, int) for n in shape)):
        section.problems.append(f"shape gives {shape!r}; (train stimuli, test stimuli, units) is expected")
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


def _check_rois(section: ReportSection, module: ModuleType, dataset: Dataset, answers: dict[str, dict[str, Any]]) -> None:
    """Check that recordings have the ROIs of the module, and that each ROI of the study has units."""
    for subject, answer in answers.items():
        absent = [roi for roi in module.ROIS if roi not in answer["rois"]]
        if absent:
            section.problems.append(
                f"the recording of {subject} has no column for {', '.join(absent)}; a column for each of ROIS is expected"
            )
        extra = [roi for roi in answer["rois"] if roi not in module.ROIS]
        if extra:
            section.problems.append(f"the recording of {subject} has the ROIs {', '.join(extra)}, which are not in ROIS")
    if answers:
        empty = [roi for roi in dataset.rois if not any(answer["rois"].get(roi) for answer in answers.values())]
        if empty:
            section.problems.append(
                f"no subject has a unit in {', '.join(empty)}; leave them out of `rois`, or correct the module"
            )


def _check_stimuli(section: ReportSection, images: StimulusSet, answers: dict[str, dict[str, Any]]) -> None:
    """Check that every stimulus has an image."""
    wanted = {id for answer in answers.values() for id in (*answer["train_ids"], *answer["test_ids"])}
    with section.collect("listing the images", "correct the stimulus set"):
        missing = sorted(wanted - set(LAYOUTS[images.layout](Path(images.path)).ids()))
        section.add_cases(f"{len(missing)} of {len(wanted)} stimuli have no image in {images.path}:", missing)
        section.facts.append(f"{len(wanted) - len(missing)} of {len(wanted)} stimuli have an image")
