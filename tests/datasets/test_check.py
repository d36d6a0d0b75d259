"""check_data and check_dataset: every kind of problem is found, all at once, without a traceback."""

import csv
import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from example_recording import ROOT, documented_entry, write_example
from PIL import Image

from cortexscale.check.dataset import check_dataset
from cortexscale.check.raw_data import changed_counts, check_data
from cortexscale.check.report import ReportSection
from cortexscale.datasets.manifest import released_file
from cortexscale.datasets.readers import load_reader
from cortexscale.datasets.registry import NAMES
from cortexscale.errors import InputError
from cortexscale.plan import Plan
from cortexscale.study.data import Dataset
from cortexscale.study.images import StimulusSet
from cortexscale.study.models import Suite

MODELS = [{"source": "timm", "ids": ["test_resnet"], "layers": ["layer1"]}]
EEG1 = {"label": "T-EEG1", "reader": "things_eeg1", "stimuli": "photographs", "path": "eeg1", "subjects": ["sub-02"]}


@pytest.fixture
def entry(tmp_path, monkeypatch) -> dict:
    """The current folder holds the example in good order."""
    write_example(tmp_path)
    monkeypatch.chdir(tmp_path)
    entry = documented_entry()
    entry["stimuli"]["photographs"]["expected"] = 140
    return entry


def checked(entry: dict, **settings) -> str:
    datasets = {name: Dataset(**values) for name, values in entry["datasets"].items()}
    return check_data("mine", datasets, {name: StimulusSet(**s) for name, s in entry["stimuli"].items()}, **settings).text()


def mylab(entry: dict, **changes) -> dict:
    return entry["datasets"]["mylab"] | changes


def test_files_in_order(entry):
    text = checked(entry)
    assert text.startswith("Raw data of study `mine`: in order")
    assert "4 of 4 files" in text and "2 subject(s)" in text and "140 images" in text
    assert "To get it" not in text, "how to get it is shown for what is missing only"


def test_all_kinds_of_problems_in_one_report(entry):
    raw = Path("resources/mylab")
    (raw / "anna_responses.npz").write_text("/annex/objects/MD5E-s123--abc.npz\n")
    (raw / "anna_neurons.csv").unlink()
    (raw / "bruno_neurons.csv").write_text("<!DOCTYPE html><p>Sign in</p>")
    Path("resources/photographs/scene1/photograph_001.png").unlink()
    Path("resources/photographs/scene2/photograph_002.png").write_bytes(b"")
    for kind in ("eeg.vhdr", "eeg.vmrk", "eeg.eeg", "events.tsv"):
        file = Path(f"eeg1/sub-02/eeg/sub-02_task-rsvp_{kind}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half a file")
    entry["datasets"] |= {
        "misspelt": mylab(entry, options={"n_trian": 3}),
        "strangers": mylab(entry, subjects=["carla"], rois=["V9"]),
        "readerless": mylab(entry, reader="tsvd"),
        "cut": EEG1 | {"rois": ["occipital"]},
        "meg": {**EEG1, "reader": "things_meg", "path": "meg", "subjects": ["P1"], "rois": ["occipital"]},
    }
    text = checked(entry, missing=["resources/checkpoints/x/ep100.pt"])
    for line in (
        "resources/checkpoints/x/ep100.pt",
        "1 of 4 files are missing",
        "anna_neurons.csv",
        "anna_responses.npz: a git-annex pointer",
        "bruno_neurons.csv: an HTML page",
        "139 images; 140 are expected",
        "resources/photographs/scene2/photograph_002.png",
        "config key datasets.misspelt.options.n_trian",
        "did you mean `n_train`?",
        "config key datasets.strangers.subjects",
        "config key datasets.strangers.rois",
        "config key datasets.readerless.reader",
        "sub-02/eeg/sub-02_task-rsvp_eeg.eeg: 11 bytes; 813,274,560 in the release (OpenNeuro ds003825 1.2.0)",
        "sub-02/eeg/sub-02_task-rsvp_eeg.vhdr: 11 bytes; 11,197 in the release",
        "4 of 4 files are missing (at least 8.3 GB)",
        "preprocessed_P1-epo-3.fif",
        "Do not fetch the whole data set (1.1 TB)",
        "on the lab's server",
        "OpenNeuro ds003825",
    ):
        assert line in text, f"{line!r} is not in\n{text}"
    assert "Traceback" not in text


