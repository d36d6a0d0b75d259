"""Recipes of trained readouts: shapes, dropout and training, with the published values of each dataset."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from cortexscale.catalogue.readouts import KINDS, TRAINED
from cortexscale.datasets.registry import facts
from cortexscale.errors import InputError

GATES = ("static", "query")


@dataclass(frozen=True)
class ReadoutRecipe:
    """Recipe of a trained readout. Defaults are the paper's (Table S5), where baselines have as many parameters (appendix J.1).

    Values that do not fit together raise an InputError.

    Attributes:
        readout: one of :data:`cortexscale.catalogue.readouts.TRAINED`.
        width: channels that tokens are projected to. It must be even, and for attention a multiple of ``heads``.
        latents: number of learned queries of attention. The shallow MLP also puts out ``latents`` x ``width`` features.
        hidden: hidden units of the shallow MLP.
        rank: rank of the low-rank readout. Only a rank below ``width`` is a bottleneck; the paper's 5,330 is not.
        gate: gate of the layer gate, one of ``GATES``.
        dropout: dropout of attention weights and outputs, of the hidden units of the MLP, and of the mixture of the layer gate.
        epochs, learning_rate, weight_decay, batch: training by AdamW. The learning rate follows a cosine to 0, epoch by epoch.
        clip: largest norm of the gradient of an ROI; longer gradients are shortened to it.
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

    def __post_init__(self) -> None:
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
        require(0 <= self.dropout < 1, "dropout", "a fraction in [0, 1)")
        for key in ("learning_rate", "clip"):
            require(getattr(self, key) > 0, key, "a number above 0")


def recipe_for(readout: str, reader: str, **overrides: Any) -> ReadoutRecipe:
    """Make the recipe of a readout for a reader: the defaults, the published values where there are any, and ``overrides``."""
    return replace(ReadoutRecipe(readout), **{**KINDS[readout].recipe, **_published(readout, reader), **overrides})


def _published(readout: str, reader: str) -> dict[str, Any]:
    """The published values for a reader. The layer gate is not in the paper, and is trained for as many epochs as attention."""
    known = facts(reader)
    trained = known.readouts if known else {}
    if readout == "layer_gate":
        return {"epochs": trained["attention"].epochs} if "attention" in trained else {}
    return {key: value for key, value in asdict(trained[readout]).items() if value is not None} if readout in trained else {}
