"""Formulas, targets, seeds and settings of trained readouts, typed a second time from the paper (appendices J.1 and K)."""

from dataclasses import replace
from itertools import chain
from math import cos, pi
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from readout_data import TokensInMemory, tokens_of
from torch import nn
from torch.nn import functional as F

from cortexscale.readouts import linear, train
from cortexscale.readouts.mapping import gate_summary
from cortexscale.readouts.recipes import ReadoutRecipe, recipe_for
from cortexscale.readouts.roi_readouts import Head, RoiReadouts
from cortexscale.readouts.stage import _is_constant, _without_repeats
from cortexscale.readouts.train import train_readouts
from cortexscale.readouts.trials import Trials, held_out, subset
from cortexscale.readouts.trunks import build_head, build_trunk, sinusoids
from cortexscale.study.ridge import Alphas, Ridge

SMALL = {"width": 8, "heads": 2, "latents": 3, "hidden": 5, "rank": 4, "batch": 8, "epochs": 4, "learning_rate": 1e-2}
N, TOKENS, CHANNELS = 20, 6, 8


@pytest.mark.parametrize(("penalties", "saved"), [([7, 7, 7], [7]), ([7, 7, 70], [7, 7, 70]), ([7], [7])])
def test_a_saved_readout_has_one_penalty_if_all_units_share_it(penalties, saved):
    assert _without_repeats(np.array(penalties)) == saved


@pytest.mark.parametrize(("different", "constant"), [(None, True), (1, False), (3, False)])
def test_tokens_are_constant_only_if_no_stimulus_has_others(different, constant):
    values = np.ones((4, 2, 3), np.float32)
    if different:
        values[different, 1, 2] = 2
    assert _is_constant(SimpleNamespace(read=lambda rows: values[rows]), np.arange(4)) == constant


def random(trunk: nn.Module) -> nn.Module:
    for parameter in trunk.parameters():
        nn.init.normal_(parameter, std=0.5)
    return trunk.eval().double()


def encoded(trunk: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    normal = F.layer_norm(
        tokens @ trunk.project.weight.T + trunk.project.bias, (8,), trunk.token_norm.weight, trunk.token_norm.bias
    )
    return normal + sinusoids(TOKENS, 8)


# ---------------------------------------------------------------------------------------------- formulas


@pytest.mark.parametrize("readout", ["shallow_mlp", "low_rank"])
def test_readouts_of_the_mean_token_have_the_formulas_of_the_release(readout):
    """The MLP is W2 GELU(W1 LN(mean)) (Eq. 14). The low-rank readout is B A mean, and A has no bias (Eq. 13)."""
    recipe = ReadoutRecipe(readout, **SMALL)
    trunk, tokens = random(build_trunk(recipe, (CHANNELS,) * TOKENS)), torch.randn(7, TOKENS, CHANNELS, dtype=torch.float64)
    mean = encoded(trunk, tokens).mean(dim=1)
    if readout == "shallow_mlp":
        normal = F.layer_norm(mean, (8,), trunk.pooled_norm.weight, trunk.pooled_norm.bias)
        hidden = normal @ trunk.hidden.weight.T + trunk.hidden.bias
        expected = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5)) @ trunk.out.weight.T + trunk.out.bias
        assert trunk.hidden.weight.shape == (5, 8) and trunk.out.weight.shape == (3 * 8, 5)
    else:
        expected = mean
        first, second = build_head(recipe, 8, 11)
        assert first.bias is None and second.bias is not None
        assert (tuple(first.weight.shape), tuple(second.weight.shape)) == ((4, 8), (11, 4))
    torch.testing.assert_close(trunk(tokens), expected)


@pytest.mark.parametrize("gate", ["static", "query"])
def test_gates_weigh_normalised_layers_and_sum_to_1(gate):
    """Channels beyond the width of a layer are padding. A static gate moves ten times as fast as its parameter."""
    widths = (8, 5, 3)
    trunk = random(build_trunk(ReadoutRecipe("layer_gate", gate=gate, **SMALL), widths))
    pooled = torch.randn(7, 3, 8, dtype=torch.float64)
    layers = torch.stack(
        [pooled[:, n, :w] @ p.weight.T + p.bias for n, (w, p) in enumerate(zip(widths, trunk.projections, strict=True))], 1
    )
    layers = (layers - layers.mean(-1, keepdim=True)) / (layers.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()
    if gate == "static":
        logits = (10 * trunk.logits).expand(7, 3)
    else:
        logits = (layers @ trunk.key.weight.T + trunk.key.bias + trunk.depths) @ trunk.query
    gates = logits.exp() / logits.exp().sum(1, keepdim=True)
    torch.testing.assert_close(trunk.gates(pooled), gates)
    torch.testing.assert_close(trunk(pooled), torch.einsum("nl,nlc->nc", gates, layers))


def test_all_linear_maps_of_trunks_begin_as_xavier_and_gates_even():
    for readout in ("shallow_mlp", "low_rank", "layer_gate"):
        trunk = build_trunk(ReadoutRecipe(readout, gate="query"), (384,) * 4)
        for module in trunk.modules():
            if isinstance(module, nn.Linear):
                limit = (6 / sum(module.weight.shape)) ** 0.5
                assert 0.99 * limit < module.weight.abs().max() <= limit and not module.bias.any()
    assert trunk.query.std().item() == pytest.approx(0.02, rel=0.2) and trunk.depths.std().item() == pytest.approx(0.02, rel=0.1)
    even = build_trunk(ReadoutRecipe("layer_gate"), (384,) * 4)
    assert even.gates(torch.randn(2, 4, 384)).detach().numpy() == pytest.approx(0.25)


def test_the_depth_of_a_gate_is_a_mean_with_its_standard_deviation_and_entropy():
    found = gate_summary(np.array([0.5, 0.25, 0.25]), np.array([0.2, 0.4, 1.0]))
    assert found["expected_depth"] == pytest.approx(0.45)
    assert found["depth_sd"] == pytest.approx((0.5 * 0.25**2 + 0.25 * 0.05**2 + 0.25 * 0.55**2) ** 0.5)
    assert found["gate_entropy"] == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(4))


