"""Scores against the noise-free responses of simulated recordings."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from places import ROOT

from cortexscale.alignment.score_rows import Predictions, score_rows
from cortexscale.alignment.targets import shared_targets
from cortexscale.errors import InputError
from cortexscale.plan import Plan
from cortexscale.recording import Recording, Split

N_TRAIN, N_TEST, N_UNITS = 8, 20, 6


@pytest.fixture
def pair():
    """A recording, its noise-free responses with stimuli and units in another order, and the stimulus table.

    The last unit has no signal.
    """
    rng = np.random.default_rng(3)
    ids = np.array([f"i{n:02d}" for n in range(N_TRAIN + N_TEST)])
    signal = rng.standard_normal((N_TEST, N_UNITS)).astype(np.float32)
    train = Split(ids[:N_TRAIN], np.zeros((N_TRAIN, N_UNITS), np.float32), np.ones(N_TRAIN, int))
    test = Split(ids[N_TRAIN:], signal + rng.standard_normal(signal.shape).astype(np.float32), np.ones(N_TEST, int))
    units = pd.DataFrame({"unit": [f"u{n}" for n in range(N_UNITS)], "nc_percent": 50.0})
    rois = pd.DataFrame({"V1": [True, True, True, False, False, False], "IT": [False, False, False, True, True, True]})
    recording = Recording("d", "s", train, test, units, rois).check()
    kept, order = rng.permutation(N_UNITS - 1), rng.permutation(N_TEST)
    truth = replace(
        recording,
        train=replace(train, responses=train.responses[:, kept]),
        test=replace(test, stimulus_ids=test.stimulus_ids[order], responses=signal[np.ix_(order, kept)]),
        units=units.iloc[kept].reset_index(drop=True),
        rois=rois.iloc[kept].reset_index(drop=True),
    )
    return recording, truth, pd.DataFrame({"stimulus_id": ids, "concept": ids}), signal


def test_the_true_score_is_the_mean_r_with_the_signal_over_units_that_have_one(pair):
    recording, truth, stimuli, signal = pair
    (target,) = shared_targets([recording], stimuli, ["V1", "IT"], {"s": truth})
    predicted = np.random.default_rng(5).standard_normal((N_TEST, N_UNITS)).astype(np.float32)
    rows, _ = score_rows(target, Predictions(np.zeros(N_UNITS), predicted), {})
    r = [np.corrcoef(predicted[:, unit], signal[:, unit])[0, 1] for unit in range(N_UNITS)]
    assert rows["score_true"].tolist() == pytest.approx([np.mean(r[:3]), np.mean(r[3:5])], abs=1e-6)


def test_a_part_of_the_rois_keeps_its_own_responses(pair):
    recording, truth, stimuli, signal = pair
    (target,) = shared_targets([recording], stimuli, ["V1", "IT"], {"s": truth})
    np.testing.assert_array_equal(target.restricted(["IT"]).truth[:, :2], signal[:, 3:5])
    assert np.isnan(target.restricted(["IT"]).truth[:, 2]).all()


def test_released_recordings_have_no_true_score(pair):
    recording, _, stimuli, _ = pair
    (target,) = shared_targets([recording], stimuli, ["V1"])
    rows, _ = score_rows(target, Predictions(np.zeros(3), np.zeros((N_TEST, 3), np.float32)), {})
    assert "score_true" not in rows


def study(**changes: object) -> dict:
    return yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8")) | {"plan_without_data": True} | changes


def test_only_a_study_of_simulated_recordings_has_laws_of_true_scores():
    simulated = Plan(study())
    assert [name for name in simulated.figures.gallery.drawing("fig2").tables if "truth" in name]
    assert "compute.score_true" in simulated.figures.fits
    released = study()
    released["simulation"]["datasets"].pop("nsd")
    fit = f"{released['results']}/fits/compute.score_true.parquet"
    with pytest.raises(InputError, match="only simulated recordings have noise-free responses"):
        Plan(released, [fit])
    assert not [name for name in Plan(released).figures.gallery.drawing("fig2").tables if "truth" in name]
