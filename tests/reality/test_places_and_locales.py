"""Checkouts, environments and results in folders with odd names, and jobs under a locale that knows ASCII only."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from example_recording import documented_entry, write_example
from places import ROOT

from cortexscale.errors import InputError
from cortexscale.plan import require_usable_paths


@pytest.mark.parametrize(
    "folder", ["/home/me/My Drive", "/home/me/a & b", "/home/me/it's", "/home/me/$x", "/home/me/a(1)", "/home/me/é"]
)
def test_an_interpreter_that_a_shell_would_not_find_is_named_before_any_job(folder):
    with pytest.raises(InputError, match=r"interpreter\n.*python3\n.*without spaces[\s\S]*VENV="):
        require_usable_paths(Path("/work"), f"{folder}/.venv/bin/python3")
    require_usable_paths(Path(folder), "/opt/cortexscale_1.2-3/bin/python3")


@pytest.mark.parametrize("folder", ["/home/me/{a}", "/home/me/a}"])
def test_braces_in_the_path_of_the_checkout_are_named_before_any_job(folder):
    with pytest.raises(InputError, match=r"path of the checkout\n.*\n.*wildcards"):
        require_usable_paths(Path(folder), "/usr/bin/python3")


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run the workflow on the example's recordings in a folder."""
    write_example(folder)
    entry = documented_entry()
    entry["datasets"]["mylab"] |= {"reader": str(ROOT / "docs/example_dataset.py"), "label": "Müller → V4 $5"}
    gabor = {"source": "python", "id": "gabor", "file": str(ROOT / "docs/example_model.py"), "family": "Gabor"}
    gabor |= {"transform": "transform", "layers": ["simple", "complex"]}
    config = {"study": "lab", "results": "results", **entry, "models": [gabor]}
    (folder / "lab.yaml").write_text(yaml.safe_dump(config, allow_unicode=True), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--directory",
        str(folder),
        "--cores",
        "1",
    ]
    command += ["--configfile", str(folder / "lab.yaml"), "--quiet", "rules", "--", *arguments]
    known = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", env=known)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["My Drive", "it's a & b", "a{b}c", "Données 日本", "a#b (1)"])
def test_a_study_runs_in_a_folder_of_any_name(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    done = run(folder, "results/neural/mylab/anna.h5")
    assert done.returncode == 0, done.stderr
    assert (folder / "results/neural/mylab/anna.h5").exists()


@pytest.mark.slow
def test_jobs_read_and_write_utf8_under_a_locale_that_knows_ascii_only(tmp_path):
    ascii_only = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run(tmp_path, "results/tables/datasets.parquet", **ascii_only)
    assert done.returncode == 0, done.stderr
    assert "Müller → V4 \\$5" in (tmp_path / "results/tables/datasets.md").read_text(encoding="utf-8")
    assert "UnicodeEncodeError" not in done.stderr + done.stdout
