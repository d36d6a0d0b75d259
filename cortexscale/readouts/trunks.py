"""Trunks of trained readouts. A trunk turns the tokens of a layer into features, which all heads of an ROI read.

An object of a class is the trunk of one ROI. The trunks of several ROIs are evaluated together. Shapes, dropout and initial
values are those of the paper (section 3, appendices J.1 and K) and of the authors' release. The release has three peculiarities,
which are kept:

* the shallow MLP and the low-rank readout first project and normalise tokens and add positions, and then pool them; in the
  paper's formulas, pooling comes first;
* every trunk has a last norm, but only attention uses it;
* attention adds its output to itself; usually, the output of a feed-forward block would be added.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cortexscale.readouts.recipes import ReadoutRecipe

_SPEED = 10.0
"""Each logit of a static gate is its parameter times this number. Adam changes every parameter by about the learning rate per
step. Such a change is large enough for a weight of a projection, but too small for a logit."""


def build_trunk(recipe: ReadoutRecipe, widths: Sequence[int]) -> "Trunk | LayerGate":
    """Build the trunk of a recipe, with initial values from torch's generator. The trunk has ``n_features`` outputs."""
    trunk = TRUNKS[recipe.readout](recipe, widths)
    for module in trunk.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return trunk


def build_head(recipe: ReadoutRecipe, n_features: int, n_units: int) -> nn.Module:
    """Build the head of one subject and ROI, with torch's initial values. The head maps features (B, F) to (B, units)."""
    if recipe.readout == "low_rank":
        return nn.Sequential(nn.Linear(n_features, recipe.rank, bias=False), nn.Linear(recipe.rank, n_units))
    return nn.Linear(n_features, n_units)


def sinusoids(n: int, width: int) -> Tensor:
    """Make the positional encoding (n, width) of Vaswani et al. (2017), with sines in even columns and cosines in odd ones."""
    rates = 10_000 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(n)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


class Trunk(nn.Module):
    """The common part of trunks, which projects and normalises tokens (B, T, C) and adds their positions."""

    n_features: int
    positions: Tensor

    def __init__(self, recipe: ReadoutRecipe, widths: Sequence[int]):
        super().__init__()
        self.project = nn.Linear(max(widths), recipe.width)
        self.token_norm = nn.LayerNorm(recipe.width)
        self.norm = nn.LayerNorm(recipe.width)
        self.register_buffer("positions", sinusoids(len(widths), recipe.width), persistent=False)

    def encoded(self, tokens: Tensor) -> Tensor:
        """Project and normalise tokens, and add their positions. The result is (B, T, width)."""
        return self.token_norm(self.project(tokens)) + self.positions


class Attention(Trunk):
    """One layer of attention from latents to tokens (Perceiver IO, Jaegle et al. 2022).

    It maps tokens (B, T, C) to features (B, latents x width).
    """

    def __init__(self, recipe: ReadoutRecipe, widths: Sequence[int]):
        super().__init__(recipe, widths)
        width = recipe.width
        self.n_heads, self.dropout, self.n_features = recipe.heads, recipe.dropout, recipe.latents * width
        self.latents = nn.Parameter(0.02 * torch.randn(recipe.latents, width))
        self.latent_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)  # a single matrix, because its shape decides the initial values
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        linear = self.query_key_value
        to_queries, to_keys, to_values = zip(linear.weight.chunk(3), linear.bias.chunk(3), strict=True)
        tokens = self.encoded(tokens)
        # The queries have no batch dimension, because they are the same for all stimuli.
        queries = self._by_head(F.linear(self.latent_norm(self.latents), *to_queries))
        keys, values = (self._by_head(F.linear(tokens, *part)) for part in (to_keys, to_values))
        attention = (queries @ keys.mT / queries.shape[-1] ** 0.5).softmax(dim=-1)
        attended = (F.dropout(attention, self.dropout, self.training) @ values).transpose(-3, -2).flatten(-2)
        answers = self.latents + F.dropout(self.out(attended), self.dropout, self.training)
        return self.norm(answers + answers).flatten(1)

    def _by_head(self, x: Tensor) -> Tensor:
        """Split the channels (..., n, width) among the heads, and return (..., heads, n, width / heads)."""
        return x.unflatten(-1, (self.n_heads, -1)).transpose(-3, -2)


