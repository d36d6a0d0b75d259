"""The section of ridge regression. Stages depend on the code of this module and not on that of all sections."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from cortexscale.section import Contradiction, Section


class Alphas(Section):
    """Ridge penalties: ``count`` values from 10**low to 10**high."""

    low: float = 1
    """Exponent of the smallest penalty: 1 stands for 10. Penalties are absolute, not relative to the size of features."""
    high: float = 7
    """Exponent of the largest penalty: 7 stands for 10 million."""
    count: PositiveInt = 10
    """Number of penalties, evenly spaced in the logarithm."""
    search: Literal["adaptive", "full"] = "adaptive"
    """Try all penalties (`full`), or those near the minimum of each ROI. Both find the same if the error has one minimum."""

    @property
    def values(self) -> tuple[float, ...]:
        """The penalties, ascending."""
        import numpy as np  # every job loads this module with the plan, few need the values

        return tuple(np.logspace(self.low, self.high, self.count).tolist())


class Folds(Section):
    """Outer cross-validation of the layer search."""

    count: Annotated[int, Field(ge=2)] = 5
    """Number of folds."""
    kind: Literal["contiguous", "shuffled", "grouped"] = "contiguous"
    """Assign stimuli to folds in their order (`contiguous`), at random (`shuffled`), or at random with all stimuli of a
    concept (THINGS, MajajHong2015) or family of textures (FreemanZiemba2013) in one fold (`grouped`)."""
    seed: int = 42
    """Seed of the random assignment; without effect on contiguous folds."""


class Ridge(Section):
    """Ridge regression from features to responses."""

    alphas: Alphas = Alphas()
    """Penalties that are tried."""
    alpha_per: Literal["roi", "unit"] = "roi"
    """Choose one penalty per ROI, or one per `unit`, which needs `alphas.search: full`."""
    folds: Folds = Folds()
    """Cross-validation of the layer search."""
    precision: Literal["auto", "float32", "float64"] = "auto"
    """Number format of ridge: `auto` is float64 where the device is fast at it (any CPU), else float32."""

    def contradictions(self) -> Iterator[Contradiction]:
        if self.alpha_per == "unit" and self.alphas.search != "full":
            expected = "`full` with `alpha_per: unit`, because the error of a single unit may have several minima"
            yield Contradiction("alphas.search", self.alphas.search, expected, "set alphas.search: full, or alpha_per: roi")
