"""The limits of what counts as damage, and of what may be damaged, from both sides."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from cortexscale.datasets.formats.matlab import numbers
from cortexscale.datasets.formats.nifti import Volume
from cortexscale.datasets.formats.signal import StillSamples, require_voltages
from cortexscale.datasets.screening import Damage, impossible
from cortexscale.datasets.tvsd.electrodes import reasons_to_drop
from cortexscale.errors import InputError


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape)


def damage_of(values: np.ndarray) -> Damage:
    damage = Damage(*values.shape)
    damage.add(slice(None), values)
    return damage


def refused(values: np.ndarray, of: np.ndarray | None = None) -> str:
    """Return what is found, or an empty text if the damage is small enough."""
    try:
        damage_of(values).require_little("file", np.ones(values.shape[1], bool) if of is None else of, "trial", "units", "")
    except InputError as error:
        return error.found
    return ""


def test_a_response_a_million_times_the_median_size_is_impossible():
    """The median is that of the sizes that are finite and not 0."""
    values = np.array([0, 0, 0, 0, -2.0, 2.0, -2.0, np.inf, np.nan, 2.0e6, -2.1e6])
    assert impossible(values).tolist() == [False] * 7 + [True, True, False, True]
    assert impossible(np.array([0.0, np.nan])).tolist() == [False, True]


@pytest.mark.parametrize(("run", "stuck"), [(9, False), (10, True)])
@pytest.mark.parametrize("first", [0, 13, -1])
def test_ten_equal_responses_in_a_row_are_stuck(run, stuck, first):
    values = noise(40, 3)
    start = 40 - run if first < 0 else first
    values[start : start + run, 1] = 0.5
    assert damage_of(values).units.tolist() == [False, stuck, False]


def test_all_rows_are_a_run_if_they_are_fewer_than_ten():
    values = noise(4, 2)
    values[:, 1] = 2
    assert damage_of(values).units.tolist() == [False, True]
    assert not damage_of(noise(1, 3)).units.any()


@pytest.mark.parametrize(("units", "stuck"), [(9, False), (10, True)])
def test_ten_units_that_are_equal_in_a_row_are_stuck(units, stuck):
    values = noise(20, units)
    values[6] = 1.5
    assert damage_of(values).units.tolist() == [stuck] * units


@pytest.mark.parametrize(("n", "most"), [(40, 2), (59, 2), (60, 3), (10, 1), (2, 1), (1, 0)])
def test_a_twentieth_of_the_units_may_be_damaged_or_one_but_never_all(n, most):
    for damaged in (most, most + 1):
        values = noise(8, n)
        values[2, :damaged] = np.nan
        found = refused(values)
        assert found == "" if damaged == most else f"damaged responses in {damaged} of {n} units" in found


def test_only_units_that_pass_the_other_conditions_count():
    values = noise(8, 40)
    values[2, :10] = np.nan
    assert refused(values, np.arange(40) >= 10) == "" and refused(values, np.arange(40) >= 7) != ""


def test_the_three_spans_of_most_units_are_named():
    values = noise(30, 40)
    for first, stop, units in ((0, 2, 5), (4, 5, 20), (8, 9, 3), (12, 15, 6), (29, 30, 4)):
        values[first:stop, :units] = np.nan
    spans = "trial 5 (up to 20 units), trial 13 to 15 (up to 6 units), trial 1 to 2 (up to 5 units) and 2 more spans"
    found = refused(values)
    assert found.startswith("damaged responses in 20 of 40 units: missing") and found.endswith(f" in {spans}")
    values[8:9], values[29:30] = noise(2, 40)[:1], noise(2, 40)[1:]
    assert "more spans" not in refused(values)


@pytest.mark.parametrize(("rate", "run"), [(1000, 20), (500, 10)])
def test_twenty_milliseconds_of_one_value_are_still(rate, run):
    for length in (run - 1, run):
        values = noise(1, 2000)
        values[0, 300 : 300 + length] = 4
        values[0, 900 : 900 + length - 1] = 4
        still = StillSamples("run", ["Oz"], rate)
        still.add(values, 0)
        texts = still.warnings()
        assert len(texts) == (length == run)
        assert not texts or f"samples 300 and {299 + run}" in texts[0]


def test_a_twentieth_of_the_samples_may_be_still():
    for length in (100, 101):
        values = noise(1, 2000)
        values[0, 700 : 700 + length] = 4
        still = StillSamples("run", ["Oz"], 1000)
        still.add(values[:, :650], 0)
        still.add(values[:, 650:], 650)
        if length == 100:
            assert "in 5.00% of its samples, longest between samples 700 and 799" in still.warnings()[0]
        else:
            with pytest.raises(InputError, match="at most 5%"):
                still.warnings()


@pytest.mark.parametrize(("volts", "fits"), [(0.999, True), (-0.999, True), (1.0, False), (-1.0, False)])
def test_voltages_are_below_1_volt(volts, fits):
    values = 1e-5 * noise(3, 50)
    values[1:, 7] = volts
    if fits:
        require_voltages("run", values, ["Cz", "Oz", "Pz"], 0, 1000, "")
        return
    with pytest.raises(InputError, match=r"1 samples of channel Oz (.|\n)*samples 7 and 7 .*, and 1 more channels like it"):
        require_voltages("run", values, ["Cz", "Oz", "Pz"], 0, 1000, "")


@pytest.mark.parametrize(("apart", "same"), [(0.09, True), (0.11, False)])
def test_grids_are_the_same_within_a_tenth_of_the_shortest_side_of_a_voxel(apart, same):
    affine = np.diag([3.0, 1.0, 2.0, 1.0])
    other = affine.copy()
    other[0, 0] += apart / 4  # which moves the fifth voxel
    volumes = [Volume(Path("a.nii"), np.zeros((5, 3, 2)), matrix) for matrix in (affine, other)]
    if same:
        volumes[1].require_grid_of(volumes[0], "")
        return
    with pytest.raises(InputError, match="3 x 1 x 2 mm"):
        volumes[1].require_grid_of(volumes[0], "")


def test_an_affine_with_one_number_that_is_not_finite_is_another_grid():
    affine = np.eye(4)
    affine[1, 3] = np.nan
    with pytest.raises(InputError, match="an affine that is not finite"):
        Volume(Path("a.nii"), np.zeros((2, 2, 2)), affine).require_grid_of(
            Volume(Path("b.nii"), np.zeros((2, 2, 2)), np.eye(4)), ""
        )


def test_electrodes_are_above_both_thresholds_and_left_out_for_the_first_that_they_miss():
    electrodes = pd.DataFrame(
        [
            ("V1", 0.31, 5.0),
            ("V1", 0.3, 5.0),
            ("V1", 0.9, 0.0),
            ("V1", np.nan, 5.0),
            ("", 0.1, 0.0),
            ("IT", 0.9, 0.1),
            ("IT", 0.9, np.nan),
            ("IT", -0.2, -1.0),
        ],
        columns=["area", "reliability", "nc_percent"],
    )
    unreliable, silent = "reliability is not above 0.3", "noise ceiling is not above 0"
    expected = ["", unreliable, silent, "reliability is not finite", "in no area", "", silent, unreliable]
    assert reasons_to_drop(electrodes, 0.3, Path("file")).tolist() == expected
    with pytest.raises(InputError, match=r"the highest reliability is 0\.9(.|\n)*above 0\.95"):
        reasons_to_drop(electrodes, 0.95, Path("file"))


@pytest.mark.parametrize(("kind", "matlab"), [("f8", True), ("f4", True), ("u2", True), ("i8", True), ("f2", False)])
def test_arrays_of_a_type_that_matlab_lacks_are_refused(tmp_path, kind, matlab):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["x"] = np.zeros((2, 3), kind)
        if matlab:
            assert numbers(file, "x", (2, 3), "fetch it").shape == (2, 3)
        else:
            with pytest.raises(InputError, match="x is "):
                numbers(file, "x", (2, 3), "fetch it")
