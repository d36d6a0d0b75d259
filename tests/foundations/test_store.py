"""The feature store is whole or absent, continues after a kill, and refuses what is not finite."""

import filecmp
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortexscale.errors import InputError
from cortexscale.features.blocks import ROWS
from cortexscale.features.store import FeatureStore, StoreWriter

IDENTITY = {"model": "m", "stimuli": "abc"}
LAYERS = {"layers": {"a": {"position": 1, "depth": 0.5}, "b.c": {"position": 2, "depth": 1.0}}}


def features(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"a": rng.standard_normal((n, 5000)).astype(np.float32), "b.c": rng.standard_normal((n, 7)).astype(np.float32)}


def write(path, rows, batch, stop=None, identity=IDENTITY):
    """Write ``rows`` in batches; leave without finishing once ``stop`` rows are handed over."""
    n = len(rows["a"])
    writer = StoreWriter(path, identity, n)
    for start in range(writer.rows_written, n, batch):
        if stop is not None and start >= stop:
            return writer
        writer.write({layer: values[start : start + batch] for layer, values in rows.items()})
    writer.finish(LAYERS)
    return writer


def assert_stored(found, values):
    """Float16 rounds the distance from the median of the first rows to 11 bits. That median is smaller than 1 here."""
    assert (np.abs(found - values) <= 2.0**-11 * (np.abs(values) + 1)).all()


@pytest.mark.parametrize(("n", "batch"), [(1, 1), (ROWS, 32), (ROWS + 1, 100), (3 * ROWS + 5, 1000), (600, 7)])
def test_what_is_written_is_read(tmp_path, n, batch):
    rows = features(n)
    write(tmp_path / "m.zarr.zip", rows, batch)
    store = FeatureStore(tmp_path / "m.zarr.zip")
    assert store.n_rows == n and list(store.layers) == ["a", "b.c"]
    for layer, values in rows.items():
        slabs = list(store.slabs(layer, columns=2048))
        assert max(slab.shape[1] for slab in slabs) <= 2048
        assert_stored(np.concatenate(slabs, axis=1), values)
        assert store.width(layer) == values.shape[1]


def test_an_interrupted_write_leaves_no_store_and_continues(tmp_path):
    path, rows = tmp_path / "m.zarr.zip", features(3 * ROWS + 5)
    write(path, rows, batch=100, stop=2 * ROWS + 10)
    assert not path.exists()
    assert StoreWriter(path, IDENTITY, len(rows["a"])).rows_written == 2 * ROWS
    write(path, rows, batch=100)
    assert_stored(read(path)["a"], rows["a"])
    assert [file.name for file in tmp_path.iterdir()] == ["m.zarr.zip"]


def read(path) -> dict[str, np.ndarray]:
    store = FeatureStore(path)
    return {layer: np.concatenate(list(store.slabs(layer)), axis=1) for layer in store.layers}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Return the store that a run without interruption makes of ``features(2 * ROWS + 5)``."""
    path = tmp_path_factory.mktemp("whole") / "m.zarr.zip"
    write(path, features(2 * ROWS + 5), batch=100)
    return path


@pytest.mark.slow
@given(data=st.data(), garbled=st.booleans(), file=st.sampled_from(["part", "blocks"]))
@settings(max_examples=25)
def test_a_write_that_was_killed_at_any_byte_ends_in_the_same_file(whole, tmp_path_factory, data, garbled, file):
    """A tail that never reached the disk, or of which something else did, costs at most the blocks that it is of."""
    path, rows = tmp_path_factory.mktemp("killed") / "m.zarr.zip", features(2 * ROWS + 5)
    write(path, rows, batch=100, stop=2 * ROWS - 50)
    damaged = path.with_name(f".{path.name}.{file}")
    content = damaged.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    damaged.write_bytes(content[:cut] + (bytes(len(content) - cut) if garbled and file == "blocks" else b""))
    writer = StoreWriter(path, IDENTITY, len(rows["a"]))
    assert writer.rows_written in (0, ROWS) and (cut < len(content) or writer.rows_written == ROWS)
    write(path, rows, batch=100)
    assert filecmp.cmp(path, whole, shallow=False)
    assert [file.name for file in path.parent.iterdir()] == ["m.zarr.zip"]


def test_what_follows_the_last_whole_block_is_cut_off(whole, tmp_path):
    path, rows = tmp_path / "m.zarr.zip", features(2 * ROWS + 5)
    write(path, rows, batch=100, stop=2 * ROWS - 50)
    with path.with_name(".m.zarr.zip.part").open("ab") as part:
        part.write(b"PK\3\4 half an entry" * 1000)
    assert StoreWriter(path, IDENTITY, len(rows["a"])).rows_written == ROWS
    write(path, rows, batch=100)
    assert filecmp.cmp(path, whole, shallow=False)


def test_a_store_that_was_interrupted_at_its_end_is_only_ended_again(whole, tmp_path, monkeypatch):
    path, rows = tmp_path / "m.zarr.zip", features(2 * ROWS + 5)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", lambda *what: (_ for _ in ()).throw(KeyboardInterrupt))
        write(path, rows, batch=100)
    assert not path.exists()
    writer = StoreWriter(path, IDENTITY, len(rows["a"]))
    assert writer.rows_written == len(rows["a"])
    writer.finish(LAYERS)
    assert filecmp.cmp(path, whole, shallow=False)


def test_other_tools_read_it(whole):
    with zipfile.ZipFile(whole) as archive:
        assert archive.testzip() is None
        assert len(set(archive.namelist())) == len(archive.namelist())


def test_rows_of_other_features_are_not_continued(tmp_path):
    path, rows = tmp_path / "m.zarr.zip", features(2 * ROWS)
    write(path, rows, batch=ROWS, stop=ROWS)
    assert StoreWriter(path, {**IDENTITY, "stimuli": "other"}, 2 * ROWS).rows_written == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_non_finite_features_name_model_layer_and_stimulus(tmp_path, bad):
    rows = features(ROWS + 60)
    rows["b.c"][ROWS + 57, 3] = bad
    with pytest.raises(InputError, match=rf"model m, layer b\.c, stimulus row {ROWS + 57}\n.*too large") as caught:
        write(tmp_path / "m.zarr.zip", rows, batch=50)
    assert ("check the weights" in str(caught.value)) == (not np.isfinite(bad))
    assert not (tmp_path / "m.zarr.zip").exists()


def test_a_damaged_store_is_refused(tmp_path):
    path = tmp_path / "m.zarr.zip"
    write(path, features(ROWS), batch=ROWS)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match="not a readable feature store"):
        FeatureStore(path)


def test_a_missing_layer_is_named(tmp_path):
    write(tmp_path / "m.zarr.zip", features(3), batch=3)
    with pytest.raises(InputError, match=r"layers a, b\.c\n.*layer z"):
        next(FeatureStore(tmp_path / "m.zarr.zip").slabs("z"))
