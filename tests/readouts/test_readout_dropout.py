"""Dropout of trained readouts: what it leaves out, how often, and how much larger the rest becomes."""

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from torch import nn
from torch.nn import functional as F

from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.readouts.trunks import build_trunk

N, TOKENS, WIDTH, HEADS, LATENTS = 400, 6, 8, 2, 3
P = 0.25


def trunk_of(readout: str, **recipe) -> nn.Module:
    shape = {"width": WIDTH, "heads": HEADS, "latents": LATENTS, "hidden": 5} | recipe
    return build_trunk(ReadoutRecipe(readout, **shape, dropout=P), (WIDTH,) * TOKENS)


def fill(linear: nn.Linear, weight: torch.Tensor | float, bias: torch.Tensor | float) -> None:
    with torch.no_grad():
        linear.weight.copy_(torch.as_tensor(weight).expand_as(linear.weight))
        linear.bias.copy_(torch.as_tensor(bias).expand_as(linear.bias))


def attention_that_counts() -> nn.Module:
    """Each latent attends evenly to all tokens, whose values are 1. The output is the attention that is left, doubled."""
    trunk = trunk_of("attention")
    ones = torch.cat([torch.zeros(2 * WIDTH), torch.ones(WIDTH)])
    fill(trunk.query_key_value, 0.0, ones)
    fill(trunk.out, torch.eye(WIDTH), 0.0)
    nn.init.zeros_(trunk.latents)
    trunk.norm = nn.Identity()
    return trunk


def is_share(found: int, total: int, share: float) -> bool:
    return binomtest(found, total, share).pvalue > 1e-4


def test_without_training_nothing_is_dropped():
    tokens = torch.randn(7, TOKENS, WIDTH)
    assert torch.allclose(attention_that_counts().eval()(tokens), torch.full((7, LATENTS * WIDTH), 2.0))
    for readout in ("attention", "shallow_mlp", "layer_gate"):
        trunk = trunk_of(readout).eval()
        assert torch.equal(trunk(tokens), trunk(tokens))


def test_attention_drops_weights_of_tokens_and_then_channels_of_its_output():
    """A token that is kept counts 1 / (1 - p) of its weight, and so does a channel that is kept.

    What is left of the attention of a head is therefore a whole number of tokens, the same in all its channels that are kept.
    """
    torch.manual_seed(0)
    answers = attention_that_counts().train()(torch.randn(N, TOKENS, WIDTH)).view(N, LATENTS, HEADS, WIDTH // HEADS)
    counts = (answers / 2 * (1 - P) * TOKENS * (1 - P)).detach().double().numpy()
    np.testing.assert_allclose(counts, counts.round(), atol=1e-5)
    kept_tokens = counts.max(axis=-1).round().astype(int)  # of each stimulus, latent and head
    is_kept = np.isclose(counts, kept_tokens[..., None]) & (kept_tokens[..., None] > 0)
    assert (is_kept | np.isclose(counts, 0)).all(), "all channels of a head have the same tokens"
    seen = kept_tokens[is_kept.any(axis=-1)]
    assert is_share(int(is_kept.sum()), is_kept[kept_tokens > 0].size, 1 - P) or is_kept.mean() == pytest.approx(1 - P, abs=0.03)
    assert seen.mean() / TOKENS == pytest.approx(1 - P, abs=0.02)
    assert len(np.unique(seen)) > 3, "tokens are dropped one by one"
    assert 0 < (~is_kept).sum(axis=-1).mean() < WIDTH // HEADS, "channels are dropped one by one"


def test_the_shallow_mlp_drops_hidden_units():
    """Every hidden unit is 1 before GELU, and the outputs read one each."""
    trunk = trunk_of("shallow_mlp", hidden=LATENTS * WIDTH)
    fill(trunk.hidden, 0.0, 1.0)
    fill(trunk.out, torch.eye(LATENTS * WIDTH), 0.0)
    torch.manual_seed(0)
    answers = trunk.train()(torch.randn(N, TOKENS, WIDTH)).detach()
    kept = answers != 0
    assert torch.allclose(answers[kept], F.gelu(torch.tensor(1.0)) / (1 - P))
    assert is_share(int(kept.sum()), kept.numel(), 1 - P)
    assert torch.allclose(trunk.eval()(torch.randn(2, TOKENS, WIDTH)), F.gelu(torch.tensor(1.0)))


def test_the_layer_gate_drops_channels_of_the_mixture():
    trunk, pooled = trunk_of("layer_gate"), torch.randn(N, TOKENS, WIDTH)
    whole = trunk.eval()(pooled).detach()
    torch.manual_seed(0)
    answers = trunk.train()(pooled).detach()
    kept = answers != 0
    assert torch.allclose(answers[kept], whole[kept] / (1 - P))
    assert is_share(int(kept.sum()), kept.numel(), 1 - P)


def test_the_low_rank_readout_has_no_dropout():
    trunk, tokens = trunk_of("low_rank").train(), torch.randn(4, TOKENS, WIDTH)
    assert torch.equal(trunk(tokens), trunk.eval()(tokens))