def suite(images: Path, **changes) -> Suite:
    entry = {"source": "suite", "dataset": "objects", "images": str(images), "expected": 6, "classes": 2, "image_size": 8}
    entry |= {"architectures": {}, "samples_per_class": [0, 3], "recipe": {}}
    return Suite(**entry | changes)


@pytest.fixture(params=["folders", "array", "shards"])
def training_images(request, tmp_path) -> Path:
    """The folder holds six training images and two for validation, of two classes."""
    splits = {"train": (0, 0, 0, 1, 1, 1), "val": (0, 1)}
    if request.param == "array":
        content = {}
        for split, labels in splits.items():
            name = "validation" if split == "val" else split
            content |= {f"{name}_images": np.zeros((len(labels), 8, 8, 3), np.uint8), f"{name}_labels": np.array(labels)}
        np.savez(tmp_path / "objects.npz", **content)
        return tmp_path / "objects.npz"
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    for split, labels in splits.items():
        for number, label in enumerate(labels):
            if request.param == "folders":
                file = tmp_path / f"{split}/{'ab'[label]}/{number}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(picture.getvalue())
                continue
            with tarfile.open(tmp_path / f"{split}-0.tar", "a") as shard:
                for name, content in ((f"{number}.png", picture.getvalue()), (f"{number}.cls", str(label).encode())):
                    entry = tarfile.TarInfo(name)
                    entry.size = len(content)
                    shard.addfile(entry, io.BytesIO(content))
    return tmp_path


def test_training_images_are_those_that_the_config_says(training_images):
    text = check_data("s", {}, {}, suites=[suite(training_images)]).text()
    assert ": in order" in text and "train: 6 images of 2 classes" in text and "val: 2 images of 2 classes" in text
    wrong = suite(training_images, expected=7, classes=3, samples_per_class=[0, 4])
    text = check_data("s", {}, {}, suites=[wrong]).text()
    for line in (
        "train: 2 classes; 3 expected",
        "val: 2 classes; 3 expected",
        "train: 6 images; 7 expected",
        "train: class 0 has 3 images, `samples_per_class` asks for 4",
    ):
        assert line in text, text


def test_training_images_without_a_split_or_with_an_empty_class_are_told(tmp_path):
    for folder in ("train/a", "train/b"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "train/a/0.png").touch()
    text = check_data("s", {}, {}, suites=[suite(tmp_path, expected=1)]).text()
    assert "train: 1 classes have no image" in text and "val/<class>/" in text


@pytest.mark.slow
def test_checkpoints_that_are_none_and_names_that_timm_does_not_know(tmp_path):
    for name, content in {"page": "<!DOCTYPE html>", "pointer": "/annex/objects/MD5E-s1--a.pt\n", "good": "PK"}.items():
        (tmp_path / name).write_text(content)
    files = [str(tmp_path / name) for name in ("page", "pointer", "good", "not_yet_downloaded")]
    names = ["resnet18", "resnet18.a1_in1k", "hf-hub:owner/net", "resnet18.a1_in2k", "visoin_transformer"]
    text = check_data("s", {}, {}, checkpoints=files, timm_names=names).text()
    assert "page: an HTML page" in text and "pointer: a git-annex pointer" in text and "1 checkpoint(s) found" in text
    assert "good:" not in text and "not_yet" not in text
    assert "resnet18.a1_in2k; resnet18 has the weights resnet18.a1_in1k" in text and "visoin_transformer" in text
    assert "owner/net" not in text and "resnet18\n" not in text


