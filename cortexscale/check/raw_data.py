"""Check that the raw files of a study exist and equal the released files, before they are read."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from types import MappingProxyType

from pydantic import BaseModel

from cortexscale.check.dataset import check_entry
from cortexscale.check.images import check_images_of_finetuning, check_images_of_suite, check_stimuli
from cortexscale.check.misplaced import hints
from cortexscale.check.models import check_checkpoints, check_timm_names
from cortexscale.check.released_counts import compare_counts
from cortexscale.check.report import MANY, Report, ReportSection
from cortexscale.datasets.manifest import released_file
from cortexscale.datasets.readers import load_reader
from cortexscale.datasets.source import IMAGES
from cortexscale.errors import InputError
from cortexscale.files import require_real_file
from cortexscale.listing import DOWNLOAD
from cortexscale.study.data import Dataset
from cortexscale.study.images import StimulusSet
from cortexscale.study.models import Suite

log = logging.getLogger(__name__)

_MODELS = "The config sets where they are looked for: `models`, `scores`. docs/models.md describes layouts of labelled images."
_READERS_FAULT = "the reader has a fault; run `snakemake check_dataset` for more"


def check_data(
    study: str,
    datasets: Mapping[str, Dataset],
    stimuli: Mapping[str, StimulusSet],
    missing: Sequence[str] = (),
    checksums: bool = False,
    suites: Sequence[Suite] = (),
    checkpoints: Sequence[str] = (),
    timm_names: Sequence[str] = (),
    images_of_finetuning: Mapping[str, Mapping[str, int | None]] = MappingProxyType({}),
) -> Report:
    """Check the raw files of all datasets and stimulus sets of a study, and the files and names of its models.

    With ``checksums``, every file is read to compare it with the released checksum. Files in ``checkpoints`` need not exist.
    ``missing`` lists other files that the study needs but does not have.
    """
    report = Report(f"Raw data of study `{study}`")
    for name, dataset in datasets.items():
        section = report.section(f"{name} ({dataset.label}) in {dataset.path}")
        with section.collect(f"checking {name}", _READERS_FAULT):
            _check_dataset(section, name, dataset, checksums)
    for name, images in stimuli.items():
        used_by = ", ".join(dataset for dataset, entry in datasets.items() if entry.stimuli == name)
        if not used_by:
            report.section(f"images {name} in {images.path}").facts.append("not needed: no dataset of the study uses them")
            continue
        sources = _image_sources(entry.reader for entry in datasets.values() if entry.stimuli == name)
        section = report.section(f"images {name} (used by {used_by}) in {images.path}", *sources)
        with section.collect(f"checking the images {name}", "this is a fault of Cortex Scale"):
            check_stimuli(section, images)
    for suite in suites:
        if Path(suite.images).exists():
            check_images_of_suite(report.section(f"images of the suite {suite.dataset} in {suite.images}"), suite)
    for path, classes in images_of_finetuning.items():
        if Path(path).exists():
            check_images_of_finetuning(report.section(f"images of the fine-tuning in {path}"), path, classes)
    if missing or checkpoints or timm_names:
        section = report.section("models and scores", _MODELS)
        section.add_cases(f"{len(missing)} files are missing:", missing)
        check_checkpoints(section, checkpoints)
        with section.collect("looking for names of timm", "this is a fault of Cortex Scale"):
            check_timm_names(section, timm_names)
    return report


def _check_dataset(section: ReportSection, name: str, dataset: Dataset, checksums: bool) -> None:
    root, module = Path(dataset.path), load_reader(dataset.reader, f"config key datasets.{name}.reader")
    source = module.SOURCE
    section.help += [f"To get it: {source.get}", f"Terms: {source.licence}", f"Cite: {source.citation}"]
    options = check_entry(section, name, dataset, module, _READERS_FAULT)
    files: dict[str, list[Path]] = {}
    for subject in dataset.subjects:
        with section.collect(f"listing the files of {subject}", _READERS_FAULT):
            files[subject] = module.raw_files(root, subject, options)
    every = list(dict.fromkeys(file for listed in files.values() for file in listed))
    changed = changed_counts(options)
    if changed:
        section.facts.append(f"sizes were not compared with the release, because the config changes {', '.join(changed)}")
    bad = _check_files(section, root, every, None if changed else dataset.reader, checksums)
    for subject, listed in files.items():
        if bad.isdisjoint(listed):
            log.info("inspecting %s %s", name, subject)
            with section.collect(f"inspecting {subject}", _READERS_FAULT):
                module.inspect(root, subject, options)
                if not changed:
                    compare_counts(section, dataset.reader, module, root, subject, options)
    good = [file for file in every if file not in bad]
    size = sum(file.stat().st_size for file in good)
    section.facts += _dated_ahead(good)
    section.facts.insert(0, f"{len(good)} of {len(every)} files, {_readable(size)}, {len(files)} subject(s)")


def _check_files(section: ReportSection, root: Path, files: Sequence[Path], reader: str | None, checksums: bool) -> set[Path]:
    """Note the problems of files, and return the files that cannot be used.

    If there is a ``reader``, the files are compared with the released files of the reader.
    """
    missing: dict[Path, PurePath] = {}
    damaged: dict[Path, str] = {}
    wrong: dict[Path, str] = {}
    for file in files:
        path = PurePath(file.relative_to(root)) if file.is_relative_to(root) else PurePath(file)
        try:
            require_real_file(file, remedy="")
        except InputError as error:
            if error.found == "nothing":
                missing[file] = path
            else:
                damaged[file] = f"{path}: {error.found}" + (f"; {DOWNLOAD}" if error.remedy == DOWNLOAD else "")
            continue
        except OSError as error:
            damaged[file] = f"{path}: cannot be opened ({error.strerror})"
            continue
        released = released_file(reader, path) if reader else None
        difference = released.wrong_size(file.stat().st_size) if released else None
        if released and checksums and not difference:
            log.info("checksum of %s", file)
            difference = released.wrong_content(file)
        if difference:
            wrong[file] = f"{path}: {difference}"
    _note_missing(section, root, list(missing.values()), len(files), reader)
    section.add_cases("not data files (fetch git-annex content; use direct links for downloads):", damaged.values())
    section.add_cases("not as released (cut short, or another version):", wrong.values())
    return {*missing, *damaged, *wrong}


def _dated_ahead(files: Sequence[Path]) -> list[str]:
    """Say which files are dated in the future."""
    ahead = [file for file in files if file.stat().st_mtime > time.time() + 60]
    if not ahead:
        return []
    cause = "the clock of the machine that wrote them differs from that of this one. Results do not depend on these dates"
    return [f"{len(ahead)} files are dated in the future, such as {ahead[0]}: {cause}"]


def _note_missing(section: ReportSection, root: Path, missing: Sequence[PurePath], n_files: int, reader: str | None) -> None:
    """Report missing files, with hints where they could be. If many files are missing, they are listed by folder."""
    if not missing:
        return
    known = [released for path in missing if reader and (released := released_file(reader, path))]
    size = sum(released.bytes or released.at_least or 0 for released in known)
    listed = [str(path) for path in missing]
    if len(missing) > MANY:
        folders: dict[PurePath, list[str]] = {}
        for path in missing:
            folders.setdefault(path.parent, []).append(path.name)
        listed = [f"{place}: {', '.join(names) if len(names) < 4 else f'{len(names)} files'}" for place, names in folders.items()]
    intro = f"{len(missing)} of {n_files} files are missing" + (f" (at least {_readable(size)})" if size else "")
    section.add_cases("\n".join([intro, *hints(root, missing)]), listed)


def _readable(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def changed_counts(options: BaseModel) -> list[str]:
    """List the options that are counts and differ from their defaults, which are the counts of the release.

    If any count was changed, the file sizes of the release do not apply.
    """

    def counts(name: str, value: object) -> bool:
        values = value.values() if isinstance(value, dict) else [value]
        numbers = all(isinstance(entry, int) and not isinstance(entry, bool) for entry in values)
        return numbers and not name.startswith(("min_", "max_")) and "seed" not in name

    defaults = {name: field.default for name, field in type(options).model_fields.items()}
    return [name for name, value in defaults.items() if counts(name, value) and getattr(options, name) != value]


def _image_sources(readers: Iterable[str]) -> list[str]:
    """Say where to get the images of a stimulus set, according to the readers of its datasets. Faulty readers are left out."""
    places = []
    for reader in readers:
        with suppress(InputError):
            source = getattr(load_reader(reader), "SOURCE", None)
            places += [IMAGES.get(source.images, source.images)] if source and source.images else []
    return [f"To get them: {place}" for place in dict.fromkeys(places)]
