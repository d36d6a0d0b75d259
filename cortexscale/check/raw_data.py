"""Are the raw files of a study there, and are they what was released? Everything that can be said before reading them."""

import logging
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePath
from types import ModuleType

from pydantic import BaseModel

from cortexscale.check.models import check_checkpoints, check_timm_names, check_training_images
from cortexscale.check.places import files_below, hints, unpacked_hint
from cortexscale.check.report import MANY, Report, Section
from cortexscale.datasets.manifest import released_file
from cortexscale.datasets.readers import load_reader, require_known
from cortexscale.errors import InputError
from cortexscale.files import require_real_file
from cortexscale.stimuli import LAYOUTS
from cortexscale.stimuli.image_folder import SUFFIXES
from cortexscale.study.data import Dataset, StimulusSet
from cortexscale.study.models import Suite
from cortexscale.study.problems import checked

log = logging.getLogger(__name__)

IMAGES = {
    "image_folder": "THINGS is on OSF (project jum2f): images_THINGS.zip, 4.7 GB. The archive has a password, which the project "
    "gives to those who accept its terms (research only, no redistribution). Unpacked, "
    "<path>/aardvark/aardvark_01b.jpg exists, and 26,106 others.",
    "nsd": "After the NSD data-access form: aws s3 cp --no-sign-request "
    "s3://natural-scenes-dataset/nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5 <path> (39.6 GB).",
    "brainscore": "The stimulus table and the zip of its images come with the assembly of the dataset, from the same bucket.",
}
"""How to get the images of each layout."""

_READERS_FAULT = "a fault of the reader: `snakemake check_dataset` says more"


def check_data(
    study: str,
    datasets: Mapping[str, Dataset],
    stimuli: Mapping[str, StimulusSet],
    missing: Sequence[str] = (),
    checksums: bool = False,
    suites: Sequence[Suite] = (),
    checkpoints: Sequence[str] = (),
    timm_names: Sequence[str] = (),
) -> Report:
    """Check the raw files of all datasets and stimulus sets of a study, and what its models come from.

    Args:
        study: its name.
        missing: other files that the study needs and has not: checkpoints, labelled images.
        checkpoints: files that models are loaded from; some may be missing.
        timm_names: of pretrained networks.
        checksums: also compare contents with the released checksums, which reads every byte.

    Returns:
        A report with one section per dataset and stimulus set. Nothing is raised for a wrong file.
    """
    report = Report(f"Raw data of study `{study}`")
    for name, dataset in datasets.items():
        section = report.section(f"{name} ({dataset.label}) in {dataset.path}")
        with section.collect(f"checking {name}", _READERS_FAULT):
            _check_dataset(section, name, dataset, checksums)
    for name, images in stimuli.items():
        shown = ", ".join(dataset for dataset, entry in datasets.items() if entry.stimuli == name)
        if not shown:
            report.section(f"images {name} in {images.path}").facts.append("shown in no dataset of the study: not needed")
            continue
        section = report.section(f"images {name} (shown in {shown}) in {images.path}")
        section.help.append(f"To get them: {IMAGES[images.layout]}")
        with section.collect(f"checking the images {name}", "a fault of Cortex Scale"):
            _check_images(section, images)
    for suite in suites:
        if Path(suite.images).exists():
            check_training_images(report.section(f"images of the suite {suite.dataset} in {suite.images}"), suite)
    if missing or checkpoints or timm_names:
        section = report.section("models and scores")
        section.many(f"{len(missing)} files are missing:", list(missing))
        check_checkpoints(section, checkpoints)
        with section.collect("looking for names of timm", "a fault of Cortex Scale"):
            check_timm_names(section, timm_names)
        section.help.append(
            "The config says where they are looked for: `models`, `scores`. docs/models.md has the layouts of a suite's images."
        )
    return report


