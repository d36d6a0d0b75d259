"""The workflow itself on a cut of the demo study: kills, damaged files, repeated runs, the paper's plan."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from places import COMPLETE, ROOT

pytestmark = pytest.mark.slow

SNAKEMAKE = [sys.executable, "-m", "snakemake"]


def cut(results: Path) -> dict:
    """The demo study with the monkeys only, and one architecture trained for a moment on two training sets."""
    config = yaml.safe_load(COMPLETE.read_text())
    config |= {"study": "cut", "results": str(results)}
    config["simulation"] |= {"task_images": 320, "validation_images": 100, "hidden_network_steps": 5}
    config["simulation"]["things"] = {"concepts": 20, "images_per_concept": 7}
    config["simulation"]["datasets"] = {"tvsd": {"repetitions": 4, "live_electrodes": 48}}
    config["stimuli"] = {"things": config["stimuli"]["things"]}
    config["datasets"] = {"tvsd": config["datasets"]["tvsd"] | {"options": {"n_train": 120, "n_test": 20, "n_repetitions": 4}}}
    suite = config["models"][0]
    first = dict([next(iter(suite["architectures"].items()))])
    config["models"] = [suite | {"architectures": first, "samples_per_class": [4, 0], "recipe": {"steps": 5}}]
    config["fits"]["bootstraps"] = 20
    config["figures"] = ["fig2", "figS6"]
    config["metrics"]["pls_components"] = 3
    config |= {"mapping": None, "projection_study": None, "finetuning": None}
    return config


class Study:
    """A cut study in a folder of its own."""

    def __init__(self, folder: Path):
        self.results, self.file = folder / "results", folder / "cut.yaml"
        folder.mkdir(exist_ok=True)
        self.file.write_text(yaml.safe_dump(cut(self.results)))
        self.command = [
            *SNAKEMAKE,
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--configfile",
            str(self.file),
            "--directory",
            str(folder),
        ]
        self.command += ["--workflow-profile", str(ROOT / "profiles/default"), "--cores", "2"]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def alignment(self) -> pd.DataFrame:
        files = sorted(file for file in (self.results / "alignment/things").glob("*.parquet") if ".units." not in file.name)
        return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


GOAL = "collect_pretraining"


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    study = Study(tmp_path_factory.mktemp("cut"))
    finished = study.run(GOAL)
    assert finished.returncode == 0, finished.stdout
    return study


def test_every_metric_that_the_config_asks_for_has_scores(study):
    assert study.alignment()[["pearsonr_nc", "pls_nc", "rsa_c_test", "cka_ve_train_held_out"]].notna().all(axis=None)


def test_a_second_run_has_nothing_to_do(study):
    again = study.run(GOAL)
    assert again.returncode == 0 and "Nothing to be done" in again.stdout, again.stdout


def test_a_killed_run_completes_with_the_same_numbers(study, tmp_path):
    """SIGKILL of Snakemake and all its jobs, twice, in the middle of work. The next run needs no unlocking."""
    killed = Study(tmp_path / "killed")
    for progress in ("neural/tvsd", "features/things"):
        process = subprocess.Popen(
            [*killed.command, GOAL], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + 180
        while not (killed.results / progress).exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.poll() is None, "the run ended before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (killed.results / "tables/pretraining.parquet").exists()
    finished = killed.run(GOAL)
    assert finished.returncode == 0, finished.stdout
    pd.testing.assert_frame_equal(killed.alignment(), study.alignment())


def test_a_truncated_file_stops_its_job_and_leaves_nothing(study, tmp_path):
    damaged = Study(tmp_path / "damaged")
    raw = damaged.results / "raw/tvsd/monkeyF/THINGS_normMUA.mat"
    assert damaged.run(str(damaged.results / "raw/tvsd")).returncode == 0
    raw.write_bytes(raw.read_bytes()[: raw.stat().st_size // 2])
    recording = damaged.results / "neural/tvsd/monkeyF.h5"
    failed = damaged.run(str(recording))
    assert failed.returncode != 0
    for part in (str(raw), "found:", "truncated", "expected:", "to do:"):
        assert part in failed.stdout, failed.stdout
    assert "Traceback" not in failed.stdout.split("found:")[0].split(str(raw))[0].rsplit("ERROR", 1)[-1]
    assert not recording.exists() and not list(recording.parent.glob(".*"))


def test_a_typo_in_the_config_stops_before_any_job(tmp_path):
    study = Study(tmp_path / "typo")
    config = cut(study.results)
    config["ridge"]["alfas"] = config["ridge"].pop("alphas")
    study.file.write_text(yaml.safe_dump(config))
    failed = study.run()
    assert failed.returncode != 0 and "config key ridge.alfas\n" in failed.stdout
    assert "did you mean `alphas`?" in failed.stdout
    assert not study.results.exists()


def test_another_study_in_the_same_root_is_refused(study, tmp_path):
    other = Study(tmp_path / "other")
    other.file.write_text(yaml.safe_dump(cut(study.results) | {"study": "other"}))
    before = sorted(file.name for file in study.results.rglob("*"))
    failed = other.run(GOAL)
    assert failed.returncode != 0 and "results of study `cut`" in failed.stdout
    assert sorted(file.name for file in study.results.rglob("*")) == before


def test_the_paper_is_planned_within_two_gigabytes():
    command = ["--dry-run", "--quiet", "rules", "--profile", "slurm", "--configfile", "config/paper.yaml"]
    measured = f"import resource, subprocess; r = subprocess.run({[*SNAKEMAKE, *command]}, capture_output=True, text=True); "
    measured += "print(r.stdout + r.stderr); print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    plan = subprocess.run([sys.executable, "-c", measured], cwd=ROOT, capture_output=True, text=True).stdout
    peak = int(plan.rsplit("peak", 1)[1])
    jobs = {
        name: int(count)
        for name, count in (line.split() for line in plan.splitlines() if len(line.split()) == 2 and line.split()[1].isdigit())
    }
    assert (jobs["features"], jobs["alignment"], jobs["layer_search"], jobs["preprocess"]) == (2528, 2528, 288, 78), plan
    assert (jobs["finetuning_heads"], jobs["finetune"], jobs["finetuned_alignment"]) == (30, 606, 4 * (606 + 5)), plan
    assert peak < 2 * 2**20, "KiB"


def test_a_real_run_without_raw_data_says_what_is_missing(tmp_path):
    """Files of the whole study are required, whatever the target is."""
    target = f"{tmp_path}/paper/neural/tvsd/monkeyF.h5"
    failed = subprocess.run(
        [*SNAKEMAKE, "--configfile", "config/paper.yaml", "--config", f"results={tmp_path / 'paper'}", "--", target],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert failed.returncode != 0
    assert "files are missing" in failed.stdout and "resources/tvsd/monkeyF/THINGS_normMUA.mat" in failed.stdout
    assert "resources/majajhong/stimulus_hvm-public.csv" in failed.stdout
    assert not (tmp_path / "paper").exists()
