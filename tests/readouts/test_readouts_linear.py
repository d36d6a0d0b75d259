"""The linear readout of all fractions, against scikit-learn, and readouts in files."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from readout_data import TokensInMemory, synthetic_targets
from safetensors.torch import save_file
from sklearn.linear_model import RidgeCV

from cortexscale.catalogue.readouts import TRAINED
from cortexscale.errors import InputError
from cortexscale.kernels.gram import gram
from cortexscale.readouts import linear
from cortexscale.readouts.linear import linear_fits, linear_scores, linear_weights
from cortexscale.readouts.mapping import fit_readouts
from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.readouts.saved import Readout, load_readout
from cortexscale.readouts.trials import training_trials
from cortexscale.study.ridge import Alphas, Ridge

SETTINGS = Ridge(alphas=Alphas(low=-1, high=4, count=8))
N_TRAIN, N_TEST = 80, 30


@pytest.fixture(scope="module")
def tokens() -> TokensInMemory:
    rng = np.random.default_rng(0)
    return TokensInMemory((rng.standard_normal((150, 5, 12)) + 2).astype(np.float16))


@pytest.fixture(scope="module")
def targets(tokens):
    flat = tokens.array.reshape(150, -1).astype(float)
    rng = np.random.default_rng(1)
    return synthetic_targets(
        {
            subject: {roi: flat[:, :20] @ rng.standard_normal((20, n)) for roi, n in rois.items()}
            for subject, rois in {"a": {"V1": 4, "IT": 3}, "b": {"IT": 5}}.items()
        },
        N_TRAIN,
        N_TEST,
    )[0]


@pytest.fixture(scope="module")
def kernel(tokens, targets) -> torch.Tensor:
    rows = np.concatenate([targets.train_rows, targets.test_rows])
    return gram([tokens.array.reshape(150, -1)[rows]], dtype=torch.float64).K


def test_every_fraction_is_scikit_learns(tokens, targets, kernel):
    X = tokens.array.reshape(150, -1).astype(float)
    for fit in linear_fits(kernel, targets, [10, 50, 100], [0, 1], SETTINGS):
        rows = targets.train_rows[fit.chosen]
        assert len(rows) == N_TRAIN * fit.percent // 100
        table, units = linear_scores(fit, targets, "l", X.shape[1])
        for group, entry in table.iterrows():
            inside = targets.members[group]
            theirs = RidgeCV(SETTINGS.alphas.values).fit(X[rows], targets.train[fit.chosen][:, inside])
            assert entry["alpha"] == pytest.approx(theirs.alpha_)
            predicted = theirs.predict(X[targets.test_rows])
            r = [np.corrcoef(predicted[:, u], targets.test[:, inside][:, u])[0, 1] for u in range(inside.sum())]
            assert entry["pearsonr"] == pytest.approx(np.mean(r), abs=1e-6)
            assert entry["n_params"] == inside.sum() * (X.shape[1] + 1)
            assert fit.test[:, fit.group == group] == pytest.approx(predicted, abs=1e-6)
            mine = (units["subject"] == entry["subject"]) & (units["roi"] == entry["roi"])
            assert units.loc[mine, "pearsonr"].to_numpy() == pytest.approx(r, abs=1e-6)


def test_all_stimuli_are_fitted_once_for_all_seeds(targets, kernel, monkeypatch):
    calls = []
    ridge = linear.nested_ridge
    monkeypatch.setattr(linear, "nested_ridge", lambda K, *args, **kwargs: calls.append(len(K)) or ridge(K, *args, **kwargs))
    fits = list(linear_fits(kernel, targets, [20, 100], [0, 1, 2], SETTINGS))
    assert len(fits) == 6
    assert calls == [16, 80, 16, 16]
    assert all(np.array_equal(fits[1].test_r, fits[n].test_r) for n in (3, 5))


def test_the_smallest_fractions_have_a_score(targets, kernel):
    for percent in (2.5, 4, 5):
        (fit,) = linear_fits(kernel, targets, [percent], [0], SETTINGS)
        assert np.isfinite(fit.test_r).all()


def test_test_responses_choose_no_penalty_and_no_weights(tokens, targets, kernel):
    shuffled = replace(targets, test=np.random.default_rng(0).permuted(targets.test, axis=0))
    slabs = [tokens.array.reshape(150, -1)[targets.train_rows]]
    (fit,), (other,) = (list(linear_fits(kernel, target, [50], [0], SETTINGS)) for target in (targets, shuffled))
    assert np.array_equal(fit.alpha, other.alpha)
    ours, theirs = linear_weights(kernel, slabs, targets, fit, 0), linear_weights(kernel, slabs, shuffled, other, 0)
    assert np.array_equal(ours[0], theirs[0]) and np.array_equal(ours[1], theirs[1])


def test_a_linear_readout_predicts_new_images_from_its_file(tokens, targets, kernel, tmp_path):
    flat = tokens.array.reshape(150, -1)
    (fit,) = linear_fits(kernel, targets, [50], [0], SETTINGS)
    slabs = [flat[targets.train_rows, :25], flat[targets.train_rows, 25:]]
    facts = {
        "dataset": "d",
        "roi": "IT",
        "layer": "l",
        "model": "m",
        "weights_hash": "w",
        "units": {"b": ["u0", "u1", "u2", "u3", "u4"]},
        "training_stimuli": {"b": [f"i{row}" for row in targets.train_rows[fit.chosen]]},
        "alpha": {"b": [float(fit.alpha[fit.group == 2][0])]},
    }
    saved = Readout.linear(*linear_weights(kernel, slabs, targets, fit, 2), **facts)
    saved.save(tmp_path / "linear.safetensors")
    loaded = load_readout(tmp_path / "linear.safetensors")
    assert loaded.facts == saved.facts
    expected = fit.test[:, fit.group == 2]
    assert loaded.predict(tokens.read(targets.test_rows)) == pytest.approx(expected, abs=1e-4)
    assert loaded.predict(flat[targets.test_rows], "b") == pytest.approx(expected, abs=1e-4)
    with pytest.raises(InputError, match=r"array of shape \(3, 59\)\n.*\(stimuli, 60\), features of layer l of m"):
        loaded.predict(flat[:3, 1:])


@pytest.mark.parametrize("readout", TRAINED)
@pytest.mark.parametrize("shared", [False, True])
def test_a_trained_readout_predicts_new_images_from_its_file(tokens, targets, tmp_path, readout, shared):
    recipe = ReadoutRecipe(readout, width=16, heads=4, latents=3, rank=4, gate="query", epochs=2, batch=32, learning_rate=1e-2)
    fits = fit_readouts({"l": tokens}, {"V1": "l", "IT": "l"}, training_trials([targets], 50, 1), recipe, shared=shared, seed=0)
    for fit in fits:
        for roi in fit.readouts.rois:
            units = {s: [f"{s}{u}" for u in range(len(t.units[roi]))] for s, t in fit.trials.items() if roi in t.units}
            stimuli = {s: [f"i{row}" for row in t.rows] for s, t in fit.trials.items()}
            file = tmp_path / f"{roi}.safetensors"
            facts = {"dataset": "d", "model": "m", "weights_hash": "w", "units": units, "training_stimuli": stimuli}
            Readout.of_fitted(fit, roi, **facts).save(file)
            loaded = load_readout(file)
            assert loaded.facts.units == units and loaded.facts.training_stimuli == stimuli
            for subject in loaded.subjects:
                expected = fit.readouts.predict(tokens, targets.test_rows, subject)[roi]
                assert loaded.predict(tokens.read(targets.test_rows), subject) == pytest.approx(expected, abs=1e-4)
            with pytest.raises(InputError, match=r"\(stimuli, 5, 12\), features of layer l of m"):
                loaded.predict(tokens.array[:, :, :11], loaded.subjects[0])
            with pytest.raises(InputError, match="name one of them"):
                loaded.predict(tokens.array, "nobody")


def test_files_that_are_no_readouts_are_refused(tmp_path):
    with pytest.raises(InputError, match="not a saved readout"):
        load_readout(tmp_path / "missing")
    (tmp_path / "text").write_text("text")
    with pytest.raises(InputError, match="not a saved readout"):
        load_readout(tmp_path / "text")
    save_file({"weights": torch.zeros(2)}, tmp_path / "other")
    with pytest.raises(InputError, match="not a saved readout"):
        load_readout(tmp_path / "other")
