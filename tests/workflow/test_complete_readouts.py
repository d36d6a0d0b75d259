"""Which readout wins in the demo, over seeds: simulated ROIs read the demo's own tokens in a known way. Reads `results/`."""

from dataclasses import replace

import numpy as np
import pytest
import yaml
from places import COMPLETE, COMPLETE_RESULTS
from readout_data import TokensInMemory, looked_up, synthetic_targets
from readout_scores import ATTENTION, linear_score, mean_score

from cortexscale.readouts.token_store import TokenStore
from cortexscale.stores import read_table

RESULTS = COMPLETE_RESULTS
MODEL = yaml.safe_load(COMPLETE.read_text())["mapping"]["model"]
DIMENSIONS = 12
"""Of the code of a simulated ROI, as in the simulated brains."""
SEEDS = [0, 1, 2]

pytestmark = [
    pytest.mark.complete,
    pytest.mark.skipif(not (RESULTS / "figures/fig6.csv").exists(), reason="the complete study has not run: make complete"),
]


@pytest.fixture(scope="module")
def tokens() -> TokensInMemory:
    """(stimuli, tokens, channels) of the layer to which the demo's IT is committed, of the images that TVSD shows."""
    mapping = read_table(RESULTS / "tables/mapping.parquet")
    layer = mapping.query("probe_type == 'linear_individual' and roi == 'IT'")["layer_name"].iloc[0]
    store = TokenStore(RESULTS / f"tokens/things/{MODEL}.zarr.zip")
    shown = read_table(RESULTS / "stimuli/things.parquet").index.to_numpy()
    return TokensInMemory(store.tokens(layer).read(shown))


def standardised(features: np.ndarray, axis) -> np.ndarray:
    return (features - features.mean(axis)) / features.std(axis)


def code_of(features: np.ndarray) -> np.ndarray:
    """(n, dimensions) leading principal components, which the units of an ROI mix at random."""
    left, values, _ = np.linalg.svd(standardised(features, 0), full_matrices=False)
    return left[:, :DIMENSIONS] * values[:DIMENSIONS]


def pooled_non_linearly(rng: np.random.Generator, tokens: TokensInMemory) -> np.ndarray:
    """The code of an ROI that looks features up wherever in the picture they are."""
    return code_of(looked_up(rng, standardised(tokens.array.astype(float), (0, 1)), 2))


@pytest.mark.parametrize("seed", SEEDS)
def test_attention_beats_linear_where_the_roi_pools_space_non_linearly(tokens, seed):
    rng = np.random.default_rng(seed)
    signal = pooled_non_linearly(rng, tokens) @ rng.standard_normal((DIMENSIONS, 20))
    targets = synthetic_targets({"a": {"IT": signal}}, 660, 120)
    attention = mean_score({"IT": tokens}, "IT", targets, replace(ATTENTION, epochs=15), seed)
    assert attention > linear_score(tokens, targets) + 0.03


@pytest.mark.parametrize("seed", SEEDS)
def test_subjects_who_share_structure_gain_from_each_other_where_trials_are_few(tokens, seed):
    rng = np.random.default_rng(seed)
    code = pooled_non_linearly(rng, tokens)
    signals = {subject: {"IT": code @ rng.standard_normal((DIMENSIONS, 10))} for subject in "abcdef"}
    targets = synthetic_targets(signals, 100, 120, own_stimuli=True)
    recipe = replace(ATTENTION, epochs=60)
    single, multi = (mean_score({"IT": tokens}, "IT", targets, recipe, seed, shared=shared) for shared in (False, True))
    assert multi > single


@pytest.mark.parametrize("seed", SEEDS)
def test_low_rank_fails_where_the_true_rank_is_higher(tokens, seed):
    rng = np.random.default_rng(seed)
    pooled = code_of(tokens.array.astype(float).mean(axis=1))
    recipe = replace(ATTENTION, readout="low_rank", epochs=30, learning_rate=1e-2)

    def score(true_rank: int, rank: int) -> float:
        code = standardised(pooled[:, :true_rank], 0)
        targets = synthetic_targets({"a": {"IT": code @ rng.standard_normal((true_rank, 30))}}, 660, 120)
        return mean_score({"IT": tokens}, "IT", targets, replace(recipe, rank=rank), seed)

    assert score(DIMENSIONS, 3) < score(DIMENSIONS, 32) - 0.1
    assert score(3, 3) > score(DIMENSIONS, 3) + 0.1
