"""The section `downloads`: files that are missing, right, wrong, or cannot be had because the study is offline."""

import hashlib
from pathlib import Path

import pytest

from cortexscale.errors import InputError
from cortexscale.plan import Plan

WEIGHTS, IMAGES = b"weights" * 100, b"images" * 100


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A study with one model whose weights and one zip of images are downloaded."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("def build():\n    pass\n", encoding="utf-8")
    files = {"got/weights.pt": WEIGHTS, "got/images.zip": IMAGES}
    model = {"source": "python", "file": "net.py", "family": "Mine", "layers": ["x"]}
    return {
        "study": "mine",
        "results": "results",
        "downloads": {
            file: {"url": f"https://example.org/{file}", "sha256": hashlib.sha256(content).hexdigest()}
            for file, content in files.items()
        },
        "stimuli": {"pictures": {"layout": "zip", "path": "got/images.zip"}},
        "models": [
            model | {"id": "with_weights", "checkpoint": "got/weights.pt"},
            model | {"id": "borrower", "reference": "with_weights"},
            model | {"id": "without"},
        ],
    }


def put(file: str, content: bytes) -> None:
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).write_bytes(content)


def test_a_missing_file_is_downloaded_and_a_file_that_is_there_is_not(config):
    assert Plan(config).inputs.to_download == ["got/weights.pt", "got/images.zip"]
    put("got/weights.pt", WEIGHTS)
    assert Plan(config).inputs.to_download == ["got/images.zip"]


def test_placing_a_file_by_hand_changes_no_params_and_no_inputs_of_rules(config):
    def seen() -> tuple[object, ...]:
        plan = Plan(config)
        model = "with_weights"
        weights = plan.models.weights(model), plan.models.downloaded(model), plan.models.weights_contents(model)
        return *weights, plan.data.image_contents("pictures"), plan.inputs.downloaded(["got/images.zip", "net.py"])

    absent = seen()
    put("got/weights.pt", WEIGHTS)
    put("got/images.zip", IMAGES)
    assert seen() == absent
    assert absent[:3] == ([], ["got/weights.pt"], [f"sha256 {hashlib.sha256(WEIGHTS).hexdigest()}"])
    assert absent[4] == ["got/images.zip"]


def test_a_wrong_file_is_named_with_its_address(config):
    put("got/weights.pt", WEIGHTS[:-1])
    with pytest.raises(InputError, match=r"(?s)got/weights\.pt.*sha256.*https://example\.org/got/weights\.pt"):
        Plan(config)
    config["downloads"]["got/weights.pt"]["sha256"] = hashlib.sha256(WEIGHTS[:-1]).hexdigest()[:8]
    assert Plan(config).inputs.to_download == ["got/images.zip"], "the first digits of the checksum are enough"


def test_an_offline_study_leaves_out_models_and_says_where_other_files_come_from(config):
    config["offline"] = True
    listed = r"(?s)1 of \d files are missing.*got/images\.zip \(from https://example\.org/got/images\.zip\)"
    with pytest.raises(InputError, match=listed):
        Plan(config)
    put("got/images.zip", IMAGES)
    plan = Plan(config)
    assert plan.models.left_out == ["with_weights", "borrower"] and list(plan.models.inventory) == ["without"]
    put("got/weights.pt", WEIGHTS)
    assert Plan(config).models.left_out == []


@pytest.mark.parametrize("wrong", [{"url": "ftp://example.org/x"}, {"sha256": "12fca82"}, {"sha256": "12FCA82F"}])
def test_a_download_needs_an_address_and_eight_digits(config, wrong):
    config["downloads"]["got/weights.pt"] |= wrong
    with pytest.raises(InputError, match=f"downloads.*{next(iter(wrong))}"):
        Plan(config)
