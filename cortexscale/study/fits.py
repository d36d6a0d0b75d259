"""The section of the scaling fits."""

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveFloat, PositiveInt, field_validator

from cortexscale.catalogue.axes import AXES, Form
from cortexscale.section import Section

if TYPE_CHECKING:
    AxisName = str
else:
    AxisName = Literal[tuple(AXES)]
FORMS = {name: axis.form for name, axis in AXES.items()}


class FitSettings(Section):
    """Settings of averages, fits and resamples on any axis."""

    bootstraps: PositiveInt = 1000
    """Bootstrap resamples of every fit, for intervals and bands."""
    bootstrap_unit: Literal["row", "config", "architecture"] = "row"
    """Resample single models (`row`), or all models of a configuration or architecture together, which gives wider and more
    honest intervals where models are related."""
    delta: PositiveFloat = 1e-3
    """Delta of the Huber loss on ln(1 − S)."""
    seed: int = 42
    """Seed of the resamples."""
    composite_rois: bool = True
    """Count ROIs that contain others (whole_brain, nsdgeneral, occipital_parietal) as ROIs of their own, as the paper does."""


class Fits(FitSettings):
    """Scaling laws S = E - A (X + 10**lambda)**-alpha (paper, Eq. 3)."""

    axes: dict[AxisName, Form] = FORMS
    """Axis → form of its laws: `offset` has 10**lambda, `reduced` lacks it, `auto` takes the one that better predicts
    architectures it was not fitted to. Axes that are left out keep the forms of the paper."""
    finetuning_delta: PositiveFloat = 1e-5
    """`delta` for the axis of fine-tuning, on which scores differ by thousandths."""

    @field_validator("axes")
    @classmethod
    def other_axes_keep_their_forms(cls, given: dict[AxisName, Form]) -> dict[AxisName, Form]:
        return FORMS | given
