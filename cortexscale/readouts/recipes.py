"""What defines a trained readout: shapes, dropout and training, with the published values of each dataset."""

from dataclasses import dataclass, replace
from typing import Any

from cortexscale.catalogue.readouts import TRAINED
from cortexscale.errors import InputError

GATES = ("static", "query")


@dataclass(frozen=True)
class ReadoutRecipe:
    """A trained readout; defaults are those of the paper (Table S5), its baselines matched in parameters (appendix J.1).

    Attributes:
        readout: one of :data:`cortexscale.catalogue.readouts.TRAINED`.
        width: channels that tokens are projected to; even, and for attention a multiple of ``heads``.
        latents: learned queries of attention; the shallow MLP puts out ``latents`` x ``width`` features as well.
        heads: of attention.
        hidden: units of the shallow MLP.
        rank: of the low-rank readout. The paper's 5,330 is no bottleneck for 384 channels; a rank below ``width`` is.
        gate: of the layer gate, one of ``GATES``.
        dropout: of attention weights and outputs, of the hidden units of the MLP, of the mixture of the layer gate.
        epochs, learning_rate, weight_decay, batch: of AdamW; the rate falls to 0 along a cosine, epoch by epoch.
        clip: largest norm of the gradient of one ROI.

    Raises:
        InputError: values that do not fit together.
    """

    readout: str
    width: int = 384
    latents: int = 16
    heads: int = 16
    hidden: int = 91
    rank: int = 5330
    gate: str = "static"
    dropout: float = 0.3
    epochs: int = 10
    learning_rate: float = 1e-4
    weight_decay: float = 1e-4
    batch: int = 256
    clip: float = 1.0

    def __post_init__(self):
        def require(fits: bool, key: str, expected: str) -> None:
            if not fits:
                raise InputError(f"{key} of readout {self.readout}", str(getattr(self, key)), expected, f"change its `{key}`")

        require(self.readout in TRAINED, "readout", f"one of {', '.join(TRAINED)}")
        require(self.gate in GATES, "gate", f"one of {', '.join(GATES)}")
        require(self.width > 0 and self.width % 2 == 0, "width", "an even number of channels: sines and cosines come in pairs")
        if self.readout == "attention":
            require(self.heads > 0 and self.width % self.heads == 0, "heads", f"a divisor of its width, {self.width}")
        for key in ("latents", "hidden", "rank", "epochs", "batch"):
            require(getattr(self, key) > 0, key, "at least 1")
        require(0 <= self.dropout < 1, "dropout", "a share in [0, 1)")
        for key in ("learning_rate", "clip"):
            require(getattr(self, key) > 0, key, "a number above 0")


_OWN: dict[str, dict[str, Any]] = {
    # Gates begin even and have to move within the steps of one training: ten times the rate of attention.
    "layer_gate": {"learning_rate": 1e-3},
}

_PUBLISHED: dict[str, dict[str, dict[str, Any]]] = {
    "attention": {
        "nsd": {"epochs": 20, "learning_rate": 1e-3, "dropout": 0.8},
        "things_eeg1": {"epochs": 10, "learning_rate": 1e-4, "dropout": 0.5},
        "things_eeg2": {"epochs": 10, "learning_rate": 1e-4, "dropout": 0.5},
        "things_fmri": {"epochs": 30, "learning_rate": 1e-4, "dropout": 0.8},
        "things_meg": {"epochs": 30, "learning_rate": 1e-4, "dropout": 0.8},
        "tvsd": {"epochs": 30, "learning_rate": 1e-4, "dropout": 0.3},
    },
    "shallow_mlp": {
        "nsd": {"epochs": 20, "learning_rate": 1e-3, "dropout": 0.5},
        "things_eeg1": {"epochs": 10, "learning_rate": 5e-5, "dropout": 0.3},
        "things_eeg2": {"epochs": 10, "learning_rate": 5e-5, "dropout": 0.3},
        "things_fmri": {"epochs": 30, "learning_rate": 1e-4, "dropout": 0.5},
        "things_meg": {"epochs": 30, "learning_rate": 1e-4, "dropout": 0.8},
        "tvsd": {"epochs": 30, "learning_rate": 1e-4, "dropout": 0.3},
    },
    "low_rank": {
        "nsd": {"epochs": 20, "learning_rate": 1e-4},
        "things_eeg1": {"epochs": 10, "learning_rate": 5e-5},
        "things_eeg2": {"epochs": 10, "learning_rate": 5e-5},
        "things_fmri": {"epochs": 30, "learning_rate": 5e-5},
        "things_meg": {"epochs": 30, "learning_rate": 5e-5},
        "tvsd": {"epochs": 30, "learning_rate": 5e-5},
    },
    # Not in the paper: as long as its attention readout.
    "layer_gate": {
        "nsd": {"epochs": 20},
        "things_fmri": {"epochs": 30},
        "things_meg": {"epochs": 30},
        "tvsd": {"epochs": 30},
    },
}
"""Readout -> reader of the dataset -> what differs from the defaults (Table S6; the baselines as the authors released them)."""


def recipe_for(readout: str, reader: str, **overrides: Any) -> ReadoutRecipe:
    """The recipe of a readout for the datasets of a reader, which may be one without published values.

    Args:
        reader: as in the config, e.g. ``tvsd``.
        overrides: values of :class:`ReadoutRecipe` that replace the published ones.

    Raises:
        InputError: as of :class:`ReadoutRecipe`.
    """
    published = _PUBLISHED.get(readout, {}).get(reader, {})
    return replace(ReadoutRecipe(readout), **{**_OWN.get(readout, {}), **published, **overrides})
