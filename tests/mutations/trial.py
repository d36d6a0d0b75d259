"""Run tests, each time in a process that is forked from this one. Such a process begins with the libraries loaded."""

import json
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import coverage
import pytest

FORK = multiprocessing.get_context("fork")
_LIBRARIES = (
    *("h5py", "hypothesis", "matplotlib.pyplot", "mne", "netCDF4", "nibabel", "numpy", "pandas", "pyarrow", "pydantic"),
    *("scipy.io", "scipy.optimize", "scipy.stats", "seaborn", "sklearn", "torch.utils.data", "xarray", "yaml", "zarr"),
)
AT_IMPORT = ""
"""Takes the place of the name of a test for lines that run before the first test, when the test files are imported."""
_FAST = "not slow and not complete and not slurm"
_MEMORY = 8 * 2**30
"""Largest memory, in bytes, of a process that runs tests. A mistake in a shape can ask for any amount of memory."""


@dataclass(frozen=True)
class Watched:
    """What the fast tests do when the code is right.

    Attributes:
        seconds: time of each test that passes.
        lines: (module, line) -> the tests that run this line, and ``AT_IMPORT`` if the line runs before the first test. Line 0
            stands for all lines of the module.
        failing: tests that fail although nothing was changed.
    """

    seconds: dict[str, float]
    lines: dict[tuple[str, int], set[str]]
    failing: list[str]


def load_libraries() -> None:
    """Import the libraries that the tests need. A process that is forked afterwards need not import them again."""
    os.environ["OMP_NUM_THREADS"] = "1"
    for name in _LIBRARIES:
        import_module(name)
    import_module("cortexscale.models.vision")  # loads timm with every build of torch


def watch(checkout: Path, folders: Iterable[str]) -> Watched:
    """Run the fast tests of the folders once, and record which lines each of them runs.

    Raises:
        RuntimeError: pytest could not collect the tests.
    """
    place = checkout.parent / "watched.json"
    code = _pytest(checkout, list(folders), _Watch(checkout, place), None)
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"pytest ended with code {code} in {checkout}; run the fast tests to see why")
    found = json.loads(place.read_text(encoding="utf-8"))
    lines: dict[tuple[str, int], set[str]] = defaultdict(set)
    for file, numbers in found["lines"].items():
        for number, tests in numbers.items():
            passing = {test for test in tests if test in found["seconds"] or test == AT_IMPORT}
            lines[file, int(number)] |= passing
            lines[file, 0] |= passing
    return Watched(found["seconds"], lines, found["failing"])


def fails(checkout: Path, tests: list[str], seconds: float) -> bool:
    """Whether one of the tests fails, breaks off, or takes far more than the seconds that all of them should take."""
    files = sorted({test.split("::")[0] for test in tests})
    return bool(tests) and _pytest(checkout, files, _Choose(tests), seconds) not in (
        pytest.ExitCode.OK,
        pytest.ExitCode.NO_TESTS_COLLECTED,
    )


def _pytest(checkout: Path, files: list[str], plugin: object, seconds: float | None) -> int | None:
    process = FORK.Process(target=_in_child, args=(checkout, files, plugin, seconds))
    process.start()
    process.join(None if seconds is None else 5 * _limit(seconds))
    code = process.exitcode
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # the process, and those that it started
    process.join()
    return code


def _limit(seconds: float) -> int:
    """Return the seconds of processor time after which a process is stopped."""
    return 30 + 4 * int(seconds)


def _in_child(checkout: Path, files: list[str], plugin: object, seconds: float | None) -> None:
    os.setsid()
    os.chdir(checkout)
    with Path(os.devnull).open("r+b") as nothing:
        for stream in range(3):
            os.dup2(nothing.fileno(), stream)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    ours = [name for name in sys.modules if name.split(".")[0] == "cortexscale"]
    _replaced = [sys.modules.pop(name) for name in ours]  # kept: operators exist only as long as their module
    sys.path.insert(0, str(checkout))
    os.environ["PYTHONPATH"] = str(checkout)
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    options = ["-m", _FAST, "-p", "no:cacheprovider", f"--basetemp={checkout.parent / 'temporary'}"]
    if seconds is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (_limit(seconds), _limit(seconds)))
        sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"
        options.append("--exitfirst")
    else:
        sys.dont_write_bytecode = False
    os._exit(pytest.main([*options, *files], [plugin]))


class _Choose:
    """Plugin of pytest that runs the chosen tests only, in their order."""

    def __init__(self, tests: list[str]) -> None:
        self._place = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if item.nodeid in self._place]
        items[:] = sorted(chosen, key=lambda item: self._place[item.nodeid])


class _Watch:
    """Plugin of pytest that writes which lines each test runs, and the seconds of each test that passes."""

    def __init__(self, checkout: Path, place: Path) -> None:
        self._checkout, self._place = checkout, place
        self._coverage = coverage.Coverage(source=[str(checkout / "cortexscale")], data_file=None, config_file=False)
        self._seconds: dict[str, float] = {}
        self._failing: set[str] = set()

    def pytest_sessionstart(self) -> None:
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item):
        self._coverage.switch_context(item.nodeid)
        began = time.perf_counter()
        ran = yield
        self._seconds[item.nodeid] = time.perf_counter() - began
        self._coverage.switch_context(AT_IMPORT)
        return ran

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failing.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        data = self._coverage.get_data()
        lines = {
            str(Path(file).relative_to(self._checkout)): {
                number: sorted(tests) for number, tests in data.contexts_by_lineno(file).items()
            }
            for file in data.measured_files()
        }
        seconds = {test: taken for test, taken in self._seconds.items() if test not in self._failing}
        found = {"lines": lines, "seconds": seconds, "failing": sorted(self._failing)}
        self._place.write_text(json.dumps(found), encoding="utf-8")
