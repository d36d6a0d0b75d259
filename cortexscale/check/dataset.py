"""Check that a dataset module does what the interface of readers promises, and report all problems at once."""

import inspect
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from cortexscale.check.report import MANY, Report, ReportSection
from cortexscale.datasets.facts import MODALITY_NAMES
from cortexscale.datasets.readers import DESCRIBED, load_reader, require_known
from cortexscale.datasets.source import Source
from cortexscale.errors import InputError
from cortexscale.listing import nfc
from cortexscale.stimuli import LAYOUTS
from cortexscale.stimuli.ids import like
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
"""Function of a dataset module -> arguments."""

_HELP = "docs/adding_a_dataset.md says what each part of a dataset module promises, with a complete example."
_MODULE = "the module should raise an InputError for bad input, and nothing for good input"
Answer = dict[str, Any]  # what :mod:`cortexscale.check.one_read` returns for a subject


def check_dataset(name: str, dataset: Dataset, images: StimulusSet) -> Report:
    """Call every function of a dataset module on the raw files of a study, and check the results.

    Every subject is read in a process of its own, which measures the memory of the read. The first subject is read twice, and
    both results must be equal.
    """
    report = Report(f"The dataset `{name}` and its reader `{dataset.reader}`")
    section = report.section("module", _HELP)
    with section.collect("loading the module", "correct the module"):
        module = load_reader(dataset.reader, f"config key datasets.{name}.reader")
        if dataset.reader != DESCRIBED:
            section.problems += [*_interface_problems(module), *_options_problems(getattr(module, "Options", None))]
        if section.problems:
            section.facts.append("no subject was read, because the module must be corrected first")
            return report
        options = check_entry(section, name, dataset, module, _MODULE)
        answers = _read_all(report, module, dataset, options)
        section.problems += [*_size_problems(module, dataset, options, answers), *_roi_problems(module, dataset, answers)]
        _check_stimuli(report.section(f"images {dataset.stimuli}"), images, answers)
    return report


def check_entry(section: ReportSection, name: str, dataset: Dataset, module: ModuleType, blame: str) -> BaseModel:
    """Check the options, subjects and ROIs of a dataset's entry in the config against the reader. Return the options."""
    key = f"config key datasets.{name}"
    options = checked(module.Options, dataset.options, f"{key}.options")
    for kind, wanted, known in (("subjects", dataset.subjects, module.SUBJECTS), ("rois", dataset.rois, module.ROIS)):
        with section.collect(f"checking {kind}", blame):
            require_known(wanted, known, f"{key}.{kind}")
    return options


def _interface_problems(module: ModuleType) -> Iterator[str]:
    for name in ("SUBJECTS", "ROIS"):
        value = getattr(module, name, None)
        if value is None and hasattr(module, name):
            continue
        if not (isinstance(value, tuple) and value and all(isinstance(entry, str) for entry in value)):
            yield f"{name} is {value!r}; a tuple of names is expected, or None if only the files have the names"
        elif len(set(value)) < len(value):
            yield f"{name} has a name twice"
    source = getattr(module, "SOURCE", None)
    if not isinstance(source, Source):
        yield "there is no SOURCE; a Source is expected (cortexscale/datasets/source.py)"
    elif empty := [key for key, text in vars(source).items() if key != "images" and not str(text).strip()]:
        yield f"SOURCE has no text for {', '.join(empty)}"
    modality = getattr(module, "MODALITY", None)
    if modality is not None and modality not in MODALITY_NAMES:
        yield f"MODALITY is {modality!r}; one of {', '.join(MODALITY_NAMES)} is expected"
    for name, arguments in FUNCTIONS.items():
        function, expected = getattr(module, name, None), f"{name}({', '.join(arguments)})"
        if not callable(function):
            yield f"there is no function {expected}"
        elif (found := tuple(inspect.signature(function).parameters)) != arguments:
            yield f"{name}({', '.join(found)}) is defined; {expected} is expected"
        elif not function.__doc__:
            yield f"{expected} has no docstring"
    if not module.__doc__:
        yield "the module has no docstring; it should say what was recorded and from whom, and name the paper"


def _options_problems(options: Any) -> Iterator[str]:
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        yield "there is no class Options; a pydantic BaseModel is expected, empty if there are no options"
        return
    if options.model_config.get("extra") != "forbid":
        yield 'Options accepts misspelt keys; class Options(BaseModel, extra="forbid") is expected'
    for name, field in options.model_fields.items():
        if field.is_required():
            yield f"Options.{name} has no default; it should be the value of the release"
        if not field.description and name not in (options.__doc__ or ""):
            yield f"Options.{name} is not documented; Field(description=...) or a line in the class docstring is expected"


