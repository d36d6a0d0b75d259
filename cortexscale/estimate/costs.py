"""Seconds of the heavy steps from the sizes of their arrays. Arithmetic only: no plan, no files, no clock."""

from cortexscale.estimate.machine import Machine


def ridge_seconds(
    machine: Machine, precision: str, n: int, units: float, alphas: int, *, folds: int = 0, n_test: int = 0
) -> float:
    """All penalties of one kernel: A n^3 (1 + 1/k) for the inverses, A 4 n^2 T with folds or A 2 n^2 T without for the
    products, 2 A n m T for the test images, and 10 k + 5 passes over n x T values, which count where n is small.

    Args:
        n, n_test: training and test stimuli (n, m).
        units: T, of all subjects that share the kernel.
        alphas: A, penalties that are inverted.
        folds: k, 0 for a single fit.
    """
    inverses = n**3 * (1 + 1 / folds if folds else 1)
    products = (4 if folds else 2) * n**2 * units + 2 * n_test * n * units
    passes = (10 * folds + 5) * n * units
    per_alpha = inverses / machine.inverse(precision) + products / machine.gemm(precision) + passes / machine.elementwise
    return alphas * per_alpha


def gram_seconds(machine: Machine, precision: str, n: int, width: float) -> float:
    """One kernel of n stimuli from stored float16 features: n^2 p operations, 2 n p bytes, three passes (to convert, centre)."""
    return n**2 * width / machine.gemm(precision) + 2 * n * width / machine.disk_read + 3 * n * width / machine.elementwise


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
    """Layers that get committed if every ROI chose at random. ROIs agree more than that: an upper estimate."""
    return layers * (1 - (1 - 1 / layers) ** rois)
