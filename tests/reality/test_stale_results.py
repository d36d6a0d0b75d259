"""A finished study notices that raw data, params, code or the results themselves are no longer those of its results."""

import os
import shutil

import numpy as np
import pytest
import yaml
from lab_study import LabStudy, gabors

pytestmark = pytest.mark.slow

TABLE = "results/tables/layer_search.parquet"
EVERYTHING = {"stimuli", "preprocess", "prepare_responses", "sweep_features", "layer_search", "collect_layer_search"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> LabStudy:
    study = LabStudy(tmp_path_factory.mktemp("lab"))
    done = study.snakemake("--", TABLE)
    assert done.returncode == 0, done.stdout
    return study


@pytest.fixture
def study(finished, tmp_path) -> LabStudy:
    """A copy of the finished study, with its raw data and with what Snakemake remembers."""
    shutil.copytree(finished.folder, tmp_path / "lab")  # with all dates
    return LabStudy(tmp_path / "lab", yaml.safe_load(finished.file.read_text()), write=False)


def test_nothing_is_made_again_without_a_reason(study):
    planned = study.snakemake("--dry-run", "--", TABLE).stdout
    assert "Nothing to be done" in planned and "not as they were made" not in planned


def test_a_raw_file_that_was_replaced_by_an_older_one_is_read_again(study):
    file = study.folder / "resources/mylab/anna_responses.npz"
    arrays = dict(np.load(file))
    arrays["test"] = arrays["test"][:, ::-1]
    np.savez(file, **arrays)
    os.utime(file, (1.6e9, 1.6e9))
    assert study.planned("results/neural/mylab/anna.h5") == {"preprocess"}
    assert study.planned("results/neural/mylab/bruno.h5") == set()


@pytest.mark.parametrize("change", ["added", "deleted", "exchanged"])
def test_a_changed_folder_of_pictures_is_listed_again(study, change):
    pictures = sorted((study.folder / "resources/photographs/scene1").glob("*.png"))
    if change == "added":
        shutil.copy(pictures[0], pictures[0].with_name("zebra.png"))
    elif change == "deleted":
        pictures[0].unlink()
    else:
        shutil.copy(pictures[1], pictures[0])
        os.utime(pictures[0], (1.6e9, 1.6e9))
    assert "stimuli" in study.planned(TABLE)


def test_raw_data_on_another_disk_are_the_same_data(study):
    (study.folder / "resources").rename(study.folder / "another_disk")
    study.config["datasets"]["mylab"]["path"] = "another_disk/mylab"
    study.config["stimuli"]["photographs"]["path"] = "another_disk/photographs"
    assert study.planned(TABLE) == set()


@pytest.mark.parametrize("dates", ["kept", "lost"])
def test_results_elsewhere_without_what_snakemake_remembers_are_taken_over(study, tmp_path, dates):
    copy = shutil.copy2 if dates == "kept" else shutil.copyfile
    shutil.copytree(study.folder / "results", tmp_path / "scratch/res", copy_function=copy)
    shutil.rmtree(study.folder / ".snakemake")
    shutil.rmtree(study.folder / "results")
    study.config["results"] = str(tmp_path / "scratch/res")
    assert study.planned(f"{tmp_path}/scratch/res/tables/layer_search.parquet") == set()


def test_without_what_snakemake_remembers_a_change_of_the_study_is_noticed(study):
    shutil.rmtree(study.folder / ".snakemake")
    study.config["models"] = [gabors(2), gabors(4)]
    assert study.planned(TABLE) == {"sweep_features", "layer_search", "collect_layer_search"}
    study.config["models"] = [gabors(2)]
    study.config["features"]["projection"]["dimensions"] = 16
    assert study.planned(TABLE) == {"sweep_features", "layer_search", "collect_layer_search"}


def test_deleted_results_are_made_again(study):
    (study.folder / "results/stimuli/photographs.parquet").unlink()
    shutil.rmtree(study.folder / "results/neural")
    planned = study.snakemake("--dry-run", "--", TABLE)
    assert study.rules(planned) == EVERYTHING and "results/neural/mylab/anna.h5 was deleted" in planned.stdout


def test_a_cut_result_is_made_again(study):
    (study.folder / "results/layer_search/photographs/gabors_2.parquet").write_bytes(b"PAR1")
    done = study.snakemake("--", TABLE)
    assert done.returncode == 0 and {"layer_search", "collect_layer_search"} <= study.rules(done), done.stdout
    assert study.planned(TABLE) == set()


def test_results_without_notes_of_which_nobody_remembers_anything_are_made_again(study):
    shutil.rmtree(study.folder / "results/origins")
    assert study.planned(TABLE) == set()  # Snakemake remembers them
    shutil.rmtree(study.folder / ".snakemake")
    assert study.planned(TABLE) == EVERYTHING
