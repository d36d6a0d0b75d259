"""The section of the scaling fits."""

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveFloat, PositiveInt, field_validator

from cortexscale.catalogue.axes import AXES, Form
from cortexscale.section import Section

AxisName = str if TYPE_CHECKING else Literal[tuple(AXES)]
FORMS = {name: axis.form for name, axis in AXES.items()}


class Fits(Section):
    """Scaling laws S = E - A (X + 10**lambda)**-alpha (paper, Eq. 3)."""

    axes: dict[AxisName, Form] = FORMS
    """Axis -> form of its laws: with the offset 10**lambda, ``reduced`` to none, or ``auto``, whichever predicts architectures
    better that it was not fitted to. Axes that are left out keep the forms of the paper."""
    bootstraps: PositiveInt = 1000
    bootstrap_unit: Literal["row", "config", "architecture"] = "row"
    delta: PositiveFloat = 1e-3
    """Of the Huber loss on ln(1 - S)."""
    finetuning_delta: PositiveFloat = 1e-5
    """The same on the axis of fine-tuning, which moves scores by thousandths."""
    seed: int = 42
    composite_rois: bool = True
    """Count ROIs that hold others (whole brain, nsdgeneral) as ROIs of their own, as the paper does."""

    @field_validator("axes")
    @classmethod
    def other_axes_keep_their_forms(cls, given: dict[AxisName, Form]) -> dict[AxisName, Form]:
        return FORMS | given
