"""A wheel holds the whole library: every module, and the tables and page parts that modules read."""

import os
import shutil
import subprocess
import sys

import pytest
from places import ROOT

pytestmark = pytest.mark.slow

DATA = sorted(
    file.relative_to(ROOT)
    for file in (ROOT / "cortexscale").rglob("*")
    if file.is_file() and file.suffix != ".py" and "__pycache__" not in file.parts
)
IMPORT_ALL = """
import importlib, pkgutil, cortexscale

names = [module.name for module in pkgutil.walk_packages(cortexscale.__path__, "cortexscale.")]
files = [importlib.import_module(name).__file__ for name in names]
assert all(file.startswith({folder!r}) for file in files), files
print(len(files))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder into which the wheel of this checkout was installed, away from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source, wheels, target = folder / "source", folder / "wheels", folder / "installed"
    shutil.copytree(ROOT / "cortexscale", source / "cortexscale", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", wheels, source]
    subprocess.run([*pip, *build], check=True, capture_output=True)
    install = ["install", "--no-deps", "--no-index", "--target", target, *wheels.glob("cortexscale-*.whl")]
    subprocess.run([*pip, *install], check=True, capture_output=True)
    return target


def test_every_module_imports_from_the_wheel(installed):
    modules = [
        file for file in (ROOT / "cortexscale").rglob("*.py") if file.parent != ROOT / "cortexscale" or file.stem != "__init__"
    ]
    printed = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL.format(folder=str(installed))],
        cwd=installed.parent,
        env=os.environ | {"PYTHONPATH": str(installed)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert int(printed) == len(modules)


def test_the_wheel_holds_all_files_that_modules_read(installed):
    assert len(DATA) > 10
    assert [str(file) for file in DATA if not (installed / file).is_file()] == []


def test_the_wheel_tells_type_checkers_that_it_is_typed(installed):
    assert (installed / "cortexscale/py.typed").is_file()
