"""Results are compared with the notes of how they were made."""

import json
import os
import shutil

import pytest

from cortexscale.jobs import Place
from cortexscale.origins import note, reconcile


class Memory(dict):
    """Stands for what a workflow remembers of its results."""

    def put(self, result, rule, params, inputs):
        self[result] = (params, inputs)


@pytest.fixture
def results(tmp_path):
    results = tmp_path / "results"
    for name in ("neural/a.h5", "tables/t.parquet", "sweeps/s.zarr.zip"):
        (results / name).parent.mkdir(parents=True)
        (results / name).write_bytes(name.encode())
    (results / "raw/heads").mkdir(parents=True)
    (results / "study.json").write_text("{}")
    note([f"{results}/neural/a.h5"], "preprocess", ["anna", {"n": 3}, Place("/disk/raw")], [])
    note([f"{results}/sweeps/s.zarr.zip"], "sweep", [], [])
    note([f"{results}/raw/heads"], "heads", [1], [])
    note([f"{results}/tables/t.parquet"], "collect", [1], [f"{results}/neural/a.h5", "/elsewhere/x.csv"])
    return results


def compare(results, memory=None, seen=None, makes=lambda file: True):
    memory = Memory() if memory is None else memory
    found = reconcile(str(results), memory, {} if seen is None else seen, temporary=["sweep"], makes=makes)
    return {name.removeprefix(f"{results}/"): why for name, why in found.items()}, memory


OTHERS = ("study.json",)


def no_marker(file):
    return not file.endswith(OTHERS)


def test_a_copy_is_remembered_as_if_it_had_been_made_here(results):
    different, memory = compare(results, makes=no_marker)
    assert not different
    assert memory[f"{results}/tables/t.parquet"] == (["1"], ["/elsewhere/x.csv", f"{results}/neural/a.h5"])
    assert memory[f"{results}/neural/a.h5"][0] == sorted(["'anna'", "{'n': 3}", "a path"])


def test_a_moved_folder_is_remembered_with_its_own_paths(results, tmp_path):
    moved = results.rename(tmp_path / "moved")
    different, memory = compare(moved, makes=no_marker)
    assert not different and f"{moved}/neural/a.h5" in memory[f"{moved}/tables/t.parquet"][1]


def test_a_copy_without_dates_gets_them_back(results, tmp_path):
    dates = {file: file.stat().st_mtime_ns for file in results.rglob("*.*") if file.is_file()}
    copy = shutil.copytree(results, tmp_path / "copy", copy_function=shutil.copyfile)
    assert not compare(copy, makes=no_marker)[0]
    for name in ("neural/a.h5", "tables/t.parquet", "origins/neural/a.h5.json"):
        assert (copy / name).stat().st_mtime_ns == dates[results / name]


DAMAGE = {
    "was deleted": lambda file: file.unlink(),
    "was changed after it was made": lambda file: file.write_bytes(b""),
    "has a damaged note of its origin": lambda file: (file.parents[1] / "origins/neural/a.h5.json").write_text("{"),
    "has no note of its origin": lambda file: (file.parents[1] / "origins/neural/a.h5.json").unlink(),
}


@pytest.mark.parametrize("why", DAMAGE)
def test_a_result_that_is_not_as_it_was_made_is_named_and_its_params_are_forgotten(results, why):
    DAMAGE[why](results / "neural/a.h5")
    different, memory = compare(results, makes=no_marker)
    assert different == {"neural/a.h5": why}
    assert memory[f"{results}/neural/a.h5"][0] == [f"{results}/neural/a.h5 {why}"]


def test_a_change_that_keeps_size_and_date_of_the_result_is_noticed_by_the_time_of_its_note(results):
    file, other = results / "neural/a.h5", results / "tables/t.parquet"
    file.write_bytes(b"x" * file.stat().st_size)
    os.utime(file, ns=(other.stat().st_mtime_ns,) * 2)
    assert compare(results, makes=no_marker)[0] == {"neural/a.h5": "was changed after it was made"}


def test_a_result_that_the_workflow_deletes_by_itself_may_be_missing(results):
    (results / "sweeps/s.zarr.zip").unlink()
    different, memory = compare(results, makes=no_marker)
    assert not different and f"{results}/sweeps/s.zarr.zip" in memory


def test_what_no_rule_makes_and_what_is_remembered_needs_no_note(results):
    (results / "mine.txt").write_text("my remarks")
    (results / "neural/b.h5").write_bytes(b"")
    remembered = Memory({f"{results}/neural/b.h5": (["1"], [])})
    assert not compare(results, remembered, makes=lambda file: file.endswith(".h5"))[0]


def test_a_deleted_result_that_the_study_no_longer_has_is_not_missed(results):
    (results / "neural/a.h5").unlink()
    assert not compare(results, makes=lambda file: False)[0]


def test_a_deleted_result_that_came_back_is_fine_again(results):
    seen, memory = {}, Memory()
    aside = (results / "neural/a.h5").rename(results.parent / "aside")
    assert compare(results, memory, seen, no_marker)[0]
    aside.rename(results / "neural/a.h5")
    assert not compare(results, memory, seen, no_marker)[0]
    assert memory[f"{results}/neural/a.h5"][0] == sorted(["'anna'", "{'n': 3}", "a path"])


def test_results_that_were_compared_are_not_read_again(results, monkeypatch):
    seen, memory = {}, Memory()
    compare(results, memory, seen, no_marker)
    monkeypatch.setattr(json, "loads", lambda text: pytest.fail("a note was read again"))
    assert not compare(results, memory, seen, no_marker)[0]


def test_results_of_others_that_were_copied_over_are_remembered_with_their_params(results):
    seen, memory = {}, Memory()
    compare(results, memory, seen, no_marker)
    (results / "neural/a.h5").write_bytes(b"made with other options")
    note([f"{results}/neural/a.h5"], "preprocess", ["anna", {"n": 4}], [])
    assert not compare(results, memory, seen, no_marker)[0]
    assert memory[f"{results}/neural/a.h5"][0] == ["'anna'", "{'n': 4}"]


def test_a_file_outside_of_a_results_folder_gets_no_note(tmp_path):
    (tmp_path / "weights.pt").write_bytes(b"")
    note([str(tmp_path / "weights.pt")], "download", [], [])
    assert [file.name for file in tmp_path.iterdir()] == ["weights.pt"]


def test_a_result_that_was_made_from_another_input_is_named(results, tmp_path):
    """A colleague's table and its note are copied here, where the recording is another one."""
    table, its_note = results / "tables/t.parquet", results / "origins/tables/t.parquet.json"
    shutil.copytree(results, tmp_path / "theirs")
    theirs = tmp_path / "theirs/neural/a.h5"
    theirs.write_bytes(b"another recording")
    note([str(theirs)], "preprocess", ["anna", {"n": 3}], [])
    note([str(tmp_path / "theirs/tables/t.parquet")], "collect", [1], [str(theirs), "/elsewhere/x.csv"])
    for file in (table, its_note):
        shutil.copy2(tmp_path / "theirs" / file.relative_to(results), file)
    assert compare(results, makes=no_marker)[0] == {"tables/t.parquet": "was made from another neural/a.h5"}
