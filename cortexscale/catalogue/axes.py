"""Scaling axes: the quantities against which alignment is plotted and fitted."""

from dataclasses import dataclass
from typing import Literal

Form = Literal["offset", "reduced", "auto"]
"""Form of a scaling law. ``auto`` takes the form that better predicts architectures that were left out of the fit."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A scaling axis.

    Attributes:
        table: result table from which the points come.
        column: column with the values of X.
        family: column that groups points. A scaling law is fitted to each group.
        scale: unit of X in the formula of a law.
        form: form of the laws, unless the config names another form.
        delta: key of the config section ``fits`` that gives the delta of the Huber loss.
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
        full_data_only: whether laws are fitted only to models that were trained on a full data set.
        with_flex: whether laws are fitted to architectures of flexible width as well.
        across_architectures: whether X varies only between architectures. A family of one architecture then has no law.
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
"""Name -> axis of pretraining (paper, sections 3 and 4.1)."""

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
"""Name -> axis: the axes of pretraining, and the axes of neural data for fine-tuning and readouts (paper, sections 4.3 and
4.7)."""


def axes_of(table: str) -> list[str]:
    """List the names of the axes whose points come from a result table."""
    return [name for name, axis in AXES.items() if axis.table == table]
