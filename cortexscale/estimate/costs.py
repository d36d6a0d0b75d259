"""Seconds of the heavy steps from the sizes of their arrays. Arithmetic only: no plan, no files, no clock."""

from cortexscale.estimate.machine import Machine

ADAPTIVE_INVERSES, ADAPTIVE_EVALUATIONS = 6, 4
"""Penalties that an adaptive search inverts for all groups together, and at which it evaluates each unit."""


def ridge_seconds(
    machine: Machine, precision: str, n: int, units: float, alphas: int, *, search: str, folds: int = 0, n_test: int = 0
) -> float:
    """One kernel: I inverses of n^3 (1 + 1/k), and at E penalties each, 4 n^2 T for the products with folds or 2 n^2 T without,
    2 n m T for the test images, and 10 k + 5 passes over n x T values, which count where n is small.

    Args:
        n, n_test: training and test stimuli (n, m).
        units: T, of all subjects that share the kernel.
        alphas: A penalties; a ``full`` search has I = E = A, an ``adaptive`` one ``ADAPTIVE_INVERSES`` and
            ``ADAPTIVE_EVALUATIONS``, and A n^3 / 8 more for its guess.
        folds: k, 0 for a single fit.
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


def gram_seconds(machine: Machine, precision: str, n: int, width: float) -> float:
    """One kernel of n stimuli from stored float16 features: n^2 p operations, 2 n p bytes, three passes (to convert, centre)."""
    return n**2 * width / machine.gemm(precision) + 2 * n * width / machine.disk_read + 3 * n * width / machine.elementwise


def stored_kernel_seconds(machine: Machine, precision: str, n: int, width: int) -> float:
    """One kernel of n stimuli from an exact store: 2 n^2 bytes, two passes (to convert, mirror). A layer that is not wider than n
    is stored as it is."""
    if width <= n:
        return gram_seconds(machine, precision, n, width)
    return 2 * n**2 / machine.disk_read + 2 * n**2 / machine.elementwise


def geometry_seconds(machine: Machine, precision: str, n: int, groups: float, units: float) -> float:
    """RSA and CKA of groups with U ``units`` together: n^2 U operations, and for each group 20 passes over its n^2 / 2 pairs."""
    return n**2 * units / machine.gemm(precision) + groups * 10 * n**2 / machine.elementwise


def projection_seconds(machine: Machine, family: str, n_in: int, n_out: int, batch: int) -> float:
    """One layer of one image. Entries: p sqrt(d) sparse, d countsketch; gaussian 2 p d operations, and p d numbers drawn
    per batch, at about ten passes each."""
    if n_in <= n_out:
        return 0.0
    if family == "gaussian":
        return 2 * n_in * n_out / machine.gemm_float32 + 10 * n_in * n_out / batch / machine.elementwise
    entries = n_out * n_in**0.5 if family == "sparse" else n_in
    return entries / machine.projection


def distinct_layers(layers: int, rois: int) -> float:
    """Layers that are committed by so many ROIs. Neighbours agree: in the published commitments, mean over 71 architectures,
    28 ROIs of NSD share 5.2 layers, 53 ROIs of the five datasets on THINGS share 8.0."""
    return min(layers, rois**0.5)