def _read_all(report: Report, module: ModuleType, dataset: Dataset, options: BaseModel) -> dict[str, Answer]:
    """Check and read every subject. Return the answers for the subjects that could be read."""
    answers: dict[str, Answer] = {}
    for subject in dataset.subjects:
        section = report.section(subject)
        if not _check_files(section, module, Path(dataset.path), subject, options):
            continue
        log.info("reading %s", subject)
        answer = read_apart(dataset.reader, dataset.path, subject, options)
        if "error" in answer:
            section.problems.append(f"read fails: {answer['error'].strip()}")
            continue
        section.problems += answer["problems"]
        _check_memory(section, module.memory_mb(options), answer["peak_mb"])
        n_train, n_test = len(answer["train_ids"]), len(answer["test_ids"])
        section.facts.append(f"{n_train} train and {n_test} test stimuli, {answer['n_units']} units")
        if subject == dataset.subjects[0]:
            if answer["heavy"]:
                section.problems.append(f"the module imports {', '.join(answer['heavy'])} at its top; import them in functions")
            again = read_apart(dataset.reader, dataset.path, subject, options)
            if again.get("digest") != answer["digest"]:
                section.problems.append("two reads give different recordings; equal ones are expected (take seeds from Options)")
        answers[subject] = answer
    return answers


def _check_files(section: ReportSection, module: ModuleType, root: Path, subject: str, options: BaseModel) -> bool:
    """Check ``raw_files`` and ``inspect`` for a subject. Return whether the subject can be read."""
    before = len(section.problems)
    with section.collect("raw_files of a missing folder", "raw_files should list the files whether or not they exist"):
        module.raw_files(Path("nowhere"), subject, options)
    with section.collect("raw_files", _MODULE):
        files = module.raw_files(root, subject, options)
        if not (isinstance(files, list) and files and all(isinstance(file, Path) for file in files)):
            section.problems.append(f"raw_files gives {files!r:.200}; a list of Paths is expected, of every file that read opens")
            return False
        section.add_cases(f"raw_files outside {root}:", [file for file in files if not file.is_relative_to(root)])
        section.add_cases("raw files that are missing:", [file for file in files if not file.is_file()])
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


def read_apart(reader: str, root: str, subject: str, options: BaseModel) -> Answer:
    """Read a subject in a new process, so that its memory can be measured."""
    job = {"reader": reader, "root": root, "subject": subject, "options": options.model_dump(mode="json")}
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [sys.executable, "-m", "cortexscale.check.one_read", str(answer)]
        run = subprocess.run(command, input=json.dumps(job), capture_output=True, encoding="utf-8", errors="replace", check=False)
        if run.stderr:
            log.info("%s", run.stderr)
        if run.returncode:
            return {"error": f"the process ended with code {run.returncode}\n{run.stderr}"}
        return json.loads(answer.read_text(encoding="utf-8"))


def _check_memory(section: ReportSection, declared: Any, peak: float) -> None:
    if not isinstance(declared, int) or declared <= 0:
        section.problems.append(f"memory_mb gives {declared!r}; a positive int, in MB, is expected")
    else:
        noted = section.problems if peak > declared else section.facts
        noted.append(f"read needs {peak:,.0f} MB; memory_mb gives {declared:,}")


def _size_problems(module: ModuleType, dataset: Dataset, options: BaseModel, answers: dict[str, Answer]) -> Iterator[str]:
    """Check that the numbers of ``shape`` are at least as large as the numbers of stimuli and units that were read."""
    shape = module.shape(options, dataset.subjects)
    if not (isinstance(shape, tuple) and len(shape) == 3 and all(isinstance(n, int) for n in shape)):
        yield f"shape gives {shape!r}; (train stimuli, test stimuli, units) is expected"
        return
    if not answers:
        return
    train, test, units = zip(*((each["train_ids"], each["test_ids"], each["n_units"]) for each in answers.values()), strict=True)
    shared = len({tuple(sorted(ids)) for ids in train}) == 1
    found = (max(map(len, train)), max(map(len, test)), sum(units) if shared else max(units))
    for n, bound, what in zip(found, shape, ("train stimuli", "test stimuli", "units in one kernel"), strict=True):
        if n > bound:
            yield f"{n:,} {what} were read; shape gives at most {bound:,}"


def _roi_problems(module: ModuleType, dataset: Dataset, answers: dict[str, Answer]) -> Iterator[str]:
    """Check that recordings have all ROIs of the module, and that every ROI of the study has units."""
    for subject, answer in answers.items() if module.ROIS is not None else ():
        if absent := [roi for roi in module.ROIS if roi not in answer["rois"]]:
            yield f"the recording of {subject} has no column for {', '.join(absent)}; a column for each of ROIS is expected"
        if extra := [roi for roi in answer["rois"] if roi not in module.ROIS]:
            yield f"the recording of {subject} has the ROIs {', '.join(extra)}, which are not in ROIS"
    empty = [roi for roi in dataset.rois if not any(answer["rois"].get(roi) for answer in answers.values())]
    if answers and empty:
        yield f"no subject has a unit in {', '.join(empty)}; leave them out of `rois`, or correct the module"


def _check_stimuli(section: ReportSection, images: StimulusSet, answers: dict[str, Answer]) -> None:
    """Check that every stimulus has an image."""
    wanted = {id for answer in answers.values() for id in (*answer["train_ids"], *answer["test_ids"])}
    with section.collect("listing the images", "correct the stimulus set"):
        ids = LAYOUTS[images.layout](Path(images.path)).ids()
        known = set(map(nfc, ids))
        missing = sorted(id for id in wanted if nfc(id) not in known)
        named = [f"{id}{like(id, ids)}" if number < MANY else id for number, id in enumerate(missing)]
        section.add_cases(f"{len(missing)} of {len(wanted)} stimuli have no image in {images.path}:", named)
        section.facts.append(f"{len(wanted) - len(missing)} of {len(wanted)} stimuli have an image")
