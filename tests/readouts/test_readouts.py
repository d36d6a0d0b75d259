"""Trained readouts: their architecture is the reference's, and those of many ROIs at once are those of each alone."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cortexscale.catalogue.readouts import TRAINED
from cortexscale.errors import InputError
from cortexscale.readouts.mapping import gate_summary
from cortexscale.readouts.recipes import ReadoutRecipe, recipe_for
from cortexscale.readouts.roi_readouts import RoiReadouts, Stacked
from cortexscale.readouts.tokens import as_tokens, pooled_layers
from cortexscale.readouts.train import one_ahead
from cortexscale.readouts.trials import Trials, subset
from cortexscale.readouts.trunks import build_trunk, sinusoids

DEIT_SMALL = (384,) * 197
SMALL = {"width": 16, "heads": 4, "latents": 3, "hidden": 5, "rank": 6}


def random_trials(subject: str, n: int, units: dict[str, int], seed: int = 0) -> Trials:
    rng = np.random.default_rng(seed)
    stops = np.cumsum(list(units.values()))
    columns = {roi: np.arange(stop - size, stop) for (roi, size), stop in zip(units.items(), stops, strict=True)}
    return Trials(subject, rng.permutation(n), rng.normal(3, 2, (n, stops[-1])).astype(np.float32), columns)


@pytest.mark.parametrize(
    ("readout", "trunk", "per_unit", "per_head"),
    [("attention", 747_648, 6_145, 0), ("shallow_mlp", 750_427, 6_145, 0), ("low_rank", 149_376, 5_331, 2_046_720)],
)
def test_parameters_are_as_many_as_in_the_reference(readout, trunk, per_unit, per_head):
    recipe = ReadoutRecipe(readout)
    one = RoiReadouts(recipe, DEIT_SMALL, [random_trials("a", 4, {"V1": 7})], ["V1"], seed=0)
    two = RoiReadouts(recipe, DEIT_SMALL, [random_trials(s, 4, {"V1": n}) for s, n in (("a", 7), ("b", 5))], ["V1"], seed=0)
    assert one.n_parameters("V1") == trunk + 7 * per_unit + per_head
    assert two.n_parameters("V1") == trunk + 12 * per_unit + 2 * per_head


def test_attention_is_torchs():
    recipe = ReadoutRecipe("attention", width=24, heads=4, latents=5)
    trunk = build_trunk(recipe, (10,) * 7).eval().double()
    for parameter in trunk.parameters():
        nn.init.normal_(parameter, std=0.3)
    theirs = nn.MultiheadAttention(24, 4, batch_first=True).eval().double()
    theirs.load_state_dict(
        {
            "in_proj_weight": trunk.query_key_value.weight,
            "in_proj_bias": trunk.query_key_value.bias,
            "out_proj.weight": trunk.out.weight,
            "out_proj.bias": trunk.out.bias,
        }
    )
    tokens = torch.randn(6, 7, 10, dtype=torch.float64)
    encoded = trunk.token_norm(trunk.project(tokens)) + sinusoids(7, 24)
    queries = trunk.latent_norm(trunk.latents).expand(6, -1, -1)
    answers = trunk.latents + theirs(queries, encoded, encoded)[0]
    assert torch.allclose(trunk(tokens), trunk.norm(2 * answers).flatten(1), rtol=1e-12, atol=1e-12)


def test_initial_values_are_those_of_the_reference():
    readouts = RoiReadouts(ReadoutRecipe("attention"), DEIT_SMALL, [random_trials("a", 4, {"V1": 50})], ["V1"], seed=0)
    trunk, head = readouts.trunks.module(0), readouts.heads[0][0].linear
    for linear in (trunk.project, trunk.query_key_value, trunk.out):
        limit = (6 / sum(linear.weight.shape)) ** 0.5
        assert 0.99 * limit < linear.weight.abs().max() <= limit
        assert not linear.bias.any()
    assert trunk.latents.std().item() == pytest.approx(0.02, rel=0.05)
    assert 0.99 * 6144**-0.5 < head.weight.abs().max() <= 6144**-0.5
    assert head.bias.any()


def test_positions_are_sines_and_cosines():
    positions = sinusoids(3, 4)
    assert positions[0].tolist() == [0, 1, 0, 1]
    assert positions[2].numpy() == pytest.approx([np.sin(2), np.cos(2), np.sin(0.02), np.cos(0.02)])


@pytest.mark.parametrize("readout", TRAINED)
@pytest.mark.parametrize("training", [False, True])
def test_stacked_modules_give_what_each_gives_alone_with_the_same_dropout(readout, training):
    torch.manual_seed(0)
    recipe = ReadoutRecipe(readout, **SMALL, dropout=0.5, gate="query")
    alone = [build_trunk(recipe, (9,) * 5).train(training) for _ in range(3)]
    stacked = Stacked(alone).train(training)
    tokens = torch.randn(4, 5, 9)
    torch.manual_seed(1)
    together = stacked(tokens)
    for g, trunk in enumerate(alone):
        torch.manual_seed(1)
        assert torch.allclose(together[g], trunk(tokens), atol=1e-5)
        torch.manual_seed(1)
        assert torch.allclose(together[g], stacked.module(g)(tokens), atol=1e-5)


def test_gradients_are_clipped_roi_by_roi():
    trials = random_trials("a", 20, {"V1": 3, "IT": 4})
    readouts = RoiReadouts(ReadoutRecipe("attention", **SMALL, dropout=0), (9,) * 5, [trials], ["V1", "IT"], seed=0)
    tokens, responses = torch.randn(20, 5, 9), torch.from_numpy(trials.responses)
    losses = readouts.losses(0, tokens, [responses[:, trials.units[roi]] for roi in ("V1", "IT")])
    (losses * torch.tensor([100.0, 1e-3])).sum().backward()
    expected = {}
    for g in range(2):
        grads = [p.grad[g] for p in readouts.trunks.parameters() if p.grad is not None]
        grads += [p.grad for p in readouts.heads[0][g].parameters()]
        norm = torch.cat([grad.flatten() for grad in grads]).norm()
        expected[g] = [grad / max(norm, 1.0) for grad in grads]
    readouts.clip_gradients(0, 1.0)
    for g in range(2):
        grads = [p.grad[g] for p in readouts.trunks.parameters() if p.grad is not None]
        grads += [p.grad for p in readouts.heads[0][g].parameters()]
        for ours, theirs in zip(grads, expected[g], strict=True):
            assert torch.allclose(ours, theirs, atol=1e-6)


def test_published_recipes_and_their_overrides():
    attention = recipe_for("attention", "nsd")
    assert (attention.epochs, attention.learning_rate, attention.dropout) == (20, 1e-3, 0.8)
    assert recipe_for("low_rank", "tvsd").learning_rate == 5e-5
    assert recipe_for("attention", "my/reader.py") == ReadoutRecipe("attention")
    assert recipe_for("attention", "nsd", epochs=3, width=32).epochs == 3


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"readout": "transformer"}, "one of shallow_mlp, low_rank"),
        ({"readout": "attention", "width": 24}, "a divisor of its width, 24"),
        ({"readout": "low_rank", "width": 9}, "an even number"),
        ({"readout": "attention", "dropout": 1.0}, r"a fraction in \[0, 1\)"),
        ({"readout": "attention", "epochs": 0}, "at least 1"),
    ],
)
def test_impossible_recipes_are_refused(values, words):
    with pytest.raises(InputError, match=words):
        ReadoutRecipe(**values)


@given(st.integers(2, 300), st.lists(st.floats(1, 100), min_size=2, max_size=5), st.integers(0, 99))
def test_subsets_are_nested_and_those_of_numpy(n, fractions, seed):
    fractions = sorted(percent for percent in fractions if int(n * percent / 100) >= 2)
    subsets = [subset(n, percent, seed) for percent in fractions]
    for smaller, larger in pairwise(subsets):
        assert set(smaller) <= set(larger)
    for percent, chosen in zip(fractions, subsets, strict=True):
        assert np.array_equal(chosen, np.sort(np.random.default_rng(seed).permutation(n)[: int(n * percent / 100)]))


def test_a_fraction_of_nothing_is_refused():
    with pytest.raises(InputError, match="1 stimuli"):
        subset(121, 1, 0)


def test_vectors_and_maps_are_tokens():
    maps = np.arange(2 * 3 * 2 * 2).reshape(2, 3, 2, 2)
    assert as_tokens(maps).shape == (2, 4, 3)
    assert as_tokens(maps)[1, 2].tolist() == maps[1, :, 1, 0].tolist()
    assert as_tokens(np.zeros((5, 7))).shape == (5, 1, 7)
    with pytest.raises(ValueError, match="neither vectors"):
        as_tokens(np.zeros(5))


def test_pooled_layers_are_one_token_each():
    rng = np.random.default_rng(0)
    layers = [rng.normal(size=(10, 4, 3)).astype(np.float16), rng.normal(size=(10, 2, 5)).astype(np.float16)]
    pooled = pooled_layers(layers)
    assert pooled.shape == (10, 2, 5) and pooled.dtype == np.float32
    assert pooled[:, 0, :3] == pytest.approx(layers[0].astype(float).mean(axis=1), abs=1e-3)
    assert pooled[:, 1] == pytest.approx(layers[1].astype(float).mean(axis=1), abs=1e-3)
    assert not pooled[:, 0, 3:].any()


def test_reading_ahead_keeps_the_order_and_its_errors():
    assert list(one_ahead(lambda x: 10 * x, [3, 1, 2])) == [30, 10, 20]
    assert list(one_ahead(abs, [])) == []
    with pytest.raises(ZeroDivisionError):
        list(one_ahead(lambda x: 1 / x, [1, 0]))


def test_gates_of_one_layer_and_of_all():
    depths = np.array([0.25, 0.5, 1.0])
    assert gate_summary(np.array([0.0, 1.0, 0.0]), depths) == {"expected_depth": 0.5, "depth_sd": 0.0, "gate_entropy": 0.0}
    assert gate_summary(np.full(3, 1 / 3), depths)["gate_entropy"] == pytest.approx(np.log(3))
