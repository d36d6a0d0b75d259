"""The demo study, cut to one architecture and one dataset, on a real Slurm of one node: `make test-slurm`."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from places import COMPLETE, ROOT
from slurm_node import slurm_node, why_not

LOCAL = {"model_table", "commit_layers", "figure", "cost", "explore", "report"}
"""Rules that do not go through Slurm."""

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]


def cut(results: Path) -> dict[str, Any]:
    """The demo study with the monkeys only, and one architecture trained on four images per class and on all."""
    config = yaml.safe_load(COMPLETE.read_text())
    config |= {"study": "slurm-test", "results": str(results)}
    concepts, per_concept, repetitions = 20, 6, 4
    config["simulation"] |= {"task_images": 320, "validation_images": 100, "hidden_network_steps": 10}
    config["simulation"]["things"] = {"concepts": concepts, "images_per_concept": per_concept + 1}
    config["simulation"]["datasets"] = {"tvsd": {"repetitions": repetitions, "live_electrodes": 48}}
    config["stimuli"] = {"things": config["stimuli"]["things"] | {"expected": concepts * (per_concept + 1)}}
    config["datasets"] = {"tvsd": config["datasets"]["tvsd"]}
    config["datasets"]["tvsd"]["options"] = {
        "n_train": concepts * per_concept,
        "n_test": concepts,
        "n_repetitions": repetitions,
    }
    suite = next(models for models in config["models"] if models["source"] == "suite")
    name, architecture = next(iter(suite["architectures"].items()))
    config["models"] = [suite | {"architectures": {name: architecture}, "samples_per_class": [4, 0], "recipe": {"steps": 10}}]
    config |= {"projection_study": None, "mapping": None, "finetuning": None}  # of other models
    return config | {"figures": ["fig3"]}  # two models are too few for the scaling laws of fig2


def snakemake(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", *arguments]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


@dataclass
class Declared:
    """What a rule asks for one of its jobs."""

    mem_mb: int
    minutes: int
    gpus: int
    threads: int


def declared(config: Path) -> dict[str, Declared]:
    """The jobs that should go to Slurm, by the comment that they carry there, as a plan without Slurm has them.

    Only threads are the profile's own business; Snakemake caps them at the cores of the submitting machine.
    """
    threads = yaml.safe_load((ROOT / "profiles/slurm/profile.yaml").read_text())["set-threads"]
    plan = snakemake("--configfile", str(config), "--dry-run")
    assert plan.returncode == 0, plan.stdout
    jobs = {}
    for rule, body in re.findall(r"^rule (\w+):\n((?:    .*\n)+)", plan.stdout, re.MULTILINE):
        fields = dict(re.findall(r"^    (\w+): (.*)$", body, re.MULTILINE))
        wildcards, resources = (
            dict(pair.split("=", 1) for pair in fields.get(key, "").split(", ") if pair) for key in ("wildcards", "resources")
        )
        if "mem_mb" in resources and rule not in LOCAL:
            name = "_".join([f"rule_{rule}", *(["wildcards", *wildcards.values()] if wildcards else [])])
            jobs[name] = Declared(
                int(resources["mem_mb"]),
                int(resources["runtime"]),
                int(resources.get("gpu", 0)),
                min(threads.get(rule, 1), os.cpu_count()),
            )
    return jobs


@dataclass
class Run:
    results: Path
    declared: dict[str, Declared]
    jobs: list[dict[str, str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("slurm")
    results, config = folder / "results", folder / "cut.yaml"
    config.write_text(yaml.safe_dump(cut(results)))
    expected = declared(config)
    with slurm_node() as node:
        # `squeue`, as this Slurm keeps no accounts. At most three jobs at a time: the node only pretends to be large.
        done = snakemake(
            *("--profile", "slurm", "--configfile", str(config), "--jobs", "3"),
            *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "10"),
            *("--slurm-logdir", str(folder / "logs")),
            env=node.environment,
            timeout=900,
        )
        assert done.returncode == 0, done.stdout
        yield Run(results, expected, node.jobs())


def test_the_study_is_complete(run):
    scores = pd.read_parquet(run.results / "tables/pretraining.parquet")
    assert scores.groupby(["subject", "roi"])["model_id"].nunique().eq(2).all()
    assert scores["pearsonr_nc"].notna().all() and scores["pearsonr_nc"].abs().lt(1.5).all()
    assert (run.results / "figures/fig3.pdf").read_bytes().startswith(b"%PDF")
    assert len(pd.read_csv(run.results / "figures/fig3.csv")) > 0


def test_every_job_runs_once_and_succeeds(run):
    assert sorted(job["Comment"] for job in run.jobs) == sorted(run.declared)
    assert {job["JobState"] for job in run.jobs} == {"COMPLETED"}


def test_jobs_ask_slurm_for_what_their_rules_declare(run):
    for job in run.jobs:
        size, unit = re.fullmatch(r"(\d+)([MG])", job["MinMemoryNode"]).groups()
        days, hours, minutes = (int(part or 0) for part in re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):00", job["TimeLimit"]).groups())
        asked = Declared(
            mem_mb=int(size) * {"M": 1, "G": 1024}[unit],
            minutes=(days * 24 + hours) * 60 + minutes,
            gpus=int(job.get("TresPerJob", "gres:gpu:0").removeprefix("gres:gpu:")),
            threads=int(job["CPUs/Task"]),
        )
        assert asked == run.declared[job["Comment"]], job["Comment"]


def test_gpu_jobs_go_to_the_gpu_partition_and_others_do_not(run):
    partitions = {job["Comment"]: job["Partition"] for job in run.jobs}
    assert partitions == {name: "gpu" if asks.gpus else "cpu" for name, asks in run.declared.items()}
    assert set(partitions.values()) == {"cpu", "gpu"}
