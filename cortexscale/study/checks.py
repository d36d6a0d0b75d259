"""Check a config for problems that the types of its values cannot show: repeated keys, and names that no section defines."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cortexscale.errors import InputError, did_you_mean
from cortexscale.study.models import PublishedSuite
from cortexscale.study.problems import Place, Validated

if TYPE_CHECKING:
    from cortexscale.study import Study

Found = Iterator[InputError]
_MERGE = "tag:yaml.org,2002:merge"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader of libyaml if it is installed, because it is ten times as fast as the Python loader."""


def repeated_keys(files: Iterable[Path]) -> Found:
    """Yield an error for every key that occurs twice in one mapping of a config file. YAML silently keeps the last value.

    Files that cannot be parsed are left to Snakemake, which reads them first.
    """
    for file in files:
        try:
            root = yaml.compose(file.read_bytes(), _Loader)
        except (OSError, UnicodeError, yaml.YAMLError):
            continue
        yield from _repeated(root, file, "", set())


def _repeated(node: yaml.Node | None, file: Path, path: str, seen: set[int]) -> Found:
    if node is None or id(node) in seen:  # an alias is the same node as its anchor
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, entry in enumerate(node.value):
            yield from _repeated(entry, file, f"{path}{number}.", seen)
    if isinstance(node, yaml.MappingNode):
        lines: dict[tuple[str, Any], int] = {}
        for key, value in node.value:
            line, name = key.start_mark.line + 1, (key.tag, _meaning(key))
            if name in lines and key.tag != _MERGE:
                found = f"the key {path}{key.value} twice, in lines {lines[name]} and {line}"
                yield InputError(f"{file}, line {line}", found, "every key once; YAML would use the last", "remove or rename one")
            lines.setdefault(name, line)
            yield from _repeated(value, file, f"{path}{key.value}.", seen)


def _meaning(key: yaml.Node) -> Any:
    """Return the value that YAML gives a key, such as 1 for both 1 and 0x1. If YAML cannot read the key, return its text."""
    try:
        return yaml.constructor.SafeConstructor().construct_object(key, deep=True)
    except (ValueError, yaml.YAMLError):
        return str(key.value)


def reference_problems(read: "Validated[Study]") -> Found:
    """Yield an error for every reference to something that the config does not define.

    A name counts as defined even if its own entry is wrong, because the wrong entry has an error of its own.
    """
    assert read.value is not None
    for check in (_data, _models, _simulation, _mapping, _finetuning):
        yield from check(read, read.value)


def _unknown(
    read: "Validated[Study]", place: Place, names: Iterable[str], known: Iterable[str], what: str, definition: str
) -> Found:
    """Yield an error for each name that is not ``known``. ``definition`` is the config key that defines the known names."""
    known = list(known)
    expected = f"{what}: {', '.join(known)}" if known else f"{what}, which has none"
    for name in dict.fromkeys(names):
        if name not in known:
            remedy = did_you_mean(name, known, f"correct the name, or add it to {definition}")
            yield InputError(read.key(place), name, expected, remedy)


def _no_dataset(read: "Validated[Study]", place: Place, names: Iterable[str]) -> Found:
    return _not_in_section(read, place, names, "datasets", "a dataset of the config")


def _no_stimuli(read: "Validated[Study]", place: Place, names: Iterable[str]) -> Found:
    return _not_in_section(read, place, names, "stimuli", "a stimulus set of the config")


def _not_in_section(read: "Validated[Study]", place: Place, names: Iterable[str], section: str, what: str) -> Found:
    """Yield an error for each name that is not a key of a section.

    A section that is not a mapping has an error of its own, so nothing is yielded for it.
    """
    given = read.given.get(section, {})
    return _unknown(read, place, names, _keys(given), what, f"`{section}`") if isinstance(given, dict) else iter(())


def _no_roi(read: "Validated[Study]", study: "Study", place: Place, wanted: dict[str, list[str]]) -> Found:
    """Yield an error for each dataset that the config does not define, and for each ROI that its dataset does not list."""
    yield from _no_dataset(read, place, wanted)
    for name, rois in wanted.items():
        if name in study.datasets and read.complete(("datasets", name, "rois")):
            known = study.datasets[name].rois
            yield from _unknown(read, (*place, name), rois, known, "an ROI of the dataset", f"datasets.{name}.rois")


