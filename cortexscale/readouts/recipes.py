"""Recipes of trained readouts. They set shapes, dropout and training, and include the published values of each dataset."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from cortexscale.catalogue.readouts import KINDS, TRAINED
from cortexscale.datasets.registry import facts
from cortexscale.errors import InputError

GATES = ("static", "query")


@dataclass(frozen=True)
class ReadoutRecipe:
    """The recipe of a trained readout.

    Defaults are the paper's values (Table S5), for which all readouts have about the same number of parameters (appendix J.1).
    Contradictory values raise an InputError.

    Attributes:
        readout: one of :data:`cortexscale.catalogue.readouts.TRAINED`.
        width: number of channels to which tokens are projected. It must be even, and for attention a multiple of ``heads``.
        latents: number of learned queries of attention. Attention and the shallow MLP put out ``latents`` x ``width`` features.
        hidden: number of hidden units of the shallow MLP.
        rank: rank of the low-rank readout. It is a bottleneck only if it is below ``width``. The paper's 5,330 is no bottleneck.
        gate: kind of gates of a layer gate, one of ``GATES``.
        dropout: dropout rate. It applies to attention weights and outputs, to hidden units of the MLP, and to the mixture of the
            layer gate.
        epochs, learning_rate, weight_decay, batch: settings of AdamW. After each epoch, the learning rate falls along a cosine to
            0.
        clip: largest norm of the gradient of an ROI. Longer gradients are shortened to this norm.
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
        require(self.weight_decay >= 0, "weight_decay", "a number of at least 0")
        for key in ("learning_rate", "clip"):
            require(getattr(self, key) > 0, key, "a number above 0")


def recipe_for(readout: str, reader: str, **overrides: Any) -> ReadoutRecipe:
    """Make the recipe of a readout for the dataset of a reader. Published values replace defaults; ``overrides`` replace both."""
    return replace(ReadoutRecipe(readout), **{**KINDS[readout].recipe, **_published(readout, reader), **overrides})


def _published(readout: str, reader: str) -> dict[str, Any]:
    """Return the published values of a readout for the dataset of a reader.

    The paper has no layer gate, so a layer gate is trained for as many epochs as attention.
    """
    known = facts(reader)
    trained = known.readouts if known else {}
    if readout == "layer_gate":
        return {"epochs": trained["attention"].epochs} if "attention" in trained else {}
    return {key: value for key, value in asdict(trained[readout]).items() if value is not None} if readout in trained else {}