def test_a_linked_but_unfetched_file(entry):
    file = Path("resources/mylab/anna_responses.npz")
    file.unlink()
    file.symlink_to(".git/annex/objects/gone")
    assert "anna_responses.npz: a link to a file that is not there" in checked(entry)


def test_what_inspect_finds_is_reported_for_every_subject(entry):
    entry["datasets"]["mylab"]["options"]["n_test"] = 21
    text = checked(entry)
    assert "resources/mylab/anna_responses.npz\n" in text and "resources/mylab/bruno_responses.npz\n" in text
    assert text.count("found:") == 2


def test_the_same_problem_of_many_subjects_is_told_once():
    section = ReportSection("old release")
    for subject in ("anna", "bruno", "carla"):
        with section.collect("inspecting", "nobody"):
            raise InputError(subject, "onsets in samples", "seconds", f"fetch {subject} again")
    with section.collect("inspecting", "nobody"):
        raise InputError("dora", "nothing", "a file", "fetch it")
    assert len(section.problems) == 2
    assert "anna\n" in section.text() and "also:     2 more, for example carla" in section.text() and "dora\n" in section.text()


@pytest.mark.parametrize(("path", "right"), [("resources", "resources/mylab"), ("resources/mylab/deeper", "resources/mylab")])
def test_a_path_that_is_a_level_off_is_corrected(entry, path, right):
    entry["datasets"]["mylab"]["path"] = path
    text = checked(entry)
    assert "4 of them would be found if the path were" in text
    found = text.split("if the path were ")[1].splitlines()[0]
    assert Path(found).resolve() == Path(right).resolve()


@pytest.mark.parametrize(
    ("path", "right"), [("resources", "resources/photographs"), ("resources/photographs/scene1", "resources/photographs")]
)
def test_an_image_folder_that_is_a_level_off_is_corrected(entry, path, right):
    entry["stimuli"]["photographs"]["path"] = path
    found = checked(entry).split("if the path were ")[1].splitlines()[0]
    assert Path(found).resolve() == Path(right).resolve()


def test_archives_that_were_not_unpacked_are_pointed_out(entry):
    for folder in ("resources/mylab", "resources/photographs"):
        shutil.rmtree(folder)
        with zipfile.ZipFile(f"{folder}.zip", "w") as archive:
            archive.writestr("x", "y")
    text = checked(entry)
    assert "there is no folder resources/mylab" in text
    assert text.count("perhaps not unpacked: resources/mylab.zip, resources/photographs.zip") == 2


def test_many_missing_files_are_counted_by_folder(entry):
    subjects = [f"sub-{number:02d}" for number in range(2, 12)]
    entry["datasets"] = {"eeg1": EEG1 | {"rois": ["occipital"], "subjects": subjects}}
    text = checked(entry)
    assert "40 of 40 files are missing" in text and "sub-11/eeg: 4 files" in text
    for subject in subjects:
        for kind in ("eeg.vhdr", "eeg.vmrk", "eeg.eeg"):
            file = Path(f"eeg1/{subject}/eeg/{subject}_task-rsvp_{kind}")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("x", encoding="utf-8")
    entry["datasets"]["eeg1"]["subjects"] += [f"sub-{number:02d}" for number in range(12, 16)]
    assert "sub-02/eeg: sub-02_task-rsvp_events.tsv" in checked(entry), "few files of a folder are named"


def test_sizes_are_compared_with_full_releases_only(entry):
    file = Path("eeg1/sub-02/eeg/sub-02_task-rsvp_eeg.eeg")
    file.parent.mkdir(parents=True)
    file.write_bytes(b"short")
    entry["datasets"] = {"eeg1": EEG1 | {"rois": ["occipital"], "options": {"n_train": 10, "min_nc_percent": 2}}}
    text = checked(entry)
    assert "sizes were not compared with the release, because the config changes n_train" in text and "813,274,560" not in text


