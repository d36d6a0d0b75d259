"""Dictionaries in .npy files: what numpy wrote is read, large arrays are mapped, and nothing in the file is ever run."""

import io
import os
import pickle
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory import peak_mb

from cortexscale.datasets.formats.safe_npy import load_dict
from cortexscale.errors import InputError

CONTENT = {
    "data": np.random.default_rng(0).normal(size=(4, 40_000)),  # 1.3 MB: mapped
    "names": ["Oz", "ä", "stim"],
    "rate": 1000,
    "high": np.float64(0.01),
    "small": np.arange(6, dtype=np.int16).reshape(2, 3),
    "nested": {"texts": np.array(["a", "bc"]), "flag": True, "none": None, "pair": (1, 2.5)},
}


def npy(pickled: bytes, shape: tuple = (), dtype: object = object) -> bytes:
    """Write a .npy file around any pickle."""
    file = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue() + pickled


def saved(content: object) -> bytes:
    file = io.BytesIO()
    np.save(file, content, allow_pickle=True)
    return file.getvalue()


def written(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "file.npy").write_bytes(content)
    return tmp_path / "file.npy"


def assert_same(found: dict) -> None:
    assert list(found) == list(CONTENT)
    np.testing.assert_array_equal(found["data"], CONTENT["data"])
    np.testing.assert_array_equal(found["small"], CONTENT["small"])
    assert found["small"].dtype == np.int16
    assert (found["names"], found["rate"], found["high"]) == (CONTENT["names"], 1000, 0.01)
    assert found["nested"]["texts"].tolist() == ["a", "bc"] and found["nested"]["pair"] == (1, 2.5)


def test_what_numpy_saves_is_read_and_large_arrays_are_mapped(tmp_path):
    found = load_dict(written(tmp_path, saved(CONTENT)), "")
    assert_same(found)
    assert isinstance(found["data"], np.memmap) and not found["data"].flags.writeable
    assert not isinstance(found["small"], np.memmap)


@pytest.mark.parametrize("protocol", [3, 4])
def test_files_of_numpy_1_are_read(tmp_path, protocol):
    """numpy 1.19 wrote protocol 3 and its modules had other names."""
    array = np.empty((), dtype=object)
    array[()] = CONTENT
    pickled = pickle.dumps(array, protocol=protocol)
    if protocol == 3:
        pickled = pickled.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
        assert b"numpy._core" not in pickled
    assert_same(load_dict(written(tmp_path, npy(pickled)), ""))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f8", "<f4", ">f8", "<i4"])
def test_mapped_arrays_keep_their_type_and_order(tmp_path, dtype, order):
    values = [np.asarray(np.random.default_rng(n).integers(0, 9, (3, 500_000)), dtype, order=order) for n in range(2)]
    found = load_dict(written(tmp_path, saved({"first": values[0], "note": "x" * 2000, "deep": [values[1]]})), "")
    for array, value in zip((found["first"], found["deep"][0]), values, strict=True):
        np.testing.assert_array_equal(array, value)
        assert array.dtype == value.dtype and isinstance(array, np.memmap)


class Calls:
    """An instance is pickled as a call of a function."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


MALICIOUS = {
    "posix.system": Calls(os.system, "touch {0}"),
    "builtins.eval": Calls(eval, "open({0!r}, 'w')"),
    "builtins.getattr": Calls(getattr, "text", "upper"),
    "numpy.load": Calls(np.load, "{0}"),
    "numpy._core.records": Calls(np.rec.array, [1]),
    "datetime.datetime": datetime(2022, 1, 1),
    "_io.open": Calls(io.open, "{0}", "w"),
    "subprocess.Popen": Calls(__import__("subprocess").Popen, ["touch", "{0}"]),
    "pickle.loads": Calls(pickle.loads, b"x"),
}


@pytest.mark.parametrize("name", MALICIOUS)
@pytest.mark.parametrize("place", ["alone", "value", "key", "in an array"])
def test_nothing_is_run(tmp_path, name, place):
    mark = tmp_path / "mark"
    bad = MALICIOUS[name]
    if isinstance(bad, Calls):
        function, arguments = bad.reduced
        bad = Calls(function, *(a.format(str(mark)) if isinstance(a, str) else a for a in arguments))
    content = {
        "alone": lambda: npy(pickle.dumps(bad)),
        "value": lambda: saved({"data": np.ones(3), "more": [bad]}),
        "key": lambda: npy(pickle.dumps({"a": 1, (bad,): 2})),
        "in an array": lambda: saved({"data": np.array([None, bad], dtype=object)}),
    }[place]()
    with pytest.raises(InputError, match=r"asks for [\w.]+[\s\S]*text, numbers, lists[\s\S]*Fetch it") as caught:
        load_dict(written(tmp_path, content), "Fetch it.")
    assert name.split(".")[-1] in caught.value.found or "numpy" in caught.value.found
    assert not mark.exists()


FORGED = {
    "array of objects over bytes": Calls(np.ndarray, (1,), "O", b"A" * 8),
    "object in a scalar": Calls(np._core.multiarray.scalar, np.dtype("O"), b"A" * 8),
    "array of objects with a state of bytes": [1, (1,), np.dtype("O"), False, b"A" * 8],
    "dtype that hides an object": [3, "|", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 0],
}


class Built:
    """An instance is pickled as the call of a function, followed by a state that is set without asking."""

    def __init__(self, call: Calls, state: tuple):
        self.reduced = *call.reduced, state

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("case", FORGED)
def test_forged_arrays_point_nowhere(tmp_path, case):
    """With numpy's own functions the first and the last make an array that reads any address: a crash, or worse."""
    forged = FORGED[case]
    if case.startswith("array of objects with"):
        forged = Built(Calls(np._core.multiarray._reconstruct, np.ndarray, (0,), b"b"), tuple(forged))
    elif case.startswith("dtype"):
        forged = Built(Calls(np.dtype, "f8", False, True), tuple(forged))
    with pytest.raises(InputError, match="truncated or damaged pickle"):
        load_dict(written(tmp_path, npy(pickle.dumps({"a": forged}))), "")