class ShallowMLP(Trunk):
    """A network with one hidden layer that reads the mean token. It maps tokens (B, T, C) to features (B, latents x width)."""

    def __init__(self, recipe: ReadoutRecipe, widths: Sequence[int]):
        super().__init__(recipe, widths)
        self.dropout, self.n_features = recipe.dropout, recipe.latents * recipe.width
        self.pooled_norm = nn.LayerNorm(recipe.width)
        self.hidden = nn.Linear(recipe.width, recipe.hidden)
        self.out = nn.Linear(recipe.hidden, self.n_features)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = F.gelu(self.hidden(self.pooled_norm(self.encoded(tokens).mean(dim=1))))
        return self.out(F.dropout(hidden, self.dropout, self.training))


class PooledTokens(Trunk):
    """The trunk of low-rank readouts, which maps tokens (B, T, C) to the mean of the encoded tokens, (B, width)."""

    def __init__(self, recipe: ReadoutRecipe, widths: Sequence[int]):
        super().__init__(recipe, widths)
        self.n_features = recipe.width

    def forward(self, tokens: Tensor) -> Tensor:
        return self.encoded(tokens).mean(dim=1)


class LayerGate(nn.Module):
    """A readout without a committed layer. Learned gates decide how much an ROI reads from each layer.

    It maps the mean tokens of L layers, (B, L, C), to features (B, width). The mean token of every layer is projected to a common
    width and normalised to the same length. A gate is then the weight of its layer in the mixture, and gates sum to 1. ``static``
    gates are the same for all stimuli. With ``query`` gates, a learned query attends to the layers, and can choose a different
    depth for each stimulus. Channels beyond the ``widths`` of the layers are padding.
    """

    def __init__(self, recipe: ReadoutRecipe, widths: Sequence[int]):
        super().__init__()
        width = recipe.width
        self.dropout, self.n_features = recipe.dropout, width
        self.projections = nn.ModuleList(nn.Linear(channels, width) for channels in widths)
        self.query = None
        if recipe.gate == "static":
            self.logits = nn.Parameter(torch.zeros(len(widths)))
        else:
            self.query = nn.Parameter(0.02 * torch.randn(width))
            self.depths = nn.Parameter(0.02 * torch.randn(len(widths), width))
            self.key = nn.Linear(width, width)

    def forward(self, pooled: Tensor) -> Tensor:
        layers = self._normalised(pooled)
        mixture = (self._gates(layers)[..., None] * layers).sum(dim=1)
        return F.dropout(mixture, self.dropout, self.training)

    def gates(self, pooled: Tensor) -> Tensor:
        """Compute the gates (B, L) of all layers for each stimulus."""
        layers = self._normalised(pooled)
        return self._gates(layers).expand(layers.shape[:2])

    def _normalised(self, pooled: Tensor) -> Tensor:
        layers = [project(pooled[:, number, : project.in_features]) for number, project in enumerate(self.projections)]
        return F.layer_norm(torch.stack(layers, dim=1), layers[0].shape[-1:])

    def _gates(self, layers: Tensor) -> Tensor:
        if self.query is None:
            return (_SPEED * self.logits).softmax(dim=-1)
        return ((self.key(layers) + self.depths) @ self.query).softmax(dim=-1)


TRUNKS: dict[str, type[Trunk] | type[LayerGate]] = {
    "attention": Attention,
    "shallow_mlp": ShallowMLP,
    "low_rank": PooledTokens,
    "layer_gate": LayerGate,
}
"""Kind of readout -> class of its trunk."""
