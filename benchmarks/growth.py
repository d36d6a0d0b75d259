"""Measure how the time and memory of Gram and ridge grow with stimuli n, features p, units T and layers L.

    python benchmarks/growth.py [--size small]

Every row is measured in a separate process with one thread: the CPU seconds of the kernels, and the growth of the peak memory.
``s at gemm rate`` is the number of operations by the formula, divided by the gemm rate of the same process. The exponent is
that of the time between this row and the row above. ``expected`` is the exponent of the formula. The problem is in float64,
with 10 alphas, 5 folds, a final fit, and one ROI per 200 units.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from cortexscale.kernels.folds import k_folds
from cortexscale.kernels.gram import GramMatrix, gram
from cortexscale.kernels.nested_ridge import nested_ridge
from cortexscale.kernels.responses import Responses

ALPHAS, FOLDS, SLAB, UNITS_OF_A_ROI = np.logspace(1, 7, 10), 5, 4096, 200
INVERSIONS, EVALUATIONS = 5, 3.5
"""Usual numbers of an adaptive search: alphas with an inverse, and alphas at which a unit is evaluated."""

SWEEPS = {  # what varies, its values, and the rest
    "full": [
        ("n", (500, 1000, 2000, 4000), {"p": 4000, "T": 1000, "L": 1}),
        ("p", (4000, 8000, 16_000, 32_000), {"n": 1000, "T": 200, "L": 1}),
        ("T", (1000, 2000, 4000, 8000, 16_000), {"n": 1000, "p": 2000, "L": 1}),
        ("L", (1, 2, 4), {"n": 1000, "p": 4000, "T": 1000}),
    ],
    "small": [
        ("n", (300, 600), {"p": 1000, "T": 200, "L": 1}),
        ("p", (2000, 4000), {"n": 400, "T": 200, "L": 1}),
        ("T", (400, 1600), {"n": 400, "p": 500, "L": 1}),
        ("L", (1, 2), {"n": 400, "p": 1000, "T": 200}),
    ],
}


def operations(n: int, p: int, T: int, L: int) -> float:
    """Count the operations of the Gram matrix, of the first estimate and the inverses, and of the evaluations."""
    return L * (n**2 * p + (len(ALPHAS) / 8 + 1.2 * INVERSIONS) * n**3 + 4 * EVALUATIONS * n**2 * T)


def megabytes(n: int, p: int, T: int, L: int) -> float:
    """Return the memory in MB of K, three more matrices, a work space of features, four blocks of units, and the results."""
    return 8 * (4 * n**2 + 2048 * n + 4 * 512 * n + 40 * T) / 2**20


def slabs(n: int, p: int):
    """Yield slabs of float16 features with 300 latent dimensions. The n x p matrix is never in memory."""
    latent = np.random.default_rng(0).standard_normal((n, 300), dtype=np.float32) / np.sqrt(np.arange(1, 301, dtype=np.float32))
    for first in range(0, p, SLAB):
        rng, width = np.random.default_rng(first), min(SLAB, p - first)
        directions = rng.standard_normal((300, width), dtype=np.float32)
        yield (latent @ directions + rng.standard_normal((n, width), dtype=np.float32)).astype(np.float16)


def memory_mb(which: str) -> float:
    """Return the memory of this process in MB: ``VmRSS`` is the present memory, and ``VmHWM`` the peak."""
    return int(Path("/proc/self/status").read_text(encoding="utf-8").split(f"{which}:")[1].split()[0]) / 1024


def cpu_seconds(work) -> tuple[float, object]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def gemm_rate() -> float:
    A = torch.randn(2000, 2000, dtype=torch.float64)
    return 2 * 2000**3 / min(cpu_seconds(lambda: A @ A)[0] for _ in range(3))


def measure(n: int, p: int, T: int, L: int) -> dict[str, float]:
    torch.set_num_threads(1)
    rate = gemm_rate()
    rng = np.random.default_rng(1)
    first = next(slabs(n, min(p, 300))).astype(np.float32)
    Y = first @ rng.standard_normal((first.shape[1], T), dtype=np.float32)
    Y += Y.std() * rng.standard_normal(Y.shape, dtype=np.float32)
    members = np.arange(T) // UNITS_OF_A_ROI == np.arange(-(-T // UNITS_OF_A_ROI))[:, None]
    making = sum(cpu_seconds(lambda: list(map(len, slabs(n, p))))[0] for _ in range(2)) / 2
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # forgets the peak so far
    before = memory_mb("VmRSS")

    def study() -> None:
        responses = Responses(Y, members)
        for _ in range(L):
            kernel: GramMatrix = gram(slabs(n, p), dtype=torch.float64)
            nested_ridge(kernel.K, responses, ALPHAS, k_folds(n, FOLDS))

    spent, _ = cpu_seconds(study)
    return {"seconds": spent - L * making, "megabytes": memory_mb("VmHWM") - before, "rate": rate}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SWEEPS, default="full")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(**json.loads(arguments.one))))
        return
    columns = ("n", "p", "T", "L", "CPU s", "s at gemm rate", "exponent", "expected", "MB", "formula MB")
    for varied, values, rest in SWEEPS[arguments.size]:
        print(
            ("" if varied == "n" else "\n")
            + "".join(f"{column:>16}" if len(column) > 9 else f"{column:>9}" for column in columns)
        )
        above = None
        for value in values:
            size = {**rest, varied: value}
            output = subprocess.run(
                [sys.executable, __file__, "--one", json.dumps(size)], capture_output=True, text=True, check=True
            )
            row = {**size, **json.loads(output.stdout)}
            exponents = ("", "")
            if above is not None:
                step = np.log(value / above[varied])
                formulas = [operations(**{name: one[name] for name in "npTL"}) for one in (row, above)]
                exponents = tuple(f"{np.log(a / b) / step:.2f}" for a, b in ((row["seconds"], above["seconds"]), formulas))
            ideal = operations(**size) / row["rate"]
            print("".join(f"{row[name]:9d}" for name in "npTL"), end="")
            print(f"{row['seconds']:9.2f}{ideal:16.2f}{exponents[0]:>9}{exponents[1]:>9}{row['megabytes']:9.0f}", end="")
            print(f"{megabytes(**size):16.0f}", flush=True)
            above = row


if __name__ == "__main__":
    main()
