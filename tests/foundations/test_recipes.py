"""Recipes: presets and their keys, how long a training takes, the learning rate."""

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from cortexscale.errors import InputError
from cortexscale.models.training.recipes import PRESETS, learning_rate, resolve, training_length
from cortexscale.recipe import Recipe
from cortexscale.study.problems import checked


@pytest.mark.parametrize(("preset", "steps"), [("resnet", 500_500), ("convnext", 93_900), ("deit3", 187_800)])
def test_published_recipes_take_their_epochs(preset, steps):
    length = training_length(resolve(Recipe(preset=preset)), 1_281_167)
    assert length.steps == pytest.approx(steps, rel=1e-3)
    assert length.images_seen == pytest.approx(1_281_167 * PRESETS[preset]["epochs"], rel=1e-4)


def test_keys_stand_above_the_preset_and_a_later_layer_above_an_earlier():
    recipe = resolve(Recipe(preset="deit3", batch=512), Recipe(learning_rate=1e-4))
    assert (recipe.batch, recipe.learning_rate, recipe.loss, recipe.repeats) == (512, 1e-4, "binary_cross_entropy", 3)


def test_another_preset_leaves_nothing_of_the_first():
    recipe = resolve(Recipe(preset="deit3", steps=5), Recipe(preset="resnet"))
    assert recipe == Recipe(**PRESETS["resnet"])


def test_steps_take_the_place_of_epochs():
    recipe = resolve(Recipe(preset="resnet", steps=7))
    assert (recipe.steps, recipe.epochs) == (7, None)
    assert training_length(recipe, 10_000).steps == 7


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"preset": "resent"}, r"resent\n.*resnet"),
        ({"batch": 3}, r"steps and epochs: neither"),
        ({"steps": 3, "epochs": 3}, r"'steps': 3, 'epochs': 3"),
    ],
)
def test_an_incomplete_recipe_says_what_is_wrong(given, message):
    with pytest.raises(InputError, match=message):
        resolve(Recipe(**given))


@example(n=6, batch=6, micro_batch=2, processes=2, mixes=True)
@given(st.integers(2, 5000), st.integers(2, 600), st.none() | st.integers(2, 200), st.integers(1, 8), st.booleans())
def test_processes_share_equal_micro_batches_of_at_most_the_batch(n, batch, micro_batch, processes, mixes):
    recipe = Recipe(epochs=3, batch=batch, micro_batch=micro_batch, mixup=0.8 if mixes else 0.0)
    try:
        length = training_length(recipe, n, processes)
    except InputError:
        assert min(n, batch) < processes * (1 + mixes)
        return
    assert length.parts % processes == 0 and length.size <= (micro_batch or batch)
    assert not mixes or length.size % 2 == 0
    assert min(n, batch) - (1 + mixes) * length.parts <= length.batch <= min(n, batch)
    assert 3 * n <= length.images_seen < 3 * n + length.batch


@pytest.mark.parametrize(("parts", "processes"), [(4, 1), (4, 2), (4, 4)])
def test_the_micro_batch_does_not_depend_on_the_processes_that_divide_them(parts, processes):
    length = training_length(Recipe(steps=1, batch=32 * parts, micro_batch=32), 1000, processes)
    assert (length.parts, length.size) == (parts, 32)


def test_the_cosine_is_that_of_torch():
    recipe = Recipe(steps=100, learning_rate=0.3, min_learning_rate=0.01, warmup=0.2)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=80, eta_min=0.01)
    rises = [learning_rate(recipe, step, 100) for step in range(20)]
    assert rises == pytest.approx([0.3 * (step + 1) / 20 for step in range(20)])
    for step in range(20, 100):
        assert learning_rate(recipe, step, 100) == pytest.approx(reference.get_last_lr()[0])
        optimiser.step()
        reference.step()


def test_the_linear_decay_ends_at_the_smallest_rate():
    recipe = Recipe(steps=10, learning_rate=1.0, min_learning_rate=0.2, warmup=0.2, decay="linear")
    assert [learning_rate(recipe, step, 10) for step in (1, 2, 6, 10)] == pytest.approx([1.0, 1.0, 0.6, 0.2])


def test_a_misspelt_key_is_answered_with_the_nearest():
    with pytest.raises(InputError, match=r"recipe\.learning_rat\n(.*\n)*.*did you mean `learning_rate`\?"):
        checked(Recipe, {"learning_rat": 0.1}, "recipe")
