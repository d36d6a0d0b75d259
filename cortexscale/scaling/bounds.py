"""Costs of scaling fits, tables and figures."""

from cortexscale.costs import Cost, Machine


def scaling_fit(machine: Machine, points: int, resamples: int) -> Cost:
    """Cost of fitting scaling laws with resamples of their points.

    start + points x resamples / fits; points: models x (datasets + 1), all families together and each alone; of mapping:
    percentages x seeds of each; of fine-tuning: models; published scores: about 300 per experiment
    """
    return Cost(machine.start + points * resamples / machine.fits, 4e9)


def table(machine: Machine) -> Cost:
    """Largest cost of a table, a figure or a page.

    start
    """
    return Cost(machine.start, 8e9)
