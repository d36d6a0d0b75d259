"""The section of the scaling fits."""

from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from cortexscale.study.section import Section

Form = Literal["offset", "reduced", "auto"]
"""``auto``: whichever predicts architectures better that it was not fitted to."""


class FitForms(Section):
    """By axis. The offset 10**lambda is that of the paper's fits."""

    compute: Form = "offset"
    samples: Form = "offset"
    parameters: Form = "reduced"
    finetuning: Form = "reduced"
    mapping: Form = "reduced"


class Fits(Section):
    """Scaling laws S = E - A (X + 10**lambda)**-alpha (paper, Eq. 3)."""

    axes: FitForms = FitForms()
    bootstraps: PositiveInt = 1000
    bootstrap_unit: Literal["row", "config", "architecture"] = "row"
    delta: PositiveFloat = 1e-3
    """Of the Huber loss on ln(1 - S)."""
    finetuning_delta: PositiveFloat = 1e-5
    """The same on the axis of fine-tuning, which moves scores by thousandths."""
    seed: int = 42
    composite_rois: bool = True
    """Count ROIs that hold others (whole brain, nsdgeneral) as ROIs of their own, as the paper does."""
