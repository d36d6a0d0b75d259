"""Measure how many deliberate mistakes the tests notice: ``make test-mutations``, or ``python tests/mutations --help``.

Every mistake is made alone, in a copy of the checkout. The fast tests that run the changed line are run until one fails. A
mistake that no test notices survives. `explained.toml` lists survivors that change no result, each with the reason.
"""

import argparse
import os
import random
import shutil
import subprocess
import tempfile
import time
import tomllib
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path

from mutants import Mutant, mutants
from trial import AT_IMPORT, FORK, Watched, fails, load_libraries, watch

ROOT = Path(__file__).parents[2]
PARTS = ("kernels", "alignment", "scaling", "readouts", "finetuning", "datasets")
SECONDS = 40
"""Largest total time, in seconds, of the tests that are run with one mistake."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=500, help="mistakes to make, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parts", nargs="+", default=PARTS, help="folders of cortexscale/, or single modules in them")
    parser.add_argument("--tests", nargs="+", default=["tests"], help="tests that are to notice them")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    began = time.monotonic()
    every = [mutant for part in asked.parts for file in modules(part) for mutant in mutants(ROOT, file)]
    drawn = random.Random(asked.seed).sample(every, min(asked.number, len(every)))
    print(f"{len(every)} mistakes can be made in {', '.join(asked.parts)}; {len(drawn)} of them are made", flush=True)
    load_libraries()
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        checkouts = [copy(Path(folder) / str(number)) for number in range(asked.processes)]
        watched = watch(checkouts[0], asked.tests)
        for test in watched.failing:
            print(f"left out, because it fails although nothing was changed: {test}", flush=True)
        shares = [drawn[number :: asked.processes] for number in range(asked.processes)]
        with ProcessPoolExecutor(asked.processes, mp_context=FORK) as pool:
            outcomes = list(chain(*pool.map(partial(make, watched), checkouts, shares)))
    unnoticed, explained = (outcomes.count(outcome) for outcome in ("NOT NOTICED", "explained"))
    minutes = (time.monotonic() - began) / 60
    print(f"{len(drawn)} mistakes with seed {asked.seed}: {unnoticed} not noticed ({100 * unnoticed / len(drawn):.1f} %)")
    print(f"{explained} further ones change no result, for the reasons in explained.toml. {minutes:.0f} minutes")


def modules(part: str) -> list[str]:
    """List the Python files of a folder of the package that compute results.

    Simulators are left out, because they make the truth with which tests compare. Bounds are left out, because they only estimate
    the cost of a job.
    """
    place = ROOT / "cortexscale" / part
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    return [str(file.relative_to(ROOT)) for file in files if not file.name.startswith(("simulate", "bounds"))]


def copy(folder: Path) -> Path:
    """Copy the files of the checkout that git tracks or would add."""
    checkout = folder / "checkout"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    for name in subprocess.run(listed, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, checkout / name)
    if (shared := ROOT.parent / "shared").is_dir():
        (folder / "shared").symlink_to(shared)
    return checkout


def make(watched: Watched, checkout: Path, drawn: list[Mutant]) -> list[str]:
    """Make mistakes in a copy of the checkout, one at a time, and print those that survive."""
    reasons = tomllib.loads((Path(__file__).parent / "explained.toml").read_text(encoding="utf-8"))
    outcomes = []
    for mutant in drawn:
        if noticed(watched, checkout, mutant):
            outcomes.append("noticed")
            continue
        before, after = mutant.lines((checkout / mutant.file).read_bytes())
        outcomes.append("explained" if {before, after} & set(reasons.get(mutant.file, {})) else "NOT NOTICED")
        print(f"{mutant.file}:{mutant.line} {outcomes[-1]}\n    - {before}\n    + {after}", flush=True)
    return outcomes


def noticed(watched: Watched, checkout: Path, mutant: Mutant) -> bool:
    """Whether one of the tests that run the changed statement fails."""
    file = checkout / mutant.file
    source, dates = file.read_bytes(), file.stat()
    file.write_bytes(mutant.applied(source))
    try:
        tests = tests_of(watched, mutant)
        return fails(checkout, tests, sum(watched.seconds[test] for test in tests))
    finally:
        file.write_bytes(source)
        os.utime(file, ns=(dates.st_atime_ns, dates.st_mtime_ns))


def tests_of(watched: Watched, mutant: Mutant) -> list[str]:
    """Choose the tests that are run with a mistake, in their order.

    Tests that run the statement come first, and then the other tests of their files, because they may share a fixture or a cached
    value. A statement that runs at import belongs to all tests of its module and of its folder. Within these groups, the quickest
    tests come first.
    """
    own = f"tests/{mutant.file.split('/')[1]}/"
    first, last = mutant.statement
    running = set().union(*(watched.lines.get((mutant.file, line), set()) for line in range(first, last + 1)))
    if mutant.at_import or AT_IMPORT in running:
        running |= watched.lines.get((mutant.file, 0), set()) | {test for test in watched.seconds if test.startswith(own)}
    running.discard(AT_IMPORT)
    files = {test.split("::")[0] for test in running}
    candidates = [test for test in watched.seconds if test.split("::")[0] in files]
    candidates.sort(key=lambda test: (test not in running, not test.startswith(own), watched.seconds[test], test))
    chosen, total = [], 0.0
    for test in candidates:
        total += watched.seconds[test]
        if chosen and total > SECONDS:
            break
        chosen.append(test)
    return chosen


if __name__ == "__main__":
    main()
