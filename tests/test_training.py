"""Training of the controlled suite: subsets, reproducible weights, and that something is learned."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cortexscale.errors import InputError
from cortexscale.models.training import _batches, accuracy, as_input, subset_indices, train_backbone

LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(5), 20))
RECIPE = {"steps": 150, "batch": 16, "learning_rate": 2e-2, "weight_decay": 0.05}


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 10))
def test_subsets_are_balanced_and_nested(few, more, seed):
    few, more = sorted((few, more))
    small, large = subset_indices(LABELS, few, seed), subset_indices(LABELS, more, seed)
    assert (np.bincount(LABELS[small]) == few).all() and len(np.unique(small)) == 5 * few
    assert set(small) <= set(large)


def test_zero_samples_per_class_are_all():
    np.testing.assert_array_equal(subset_indices(LABELS, 0, 3), np.arange(100))


def test_seeds_choose_other_samples():
    assert set(subset_indices(LABELS, 5, 0)) != set(subset_indices(LABELS, 5, 1))


def test_too_large_a_subset_says_what_there_is():
    with pytest.raises(InputError) as error:
        subset_indices(LABELS, 21, 0)
    for part in ("samples_per_class = 21", "20 samples of class 0", "at least 21", "make the task set larger"):
        assert part in str(error.value)


@pytest.mark.parametrize(("n", "batch"), [(10, 3), (10, 64), (7, 7)])
def test_every_epoch_shows_every_picture(n, batch):
    steps = 3 * n
    rows = torch.cat(list(_batches(n, batch, steps, torch.Generator().manual_seed(0))))
    assert len(rows) == steps * min(n, batch)
    epochs = rows[: len(rows) // n * n].view(-1, n)
    assert (epochs.sort(dim=1).values == torch.arange(n)).all()
    assert (epochs[0] != epochs[1]).any()


def test_input_is_normalised():
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 5, 3)).astype(np.uint8)
    expected = (images / 255 - (0.5, 0.4, 0.3)) / (0.1, 0.2, 0.3)
    found = as_input(images, (0.5, 0.4, 0.3), (0.1, 0.2, 0.3))
    np.testing.assert_allclose(found.permute(0, 2, 3, 1), expected, rtol=1e-5, atol=1e-6)


def small_network() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 16, 3, 2), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5)]
    return nn.Sequential(*layers)


@pytest.fixture(scope="module")
def task():
    """Pictures whose mean colour is the label."""
    noise = np.random.default_rng(1).integers(0, 100, (100, 24, 24, 3))
    return (noise + 30 * LABELS[:, None, None, None]).astype(np.uint8), LABELS


def test_something_is_learned(task):
    network = small_network()
    before = accuracy(network, *task)
    loss = train_backbone(network, *task, **RECIPE, seed=0)
    assert not network.training
    assert accuracy(network, *task) > 0.9 > before + 0.3 and 0 < loss < 1.2


def test_weights_depend_on_the_seed_and_not_on_the_threads(task):
    def trained(seed: int, threads: int) -> torch.Tensor:
        network, before = small_network(), torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            train_backbone(network, *task, **RECIPE, seed=seed)
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    first = trained(0, 1)
    assert torch.equal(first, trained(0, 2))
    assert not torch.equal(first, trained(1, 1))


def test_a_diverging_training_is_an_error(task):
    with pytest.raises(InputError, match=r"finite loss[\s\S]*lower the learning rate"):
        train_backbone(small_network(), *task, **{**RECIPE, "learning_rate": 1e30}, seed=0)
