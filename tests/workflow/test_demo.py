"""The demo is short, and its figure 2 shows what is true. Reads `results/`, which `make demo` makes."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from places import ROOT

CONFIG = ROOT / "config/config.yaml"
RESULTS = ROOT / "results"
made = pytest.mark.skipif(not (RESULTS / "figures/fig2.csv").exists(), reason="the demo has not run: make demo")
AXES = ("compute", "samples", "parameters")


def test_the_demo_fits_on_a_screen_and_a_half_and_has_few_jobs(tmp_path):
    assert len(CONFIG.read_text(encoding="utf-8").splitlines()) <= 90
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "rules", "--config", f"results={tmp_path / 'results'}"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    (jobs, *_) = map(int, re.findall(r"^total +(\d+)$", done.stdout, re.MULTILINE))
    assert jobs <= 130
    study = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    assert len(study["datasets"]) == 3 and study["figures"] == ["fig2", "fig3"]


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    """The numbers of figure 2: models, and the laws over the range of the models."""
    numbers = pd.read_csv(RESULTS / "figures/fig2.csv")
    farthest = numbers["axis"].map(numbers[numbers["kind"] == "model"].groupby("axis")["x"].max())
    return numbers[numbers["x"] <= farthest]


@made
@pytest.mark.complete
@pytest.mark.parametrize("axis", AXES)
def test_bands_of_the_average_are_narrow(drawn, axis):
    law = drawn.query("kind == 'fit' and benchmark_name == 'average' and axis == @axis")
    assert len(law) > 10 and (law["high"] - law["low"]).max() < 0.1


@made
@pytest.mark.complete
@pytest.mark.parametrize("axis", AXES)
def test_laws_rise_and_saturate(drawn, axis):
    for benchmark, law in drawn.query("kind == 'fit' and axis == @axis").groupby("benchmark_name"):
        rise = np.diff(np.interp(np.linspace(0, 1, 5), np.linspace(0, 1, len(law)), law["score"]))
        assert (rise >= 0).all() and law["score"].iloc[-1] - law["score"].iloc[0] > 0.05, benchmark
        assert rise[-1] < rise.max() / 2, f"{benchmark}: the last quarter of the axis brings less than half of the best quarter"


@made
@pytest.mark.complete
@pytest.mark.parametrize("axis", AXES)
def test_laws_are_those_of_the_true_scores(drawn, axis):
    """Scores of single datasets have errors of their test trials. T-EEG2 has 26 test images, so its laws are the least exact."""
    law = drawn.query("kind == 'fit' and axis == @axis")
    distance = (law["score"] - law["truth"]).abs().groupby(law["benchmark_name"]).max()
    assert distance["average"] < 0.02 and distance.drop("average").max() < 0.05, distance


@made
@pytest.mark.complete
def test_the_report_says_which_truth_was_recovered():
    report = (RESULTS / "report.html").read_text(encoding="utf-8")
    assert "the laws of the average differ from the simulated truth by at most" in report
    assert len(re.findall(r"average: E is [^<]* and the law of the true scores has", report)) == len(AXES)
    assert (RESULTS / "explore.html").exists()
