"""The documented example of a dataset of one's own works: by itself, in a plan, and in Snakemake."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from example_recording import N_NEURONS, NOISE_SD, ROOT, documented_entry, write_example

from cortexscale.check.dataset import check_dataset
from cortexscale.datasets.readers import load_reader
from cortexscale.errors import InputError
from cortexscale.plan import Plan
from cortexscale.recording import load_recording
from cortexscale.study.data import Dataset
from cortexscale.study.images import StimulusSet

MODELS = [{"source": "timm", "ids": ["test_resnet"], "layers": ["layer1"]}]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_example(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def config(folder) -> dict:
    return {"study": "mine", "results": str(folder / "results"), "models": MODELS, **documented_entry()}


def test_ceilings_and_averages_are_those_that_were_planted(tmp_path):
    truth = write_example(tmp_path)
    entry = documented_entry()["datasets"]["mylab"]
    module = load_reader(entry["reader"])
    recording = module.read(tmp_path / entry["path"], "bruno", module.Options(**entry["options"]))
    live = recording.units["unit"].astype(int).to_numpy()
    assert set(range(20)) <= set(live)
    # A unit's true ceiling depends on the variance of its signal over these very images.
    signal = truth["bruno"]["test"][:, :20]
    noise = NOISE_SD**2 / 8
    true = 100 * signal.var(axis=0, ddof=1) / (signal.var(axis=0, ddof=1) + noise)
    found = recording.units.set_index("unit")["nc_percent"].loc[[str(unit) for unit in range(20)]]
    assert np.abs(found - true).mean() < 10
    kept = [live.tolist().index(unit) for unit in range(20)]
    error = recording.test.responses[:, kept] - signal
    assert error.std() == pytest.approx(NOISE_SD / np.sqrt(8), rel=0.15)
    assert len(recording.screening) == N_NEURONS and recording.screening["kept"].sum() == len(live)


@pytest.mark.slow
def test_the_example_passes_its_own_check(folder):
    entry = documented_entry()
    report = check_dataset("mylab", Dataset(**entry["datasets"]["mylab"]), StimulusSet(**entry["stimuli"]["photographs"]))
    assert not report.n_problems, report.text()
    assert "140 of 140 stimuli have an image" in report.text() and "read needs" in report.text()


def test_a_plan_finds_the_module_and_counts_its_code(config, folder):
    own = folder / "readers/mylab.py"
    own.parent.mkdir()
    shutil.copy(config["datasets"]["mylab"]["reader"], own)
    config["datasets"]["mylab"]["reader"] = "readers/mylab.py"
    plan = Plan(config)
    assert plan.data.raw_files("mylab", "anna") == ["resources/mylab/anna_responses.npz", "resources/mylab/anna_neurons.csv"]
    assert len(plan.data.raw_contents("mylab", "anna")) == 2 and plan.data.raw_inputs("mylab", "anna") == []
    assert plan.data.shape("mylab") == (120, 20, 60)
    with_module, without = plan.code("preprocess", plan.data.reader_file("mylab")), plan.code("preprocess")
    assert with_module != without
    config["datasets"]["mylab"]["reader"] = "readers/mylap.py"
    with pytest.raises(InputError, match=r"datasets\.mylab\.reader\n.*mylap\.py, which is not there"):
        Plan(config)


def test_a_dataset_has_the_modality_of_the_config_or_else_of_its_reader(config, folder):
    entry = config["datasets"]["mylab"]
    text = Path(entry["reader"]).read_text(encoding="utf-8")
    assert Plan(config).data.modality("mylab") == "ephys"
    for name, line, expected in (("silent", "", None), ("calcium", 'MODALITY = "calcium"\n', "calcium")):
        Path(f"{name}.py").write_text(text.replace('MODALITY = "ephys"\n', line), encoding="utf-8")
        assert Plan(config | {"datasets": {"mylab": entry | {"reader": f"{name}.py"}}}).data.modality("mylab") == expected
    assert Plan(config | {"datasets": {"mylab": entry | {"modality": "eeg"}}}).data.modalities == {"mylab": "eeg"}
    Path("wrong.py").write_text(text.replace('"ephys"', '"ECoG"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"mylab\.reader[\s\S]*MODALITY 'ECoG'[\s\S]*ephys, fmri"):
        Plan(config | {"datasets": {"mylab": entry | {"reader": "wrong.py"}}})


def test_a_module_that_cannot_be_imported_is_named(config, folder):
    (folder / "broken.py").write_text("import no_such_package\n")
    config["datasets"]["mylab"]["reader"] = "broken.py"
    with pytest.raises(InputError, match=r"broken\.py, whose import fails with ModuleNotFoundError: .*no_such_package"):
        Plan(config)


@pytest.mark.slow
def test_snakemake_checks_and_reads_it(config, folder):
    (folder / "mine.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1"]
    command += ["--workflow-profile", str(ROOT / "profiles/default"), "--directory", str(folder)]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments, "--configfile", "mine.yaml"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    check = run("check_dataset", "--config", "dataset=mylab")
    assert check.returncode == 0, check.stdout
    assert "The dataset `mylab`" in check.stdout and ": in order" in check.stdout
    recording = folder / "results/neural/mylab/anna.h5"
    read = run(str(recording))
    assert read.returncode == 0, read.stdout
    assert load_recording(recording).dataset == "mylab"
    nameless = run("check_dataset")
    assert nameless.returncode != 0 and "snakemake check_dataset --config dataset=NAME" in nameless.stdout
    misplaced = run(str(recording), "--config", "dataset=mylab")
    assert misplaced.returncode != 0 and "config key dataset\n" in misplaced.stdout
    assert "did you mean `datasets`?" in misplaced.stdout
