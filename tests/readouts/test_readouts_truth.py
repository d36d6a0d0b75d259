"""Which readout wins where the truth is known, over seeds."""

from dataclasses import replace

import numpy as np
import pytest
from readout_data import TokensInMemory, looked_up, synthetic_targets, tokens_of
from readout_scores import ATTENTION, linear_score, mean_score

from cortexscale.readouts.mapping import fit_readouts, gate_tables, score_readouts
from cortexscale.readouts.tokens import pooled_layers
from cortexscale.readouts.trials import training_trials

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_attention_beats_linear_where_units_pool_space_non_linearly(seed):
    rng = np.random.default_rng(seed)
    tokens = TokensInMemory(tokens_of(1000, seed=seed))
    found = looked_up(rng, tokens.array.astype(float), 2)
    targets = synthetic_targets({"a": {"IT": found @ rng.standard_normal((found.shape[1], 20))}}, 800, 200)
    attention = mean_score({"l": tokens}, "l", targets, ATTENTION, seed)
    assert attention > linear_score(tokens, targets) + 0.05
    assert attention > mean_score({"l": tokens}, "l", targets, replace(ATTENTION, readout="shallow_mlp"), seed) + 0.05


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sharing_beats_single_subjects_where_trials_are_few(seed):
    rng = np.random.default_rng(seed)
    tokens = TokensInMemory(tokens_of(6 * 120 + 200, seed=seed))
    found = looked_up(rng, tokens.array.astype(float), 2)
    signals = {subject: {"IT": found @ rng.standard_normal((found.shape[1], 10))} for subject in "abcdef"}
    targets = synthetic_targets(signals, 120, 200, own_stimuli=True)
    single, multi = (mean_score({"l": tokens}, "l", targets, ATTENTION, seed, shared=shared) for shared in (False, True))
    assert multi > single + 0.05


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_low_rank_fails_where_the_true_rank_is_higher(seed):
    rng = np.random.default_rng(seed)
    tokens = TokensInMemory(tokens_of(800, n_tokens=1, width=16, seed=seed))
    targets = synthetic_targets({"a": {"IT": tokens.array[:, 0] @ rng.standard_normal((16, 40))}}, 600, 200)
    recipe = replace(ATTENTION, readout="low_rank", epochs=30, learning_rate=1e-2)
    low, full = (mean_score({"l": tokens}, "l", targets, replace(recipe, rank=rank), seed) for rank in (3, 32))
    assert full > 0.9
    assert low < full - 0.2
    easy = synthetic_targets({"a": {"IT": tokens.array[:, 0, :3] @ rng.standard_normal((3, 40))}}, 600, 200)
    assert mean_score({"l": tokens}, "l", easy, replace(recipe, rank=3), seed) > 0.9


@pytest.mark.parametrize("gate", ["static", "query"])
@pytest.mark.parametrize("seed", [0, 1])
def test_gates_find_the_layer_that_a_roi_reads(gate, seed):
    rng = np.random.default_rng(seed)
    layers = [tokens_of(500, 4, width, seed=10 * seed + number) for number, width in enumerate((8, 8, 12, 12))]
    signals = {
        roi: layers[layer].mean(axis=1).astype(float) @ rng.standard_normal((layers[layer].shape[2], 10))
        for roi, layer in (("V1", 0), ("IT", 2))
    }
    targets = synthetic_targets({"a": signals, "b": signals}, 400, 100)
    pooled = TokensInMemory(pooled_layers(layers), [layer.shape[2] for layer in layers])
    recipe = replace(ATTENTION, readout="layer_gate", gate=gate, width=16, epochs=20, learning_rate=1e-2)
    trials = training_trials(targets)
    (fit,) = fit_readouts({"all": pooled}, {"V1": "all", "IT": "all"}, trials, recipe, shared=True, seed=seed)
    gates, summary = gate_tables(fit, pooled, {"l1": 0.25, "l2": 0.5, "l3": 0.75, "l4": 1.0})
    assert gates.groupby(["subject", "roi"])["gate"].sum().to_numpy() == pytest.approx(1)
    best = gates.loc[gates.groupby(["subject", "roi"])["gate"].idxmax()].set_index(["subject", "roi"])["layer_name"]
    assert {(roi, layer) for (_, roi), layer in best.items()} == {("V1", "l1"), ("IT", "l3")}
    depth = summary.set_index(["subject", "roi"])["expected_depth"]
    assert depth["a", "V1"] < depth["a", "IT"]
    assert (summary["gate_entropy"] < np.log(4)).all()
    assert score_readouts(fit, pooled, targets)[0]["pearsonr"].min() > 0.8
