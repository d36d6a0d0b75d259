"""Readouts, which predict responses from features.

The linear readout is ridge regression. All other readouts are trained networks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ReadoutKind:
    """A kind of readout.

    Attributes:
        colours: colour in figures for ``individual`` and for ``shared``. Individual readouts are fitted per subject and ROI. In
            shared readouts the subjects of an ROI share all layers but the last.
        recipe: values of :class:`cortexscale.readouts.recipes.ReadoutRecipe` that differ from the defaults.
        varied: values of the recipe that differ between datasets (Table S6).
        reads_all_layers: whether the readout reads the mean token of every candidate layer instead of the tokens of the committed
            layer.
        projections: number of times that each token is projected to the channels of the readout. The projections take most of the
            training time.
    """

    label: str
    colours: Mapping[str, str]
    recipe: Mapping[str, Any] = field(default_factory=dict)
    varied: tuple[str, ...] = ("epochs", "learning_rate", "dropout")
    trained: bool = True
    reads_all_layers: bool = False
    projections: int = 1


KINDS = {
    "linear": ReadoutKind(label="Linear", colours={"individual": "#ef476f"}, trained=False),
    "shallow_mlp": ReadoutKind(label="Shallow MLP", colours={"individual": "#118ab2", "shared": "#073b4c"}),
    "low_rank": ReadoutKind(
        label="Low-rank", colours={"individual": "#9b5de5", "shared": "#5a189a"}, varied=("epochs", "learning_rate")
    ),
    "attention": ReadoutKind(
        label="Attention",
        colours={"individual": "#ffb627", "shared": "#06d6a0"},
        projections=3,  # of inputs, keys and values
    ),
    "layer_gate": ReadoutKind(
        label="Layer gate",
        colours={"individual": "#a98467", "shared": "#6c584c"},
        # The weights of all layers are equal at first and must become different within one training. The learning rate is
        # therefore ten times the learning rate of attention.
        recipe={"learning_rate": 1e-3},
        reads_all_layers=True,
    ),
}
"""Name -> kind of readout. The colours are those of the authors, but the yellow is darker. The colours of the layer gate are not
from the authors."""

READOUTS = {f"{name}_{subjects}": colour for name, kind in KINDS.items() for subjects, colour in kind.colours.items()}
"""Published name of a readout, such as ``attention_shared`` -> colour in figures."""
TRAINED = tuple(name for name, kind in KINDS.items() if kind.trained)
LINEAR = "linear_individual"


def kind_of(readout: str) -> str:
    """Return the kind of a readout. For example, ``attention_shared`` has the kind ``attention``."""
    return readout.rsplit("_", 1)[0]


def subjects_of(readout: str) -> str:
    """Return how a readout treats subjects: ``shared`` or ``individual``. For example, ``attention_shared`` gives ``shared``."""
    return readout.rsplit("_", 1)[1]


def figure_name(readout: str) -> str:
    """Return the name of a readout in the paper's tables. For example, ``attention_shared`` has the name ``Attention (MS)``.

    SS and MS stand for single and multiple subjects.
    """
    return f"{KINDS[kind_of(readout)].label} ({'MS' if subjects_of(readout) == 'shared' else 'SS'})"
