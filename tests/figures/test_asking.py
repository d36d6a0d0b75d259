"""Figures are asked for by name from Snakemake: drawn, refused with a reason, listed, and drawn again when a caption changes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from example_recording import documented_entry
from places import ROOT
from published_tables import LABELS, our_tables

from cortexscale.published import FILES
from cortexscale.stores import provenance, write_table

pytestmark = pytest.mark.slow


def snakemake(folder: Path, targets: list[str], *options: str, checkout: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a folder that has ``mine.yaml``."""
    command = [sys.executable, "-m", "snakemake", *targets, "--snakefile", str(checkout / "Snakefile"), "--cores", "1"]
    command += ["--workflow-profile", str(checkout / "profiles/default"), "--directory", str(folder)]
    command += ["--configfile", str(folder / "mine.yaml"), *options]
    env = os.environ | {"PYTHONPATH": str(checkout)}
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


def write_own_study(folder: Path) -> None:
    models = [{"source": "timm", "ids": ["test_resnet"], "layers": ["layer1"]}]
    config = {"study": "mine", "results": "results", "plan_without_data": True, "models": models} | documented_entry()
    (folder / "mine.yaml").write_text(yaml.safe_dump(config))


def test_a_figure_of_an_own_dataset_is_planned_by_its_name(tmp_path):
    write_own_study(tmp_path)
    files = [f"results/figures/{name}" for name in ("noise_ceilings/mylab.pdf", "layers/mylab.csv", "fig2.svg")]
    planned = snakemake(tmp_path, files, "--dry-run", "--quiet", "rules")
    assert planned.returncode == 0 and re.search(r"figure +3\n", planned.stdout), planned.stdout


def test_a_figure_that_cannot_be_drawn_gives_the_reason_and_names(tmp_path):
    write_own_study(tmp_path)
    files = [f"results/figures/{name}" for name in ("layers/mylap.pdf", "fig6.png", "scaling_lows.pdf")]
    refused = snakemake(tmp_path, files, "--dry-run")
    assert refused.returncode != 0 and "Missing" not in refused.stdout
    for text in ("3 problems", "layers/mylap", "such as layers/mylab", "fig6: the config has no section mapping", "scaling_laws"):
        assert text in refused.stdout, refused.stdout


def test_all_figures_are_listed(tmp_path):
    write_own_study(tmp_path)
    listed = snakemake(tmp_path, ["list_figures"])
    assert listed.returncode == 0, listed.stdout
    assert "noise_ceilings/mylab" in listed.stdout and "transfer" in listed.stdout.split("cannot be drawn:")[1]


def test_an_edited_caption_draws_the_figure_again(tmp_path):
    checkout = tmp_path / "checkout"
    for part in ("cortexscale", "workflow", "profiles"):
        shutil.copytree(ROOT / part, checkout / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("Snakefile", "pyproject.toml"):
        shutil.copy(ROOT / file, checkout)
    config = {"study": "mine", "results": "results", "plan_without_data": True, "published": {"path": "no", "labels": LABELS}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "no").mkdir()
    for name in FILES.values():
        (tmp_path / f"no/{name}.parquet").touch()  # imported long ago: only the tables are read
    tables = our_tables(0, "demo")
    for name in ("pretraining", "finetuning"):
        write_table(tables[name], tmp_path / f"results/tables/{name}.parquet", provenance(inputs={}, code="invented"))
    made = [f"results/tables/{name}.parquet" for name in ("pretraining", "finetuning")]
    assert snakemake(tmp_path, made, "--touch", checkout=checkout).returncode == 0  # now Snakemake knows how they were made
    target, trigger = ["results/figures/fig7.pdf"], ("--rerun-triggers", "params")
    drawn = snakemake(tmp_path, target, *trigger, checkout=checkout)
    assert drawn.returncode == 0 and len(pd.read_csv(tmp_path / "results/figures/fig7.csv")), drawn.stdout
    assert "Nothing to be done" in snakemake(tmp_path, target, "--dry-run", *trigger, checkout=checkout).stdout
    captions = checkout / "cortexscale/figures/captions.toml"
    caption = "In panel a each point is one supervised model of a suite."
    assert caption in captions.read_text(encoding="utf-8")
    captions.write_text(captions.read_text(encoding="utf-8").replace(caption, "A point is a model."), encoding="utf-8")
    again = snakemake(tmp_path, target, "--dry-run", *trigger, checkout=checkout)
    assert "figure" in again.stdout and "params" in again.stdout.lower() and "Nothing to be done" not in again.stdout, (
        again.stdout
    )


def test_a_misspelt_target_is_named_with_what_was_meant(tmp_path):
    write_own_study(tmp_path)
    done = snakemake(tmp_path, ["results/tables/pretrainin.parquet", "lst_figures"], "--dry-run")
    assert done.returncode and "did you mean `snakemake results/tables/pretraining.parquet`?" in done.stdout
    assert "did you mean `snakemake list_figures`?" in done.stdout and "MissingRule" not in done.stdout