def _keys(given: Any) -> list[str]:
    return [str(key) for key in given] if isinstance(given, dict) else []


def _data(read: "Validated[Study]", study: "Study") -> Found:
    for name, dataset in study.datasets.items():
        yield from _no_stimuli(read, ("datasets", name, "stimuli"), [dataset.stimuli])
    yield from _no_dataset(read, ("estimate", "units"), study.estimate.units)
    yield from _same_labels(read, {("datasets", name, "label"): dataset.label for name, dataset in study.datasets.items()})
    if study.published:
        yield from _same_labels(read, {("published", "labels", name): label for name, label in study.published.labels.items()})
    if study.projection_study:
        yield from _no_stimuli(read, ("projection_study", "stimuli"), study.projection_study.stimuli or ())


def _same_labels(read: "Validated[Study]", labels: Mapping[Place, str]) -> Found:
    """Yield an error for each label that looks like an earlier label. In figures nobody could tell the two apart."""
    seen: dict[str, Place] = {}
    for place, label in labels.items():
        first = seen.setdefault(" ".join(unicodedata.normalize("NFKC", label).split()), place)
        if first != place:
            found = f"{label}, as in {'.'.join(map(str, first))}"
            yield InputError(
                read.key(place), found, "a label of its own, by which figures tell datasets apart", "change one of them"
            )


def _models(read: "Validated[Study]", study: "Study") -> Found:
    given = [name for name in ("datasets", "models") if read.given.get(name)]
    if study.published and given:
        expected = "`published`, whose tables take the place of datasets and models, or these"
        yield InputError(read.key(("published",)), f"it is given with {' and '.join(given)}", expected, "remove one of them")
    if given == ["datasets"]:
        yield InputError(read.key(("models",)), "none", "models whose features predict the datasets", "list at least one source")
    folders = sorted({source.path for source in study.models if isinstance(source, PublishedSuite) and source.download})
    if len(folders) > 1:
        expected = "one folder, to which all checkpoints of the published suite are downloaded"
        yield InputError(read.key(("models",)), f"the folders {' and '.join(folders)}", expected, "give both sources one `path`")


def _simulation(read: "Validated[Study]", study: "Study") -> Found:
    for name in study.simulation.datasets if study.simulation else ():
        yield from _no_dataset(read, ("simulation", "datasets", name), [name])
        expected = f"{study.results}/raw/{name}"
        if name in study.datasets and study.datasets[name].path != expected:
            remedy = f"write '{{results}}/raw/{name}', where the simulation puts it"
            yield InputError(read.key(("datasets", name, "path")), study.datasets[name].path, expected, remedy)


def _mapping(read: "Validated[Study]", study: "Study") -> Found:
    if not study.mapping:
        return
    yield from _no_dataset(read, ("mapping", "datasets"), study.mapping.datasets)
    for readout, recipes in study.mapping.recipes.items():
        yield from _no_dataset(read, ("mapping", "recipes", readout), [name for name in recipes if name != "all"])


def _finetuning(read: "Validated[Study]", study: "Study") -> Found:
    section = study.finetuning
    if not section:
        return
    given = read.given["finetuning"]
    recipes, targets = _keys(given.get("recipes")) or list(section.recipes), _keys(given["targets"])
    yield from _no_roi(read, study, ("finetuning", "targets"), section.targets)
    yield from _no_dataset(read, ("finetuning", "benchmarks"), section.benchmarks or ())
    for path, grid in section.grids():
        place: Place = ("finetuning", *path)
        wanted = {name: [roi for rois in sets for roi in rois] for name, sets in grid.rois.items()}
        yield from _no_roi(read, study, (*place, "rois"), wanted)
        yield from _unknown(read, (*place, "recipes"), grid.recipes, recipes, "a recipe of the section", "finetuning.recipes")
        what = "a dataset whose ROIs are given in finetuning.targets or `rois`"
        known = [*targets, *grid.rois]
        yield from _unknown(read, (*place, "datasets"), grid.datasets or (), known, what, "finetuning.targets with its ROIs")
        for name in grid.datasets or grid.rois or section.targets:
            dataset = study.datasets.get(name)
            if dataset and grid.subjects and max(grid.subjects) > dataset.scored:
                expected = f"at most {dataset.scored}, the subjects of {name} that are scored"
                yield InputError(read.key((*place, "subjects")), str(max(grid.subjects)), expected, "correct the number")
