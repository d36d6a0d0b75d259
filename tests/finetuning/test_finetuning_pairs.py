"""What a fine-tuning is made of: its recipe, its pairs of stimuli and responses, and the batches that it shows."""

import numpy as np
import pytest
from finetuning_data import recordings, targets_of, write_stimuli
from hypothesis import given, settings
from hypothesis import strategies as st

from cortexscale.errors import InputError
from cortexscale.finetuning.batches import NeuralBatches, neural_pairs
from cortexscale.readouts.trials import Trials, training_trials
from cortexscale.recipe import Jitter, NeuralRecipe

STILL = Jitter(shift=0, rotation=0, scale=0)
LAYERS = {"V4": "blocks.1", "IT": "norm"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Pictures of the stimuli and their table."""
    return write_stimuli(tmp_path_factory.mktemp("stimuli"), 160, seed=3)


def test_the_recipe_is_that_of_the_paper():
    """The values are those of Table S3."""
    recipe = NeuralRecipe()
    assert (recipe.image_batch, recipe.neural_batch, recipe.epochs, recipe.warmup_epochs) == (512, 256, 20, 5)
    assert (recipe.learning_rate, recipe.min_learning_rate, recipe.weight_decay) == (1e-5, 1e-6, 0.05)
    assert (recipe.lambda_img, recipe.lambda_neural, recipe.loss) == (0.1, 100, "mse")
    for impossible in ({"warmup_epochs": 20}, {"learning_rate": 1e-7}, {"lambda_img": 0, "lambda_neural": 0}):
        assert [wrong.key for wrong in NeuralRecipe(**impossible).contradictions()]
    assert not list(recipe.contradictions())


# ---------------------------------------------------------------------------------------------- pairs


def test_fractions_and_subjects_are_drawn_as_by_the_authors(world):
    pictures, table = world
    targets = targets_of(recordings(pictures, table, 40, subjects=4), table)
    whole, some = training_trials(targets), neural_pairs(targets, percent=30, seed=2, n_subjects=3)
    assert [sorted(subject.rows) for subject in neural_pairs(targets)] == [list(range(120))] * 4
    places = np.random.default_rng(2).choice(120, 36, replace=False)
    names = sorted(f"s{number}" for number in np.random.default_rng(2).choice(4, 3, replace=False))
    assert [subject.subject for subject in some] == names
    for subject in some:
        full = next(other for other in whole if other.subject == subject.subject)
        np.testing.assert_array_equal(subject.rows, full.rows[places])
        np.testing.assert_array_equal(subject.responses, full.responses[places])
    assert [len(neural_pairs(targets, n_subjects=number)) for number in (1, 4)] == [1, 4]
    assert [len(subject.rows) for subject in neural_pairs(targets, percent=2)] == [2] * 4
    for wrong in ({"percent": 1}, {"n_subjects": 5}, {"n_subjects": 0}):
        with pytest.raises(InputError, match=r"1 stimuli|[05] subjects"):
            neural_pairs(targets, **wrong)


def test_permuted_pairs_keep_what_they_pair(world):
    pictures, table = world
    targets = targets_of(recordings(pictures, table, 40), table)
    pairs, permuted = neural_pairs(targets, seed=1), neural_pairs(targets, seed=1, permuted=True)
    moved = []
    for before, after in zip(pairs, permuted, strict=True):
        np.testing.assert_array_equal(before.rows, after.rows)
        order = [int(np.flatnonzero((before.responses == row).all(axis=1))[0]) for row in after.responses]
        assert sorted(order) == list(range(120)) and (np.array(order) != np.arange(120)).mean() > 0.9
        moved.append(order)
    assert moved[0] != moved[1], "each subject has a permutation of its own"


def test_subjects_with_stimuli_of_their_own_are_cut_to_the_fewest(world):
    pictures, table = world
    targets = targets_of(recordings(pictures, table, 39, own_stimuli=True), table)  # 61 and 60 training stimuli
    assert [len(target.train_rows) for target in targets] == [61, 60]
    pairs = neural_pairs(targets)
    assert [len(subject.rows) for subject in pairs] == [60, 60]
    assert not set(pairs[0].rows) & set(pairs[1].rows)


# ---------------------------------------------------------------------------------------------- batches


@settings(max_examples=60)
@given(
    n=st.integers(2, 60),
    size=st.integers(1, 20),
    at_a_time=st.one_of(st.none(), st.integers(1, 25)),
    own=st.booleans(),
    seed=st.integers(0, 5),
)
def test_every_pair_is_shown_in_one_forward_pass(n, size, at_a_time, own, seed):
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(200)[:n] if own else np.arange(n)[::-1] + 7 for _ in range(3)]
    trials = [Trials(f"s{s}", rows[s], rng.standard_normal((n, 2)).astype(np.float32), {"IT": np.arange(2)}) for s in range(3)]
    batches = NeuralBatches(trials, size, at_a_time, seed)
    last = n % size if n // size <= 10 else 0
    shown = []
    for step in range(2 * batches.epoch_steps):
        places = batches.places(step)
        assert len(places) == (last if last and (step + 1) % batches.epoch_steps == 0 else size) or n < size
        forwards = list(batches.forward_passes(step))
        seen = np.concatenate([forward.rows for forward in forwards])
        assert len(set(seen)) == len(seen) == len(np.unique([subject.rows[places] for subject in trials]))
        for s, subject in enumerate(trials):
            of_subject = []
            for forward in forwards:
                assert len(forward.rows) <= (at_a_time or len(seen))
                part = forward.subjects[s]
                at = np.arange(len(forward.rows)) if part.at is None else part.at
                np.testing.assert_array_equal(forward.rows[at], subject.rows[part.places])
                of_subject += part.places.tolist()
            assert sorted(of_subject) == sorted(places.tolist())
        shown.append(places)
    epochs = [np.concatenate(shown[: len(shown) // 2]), np.concatenate(shown[len(shown) // 2 :])]
    for epoch in epochs:
        assert len(set(epoch)) == len(epoch) == min(n, batches.epoch_steps * size)
    assert n < 20 or not np.array_equal(*epochs)