def test_only_counts_say_that_files_are_not_the_release():
    tvsd = load_reader("tvsd").Options
    assert changed_counts(tvsd(min_reliability=0.3)) == []
    assert changed_counts(tvsd(n_train=10, n_repetitions=4)) == ["n_train", "n_repetitions"]
    nsd = load_reader("nsd").Options
    assert changed_counts(nsd(max_voxels=40_000, selection="whole_brain")) == []
    assert changed_counts(nsd(sessions={"subj01": 3})) == ["sessions"]


def test_checksums_only_on_request(entry):
    Path("fz").mkdir()
    name = "stimulus_FreemanZiemba2013_aperture-public.csv"
    Path("fz", name).write_text("image_id,filename\n", encoding="utf-8")
    other = {"label": "FZ", "reader": "freemanziemba", "stimuli": "photographs", "path": "fz", "subjects": ["pooled"]}
    entry["datasets"] = {"fz": other | {"rois": ["V1"]}}
    assert "194c9b301a4e" not in checked(entry)
    assert "194c9b301a4e3e9cff02481d4c19b39331d52660 in the release" in checked(entry, checksums=True)


def test_the_manifest():
    samples = released_file("things_eeg1", Path("sub-02/eeg/sub-02_task-rsvp_eeg.eeg"))
    assert samples.bytes == 813_274_560 == 4 * 63 * 3_227_280 and samples.algo == "md5"
    nested = Path("ds004212-download/derivatives/preprocessed/preprocessed_P2-epo-1.fif")
    assert released_file("things_meg", nested).path == "derivatives/preprocessed/preprocessed_P2-epo-1.fif"
    assert (
        released_file("things_meg", Path("preprocessed_P2-epo-1.fif")).path
        == "derivatives/preprocessed/preprocessed_P2-epo-1.fif"
    )
    betas = Path("nsddata_betas/ppdata/subj04/func1pt8mm/betas_fithrf_GLMdenoise_RR/betas_session30.hdf5")
    assert released_file("nsd", betas).at_least == 85 * 99 * 80 * 750 * 2
    assert released_file("nsd", Path("betas_session30.hdf5")) is None, "every subject has a file of that name"
    doubled = Path("sub-01/sub-01/ses-01/raw_eeg_test.npy")
    assert released_file("things_eeg2", doubled).at_least == 64 * 8 * 1_355_160
    assert released_file("mylab", Path("anything")) is None


FURTHER = {"things_eeg2": {"source": "brainvision"}, "things_meg": {"trials": "table"}}
"""These options make a reader open other files of its release."""


@pytest.mark.parametrize("reader", NAMES)
def test_every_row_of_the_manifest_is_a_file_that_the_reader_opens(reader, tmp_path):
    module = load_reader(reader)
    known = set()
    for options in (module.Options(), module.Options(**FURTHER.get(reader, {}))):
        files = [file for subject in module.SUBJECTS for file in module.raw_files(tmp_path, subject, options)]
        known |= {released for file in files if (released := released_file(reader, file.relative_to(tmp_path)))}
    with (ROOT / f"cortexscale/datasets/{reader}/manifest.tsv").open() as table:
        rows = {row["path"] for row in csv.DictReader(table, delimiter="\t")}
    assert {released.path for released in known} == rows and rows


def test_a_reader_that_crashes_is_a_problem_and_not_the_end(entry):
    own = Path("reader.py")
    text = (ROOT / "docs/example_dataset.py").read_text()
    own.write_text(
        text.replace("    _read_files(root, subject, options)  # these files", "    {}['x']  # these files"), encoding="utf-8"
    )
    entry["datasets"]["crash"] = mylab(entry, reader=str(own))
    report = checked(entry)
    assert "inspecting anna fails with KeyError: 'x'" in report and "mylab (MyLab-EP) in resources/mylab: ok" in report


# ------------------------------------------------------------------------------------------ check_dataset


def conformance(entry: dict, **changes: str) -> str:
    """Return the report on the example after replacements in its text."""
    text = (ROOT / "docs/example_dataset.py").read_text()
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    Path("reader.py").write_text(text, encoding="utf-8")
    dataset = Dataset(**mylab(entry, reader="reader.py"))
    return check_dataset("mylab", dataset, StimulusSet(**entry["stimuli"]["photographs"])).text()


