"""The images and the brain of the demo study are reproducible, well formed, and of known truth."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.linear_model import RidgeClassifier, RidgeCV

from cortexscale.kernels.noise_ceiling import ncsnr_from_trials, noise_ceiling_percent
from cortexscale.models.inputs import as_input
from cortexscale.models.layers import captured
from cortexscale.models.training.data import ArrayImages
from cortexscale.models.training.loop import train_backbone
from cortexscale.models.vision import timm
from cortexscale.recipe import Recipe
from cortexscale.simulation import images as generator
from cortexscale.simulation.brain import AreaCode, gabor_energy, ncsnr_of_ceiling, noisy_trials
from cortexscale.simulation.images import CLASSES, concept_names, render, write_things
from cortexscale.stimuli import stimulus_table


def test_pictures_depend_on_the_seed_alone(monkeypatch):
    images, labels = render(60, 3, 24)
    assert images.shape == (60, 24, 24, 3) and images.dtype == np.uint8
    monkeypatch.setattr(generator, "_CHUNK", 7)
    again, again_labels = render(60, 3, 24)
    np.testing.assert_array_equal(again, images)
    np.testing.assert_array_equal(again_labels, labels)
    assert (render(60, 4, 24)[0] != images).mean() > 0.9


def test_scenes_do_not_depend_on_the_size():
    (small, labels), (large, large_labels) = render(40, 0, 32), render(40, 0, 64)
    np.testing.assert_array_equal(labels, large_labels)
    shrunk = large.reshape(40, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    assert all(np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.9 for a, b in zip(small, shrunk, strict=True))


@given(st.integers(1, 100), st.integers(0, 2**32))
@settings(max_examples=20)
def test_classes_are_balanced(n, seed):
    counts = np.bincount(render(n, seed, 8)[1], minlength=len(CLASSES))
    assert len(counts) == len(CLASSES) and counts.max() - counts.min() <= 1


def test_the_label_can_be_seen_but_not_in_single_pixels():
    (train, labels), (test, test_labels) = render(1600, 0, 16), render(400, 1, 16)
    linear = RidgeClassifier(1e6).fit(train.reshape(1600, -1).astype(float), labels)
    score = linear.score(test.reshape(400, -1).astype(float), test_labels)
    assert 3 / len(CLASSES) < score < 0.7


def test_things_are_named_and_stored_as_released(tmp_path):
    ids = write_things(tmp_path / "object_images", 20, 3, seed=0)
    assert list(stimulus_table("image_folder", tmp_path / "object_images")["stimulus_id"]) == ids and len(ids) == 60
    names = concept_names(20)
    assert len(set(names)) == 20 and any("-" in name for name in names)
    sizes = set()
    for id in ids:
        concept, file = id.split("/")
        assert re.fullmatch(r"[a-z][a-z-]*(_[a-z-]+)*\d*", concept) and concept in names
        assert re.fullmatch(re.escape(concept) + r"_(01b|\d\ds)\.jpg", file)
        with Image.open(tmp_path / "object_images" / id) as image:
            assert image.format == "JPEG" and image.mode == "RGB" and image.size[0] == image.size[1]
            sizes.add(image.size)
    assert len(sizes) > 1
    before = {id: (tmp_path / "object_images" / id).read_bytes() for id in ids}
    write_things(tmp_path / "again", 20, 3, seed=0)
    assert all((tmp_path / "again" / id).read_bytes() == content for id, content in before.items())


def test_complex_cells_know_orientation_and_not_phase():
    y, x = np.mgrid[:32, :32]
    gratings = [np.cos(2 * np.pi * where / 4 + phase) for where in (x, y) for phase in (0, 1, 2.5)]
    images = np.repeat((127 + 100 * np.stack(gratings))[..., None], 3, axis=3).astype(np.uint8)
    energy = gabor_energy(images).reshape(6, 10, 8, 8).mean(axis=(2, 3))
    assert (energy[:3].argmax(axis=1) == 0).all() and (energy[3:].argmax(axis=1) == 2).all()
    assert np.ptp(energy[:3, 0]) < 0.01 * energy[0, 0]
    assert np.abs(energy[:, 8:]).max() < 1e-6, "grey has no colour"


@pytest.mark.parametrize("p", [12, 300])
def test_codes_have_the_promised_variance(p):
    features = np.random.default_rng(0).normal(size=(80, p)) * np.linspace(3, 0.1, p) + 5
    code = AreaCode.find(features, 6)
    latent = code.latent(features)
    np.testing.assert_allclose(np.cov(latent.T, ddof=0), np.diag(code.variance), atol=1e-9)
    assert (np.diff(code.variance) < 0).all()
    np.testing.assert_allclose(code.variance, np.linalg.svd(features - features.mean(0), compute_uv=False)[:6] ** 2 / 80)
    signal = code.mixtures(code.latent(features), 9, seed=1)
    np.testing.assert_allclose(signal.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(signal.var(axis=0), 1)
    np.testing.assert_array_equal(signal, code.mixtures(code.latent(features), 9, seed=1))
    assert np.abs(signal - code.mixtures(code.latent(features), 9, seed=2)).max() > 0.1


@given(st.floats(1, 99), st.integers(1, 30))
def test_ceilings_are_set_exactly(percent, repetitions):
    assert noise_ceiling_percent(ncsnr_of_ceiling(np.array([percent]), repetitions), repetitions)[0] == pytest.approx(percent)


def test_ceilings_are_realised():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(400, 30))
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    truth = np.linspace(20, 90, 30)
    shown = rng.permutation(np.repeat(np.arange(400), 10))
    trials = noisy_trials(signal, shown, ncsnr_of_ceiling(truth, 10), seed=1)
    assert trials.dtype == np.float32
    np.testing.assert_allclose(trials.var(axis=0), 1, atol=0.12)
    np.testing.assert_allclose(noise_ceiling_percent(ncsnr_from_trials(trials, shown), 10), truth, atol=5)
    average = trials[np.argsort(shown, kind="stable")].reshape(400, 10, 30).mean(axis=1)
    explained = np.array([np.corrcoef(average[:, unit], signal[:, unit])[0, 1] ** 2 for unit in range(30)])
    np.testing.assert_allclose(100 * explained, truth, atol=6)
    np.testing.assert_array_equal(trials, noisy_trials(signal, shown, ncsnr_of_ceiling(truth, 10), seed=1))


@pytest.fixture(scope="module")
def spaces():
    """Return the feature spaces of an early and a late area for 1,100 images; the late network is trained for a few seconds."""
    torch.manual_seed(0)
    network = timm.create_model("test_efficientnet", num_classes=len(CLASSES))
    recipe = Recipe(steps=150, batch=32, learning_rate=5e-3)
    train_backbone(network, ArrayImages(*render(1600, 0)), recipe, image_size=32, seed=0)
    images, _ = render(1100, 1)
    with torch.inference_mode(), captured(network, ["global_pool"]) as outputs:
        network(as_input(images))
        late = outputs["global_pool"].numpy()
    return {"V1": gabor_energy(images), "IT": late}


@pytest.mark.parametrize(("area", "other"), [("V1", "IT"), ("IT", "V1")])
@pytest.mark.slow
def test_generating_features_reach_the_ceiling_and_others_do_not(spaces, area, other):
    """300 images find the code, 700 single trials train the mapping, and 100 noiseless responses test it."""
    code = AreaCode.find(spaces[area][:300], 12)
    signal = code.mixtures(code.latent(spaces[area][300:]), 20, seed=0)
    trials = noisy_trials(signal, np.arange(700), np.full(20, 0.6), seed=1)

    def score(features):
        features = (features[300:] - features.mean(axis=0)) / features.std()
        guess = RidgeCV(np.logspace(-2, 5, 12)).fit(features[:700], trials).predict(features[700:])
        return np.mean([np.corrcoef(guess[:, unit], signal[700:, unit])[0, 1] for unit in range(20)])

    assert score(spaces[area]) > 0.9
    assert score(spaces[other]) < score(spaces[area]) - 0.1
