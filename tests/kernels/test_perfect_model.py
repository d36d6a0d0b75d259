"""The calibrated score of a model is its correlation with the signal, whatever the noise and the selection of units."""

import numpy as np
import pytest
from scipy.stats import ncf

from cortexscale.kernels.perfect_model import calibrated_interval, calibrated_score, has_signal, perfect_scores

DESIGNS = {"M/EEG": (200, 12, 1), "T-fMRI": (100, 12, 10), "ephys": (100, 30, 10)}
"""Design -> number of test stimuli, number of repetitions, threshold of the noise ceiling in percent of variance."""


def simulated(design: str, ceilings: list[float], n_units: int, rho: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Pearson r of a model with independent units, and estimated ceilings in percent, both (units,).

    ``ceilings`` are true ones, in percent of variance, of equally many units. The model's correlation with the signal is ``rho``.
    Responses are drawn in the coordinates of the signal, the model's error, and all other directions.
    """
    n, k, _ = DESIGNS[design]
    rng, d = np.random.default_rng(seed), n - 1
    c = np.resize(ceilings, n_units) / 100
    along, beside = np.sqrt(d * c / (1 - c)) + rng.standard_normal(n_units), rng.standard_normal(n_units)
    length = along**2 + beside**2 + rng.chisquare(d - 2, n_units)
    noise = rng.chisquare(n * (k - 1), n_units) / (n * (k - 1))
    r = (rho * along + np.sqrt(1 - rho**2) * beside) / np.sqrt(length)
    return r, np.maximum(0, 100 * (1 - d * noise / length))


def scores(design: str, ceilings: list[float], n_units: int, rho: float, seed: int = 0) -> tuple[float, float]:
    """Return the calibrated score, and the mean of r over the root of the ceiling, of the units above the threshold."""
    n, k, threshold = DESIGNS[design]
    r, nc_percent = simulated(design, ceilings, n_units, rho, seed)
    kept = nc_percent > threshold
    perfect, _ = perfect_scores(nc_percent, n, k)
    return calibrated_score(r[kept], perfect[kept], n), float(np.mean(r[kept] / np.sqrt(nc_percent[kept] / 100)))


@pytest.mark.parametrize("rho", [1.0, 0.5])
@pytest.mark.parametrize("ceilings", [[5], [20], [40], [1, 5, 20, 40], [0, 0, 0, 1, 5, 20, 40], [90]], ids=str)
@pytest.mark.parametrize("design", DESIGNS)
def test_a_model_scores_its_correlation_with_the_signal_at_every_noise_level(design, ceilings, rho):
    assert scores(design, ceilings, 20_000, rho)[0] == pytest.approx(rho, abs=0.02)


@pytest.mark.parametrize("design", DESIGNS)
def test_units_of_one_percent_need_many_units(design):
    """With 100,000 units, the mean of F has a standard error of 0.1 / sqrt(100,000), which is 3 % of a ceiling of 1 %."""
    assert scores(design, [1], 100_000, 1.0)[0] == pytest.approx(1, abs=0.05)


def test_the_mean_of_ratios_is_far_from_1_on_the_same_units():
    """Selection at 1 % in the audit's simulation: units of 1 and 5 % score .44 and .90, those of 20 and 40 % 1.10 and 1.02."""
    found = [scores("M/EEG", [percent], 20_000, 1.0)[1] for percent in (1, 5, 20, 40)]
    assert found == pytest.approx([0.44, 0.90, 1.10, 1.02], abs=0.05)


def test_expected_squared_correlations_are_those_of_the_simulation():
    """Half of the units are pure noise. The expectation holds in every range of the estimated ceiling."""
    r, nc_percent = simulated("M/EEG", [0, 20], 40_000, 1.0, seed=1)
    perfect, _ = perfect_scores(nc_percent, 200, 12)
    for low, high in ((0, 5), (5, 15), (15, 25), (25, 100)):
        units = (nc_percent >= low) & (nc_percent < high)
        error = np.square(r[units]).std() / np.sqrt(units.sum())
        assert perfect[units].mean() == pytest.approx(np.square(r[units]).mean(), abs=5 * error + 0.002)


def test_bins_have_the_probabilities_of_the_noncentral_f_distribution():
    """The chi-squared mixture over J = Poisson(lambda / 2) is the noncentral F distribution; a spike prior shows its mean."""
    n, k, c = 200, 12, 0.3
    noncentrality = (n - 1) * c / (1 - c)
    F = ncf.rvs(n - 1, n * (k - 1), noncentrality, size=20_000, random_state=0)
    perfect, r = perfect_scores(np.maximum(0, 100 * (1 - 1 / F)), n, k)
    assert perfect.mean() == pytest.approx((1 + noncentrality) / (n - 1 + noncentrality), rel=0.02)
    assert r.mean() == pytest.approx(np.sqrt(c), rel=0.02)


def test_ceilings_of_many_more_stimuli_are_taken_as_they_are():
    """A ceiling c of 10,000 stimuli is exact. Then r^2 has the mean (1 + L) / (d + L) with L = d c / (1 - c), nearly."""
    nc_percent = np.repeat([30.0, 60.0], 500)
    perfect, _ = perfect_scores(nc_percent, 200, 3, ceiling_stimuli=10_000)
    L = 199 * nc_percent / (100 - nc_percent)
    np.testing.assert_allclose(perfect, (1 + L) / (199 + L), rtol=0.03)


def test_without_repetitions_or_a_ceiling_nothing_is_known():
    for perfect in perfect_scores(np.array([20.0, 30.0]), 100, 1):
        assert np.isnan(perfect).all()
    perfect, _ = perfect_scores(np.array([20.0, np.nan]), 100, 12)
    assert np.isfinite(perfect[0]) and np.isnan(perfect[1])
    assert np.isnan(calibrated_score(np.array([0.5]), np.array([np.nan]), 100))


def test_a_model_worse_than_chance_has_a_negative_score():
    """A is 0 - 1/10 and B is 0.5 - 1/10 with 11 stimuli."""
    assert calibrated_score(np.zeros(1), np.array([0.5]), 11) == pytest.approx(-0.5)


def recording(rng: np.random.Generator, design: str, ceilings: list[float], rho: float, n_units: int = 300) -> list[np.ndarray]:
    """Return predicted and observed responses (stimuli, units) and estimated ceilings. Units share signals, errors and noise."""
    n, k, _ = DESIGNS[design]
    c = np.resize(ceilings, n_units) / 100

    def shared(sources: int, fraction: float) -> np.ndarray:
        weights = rng.standard_normal((sources, n_units))
        common = rng.standard_normal((n, sources)) @ (weights / np.linalg.norm(weights, axis=0))
        return np.sqrt(fraction) * common + np.sqrt(1 - fraction) * rng.standard_normal((n, n_units))

    signal, error = shared(10, 0.9), shared(10, 0.9)
    observed = np.sqrt(c / (1 - c)) * signal + shared(30, 0.7)
    noise = rng.chisquare(n * (k - 1), n_units) / (n * (k - 1))
    nc_percent = np.maximum(0, 100 * (1 - noise / observed.var(axis=0, ddof=1)))
    return [rho * signal + np.sqrt(1 - rho**2) * error, observed, nc_percent]


@pytest.mark.parametrize(("ceilings", "expected"), [([0], False), ([0, 0, 0, 1, 5, 20, 40], True), ([70], True)], ids=str)
def test_pure_noise_has_no_signal(ceilings, expected):
    """The error is of 19 degrees of freedom at 97.5 %, so that pure noise passes in a few of 40 recordings at most."""
    rng, found = np.random.default_rng(0), []
    for _ in range(40):
        _, observed, nc_percent = recording(rng, "M/EEG", ceilings, 1.0)
        kept = nc_percent > 1
        found.append(has_signal(observed[:, kept], nc_percent[kept], perfect_scores(nc_percent, 200, 12)[0][kept]))
    assert np.mean(found) > 0.95 if expected else np.mean(found) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("design", "ceilings", "rho"),
    [
        ("M/EEG", [0, 0, 0, 1, 5, 20, 40], 0.5),
        ("T-fMRI", [1, 5, 20, 40], 1.0),
        ("ephys", [70], 0.5),
    ],
)
def test_intervals_cover_the_truth(design, ceilings, rho):
    """Of 200 recordings, 95 % intervals contain the truth in 90 to 99 %: 1.5 % is the standard error of 95 %."""
    n, k, threshold = DESIGNS[design]
    rng, inside, found = np.random.default_rng(0), [], []
    for _ in range(200):
        predicted, observed, nc_percent = recording(rng, design, ceilings, rho)
        kept = nc_percent > threshold
        perfect = perfect_scores(nc_percent, n, k)[0][kept]
        low, high = calibrated_interval(predicted[:, kept], observed[:, kept], nc_percent[kept], perfect)
        inside.append(low <= rho <= high)
        r = np.array([np.corrcoef(*pair)[0, 1] for pair in zip(predicted[:, kept].T, observed[:, kept].T, strict=True)])
        found.append(calibrated_score(r, perfect, n))
    assert 0.9 <= np.mean(inside) <= 0.99
    assert np.mean(found) == pytest.approx(rho, abs=0.02)