def test_a_module_without_its_parts(entry):
    text = conformance(
        entry,
        subjects=('SUBJECTS = ("anna", "bruno")', 'SUBJECTS = ["anna", "bruno"]'),
        source=('licence="not released; ask the authors"', 'licence=" "'),
        forbid=('BaseModel, extra="forbid"', "BaseModel"),
        undocumented=(', description="Training images."', ""),
        inspect=("def inspect(", "def look("),
        read=("def read(root: Path, subject: str, options: Options)", "def read(root: Path, options: Options)"),
        docstring=(
            (
                '"""Return the peak memory of :func:`read` in MB: the memory of the libraries, and about twice '
                'the size of all arrays."""'
            ),
            "",
        ),
    )
    for line in (
        "SUBJECTS is ['anna', 'bruno']; a tuple of names is expected",
        "SOURCE has no text for licence",
        "Options accepts misspelt keys",
        "Options.n_train is not documented",
        "there is no function inspect(root, subject, options)",
        "read(root, options) is defined; read(root, subject, options) is expected",
        "memory_mb(options) has no docstring",
        "docs/adding_a_dataset.md",
    ):
        assert line in text, f"{line!r} is not in\n{text}"
    assert "7 problems" in text


@pytest.mark.slow
def test_a_recording_that_breaks_its_promises(entry):
    entry["datasets"]["mylab"]["rois"] = ["V4", "IT"]
    Path("resources/photographs/scene1/photograph_001.png").unlink()
    text = conformance(
        entry,
        random=("test = arrays[", "arrays['train'] = arrays['train'] + np.random.default_rng().normal()\n    test = arrays["),
        heavy=("import numpy as np\n", "import numpy as np\nimport scipy.signal\n"),
        roi=('screening[roi] = neurons["area"] == roi', 'screening[roi] = (neurons["area"] == roi) & (roi == "IT")'),
        screening=(", screening=screening", ""),
        float64=(".astype(np.float32), np.ones", ", np.ones"),
        shape=("options.max_neurons * len(subjects)", "5"),
        memory=("return 250 + 16", "return 2 + 0"),
        subject=('Recording("mylab", subject,', 'Recording("mylab", "anna",'),
        inspect=("    _read_files(root, subject, options)  # these files", "    pass  # they"),
    )
    for line in (
        "two reads give different recordings",
        "the module imports scipy at its top",
        "no subject has a unit in V4",
        "no screening table",
        "train responses have the type float64; float32 is expected",
        "units in one kernel were read; shape gives at most 5",
        "MB; memory_mb gives 2",
        "the recording has the subject anna; bruno was asked for",
        "inspect accepts an empty folder",
        "1 of 140 stimuli have no image in resources/photographs",
        "scene1/photograph_001.png",
    ):
        assert line in text, f"{line!r} is not in\n{text}"


@pytest.mark.slow
def test_raw_files_that_are_elsewhere_or_missing_and_a_read_that_crashes(entry):
    Path("resources/mylab/anna_neurons.csv").unlink()
    text = conformance(
        entry,
        outside=('[Path(root) / f"{subject}_responses.npz",', '[Path("elsewhere.npz"), Path(root) / f"{subject}_responses.npz",'),
    )
    assert "raw_files outside resources/mylab" in text and "resources/mylab/anna_neurons.csv" in text
    write_example(Path("again"))
    entry["datasets"]["mylab"]["path"] = "again/resources/mylab"
    text = conformance(entry, crash=("arrays, neurons = _read_files", "1 / 0\n    arrays, neurons = _read_files"))
    assert text.count("an exception that is not an InputError") == 2 and "ZeroDivisionError" in text