@pytest.mark.parametrize("opcodes", [b"cos\nsystem\n(S'touch MARK'\ntR.", b"cnumpy.core.multiarray\nos.system\n(S'x'\ntR."])
def test_old_opcodes_are_refused_too(tmp_path, opcodes):
    with pytest.raises(InputError, match=r"asks for (os|numpy\.core\.multiarray)\."):
        load_dict(written(tmp_path, npy(opcodes)), "")


BAD = {
    "missing": (None, "nothing", "a data file"),
    "empty": (b"", "0 bytes", "a data file"),
    "HTML": (b"<!DOCTYPE html><html>", "an HTML page", "a data file"),
    "annex": (b"/annex/objects/MD5E-s2790686720--0123.npy\n", "a git-annex pointer", "the data file itself"),
    "text": (b"raw_eeg_data = 1" * 20, "no header of a .npy file", "one Python dictionary"),
    "header alone": (saved(CONTENT)[:64], "no header of a .npy file", "one Python dictionary"),
    "no pickle": (npy(b""), "a truncated or damaged pickle", "one Python dictionary"),
    "plain array": (saved(np.ones((2, 3))), r"an array of float64 of shape \(2, 3\)", "one Python dictionary"),
    "array of objects": (saved(np.array([{}, {}], dtype=object)), r"of shape \(2,\)", "one Python dictionary"),
    "list": (npy(pickle.dumps([1, 2])), "a pickled list", "one Python dictionary"),
    "large text": (saved({"a": "x" * 2**21}), "a text of over 1 MB", "one Python dictionary"),
    "records": (saved({"a": np.zeros(3, "f8,i4")}), "an array of type V12", "one Python dictionary"),
    "dates": (saved({"a": np.zeros(3, "M8[s]")}), "an array of type M8", "one Python dictionary"),
}


@pytest.mark.parametrize("case", BAD)
def test_other_files_are_refused(tmp_path, case):
    content, found, expected = BAD[case]
    path = written(tmp_path, content) if content is not None else tmp_path / "file.npy"
    with pytest.raises(InputError, match=f"{found}[\\s\\S]*{expected}[\\s\\S]*fetch it again"):
        load_dict(path, "fetch it again")


def test_a_cut_in_a_mapped_array_is_found_without_reading_it(tmp_path):
    content = saved({"data": CONTENT["data"]})
    with pytest.raises(InputError, match="499,981 bytes are missing"):
        load_dict(written(tmp_path, content[:-500_000]), "")


@given(st.data())
def test_damage_is_reported_or_harmless(tmp_path_factory, data):
    """No byte that is changed or cut off raises anything but an InputError."""
    content = bytearray(saved({"a": np.arange(5.0), "names": ["x", "y"], "rate": 1000}))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = written(tmp_path_factory.mktemp("damaged"), bytes(content[: data.draw(st.integers(0, len(content)))]))
    with suppress(InputError):
        assert isinstance(load_dict(path, ""), dict)


def test_memory_does_not_grow_with_the_array(tmp_path):
    path = written(tmp_path, saved({"data": np.ones((8, 2_000_000))}))
    code = f"from cortexscale.datasets.formats.safe_npy import load_dict\nprint(load_dict({str(path)!r}, '')['data'].shape)"
    assert peak_mb(code) < peak_mb("import cortexscale.datasets.formats.safe_npy") + 8
