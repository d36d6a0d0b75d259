"""Run times of expensive linear algebra, estimated from array sizes. These functions measure nothing and read no file."""

from typing import NamedTuple

from cortexscale.costs import Machine

ADAPTIVE_INVERSES, ADAPTIVE_EVALUATIONS = 6, 4
"""Number of penalties for which an adaptive search inverts a matrix, and number of penalties for which it evaluates each unit."""
PLS_STEPS = 40
"""Largest number of steps that Lanczos' method usually needs for one component of PLS."""
EIGENVECTORS = 6
"""Time to compute all eigenvectors of a symmetric matrix, divided by the time to invert it (measured on a CPU)."""


class Kernel(NamedTuple):
    """Sizes of one kernel: numbers of training stimuli, of test stimuli, and of units of all subjects that share the kernel."""

    n_train: int
    n_test: int
    units: float


def ridge_seconds(
    machine: Machine, precision: str, n: int, units: float, alphas: int, *, search: str, folds: int = 0, n_test: int = 0
) -> float:
    """Seconds to fit ridge for T ``units`` on one kernel of n training and m test stimuli.

    There are I inverses, each of n^3 (1 + 1/k) operations with k ``folds`` and n^3 without folds. Each of E evaluations takes 4
    n^2 T operations for products (2 n^2 T without folds), 2 n m T for the test stimuli, and 10 k + 5 passes over n x T values.
    The passes matter if n is small. A ``full`` search of A alphas has I = E = A. An ``adaptive`` search has I =
    ``ADAPTIVE_INVERSES`` and E = ``ADAPTIVE_EVALUATIONS``, which are the numbers for errors with one minimum. The first guess of
    the search takes another A n^3 / 8 operations.
    """
    inverses = evaluations = alphas
    guess = 0.0
    if search == "adaptive":
        inverses, evaluations = min(alphas, ADAPTIVE_INVERSES), min(alphas, ADAPTIVE_EVALUATIONS)
        guess = alphas * n**3 / 8
    inverting = inverses * n**3 * (1 + 1 / folds if folds else 1) + guess
    products = evaluations * ((4 if folds else 2) * n**2 + 2 * n_test * n) * units
    passes = evaluations * (10 * folds + 5) * n * units
    return inverting / machine.inverse(precision) + products / machine.gemm(precision) + passes / machine.elementwise


def pls_seconds(machine: Machine, precision: str, kernel: Kernel, groups: float, units: float, components: int) -> float:
    """Seconds of PLS with A ``components`` for G ``groups`` with T ``units`` in all, from n training and m test stimuli.

    PLS takes 2 n^2 (T + 2 A G) + 2 n m T operations and 84 A passes over n x T values. Each step of Lanczos' method takes two
    passes.
    """
    n, m = kernel.n_train, kernel.n_test
    operations = 2 * n**2 * (units + 2 * components * groups) + 2 * n * m * units
    passes = components * (2 * PLS_STEPS + 4) * n * units
    return operations / machine.gemm(precision) + passes / machine.elementwise


def gram_seconds(machine: Machine, precision: str, n: int, width: float) -> float:
    """Seconds to make a kernel of n stimuli from p = ``width`` float16 features.

    It takes n^2 p operations, and 3 passes over n p values.
    """
    return n**2 * width / machine.gemm(precision) + 2 * n * width / machine.disk_read + 3 * n * width / machine.elementwise


def stored_kernel_seconds(machine: Machine, precision: str, n: int, width: float) -> float:
    """Seconds to load one exact kernel of 2 n^2 bytes.

    If the layer has at most n activations, the kernel is made from the activations instead.
    """
    if width <= n:
        return gram_seconds(machine, precision, n, width)
    return 2 * n**2 / machine.disk_read + 2 * n**2 / machine.elementwise


def geometry_seconds(machine: Machine, precision: str, n: int, groups: float, units: float) -> float:
    """Seconds of RSA and CKA: n^2 U operations for U ``units``, and 20 passes over the n^2 / 2 pairs of each group."""
    return n**2 * units / machine.gemm(precision) + groups * 10 * n**2 / machine.elementwise


def factor_seconds(machine: Machine, n: int, units: float) -> float:
    """Seconds to reduce responses of T ``units`` to a factor of n columns.

    This takes n^2 T operations and the computation of n eigenvectors, in float64.
    """
    return n**2 * units / machine.gemm_float64 + EIGENVECTORS * n**3 / machine.inverse_float64


def projection_seconds(machine: Machine, family: str, n_in: float, n_out: int, batch: int) -> float:
    """Seconds to project p = ``n_in`` activations of one image to d = ``n_out`` features.

    A ``sparse`` matrix has d sqrt(p) non-zero entries, and a ``countsketch`` has p. For ``gaussian``, p d numbers are drawn per
    batch; drawing a number costs as much as about ten passes over it.
    """
    if n_in <= n_out:
        return 0.0
    if family == "gaussian":
        return 2 * n_in * n_out / machine.gemm_float32 + 10 * n_in * n_out / batch / machine.elementwise
    entries = n_out * n_in**0.5 if family == "sparse" else n_in
    return entries / machine.projection