@pytest.mark.slow
def test_noise_ceilings_that_are_fractions(entry):
    text = conformance(
        entry,
        fraction=("nc_percent = noise_ceiling_percent(", "nc_percent = 0.01 * noise_ceiling_percent("),
        threshold=("nc_percent > options.min_nc_percent", "nc_percent > 0.1"),
    )
    assert text.count("no noise ceiling above 1 (are these fractions?); percent of variance") == 2


# ------------------------------------------------------------------------------------------ in Snakemake


def snakemake(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1"]
    command += ["--workflow-profile", str(ROOT / "profiles/default")]
    return subprocess.run([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
def test_snakemake_check_data(entry):
    config = {"study": "mine", "results": "results", "models": MODELS, **entry}
    Path("mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    good = snakemake("check_data", "--config", "checksums=true", "--configfile", "mine.yaml")
    assert good.returncode == 0 and "Raw data of study `mine`: in order" in good.stdout, good.stdout
    Path("resources/mylab/anna_neurons.csv").unlink()
    bad = snakemake("check_data", "--configfile", "mine.yaml")  # a second time it looks again
    assert bad.returncode != 0
    assert "Raw data of study `mine`: 1 problem" in bad.stdout and "anna_neurons.csv" in bad.stdout
    assert "Traceback" not in bad.stdout
    assert "1 of 4 files are missing" in Path("results/qc/check_data.txt").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="`snakemake check_data` says more"):
        Plan(config).begin()


@pytest.mark.slow
def test_without_a_config_file_the_default_one_is_loaded(entry):
    Path("config").mkdir()
    config = {"study": "mine", "results": "results", "models": MODELS, **entry}
    Path("config/config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    plan = snakemake("check_dataset", "--dry-run", "--config", "dataset=mylab")
    assert plan.returncode == 0 and "rule check_dataset" in plan.stdout, plan.stdout


def test_a_broken_module_does_not_stop_its_own_check(entry):
    Path("broken.py").write_text("SUBJECTS = ('anna',)\n", encoding="utf-8")
    entry["datasets"]["mylab"]["reader"] = "broken.py"
    config = {"study": "mine", "results": "results", "models": MODELS, "dataset": "mylab", **entry}
    plan = Plan(config, {"check_dataset"})
    assert plan.checks.dataset == "mylab" and plan.data.simulated_inputs(["mylab"]) == []
    with pytest.raises(InputError, match=r"broken\.py without ROIS, SOURCE, .*\n.*\n.*check_dataset"):
        Plan({key: value for key, value in config.items() if key != "dataset"})
    with pytest.raises(InputError, match=r"dataset=yours\n.*one of mylab"):
        Plan(config | {"dataset": "yours"}, {"check_dataset"})


def test_a_simulated_study_is_checked_after_the_simulation(entry):
    pictures = {"layout": "image_folder", "path": "{results}/raw/things/object_images"}
    textures = {"layout": "brainscore", "path": "{results}/raw/fz/stimulus_FreemanZiemba2013_aperture-public.csv"}
    fz = {"label": "FZ", "reader": "freemanziemba", "stimuli": "textures", "path": "{results}/raw/fz"}
    sizes = {"image_size": 32, "task_images": 32, "validation_images": 32, "hidden_network_steps": 1}
    config = {"study": "mine", "results": "results", "models": MODELS, **entry}
    config["simulation"] = sizes | {
        "things": {"concepts": 3, "images_per_concept": 13},
        "datasets": {"fz": {"samples": 2, "repetitions": 2, "units": 2}},
    }
    config["stimuli"] |= {"things": pictures, "textures": textures}
    config["datasets"]["fz"] = fz | {"subjects": ["pooled"], "rois": ["V1"]}
    config["datasets"]["eeg1"] = EEG1 | {"rois": ["occipital"], "stimuli": "things"}
    plan = Plan(config, {"check_data"})
    assert plan.data.simulated_inputs(plan.data.datasets) == ["results/raw/fz", "results/raw/things/object_images"]
    assert plan.data.simulated_inputs(["fz"]) == ["results/raw/fz"]
    assert plan.data.simulated_inputs(["mylab"]) == [], "released files are not asked for: that they are missing is what is told"
