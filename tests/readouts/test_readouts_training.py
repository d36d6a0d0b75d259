"""Training of readouts: the plain loop, ROIs side by side, kills, divergence, poisoned test responses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from plain_similarity import plain_cka, plain_rsa
from readout_data import TokensInMemory, raises_at, synthetic_targets, tokens_of
from torch import nn
from torch.nn import functional as F

from cortexscale.alignment.targets import PreparedResponses, prepare_responses
from cortexscale.errors import InputError
from cortexscale.models.training.order import seed_of
from cortexscale.models.training.steps import TrainingState
from cortexscale.readouts import mapping
from cortexscale.readouts.mapping import fit_readouts, score_readouts, validation_scores
from cortexscale.readouts.recipes import ReadoutRecipe
from cortexscale.readouts.roi_readouts import RoiReadouts
from cortexscale.readouts.train import train_readouts
from cortexscale.readouts.trials import held_out, training_trials

SMALL = {"width": 16, "heads": 4, "latents": 3, "hidden": 8, "rank": 6, "batch": 32, "epochs": 4, "learning_rate": 1e-2}
ATTENTION = ReadoutRecipe("attention", **SMALL)


@pytest.fixture(scope="module")
def tokens() -> TokensInMemory:
    return TokensInMemory(tokens_of(120))


@pytest.fixture(scope="module")
def targets(tokens):
    flat = tokens.array.reshape(120, -1).astype(float)
    rng = np.random.default_rng(1)
    signals = {
        subject: {roi: flat @ rng.standard_normal((flat.shape[1], n)) for roi, n in rois.items()}
        for subject, rois in {"a": {"V1": 4, "IT": 3}, "b": {"V1": 2, "IT": 5}, "c": {"IT": 3}}.items()
    }
    return synthetic_targets(signals, 90, 30)


def weights(readouts: RoiReadouts) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in readouts.state_dict().items()}


def equal(one: RoiReadouts, other: RoiReadouts) -> bool:
    one, other = weights(one), weights(other)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_training_is_the_plain_loop(tokens, targets):
    """One ROI of two subjects is trained by hand with torch's own optimiser, schedule and clipping."""
    recipe = replace(ATTENTION, dropout=0.0, clip=0.3)
    trials = training_trials(targets)[:2]
    ours = train_readouts(tokens, trials, ["IT"], recipe, seed=3)

    start = RoiReadouts(recipe, tokens.widths, trials, ["IT"], seed=3)
    trunk, heads = start.trunks.module(0), [of_subject[0].linear for of_subject in start.heads]
    parameters = [*trunk.parameters(), *(p for head in heads for p in head.parameters())]
    optimiser = torch.optim.AdamW(parameters, recipe.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.epochs)
    for epoch in range(recipe.epochs):
        rng = np.random.default_rng(seed_of(3, epoch))
        for s in rng.permutation(2):
            y = trials[s].responses[:, trials[s].units["IT"]]
            y = torch.from_numpy((y - y.mean(axis=0)) / (y.std(axis=0) + 1e-6))
            for places in np.split(rng.permutation(90), [32, 64]):
                x = torch.from_numpy(tokens.read(trials[s].rows[places])).float()
                optimiser.zero_grad()
                F.mse_loss(heads[s](trunk(x)), y[places]).backward()
                nn.utils.clip_grad_norm_(parameters, 0.3)
                optimiser.step()
        schedule.step()
    x = torch.from_numpy(tokens.read(np.arange(90, 120))).float()
    for subject, head, trial in zip("ab", heads, trials, strict=True):
        y = trial.responses[:, trial.units["IT"]]
        theirs = head(trunk(x)).detach().numpy() * y.std(axis=0) + y.mean(axis=0)
        assert ours.predict(tokens, np.arange(90, 120), subject)["IT"] == pytest.approx(theirs, abs=2e-3)


@pytest.mark.parametrize("readout", ["attention", "shallow_mlp", "low_rank"])
def test_rois_side_by_side_become_what_each_is_alone(tokens, targets, readout):
    recipe = replace(ATTENTION, readout=readout, dropout=0.3)
    trials = training_trials(targets)[:2]
    together = train_readouts(tokens, trials, ["V1", "IT"], recipe, seed=0)
    rows = targets[0].test_rows
    for roi in ("V1", "IT"):
        alone = train_readouts(tokens, trials, [roi], recipe, seed=0)
        for subject in "ab":
            expected = alone.predict(tokens, rows, subject)[roi]
            assert together.predict(tokens, rows, subject)[roi] == pytest.approx(expected, abs=2e-3)