@pytest.mark.parametrize(("n", "ceiling_stimuli"), [(10, None), (100, 400)])
def test_squared_correlations_are_those_that_a_simulation_finds(n, ceiling_stimuli):
    """Of 20,000 units, 0, 30 and 60 % of whose variance is signal. The error is that of the mean."""
    rng, k, units = np.random.default_rng(4), 20, 20_000
    c = np.resize([0, 0.3, 0.6], units)
    signal = rng.standard_normal((ceiling_stimuli or n, units)) * np.sqrt(c)
    means = signal + rng.standard_normal(signal.shape) * np.sqrt(1 - c)
    d = len(signal) - 1
    noise = (1 - c) * rng.chisquare(d * (k - 1), units) / (d * (k - 1))
    nc_percent = 100 * np.maximum(1 - noise / means.var(axis=0, ddof=1), 0)
    r_squared, _ = perfect_scores(nc_percent, n, k, ceiling_stimuli)
    x, y = signal[:n] - signal[:n].mean(axis=0), means[:n] - means[:n].mean(axis=0)
    r = (x * y).sum(axis=0) / np.sqrt(np.maximum((x * x).sum(axis=0) * (y * y).sum(axis=0), 1e-300))
    found = np.where(c > 0, r**2, 1 / (n - 1))  # a perfect model of a unit without signal is right by chance
    assert r_squared.mean() == pytest.approx(found.mean(), abs=4 * found.std() / np.sqrt(units))


