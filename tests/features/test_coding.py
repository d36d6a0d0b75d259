"""Features of any mean and scale keep their digits in a store; unusual first rows, batches, and stores of another format."""

import json
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cortexscale.errors import InputError
from cortexscale.features import store as module
from cortexscale.features.blocks import ROWS
from cortexscale.features.coding import FIRST, Coding
from cortexscale.features.image_sets import image_sets
from cortexscale.features.kernel_store import KernelStore, KernelWriter
from cortexscale.features.store import FeatureStore, StoreWriter

HALF_ULP = 2.0**-11
"""Largest relative error of a float16."""


def stored(path, rows, batch=100):
    """Write one layer in batches, and read it."""
    writer = StoreWriter(path, {"model": "m"}, len(rows))
    for start in range(0, len(rows), batch):
        writer.write({"l": rows[start : start + batch]})
    writer.finish({"layers": {"l": {"position": 1, "depth": 1.0}}})
    return FeatureStore(path)


def in_float32(n, sd, offset, seed=0, width=20):
    rng = np.random.default_rng(seed)
    return (sd * (rng.standard_normal((n, width)) + offset * rng.standard_normal(width))).astype(np.float32)


@settings(max_examples=60)
@given(
    exponent=st.floats(-30, 33),
    offset=st.sampled_from([0.0, 1.0, 1e3, 1e5]),
    spread=st.floats(0, 5),
    n=st.integers(2, 100),
    seed=st.integers(0, 2**31),
)
def test_an_error_is_at_most_half_a_digit_of_the_distance_from_the_offset(exponent, offset, spread, n, seed):
    """The bound adds the rounding of the offset and of the result to float32, and half of the smallest number of float16.

    Features of a layer differ in scale by up to ``10**spread``.
    """
    x = in_float32(n, 10**exponent, offset, seed) * np.geomspace(10**-spread, 1, 20, dtype=np.float32)
    coding = Coding.of(x)
    found = coding.decoded(coding.encoded(x))
    exact = x.astype(float)
    bound = HALF_ULP * np.abs(exact - coding.offset) + 3 * 2.0**-24 * np.abs(x).max(axis=0) + 2.0**-25 * coding.scale
    assert (np.abs(found - exact) <= bound).all()
    assert np.frexp(coding.scale)[0] == 0.5, "a power of two rounds nothing"


@pytest.mark.parametrize(("mean", "sd"), [(0, 1), (1e3, 1), (5e3, 1), (100, 0.01), (0, 1e-9), (3e-9, 1e-12), (1e30, 1e27)])
def test_a_feature_is_stored_within_a_thousandth_of_its_sd(tmp_path, mean, sd):
    """Uniform rounding of a normal variable to 11 bits has a root mean square error of 2e-4 sd."""
    x = in_float32(3 * ROWS, sd, 0.0) + np.float32(mean)
    found = np.concatenate(list(stored(tmp_path / "s.zarr.zip", x).slabs("l")), axis=1)
    error = np.sqrt(np.square(found.astype(float) - x).mean(axis=0)) / x.astype(float).std(axis=0)
    assert found.dtype == np.float32 and error.max() < 1e-3


def test_constant_features_and_zeros_of_sparse_ones_are_exact(tmp_path):
    x = in_float32(ROWS, 1.0, 3.0)
    x[:, 0], x[:, 1], x[::3, 2], x[1::3, 2] = 0.1, 0, 0, 0
    found = stored(tmp_path / "s.zarr.zip", x).features("l")[:]
    assert np.array_equal(found[:, :2], x[:, :2]) and np.array_equal(found[:, 2] == 0, x[:, 2] == 0)
    dead = np.full((ROWS, 4), 0.7, np.float32)
    assert np.array_equal(stored(tmp_path / "d.zarr.zip", dead).features("l")[:], dead)


@pytest.mark.parametrize("batch", [1, 7, FIRST, 100, 2 * ROWS])
def test_the_size_of_batches_does_not_change_a_store(tmp_path, batch):
    x = in_float32(ROWS + 30, 2.0, 5.0)
    one, other = (stored(tmp_path / f"{size}.zarr.zip", x, size) for size in (batch, 50))
    assert one.path.read_bytes() == other.path.read_bytes()


def test_a_store_takes_two_bytes_per_feature_and_four_per_offset(tmp_path):
    rows, width = ROWS, 5000
    with zipfile.ZipFile(stored(tmp_path / "s.zarr.zip", in_float32(rows, 1.0, 0.0, width=width)).path) as archive:
        numbers = sum(entry.file_size for entry in archive.infolist() if "/c/" in entry.filename)
    chunks = -(-width // 2048) * 2048
    assert numbers == 2 * rows * chunks + 4 * width


@pytest.mark.parametrize("row", [9, FIRST + 9])
def test_a_value_far_beyond_all_others_is_named(tmp_path, row):
    """It would take the digits of the others if it decided the scale."""
    x = in_float32(ROWS, 1.0, 0.0)
    x[row, 3] = 1e9
    with pytest.raises(InputError, match=rf"layer l, stimulus row {row}\n.*0 NaN, 0 infinite, 1 too large, of 20"):
        stored(tmp_path / "s.zarr.zip", x)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_in_the_first_rows_is_named_alone(tmp_path, bad):
    x = in_float32(ROWS, 1.0, 0.0)
    x[5, 3] = bad
    with pytest.raises(InputError, match=r"layer l, stimulus row 5\n.*1 (NaN|infinite)") as caught:
        stored(tmp_path / "s.zarr.zip", x)
    assert "0 too large, of 20" in str(caught.value)


def test_a_narrow_layer_of_an_exact_kernel_keeps_its_digits(tmp_path):
    x = in_float32(80, 0.01, 0.0) + np.float32(100)
    writer = KernelWriter(tmp_path / "k.zarr.zip", {"model": "m"}, image_sets([np.arange(80)]))
    writer.add("l", stored(tmp_path / "s.zarr.zip", x).features("l"))
    writer.finish({"layers": {"l": {"position": 1, "depth": 1.0}}})
    (found,) = KernelStore(tmp_path / "k.zarr.zip").kernels("l", [np.arange(80)], torch.float64, torch.device("cpu"))
    centred = x.astype(float) - x.astype(float).mean(axis=0)
    np.testing.assert_allclose(found.K, centred @ centred.T, atol=4 * HALF_ULP * np.square(centred).sum(axis=1).max())


def test_a_store_of_another_format_is_neither_continued_nor_read(tmp_path, monkeypatch):
    path = tmp_path / "s.zarr.zip"
    with monkeypatch.context() as patch:
        patch.setattr("cortexscale.features.unfinished_store.FORMAT", "float16")
        StoreWriter(path, {"model": "m"}, 2 * ROWS).write({"l": in_float32(ROWS, 1.0, 0.0)})
    assert json.loads(path.with_name(f".{path.name}.blocks").read_text().splitlines()[0])["format"] == "float16"
    assert StoreWriter(path, {"model": "m"}, 2 * ROWS).rows_written == 0
    finished = stored(path, in_float32(ROWS, 1.0, 0.0)).path
    monkeypatch.setattr(module, "FORMAT", "a later one")
    with pytest.raises(InputError, match="float16 with offset and scale"):
        FeatureStore(finished)
