"""Readouts: what predicts responses from features. The linear readout is ridge, and all others are trained networks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ReadoutKind:
    """A kind of readout.

    Attributes:
        colours: colours on figures, for each way in which subjects are treated: ``individual``, one readout per subject and
            ROI, or ``shared``, one trunk per ROI for all subjects.
        recipe: values of :class:`cortexscale.readouts.recipes.ReadoutRecipe` that differ from its defaults.
        varied: values of the recipe that differ between datasets (Table S6).
        reads_all_layers: whether it reads the mean token of every candidate layer, and not the tokens of the committed layer.
        projections: how many times each token is projected to the channels of the readout. Most of the training time goes there.
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
        projections=3,  # once on entry, then to keys and to values
    ),
    "layer_gate": ReadoutKind(
        label="Layer gate",
        colours={"individual": "#a98467", "shared": "#6c584c"},
        # All gates start equal and must separate within one training, so they learn at ten times the rate of attention.
        recipe={"learning_rate": 1e-3},
        reads_all_layers=True,
    ),
}
"""Kinds of readouts. Colours are those of the authors, with a darker yellow; those of the layer gate are ours."""

READOUTS = {f"{name}_{subjects}": colour for name, kind in KINDS.items() for subjects, colour in kind.colours.items()}
"""Readouts by their published names, such as ``attention_shared`` -> colour on figures."""
TRAINED = tuple(name for name, kind in KINDS.items() if kind.trained)
LINEAR = "linear_individual"


def kind_of(readout: str) -> str:
    """Return the kind of a readout: ``attention`` of ``attention_shared``."""
    return readout.rsplit("_", 1)[0]


def subjects_of(readout: str) -> str:
    """Return whether subjects are ``shared`` or ``individual``: ``shared`` of ``attention_shared``."""
    return readout.rsplit("_", 1)[1]


def figure_name(readout: str) -> str:
    """Return the name in the paper's tables, for single or multiple subjects: ``Attention (MS)`` of ``attention_shared``."""
    return f"{KINDS[kind_of(readout)].label} ({'MS' if subjects_of(readout) == 'shared' else 'SS'})"
