"""The section of the scaling fits."""

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveFloat, PositiveInt, field_validator

from cortexscale.catalogue.axes import AXES, Form
from cortexscale.section import Section, Seed

if TYPE_CHECKING:
    AxisName = str
else:
    AxisName = Literal[tuple(AXES)]
FORMS = {name: axis.form for name, axis in AXES.items()}


class AverageSettings(Section):
    """Settings of all averages over ROIs and datasets, in fits, figures, tables and pages."""

    composite_rois: bool = True
    """Include ROIs that contain other ROIs (whole_brain, nsdgeneral, occipital_parietal) in averages over ROIs, as the paper
    does. The key applies to all fits, figures, tables and pages. If a dataset has only such ROIs, they are always included."""
    incomplete_models: bool = True
    """Include models that lack a score on some datasets, so that their averages are over fewer datasets. The column
    `n_benchmarks` has the number of datasets. With `false` such models are left out of all fits, and of all figures and tables
    with averages."""


class FitSettings(AverageSettings):
    """Settings of the averages, fits and resamples on every scaling axis."""

    @property
    def averages(self) -> AverageSettings:
        """The settings of averages alone, for stages that fit nothing."""
        return AverageSettings(**{key: getattr(self, key) for key in AverageSettings.model_fields})

    bootstraps: PositiveInt = 1000
    """Number of bootstrap resamples of every fit. Intervals and bands are computed from them."""
    bootstrap_unit: Literal["row", "config", "architecture"] = "row"
    """Resample single models (`row`), or all models of a configuration or architecture together. If models are related,
    resampling them together gives wider and more honest intervals."""
    delta: PositiveFloat = 1e-3
    """Delta of the Huber loss of ln(1 − S), where S is the score."""
    seed: Seed = 42
    """Seed of the resamples."""


class Fits(FitSettings):
    """Scaling laws S = E - A (X + 10**lambda)**-alpha (paper, Eq. 3)."""

    axes: dict[AxisName, Form] = FORMS
    """Axis → form of its laws. `offset` has the term 10**lambda, and `reduced` lacks it. `auto` takes the form that better
    predicts architectures that were left out of the fit. Axes that are not listed keep the forms of the paper."""
    finetuning_delta: PositiveFloat = 1e-5
    """`delta` of the fine-tuning axis. It is smaller because scores on this axis differ by thousandths."""

    @field_validator("axes")
    @classmethod
    def other_axes_keep_their_forms(cls, given: dict[AxisName, Form]) -> dict[AxisName, Form]:
        return FORMS | given
