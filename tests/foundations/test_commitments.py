"""Committed layers: the file and the object."""

import json

import pytest

from cortexscale.commitments import Commitments, CommittedLayer, rois_at
from cortexscale.errors import InputError

EARLY, LATE = CommittedLayer("early", 1, 0.25, 0.4, margin=0.1, runner_up="late"), CommittedLayer("late", 4, 1.0, 0.3)
COMMITMENTS = Commitments("m", {"d": {"V1": EARLY, "IT": LATE}, "e": {"V4": LATE}})


def test_a_file_holds_the_layers_and_where_they_come_from(tmp_path):
    COMMITMENTS.save(tmp_path / "m.json", {"code": "digest"})
    assert Commitments.load(tmp_path / "m.json") == COMMITMENTS
    content = json.loads((tmp_path / "m.json").read_text(encoding="utf-8"))
    assert content["model_id"] == "m" and content["made_by"] == {"code": "digest"}
    assert content["commitments"]["d"]["V1"] == {
        "layer_name": "early",
        "layer_position": 1,
        "layer_position_normalized": 0.25,
        "score": 0.4,
        "margin": 0.1,
        "runner_up": "late",
    }


def test_layers_are_chosen_by_dataset_and_by_name():
    assert COMMITMENTS["d"]["IT"].layer_name == "late" and COMMITMENTS.layer_names == ["early", "late"]
    assert COMMITMENTS.restricted(["e"]).datasets == {"e": {"V4": LATE}}
    assert COMMITMENTS.at_layers({"late"}).datasets == {"d": {"IT": LATE}, "e": {"V4": LATE}}
    assert COMMITMENTS.at_layers({"early"}).datasets == {"d": {"V1": EARLY}, "e": {}}
    assert rois_at({"V1": EARLY, "V2": EARLY, "IT": LATE}, "early") == ["V1", "V2"]


@pytest.mark.parametrize("content", ["", "[]", '{"model_id": "m"}', '{"model_id": "m", "commitments": {"d": {"V1": {}}}}'])
def test_another_file_is_refused(tmp_path, content):
    (tmp_path / "m.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"m\.json\n.*no committed layers"):
        Commitments.load(tmp_path / "m.json")
