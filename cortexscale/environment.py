"""The Python environment that Snakemake runs in."""

import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from cortexscale.errors import InputError

PYTHON = ((3, 11), (3, 13))
"""Oldest and newest version of Python that the package supports."""


def require_environment(project: Path, only: Iterable[str] | None = None) -> None:
    """Raise an InputError if this Python environment cannot run the workflow.

    Args:
        project: the file ``pyproject.toml`` that declares the dependencies.
        only: names of the dependencies that are needed, if jobs run in environments of their own. By default, all are needed.
    """
    remedy = f"run the snakemake of the environment that `make` installs (source {project.parent}/.venv/bin/activate), "
    remedy += "or install the versions in requirements.lock"
    if not PYTHON[0] <= sys.version_info[:2] <= PYTHON[1]:
        expected = "Python " + " to ".join(f"{major}.{minor}" for major, minor in PYTHON)
        raise InputError("environment", f"{sys.executable} is Python {sys.version.split()[0]}", expected, remedy)
    import tomllib  # comes with Python 3.11

    declared = map(Requirement, tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"])
    wrong = [_wrong(each) for each in declared if only is None or each.name in only]
    if wrong := [each for each in wrong if each]:
        raise InputError("environment", f"{sys.executable} has {', '.join(wrong)}", "all dependencies of pyproject.toml", remedy)


def _wrong(needed: Requirement) -> str:
    try:
        found = version(needed.name)
    except PackageNotFoundError:
        return f"no {needed.name}"
    return "" if needed.specifier.contains(found, prereleases=True) else f"{needed.name} {found} and not {needed.specifier}"