# ---------------------------------------------------------------------------------------------- targets


def trials(*subjects: str, n: int = N) -> list[Trials]:
    rng = np.random.default_rng(0)
    units = {"V1": np.arange(3), "IT": np.arange(3, 5)}
    return [Trials(name, np.arange(n), rng.normal(5, 3, (n, 5)).astype(np.float32), units) for name in subjects or ("a",)]


def test_heads_learn_z_scored_responses_and_predict_those_of_the_recording():
    """The standard deviation has ddof 0 and 1e-6 added, as in the release. Constant units are 0 then."""
    responses = trials()[0].responses.copy()
    responses[:, 4] = 7.0
    head, features = Head(nn.Linear(6, 5), responses), torch.randn(N, 6)
    values = responses.astype(float)
    mean, sd = values.mean(axis=0), np.sqrt(np.square(values - values.mean(axis=0)).mean(axis=0)) + 1e-6
    z = head.linear(features).detach().double().numpy()
    loss = np.square(z - (values - mean) / sd).mean()
    assert head.loss(features, torch.from_numpy(responses)).item() == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(head.responses(features).detach(), z * sd + mean, rtol=1e-5)


def test_subsets_have_whole_stimuli_and_seeds_of_their_own():
    assert [len(subset(250, percent, 0)) for percent in (1, 3, 70, 100)] == [2, 7, 175, 250], "rounded down"
    assert set(subset(250, 10, 0)) != set(subset(250, 10, 1))
    whole = trials()[0]
    fitted, tuned = held_out(whole, 0.25, 3)
    assert (len(fitted.rows), len(tuned.rows)) == (15, 5) and sorted({*fitted.rows, *tuned.rows}) == list(range(N))
    assert set(held_out(whole, 0.25, 4)[1].rows) != set(tuned.rows)
    np.testing.assert_array_equal(tuned.responses, whole.responses[tuned.rows])


# ---------------------------------------------------------------------------------------------- training


class Watched(RoiReadouts):
    """Readouts that note the mode, the random state and the losses of every batch."""

    seen: list[tuple[bool, bytes, float]]

    def losses(self, subject: int, tokens: torch.Tensor, responses: list[torch.Tensor]) -> torch.Tensor:
        state = torch.get_rng_state().numpy().tobytes()
        found = super().losses(subject, tokens, responses)
        Watched.seen.append((self.training, state, found.detach().mean().item()))
        return found


def watched(monkeypatch, recipe: ReadoutRecipe, seed: int, *subjects: str) -> tuple[RoiReadouts, list, dict, list, list]:
    """Train readouts. Return them, what was seen in batches, arguments of the optimiser, rates of steps, and rows of batches."""
    made, rates, read = {}, [], []

    class Optimiser(torch.optim.AdamW):
        def __init__(self, parameters, lr, **how):
            made.update(how, lr=lr)
            super().__init__(parameters, lr, **how)

        def step(self):
            rates.append(self.param_groups[0]["lr"])
            return super().step()

    class Tokens(TokensInMemory):
        def read(self, rows):
            read.append(rows.tolist())
            return super().read(rows)

    Watched.seen = []
    monkeypatch.setattr(train, "RoiReadouts", Watched)
    monkeypatch.setattr(train.torch.optim, "AdamW", Optimiser)
    readouts = train_readouts(Tokens(tokens_of(N)), trials(*subjects), ["V1", "IT"], recipe, seed=seed)
    monkeypatch.undo()
    return readouts, Watched.seen, made, rates, read


