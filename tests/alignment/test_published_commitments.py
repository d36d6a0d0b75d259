"""The authors' layer commitments are taken for the models and datasets that they list."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from inventories import inventory
from places import ROOT
from shipped_data import COMMITMENTS

from cortexscale.alignment.import_commitments import import_commitments
from cortexscale.alignment.published import commitments_for, read_published
from cortexscale.datasets.registry import NAMES, facts
from cortexscale.errors import InputError
from cortexscale.models.build import untrained
from cortexscale.models.layers import candidate_layers
from cortexscale.plan import Plan
from cortexscale.study import load_study

PAPER = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
DATASETS = {name: (facts(dataset["reader"]).released_name, dataset["rois"]) for name, dataset in PAPER["datasets"].items()}
ALEXNET = "alexnet_imagenet_full_seed-0"
ENTRY = {"layer_name": "features.5", "layer_position": 7, "layer_position_normalized": 7 / 23, "score": 0.5}


@pytest.fixture
def file(tmp_path) -> Path:
    """A file of the same structure with one model and two datasets."""
    entries = {"V1": ENTRY, "V4": ENTRY | {"layer_name": "features.6", "score": 0.4}}
    models = {"config": {"eval_metric": "cv_score"}, ALEXNET: {"tvsd": entries, "bs_fz": {"V1": ENTRY}}}
    path = tmp_path / "layer_commitments.json.gz"
    path.write_bytes(gzip.compress(json.dumps(models).encode()))
    return path


def layers_of(id: str) -> tuple[list, str]:
    study = load_study({"study": "s", "results": "r", "models": [{"source": "spvvs", "path": "p", "only": [id]}]})
    model = inventory(study)[id]
    return candidate_layers(untrained(model)[0].network, model.layers), model.family


def test_names_of_datasets_and_of_layers_become_ours(file):
    committed = commitments_for(read_published(file), ALEXNET, {"monkeys": ("tvsd", ["V4", "V1"]), "fz": ("bs_fz", ["V1"])})
    imported = import_commitments(committed, *layers_of(ALEXNET))
    assert imported.model_id == ALEXNET
    assert {dataset: list(rois) for dataset, rois in imported.datasets.items()} == {"monkeys": ["V4", "V1"], "fz": ["V1"]}
    place = imported["fz"]["V1"]
    assert (place.layer_name, place.layer_position, place.score) == ("features.5", 7, 0.5)
    assert place.margin is place.runner_up is None
    # The ReLU behind features.6 works in place: what was published under that name is its output.
    assert imported["monkeys"]["V4"].layer_name == "features.7" and imported["monkeys"]["V4"].layer_position == 9


def test_what_is_not_published_is_named(file):
    published = read_published(file)
    with pytest.raises(
        InputError, match=r"published commitments of alexnet.*\n.*monkeys: IT, own: V1\n.*tvsd.*\n.*commit: search"
    ):
        commitments_for(published, ALEXNET, {"monkeys": ("tvsd", ["V1", "IT"]), "own": (None, ["V1"])})
    committed = commitments_for(published, ALEXNET, {"monkeys": ("tvsd", ["V1"])})
    with pytest.raises(InputError, match=r"1 layer\(s\) that are not candidates: features\.5"):
        import_commitments(committed, *layers_of("cornet_s_imagenet_full_seed-0"))


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"a": {"tvsd": {"V1": "conv1"}}}', None], ids=str)
def test_another_file_is_refused(content, tmp_path):
    path = tmp_path / "layer_commitments.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"layer_commitments\.json\n(.*\n)+.*authors' release"):
        read_published(path)


def study(tmp_path: Path, file: Path, **dataset) -> dict:
    """The monkeys, one published model with a copy that borrows, and one that is not published."""
    tvsd = PAPER["datasets"]["tvsd"] | {"rois": ["V1", "V4"]} | dataset
    models = [{"source": "spvvs", "path": str(tmp_path / "checkpoints"), "only": [ALEXNET, "alexnet_ecoset_full_seed-0"]}]
    models += [{"source": "timm", "ids": ["test_vit"], "layers": "ViT"}]
    config = {"study": "s", "results": str(tmp_path / "results"), "plan_without_data": True, "models": models}
    config |= {"stimuli": {"things": PAPER["stimuli"]["things"]}, "datasets": {"tvsd": tvsd}}
    return config | {"layer_commitment": {"commit": "published", "file": str(file)}}


def test_published_models_need_no_search_and_others_do(file, tmp_path):
    plan = Plan(study(tmp_path, file))
    assert plan.alignment.published_layers == [ALEXNET] and plan.alignment.searched == ["test_vit"]
    alone = study(tmp_path, file)
    assert Plan(alone | {"models": alone["models"][:1]}).tables.names == ["pretraining", "datasets", "models"], (
        "nothing is searched"
    )
    assert plan.alignment.commitments("things", "alexnet_ecoset_full_seed-0").endswith(f"commitments/things/{ALEXNET}.json")
    with pytest.raises(InputError, match="none for tvsd: IT"):
        Plan(study(tmp_path, file, rois=["V1", "IT"]))
    with pytest.raises(InputError, match="file, with `commit: published`"):
        Plan(study(tmp_path, file) | {"layer_commitment": {"commit": "published"}})
    assert Plan(study(tmp_path, tmp_path / "missing.json")).missing_files_of_models[-1].endswith("missing.json")


@pytest.mark.slow
def test_snakemake_writes_what_scoring_reads(file, tmp_path):
    config = study(tmp_path, file)
    raw = Path(config["datasets"]["tvsd"]["path"])
    for name in ("monkeyF/THINGS_normMUA.mat", "monkeyF/_logs/things_imgs.mat"):
        for file_there in (tmp_path / raw / name, tmp_path / raw / name.replace("monkeyF", "monkeyN")):
            file_there.parent.mkdir(parents=True, exist_ok=True)
            file_there.touch()
    (tmp_path / config["stimuli"]["things"]["path"]).mkdir(parents=True)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    target = tmp_path / f"results/commitments/things/{ALEXNET}.json"
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1", str(target)]
    command += ["--workflow-profile", str(ROOT / "profiles/default"), "--directory", str(tmp_path), "--configfile"]
    command += [str(tmp_path / "mine.yaml")]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert run.returncode == 0, run.stdout
    written = json.loads(target.read_text())
    assert written["model_id"] == ALEXNET and written["commitments"]["tvsd"]["V1"]["layer_name"] == "features.5"
    assert list(written["made_by"]["inputs"]) == ["published"]


@pytest.mark.slow
def test_every_reference_of_the_paper_can_be_imported():
    published = read_published(COMMITMENTS)
    readers = {entry["reader"] for entry in PAPER["datasets"].values()}
    assert len(published) == 85 and readers == {name for name in NAMES if facts(name).counts}
    models = inventory(load_study(PAPER))
    references = [models[id] for id in dict.fromkeys(model.reference for model in models.values())]
    assert len(references) == 72
    for model in references:
        committed = commitments_for(published, model.id, DATASETS)
        backbone, _ = untrained(model)
        layers = candidate_layers(backbone.network, model.layers)
        imported = import_commitments(committed, layers, model.family)
        assert all(0 < layer.layer_position_normalized <= 1 for rois in imported.datasets.values() for layer in rois.values())