def test_the_interval_is_the_jackknife_of_plain_correlations():
    """Left out one stimulus at a time. The predicted responses have means that differ between units."""
    rng, n = np.random.default_rng(2), 8
    observed = rng.standard_normal((n, 5))
    predicted = observed + 0.5 * rng.standard_normal((n, 5)) + 100 * np.arange(5)
    nc_percent, perfect = np.array([20.0, 40, 60, 80, 90]), np.full(5, 0.8)
    whole = observed.var(axis=0)

    def square(rows: np.ndarray, possible: float) -> float:
        r = [np.corrcoef(predicted[rows, unit], observed[rows, unit])[0, 1] for unit in range(5)]
        return np.sum(np.square(r) - 1 / (len(rows) - 1)) / possible

    possible = np.sum(perfect - 1 / (n - 1))
    without = [np.delete(np.arange(n), left_out) for left_out in range(n)]
    changes = [np.sum((1 - nc_percent / 100) * (1 - whole / observed[rows].var(axis=0))) for rows in without]
    squares = [square(rows, possible + change) for rows, change in zip(without, changes, strict=True)]
    half = 2.364624 * np.sqrt((n - 1) * np.var(squares))  # 97.5th percentile of Student's t with 7 degrees of freedom
    middle = square(np.arange(n), possible)
    expected = [np.sign(value) * np.sqrt(abs(value)) for value in (middle - half, middle + half)]
    assert calibrated_interval(predicted, observed, nc_percent, perfect) == pytest.approx(expected, rel=1e-6)