def test_every_epoch_has_its_own_order_dropout_and_rate(monkeypatch):
    """20 stimuli in batches of 8 are three batches. The rate falls along a cosine from epoch to epoch."""
    recipe = ReadoutRecipe("shallow_mlp", **SMALL, dropout=0.5, weight_decay=0.125)
    readouts, seen, made, rates, read = watched(monkeypatch, recipe, 1)
    assert not readouts.training and all(mode for mode, *_ in seen) and len(seen) == 12
    assert len({state for _, state, _ in seen}) == 12
    assert (made["lr"], made["weight_decay"]) == (1e-2, 0.125)
    assert rates == pytest.approx([1e-2 * 0.5 * (1 + cos(pi * epoch / 4)) for epoch in range(4) for _ in range(3)])
    epochs = [[*chain(*read[start : start + 3])] for start in range(0, 12, 3)]
    assert all(sorted(epoch) == list(range(N)) for epoch in epochs) and len(set(map(tuple, epochs))) == 4
    again = watched(monkeypatch, recipe, 1)
    assert again[1] == seen and again[4] == read
    other = watched(monkeypatch, recipe, 2)
    assert not {state for _, state, _ in other[1]} & {state for _, state, _ in seen} and other[4] != read


def test_subjects_follow_each_other_in_an_order_of_every_epoch(monkeypatch):
    """The batches of a subject are together, and the last one is the rest of the stimuli."""
    recipe = ReadoutRecipe("low_rank", **SMALL | {"epochs": 12})
    order, losses = [], RoiReadouts.losses
    monkeypatch.setattr(RoiReadouts, "losses", lambda self, subject, *of: order.append(subject) or losses(self, subject, *of))
    train_readouts(TokensInMemory(tokens_of(N)), trials("a", "b"), ["V1", "IT"], recipe, seed=0)
    epochs = [tuple(order[start : start + 6]) for start in range(0, 72, 6)]
    assert set(epochs) == {(0, 0, 0, 1, 1, 1), (1, 1, 1, 0, 0, 0)}


def test_gradients_are_clipped_to_the_limit_of_the_recipe(monkeypatch):
    limits, clip = [], RoiReadouts.clip_gradients
    monkeypatch.setattr(RoiReadouts, "clip_gradients", lambda self, *given: limits.append(given[1]) or clip(self, *given))
    train_readouts(TokensInMemory(tokens_of(N)), trials(), ["V1"], ReadoutRecipe("low_rank", **SMALL, clip=0.25), seed=0)
    assert limits == [0.25] * 12


def test_predictions_and_gates_are_those_of_the_network_without_dropout():
    """Rows are read in batches of 8, and gates are means over all of them."""
    tokens, recipe = TokensInMemory(tokens_of(N)), ReadoutRecipe("layer_gate", **SMALL, gate="query", dropout=0.5)
    readouts = RoiReadouts(recipe, tokens.widths, trials(), ["V1", "IT"], seed=0).train()
    rows = np.random.default_rng(0).permutation(N)[:19]
    predicted = readouts.predict(tokens, rows, "a")
    inputs = torch.from_numpy(tokens.array[rows]).float()
    for g, roi in enumerate(("V1", "IT")):
        trunk = readouts.trunks.module(g).eval()
        with torch.no_grad():
            expected = readouts.heads_of(0)[g].responses(trunk(inputs)).numpy()
            gates = trunk.gates(inputs).mean(dim=0).numpy()
        np.testing.assert_allclose(predicted[roi], expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(readouts.train().gates(tokens, rows)[g], gates, rtol=1e-6)


# ---------------------------------------------------------------------------------------------- recipes


def test_recipes_have_the_values_of_the_dataset_and_overrides_replace_them():
    for name, epochs in (("nsd", 20), ("tvsd", 30), ("things_eeg1", 10)):
        assert recipe_for("layer_gate", name).epochs == epochs, "as many epochs as attention"
    assert recipe_for("layer_gate", "nsd").learning_rate == 1e-3 and recipe_for("layer_gate", "mine.py").epochs == 10
    changed = recipe_for("attention", "nsd", epochs=3, dropout=0.1)
    assert changed == replace(recipe_for("attention", "nsd"), epochs=3, dropout=0.1) and changed.learning_rate == 1e-3


class Seen(Exception):
    """Ends a fit after its arguments were seen."""


def test_settings_of_ridge_reach_linear_readouts(monkeypatch):
    given = []

    def nested_ridge(within, responses, alphas, folds, **how):
        given.append((alphas, how))
        raise Seen

    monkeypatch.setattr(linear, "nested_ridge", nested_ridge)
    K, arrays = torch.eye(6), {"train": np.ones((4, 1)), "test": np.ones((2, 1)), "members": np.ones((1, 1), bool)}
    for ridge in (Ridge(), Ridge(alphas=Alphas(low=0, high=2, count=3, search="full"), alpha_per="unit")):
        with pytest.raises(Seen):
            next(linear.linear_fits(K, SimpleNamespace(train_rows=np.arange(4), **arrays), [50], [0], ridge))
    (paper, default), (grid, unit) = given
    assert len(paper) == 10 and (default["search"], default["alpha_per"]) == ("adaptive", "group")
    assert list(grid) == [1, 10, 100] and (unit["search"], unit["alpha_per"]) == ("full", "unit")
    assert torch.equal(unit["cross"], K[4:][:, torch.from_numpy(subset(4, 50, 0))])
