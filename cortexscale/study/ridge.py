"""The section of ridge regression.

It is in a separate module, so that a change in the code of other sections does not repeat the stages that import this module.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from cortexscale.section import Contradiction, Section, Seed

Exponent = Annotated[float, Field(ge=-30, le=30)]
"""Exponent of a power of ten that is within the range of single precision."""


class Alphas(Section):
    """Ridge penalties that are tried: ``count`` values from 10**low to 10**high."""

    low: Exponent = 1
    """Exponent of the smallest penalty: 1 stands for 10. Penalties are not scaled by the size of the features."""
    high: Exponent = 7
    """Exponent of the largest penalty: 7 stands for 10 million."""
    count: PositiveInt = 10
    """Number of penalties. Their logarithms are evenly spaced."""
    search: Literal["adaptive", "full"] = "adaptive"
    """`full` tries all penalties. `adaptive` tries only penalties near the minima of the error in each ROI, which it estimates
    from half of the stimuli. Both find the same penalty unless the estimate misses a minimum."""

    def contradictions(self) -> Iterator[Contradiction]:
        if self.low >= self.high and self.count > 1:
            yield Contradiction("low", f"{self.low:g}", f"a number below `high`, {self.high:g}", "exchange or correct them")

    @property
    def values(self) -> tuple[float, ...]:
        """The penalties in ascending order."""
        import numpy as np  # every job loads this module, but few jobs need the values

        return tuple(np.logspace(self.low, self.high, self.count).tolist())


class Folds(Section):
    """Folds of the outer cross-validation in the layer search."""

    count: Annotated[int, Field(ge=2)] = 5
    """Number of folds."""
    kind: Literal["contiguous", "shuffled", "grouped"] = "contiguous"
    """`contiguous` assigns stimuli to folds in their order, and `shuffled` at random. `grouped` assigns groups at random: the
    stimuli of a concept (THINGS, MajajHong2015) or of a family of textures (FreemanZiemba2013) are in one fold."""
    seed: Seed = 42
    """Seed of the random assignment. It has no effect on contiguous folds."""


class Ridge(Section):
    """Ridge regression from features to responses."""

    alphas: Alphas = Alphas()
    """Penalties that ridge regression tries."""
    alpha_per: Literal["roi", "unit"] = "roi"
    """Choose one penalty per ROI (`roi`) or one per unit (`unit`). One penalty per unit needs `alphas.search: full`."""
    folds: Folds = Folds()
    """Cross-validation of the layer search."""
    precision: Literal["auto", "float32", "float64"] = "auto"
    """Number format of ridge regression. `auto` is float64 on devices that are fast with float64, such as any CPU, and float32 on
    other devices."""

    def contradictions(self) -> Iterator[Contradiction]:
        if self.alpha_per == "unit" and self.alphas.search != "full":
            expected = "`full` with `alpha_per: unit`, because the error of a single unit may have several minima"
            yield Contradiction("alphas.search", self.alphas.search, expected, "set alphas.search: full, or alpha_per: roi")
