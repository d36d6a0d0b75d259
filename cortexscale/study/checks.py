"""Check that sections of the config name only what other sections define."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from cortexscale.errors import InputError, did_you_mean
from cortexscale.study.models import PublishedSuite
from cortexscale.study.problems import Path, Validated

if TYPE_CHECKING:
    from cortexscale.study import Study

Found = Iterator[InputError]


def reference_problems(read: "Validated[Study]") -> Found:
    """Yield an error for every reference to something that the config does not define.

    Names count as defined even if their own entry is wrong, because that entry is reported itself.
    """
    assert read.value is not None
    for check in (_data, _models, _simulation, _mapping, _finetuning):
        yield from check(read, read.value)


def _unknown(read: "Validated[Study]", path: Path, names: Iterable[str], section: str, what: str) -> Found:
    """Yield an error for each name that is not a key of a top-level section."""
    known = _keys(read.given.get(section))
    for name in names:
        if name not in known:
            expected = f"a {what} of the config: {', '.join(known)}" if known else f"a {what}, of which the config has none"
            yield InputError(
                read.key(path), name, expected, did_you_mean(name, known, f"correct the name, or add it to `{section}`")
            )


def _keys(given: Any) -> list[str]:
    return list(given) if isinstance(given, dict) else []


def _data(read: "Validated[Study]", study: "Study") -> Found:
    for name, dataset in study.datasets.items():
        yield from _unknown(read, ("datasets", name, "stimuli"), [dataset.stimuli], "stimuli", "stimulus set")
    yield from _unknown(read, ("estimate", "units"), study.estimate.units, "datasets", "dataset")
    if study.projection_study:
        yield from _unknown(
            read, ("projection_study", "stimuli"), study.projection_study.stimuli or (), "stimuli", "stimulus set"
        )


def _models(read: "Validated[Study]", study: "Study") -> Found:
    given = [name for name in ("datasets", "models") if read.given.get(name)]
    if study.published and given:
        expected = "`published`, whose tables take the place of datasets and models, or these"
        yield InputError(read.key(("published",)), f"it stands beside {' and '.join(given)}", expected, "remove one of them")
    if given == ["datasets"]:
        yield InputError(read.key(("models",)), "none", "models whose features predict the datasets", "list at least one source")
    folders = sorted({source.path for source in study.models if isinstance(source, PublishedSuite) and source.download})
    if len(folders) > 1:
        expected = "one folder, to which all checkpoints of the published suite are downloaded"
        yield InputError(read.key(("models",)), f"the folders {' and '.join(folders)}", expected, "give both sources one `path`")


def _simulation(read: "Validated[Study]", study: "Study") -> Found:
    for name in study.simulation.datasets if study.simulation else ():
        key: Path = ("simulation", "datasets", name)
        yield from _unknown(read, key, [name], "datasets", "dataset")
        expected = f"{study.results}/raw/{name}"
        if name in study.datasets and study.datasets[name].path != expected:
            remedy = f"write '{{results}}/raw/{name}', where the simulation puts it"
            yield InputError(read.key(("datasets", name, "path")), study.datasets[name].path, expected, remedy)


def _mapping(read: "Validated[Study]", study: "Study") -> Found:
    if not study.mapping:
        return
    yield from _unknown(read, ("mapping", "datasets"), study.mapping.datasets, "datasets", "dataset")
    for readout, recipes in study.mapping.recipes.items():
        named = [name for name in recipes if name != "all"]
        yield from _unknown(read, ("mapping", "recipes", readout), named, "datasets", "dataset")


def _finetuning(read: "Validated[Study]", study: "Study") -> Found:
    section = study.finetuning
    if not section:
        return
    yield from _rois(read, study, ("finetuning", "targets"), section.targets)
    yield from _unknown(read, ("finetuning", "benchmarks"), section.benchmarks or (), "datasets", "dataset")
    for place, grid in section.grids():
        path: Path = ("finetuning", *place)
        wanted = {name: [roi for rois in sets for roi in rois] for name, sets in grid.rois.items()}
        yield from _rois(read, study, (*path, "rois"), wanted)
        recipes = _keys(read.given["finetuning"].get("recipes")) or list(section.recipes)
        for name in grid.recipes:
            if name not in recipes:
                remedy = did_you_mean(name, recipes, "correct the name, or add it to finetuning.recipes")
                yield InputError(read.key((*path, "recipes")), name, f"a recipe of the section: {', '.join(recipes)}", remedy)
        targets = _keys(read.given["finetuning"]["targets"])
        for name in grid.datasets or ():
            if name not in targets and name not in grid.rois:
                expected = f"a dataset whose ROIs are given in finetuning.targets or `rois`: {', '.join([*targets, *grid.rois])}"
                remedy = did_you_mean(name, targets, "correct the name, or add its ROIs to finetuning.targets")
                yield InputError(read.key((*path, "datasets")), name, expected, remedy)
        for name in grid.datasets or grid.rois or section.targets:
            dataset = study.datasets.get(name)
            if dataset and grid.subjects and max(grid.subjects) > dataset.scored:
                expected = f"at most {dataset.scored}, the subjects of {name} that are scored"
                yield InputError(read.key((*path, "subjects")), str(max(grid.subjects)), expected, "correct the number")


def _rois(read: "Validated[Study]", study: "Study", path: Path, wanted: dict[str, list[str]]) -> Found:
    """Yield an error for each dataset that the config does not define, and for each ROI that its dataset does not list."""
    yield from _unknown(read, path, wanted, "datasets", "dataset")
    for name, rois in wanted.items():
        if name in study.datasets:
            known = study.datasets[name].rois
            for roi in dict.fromkeys(rois):
                if roi not in known and read.complete(("datasets", name, "rois")):
                    expected, remedy = (
                        f"a ROI of the dataset: {', '.join(known)}",
                        f"correct it, or add it to datasets.{name}.rois",
                    )
                    yield InputError(read.key((*path, name)), roi, expected, did_you_mean(roi, known, remedy))
