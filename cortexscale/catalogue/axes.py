"""Scaling axes: what alignment is plotted and fitted against."""

from dataclasses import dataclass
from typing import Literal

Form = Literal["offset", "reduced", "auto"]
"""Form of a scaling law. ``auto`` takes the one that better predicts architectures that were left out of the fit."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A scaling axis.

    Attributes:
        table: result table that its points come from.
        column: column of X.
        family: column that groups points; a scaling law is fitted to each of its values.
        scale: unit of X in the formula of a law.
        form: form of its laws, unless the config names another.
        delta: key of the config section ``fits`` that has the delta of its Huber loss.
    """

    table: str
    column: str
    family: str
    scale: float
    label: str
    symbol: str
    form: Form
    delta: str = "delta"


@dataclass(frozen=True, kw_only=True)
class ModelAxis(Axis):
    """An axis of pretraining, whose points are models.

    Attributes:
        full_data_only: whether only models that were trained on a full data set are fitted.
        with_flex: whether architectures of flexible width are fitted.
        across_architectures: whether X varies only between architectures, so that a family of one architecture has no law.
    """

    table: str = "pretraining"
    family: str = "backbone_arch_family"
    full_data_only: bool = False
    with_flex: bool = True
    across_architectures: bool = True


MODEL_AXES = {
    "compute": ModelAxis(
        column="pretraining_total_flops_estimate", scale=1e12, label="Pretraining compute C (FLOPs)", symbol="C", form="offset"
    ),
    "samples": ModelAxis(
        column="pretraining_n_samples",
        scale=1e2,
        label="Pretraining samples D",
        symbol="D",
        form="offset",
        with_flex=False,
        across_architectures=False,
    ),
    "parameters": ModelAxis(
        column="backbone_n_params",
        scale=1e2,
        label="Parameters N",
        symbol="N",
        form="reduced",
        full_data_only=True,
    ),
}
"""Axes of pretraining (paper, sections 3 and 4.1)."""

AXES: dict[str, Axis] = {
    **MODEL_AXES,
    "finetuning": Axis(
        table="finetuning",
        column="fitting_samples",
        family="finetuning_dataset",
        scale=10,
        label="Stimuli F that the model is fine-tuned on",
        symbol="F",
        form="reduced",
        delta="finetuning_delta",
    ),
    "mapping": Axis(
        table="mapping",
        column="fitting_samples",
        family="probe_type",
        scale=10,
        label="Stimuli F that the readout is fitted to",
        symbol="F",
        form="reduced",
    ),
}
"""Axes of pretraining, and of neural data for fine-tuning and for readouts (paper, sections 4.3 and 4.7)."""


def axes_of(table: str) -> list[str]:
    """List the axes whose points come from a result table."""
    return [name for name, axis in AXES.items() if axis.table == table]