def _check_dataset(section: Section, name: str, dataset: Dataset, checksums: bool) -> None:
    key, root = f"config key datasets.{name}", Path(dataset.path)
    module = load_reader(dataset.reader, f"{key}.reader")
    section.help += source_lines(module)
    options = checked(module.Options, dataset.options, f"{key}.options")
    for kind, wanted, known in (("subjects", dataset.subjects, module.SUBJECTS), ("rois", dataset.rois, module.ROIS)):
        with section.collect(f"checking {kind}", _READERS_FAULT):
            require_known(wanted, known, f"{key}.{kind}")

    files: dict[str, list[Path]] = {}
    for subject in dataset.subjects:
        with section.collect(f"listing the files of {subject}", _READERS_FAULT):
            files[subject] = module.raw_files(root, subject, options)
    every = list(dict.fromkeys(file for listed in files.values() for file in listed))
    changed = changed_counts(options)
    if changed:
        section.facts.append(f"sizes are not compared with the release: the config changes {', '.join(changed)}")
    bad = _check_files(section, root, every, None if changed else dataset.reader, checksums)
    for subject, listed in files.items():
        if bad.isdisjoint(listed):
            log.info("inspecting %s %s", name, subject)
            with section.collect(f"inspecting {subject}", _READERS_FAULT):
                module.inspect(root, subject, options)
    good = [file for file in every if file not in bad]
    size = sum(file.stat().st_size for file in good)
    section.facts.insert(0, f"{len(good)} of {len(every)} files, {human(size)}, {len(files)} subject(s)")


def _check_files(section: Section, root: Path, files: Sequence[Path], reader: str | None, checksums: bool) -> set[Path]:
    """Note what is wrong with files; those that cannot be used are returned. ``reader`` None: compare with no release."""
    missing, damaged, wrong, bad = [], [], [], set()
    for file in files:
        path = PurePath(file.relative_to(root)) if file.is_relative_to(root) else PurePath(file)
        try:
            require_real_file(file, remedy="")
        except InputError as error:
            bad.add(file)
            missing.append(path) if error.found == "nothing" else damaged.append(f"{path}: {error.found}")
            continue
        except OSError as error:
            bad.add(file)
            damaged.append(f"{path}: cannot be opened ({error.strerror})")
            continue
        released = released_file(reader, path) if reader else None
        if released and (difference := released.wrong_size(file.stat().st_size)):
            bad.add(file)
            wrong.append(f"{path}: {difference}")
        elif released and checksums:
            log.info("checksum of %s", file)
            if difference := released.wrong_content(file):
                bad.add(file)
                wrong.append(f"{path}: {difference}")
    _note_missing(section, root, missing, len(files), reader)
    section.many("not data files (fetch the content of git-annex pointers; use direct links for downloads):", damaged)
    section.many("not as released (cut short? another version?):", wrong)
    return bad


def _note_missing(section: Section, root: Path, missing: Sequence[PurePath], n_files: int, reader: str | None) -> None:
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
    intro = f"{len(missing)} of {n_files} files are missing" + (f" (at least {human(size)})" if size else "")
    section.many("\n".join([intro, *hints(root, missing)]), listed)


def human(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def changed_counts(options: BaseModel) -> list[str]:
    """Options that count something in the release, and say that these files hold another number."""

    def counts(value: object) -> bool:
        values = value.values() if isinstance(value, dict) else [value]
        return all(isinstance(entry, int) and not isinstance(entry, bool) for entry in values)

    fields = {
        name: field
        for name, field in type(options).model_fields.items()
        if not name.startswith(("min_", "max_")) and "seed" not in name
    }
    return [name for name, field in fields.items() if counts(field.default) and getattr(options, name) != field.default]


def source_lines(module: ModuleType) -> list[str]:
    """How to get a dataset, and on which terms."""
    source = module.SOURCE
    return [f"To get it: {source.get}", f"Terms: {source.licence}", f"Cite: {source.citation}"]


def _check_images(section: Section, images: StimulusSet) -> None:
    path = Path(images.path)
    try:
        ids = LAYOUTS[images.layout](path).ids()
    except InputError as error:
        other = next((place for place in _near(path) if _has_images(place)), None) if images.layout == "image_folder" else None
        found = [f"they would be found if the path were {other}"] if other else []
        section.problems.append("\n".join([str(error), *found, *unpacked_hint(path, list(files_below(path)))]))
        return
    if images.expected and len(ids) != images.expected:
        section.problems.append(f"{len(ids):,} images; {images.expected:,} expected (config key `expected`)")
    else:
        section.facts.append(f"{len(ids):,} images")
    if images.layout == "image_folder":
        files = [path / id for id in ids]
        section.many("empty images:", [str(file) for file in files if not (file.is_file() and file.stat().st_size)])


def _near(root: Path) -> list[Path]:
    """Folders up to two levels below and above."""
    below = (place for pattern in ("*", "*/*") for place in islice(root.glob(pattern), 100) if place.is_dir())
    return [*islice(below, 100), *islice(root.absolute().parents, 2)]


def _has_images(folder: Path) -> bool:
    return any(file.suffix.lower() in SUFFIXES for file in islice(folder.glob("*/*"), 100))