def test_one_job_trains_all_subjects_also_those_that_lack_a_roi(tokens, targets):
    layers, trials = {"V1": "early", "IT": "late"}, training_trials(targets)
    both = {"early": tokens, "late": TokensInMemory(tokens_of(120, 3, 5, seed=9))}
    found = {
        shared: {
            (fit.layer, tuple(fit.readouts.rois), tuple(fit.trials))
            for fit in fit_readouts(both, layers, trials, ATTENTION, shared=shared, seed=0)
        }
        for shared in (True, False)
    }
    assert found[True] == {("early", ("V1",), ("a", "b")), ("late", ("IT",), ("a", "b", "c"))}
    assert found[False] == {
        *(("early", ("V1",), (subject,)) for subject in "ab"),
        *(("late", ("IT",), (subject,)) for subject in "abc"),
    }


def test_rois_that_do_not_fit_together_are_trained_in_parts(tokens, targets, monkeypatch):
    def small_device(tokens, trials, rois, *args, **kwargs):
        if len(rois) > 1:
            raise torch.OutOfMemoryError
        return train_readouts(tokens, trials, rois, *args, **kwargs)

    monkeypatch.setattr(mapping, "train_readouts", small_device)
    trials = training_trials(targets)[:2]
    fits = list(fit_readouts({"l": tokens}, {"V1": "l", "IT": "l"}, trials, ATTENTION, shared=True, seed=0))
    assert [fit.readouts.rois for fit in fits] == [["V1"], ["IT"]]
    assert equal(fits[1].readouts, train_readouts(tokens, trials, ["IT"], ATTENTION, seed=0))


def test_scores_are_those_of_the_predictions(tokens, targets):
    trials = training_trials(targets, 50, seed=1)
    fits = list(fit_readouts({"l": tokens}, {"V1": "l", "IT": "l"}, trials, ATTENTION, shared=True, seed=0))
    for fit in fits:
        rows, units = score_readouts(fit, tokens, targets)
        for row in rows.itertuples():
            group = targets[0].groups.query("subject == @row.subject and roi == @row.roi").index[0]
            inside = targets[0].members[group]
            predicted = fit.readouts.predict(tokens, targets[0].test_rows, row.subject)[row.roi]
            observed = targets[0].test[:, inside]
            r = [np.corrcoef(predicted[:, u], observed[:, u])[0, 1] for u in range(inside.sum())]
            assert row.pearsonr == pytest.approx(np.mean(r), abs=1e-5)
            mine = units.query("subject == @row.subject and roi == @row.roi")
            assert mine["pearsonr"].to_numpy() == pytest.approx(r, abs=1e-5)
            assert (row.fitting_samples, row.n_test, row.probe_type) == (45, 30, "attention_shared")
        assert list(units) == ["benchmark_name", "subject", "roi", "unit", "pearsonr", "pearsonr_nc"]


def test_responses_that_were_prepared_are_compared_with_the_predictions(tokens, targets, tmp_path):
    prepare_responses(targets, ["test"], tmp_path / "prepared.h5", {})
    prepared = [replace(target, prepared=PreparedResponses(tmp_path / "prepared.h5")) for target in targets]
    (fit,) = fit_readouts({"l": tokens}, {"IT": "l"}, training_trials(targets), ATTENTION, shared=True, seed=0)
    rows, _ = score_readouts(fit, tokens, prepared)
    for row in rows.itertuples():
        group = targets[0].groups.query("subject == @row.subject and roi == 'IT'").index[0]
        observed = targets[0].test[:, targets[0].members[group]].astype(float)
        predicted = fit.readouts.predict(tokens, targets[0].test_rows, row.subject)["IT"].astype(float)
        assert row.rsa_ve_test == pytest.approx(plain_rsa(predicted, observed), abs=1e-9)
        assert row.cka_ve_test == pytest.approx(plain_cka(predicted, observed), abs=1e-9)
    assert score_readouts(fit, tokens, targets)[0]["rsa_ve_test"].isna().all()


def test_subjects_keep_the_order_of_the_recordings(tokens):
    signal = tokens.array.mean(axis=1).astype(float)
    targets = synthetic_targets({"b": {"V1": signal}, "a": {"V1": signal}}, 90, 30)
    assert [trials.subject for trials in training_trials(targets)] == ["b", "a"]


def test_the_test_responses_leave_no_trace(tokens, targets):
    poisoned = [replace(target, test=np.full_like(target.test, np.nan)) for target in targets]

    def fit(of_targets):
        return next(iter(fit_readouts({"l": tokens}, {"IT": "l"}, training_trials(of_targets), ATTENTION, shared=True, seed=0)))

    assert equal(fit(targets).readouts, fit(poisoned).readouts)


