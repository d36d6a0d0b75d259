"""A small study of one's own: 140 pictures, two people, two models of Gabor filters. Seconds of work, no training."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from example_recording import documented_entry, write_example
from places import ROOT


def gabors(orientations: int) -> dict[str, Any]:
    """The config entry of one model."""
    own = {
        "source": "python",
        "id": f"gabors_{orientations}",
        "file": str(ROOT / "docs/example_model.py"),
        "transform": "transform",
    }
    return own | {"arguments": {"orientations": orientations}, "family": "Gabor", "layers": ["simple", "complex"]}


class LabStudy:
    """The study in a folder of its own.

    Args:
        write: whether to write pictures and recordings; otherwise ``config`` must say where they are.
    """

    def __init__(self, folder: Path, config: dict[str, Any] | None = None, *, write: bool = True):
        if write:
            write_example(folder)
        self.folder, self.file = folder, folder / "lab.yaml"
        features = {"batch_size": 35, "projection": {"dimensions": 64}}
        usual = {"study": "lab", "results": "results", "models": [gabors(2)], "features": features, "fits": {"bootstraps": 20}}
        self.config = usual | {"figures": []} | documented_entry() | (config or {})

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in the folder of the study, with its config as it now is."""
        self.file.write_text(yaml.safe_dump(self.config, allow_unicode=True), encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--configfile", str(self.file)]
        command += ["--workflow-profile", str(ROOT / "profiles/default"), "--cores", "1", *arguments]
        return subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def planned(self, *targets: str) -> set[str]:
        """The rules that a dry-run would run."""
        done = self.snakemake("--dry-run", "--", *targets)
        assert done.returncode == 0, done.stdout
        return self.rules(done)

    @staticmethod
    def rules(run: subprocess.CompletedProcess[str]) -> set[str]:
        """The rules that a run or a dry-run names."""
        return {line.split()[1].rstrip(":") for line in run.stdout.splitlines() if line.startswith(("rule ", "localrule "))}