def test_one_seed_gives_one_result_on_any_number_of_threads(tokens, targets):
    trials = training_trials(targets)[:1]
    first = train_readouts(tokens, trials, ["V1", "IT"], ATTENTION, seed=0)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    second = train_readouts(tokens, trials, ["V1", "IT"], ATTENTION, seed=0)
    assert torch.equal(before, torch.get_rng_state()) and torch.get_num_threads() == 2
    torch.set_num_threads(threads)
    assert equal(first, second)
    assert not equal(first, train_readouts(tokens, trials, ["V1", "IT"], ATTENTION, seed=1))


@pytest.mark.parametrize("call", [2, 5, 12])
def test_a_killed_training_goes_on_to_the_same_weights(tokens, targets, tmp_path, call):
    trials = training_trials(targets)[:1]
    whole = train_readouts(tokens, trials, ["IT"], ATTENTION, seed=0)
    killed = TokensInMemory(tokens.array)
    killed.read = raises_at(tokens.read, call, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        train_readouts(killed, trials, ["IT"], ATTENTION, seed=0, state=TrainingState(tmp_path / "s.pt", "x", seconds=0))
    assert (tmp_path / "s.pt").exists() == (call > 3)  # three batches an epoch

    rest = TokensInMemory(tokens.array)
    rest.read = raises_at(tokens.read, 13 - (call - 1) // 3 * 3, AssertionError("epochs that were done were done again"))
    again = train_readouts(rest, trials, ["IT"], ATTENTION, seed=0, state=TrainingState(tmp_path / "s.pt", "x", seconds=0))
    assert equal(whole, again)


def test_the_state_of_another_training_is_not_continued(tokens, targets, tmp_path):
    def fit(recipe):
        trials = training_trials(targets)
        fits = fit_readouts({"l": tokens}, {"V1": "l"}, trials, recipe, shared=True, seed=0, states=tmp_path)
        return next(iter(fits)).readouts

    fit(ATTENTION)
    fit(ATTENTION)
    assert len(list(tmp_path.iterdir())) == 1
    assert not equal(fit(ATTENTION), fit(replace(ATTENTION, epochs=2)))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_diverging_training_stops_and_keeps_its_state(tokens, targets, tmp_path):
    array = tokens.array.copy()
    trials, state = training_trials(targets)[:1], TrainingState(tmp_path / "s.pt", "x", seconds=0)
    train_readouts(tokens, trials, ["V1", "IT"], replace(ATTENTION, epochs=2), seed=0, state=state)
    kept = state.path.read_bytes()
    array[5] = np.inf
    with pytest.raises(InputError, match=r"of V1, IT\n.*a loss of nan in epoch 3\n.*\n.*lower its learning rate"):
        train_readouts(TokensInMemory(array), trials, ["V1", "IT"], ATTENTION, seed=0, state=state)
    assert state.path.read_bytes() == kept

    bad = replace(trials[0], responses=trials[0].responses.copy())
    bad.responses[3, bad.units["IT"][0]] = np.nan
    with pytest.raises(InputError, match="of IT\n"):
        train_readouts(tokens, [bad], ["V1", "IT"], ATTENTION, seed=0)


def test_a_validation_share_is_held_out_of_training(tokens, targets):
    parts = [held_out(trials, 0.2, seed=0) for trials in training_trials(targets)]
    for (train, validation), whole in zip(parts, training_trials(targets), strict=True):
        assert len(validation.rows) == 18
        assert np.array_equal(np.sort([*train.rows, *validation.rows]), whole.rows)
    fits = fit_readouts({"l": tokens}, {"IT": "l"}, [train for train, _ in parts], ATTENTION, shared=True, seed=0)
    fitted, scored = next(iter(fits)), [validation for _, validation in parts]
    table = validation_scores(fitted, tokens, scored)
    assert table["subject"].tolist() == list("abc") and (table["roi"] == "IT").all()
    for subject, found in zip(scored, table["pearsonr"], strict=True):
        predicted = fitted.readouts.predict(tokens, subject.rows, subject.subject)["IT"]
        measured = subject.responses[:, subject.units["IT"]]
        r = [np.corrcoef(predicted[:, unit], measured[:, unit])[0, 1] for unit in range(measured.shape[1])]
        assert found == pytest.approx(np.mean(r), abs=1e-5), "sums of 18 products in float32"
