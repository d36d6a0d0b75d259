"""The estimate follows the formulas of all stages, grows as they do, and agrees with the time of the demo study."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import yaml
from places import COMPLETE, COMPLETE_RESULTS, ROOT

from cortexscale.alignment.bounds import committed_layers, most_committed_layers
from cortexscale.costs import PRESETS, Machine
from cortexscale.errors import InputError
from cortexscale.estimate.measure import machine_of, measure
from cortexscale.estimate.networks import networks
from cortexscale.estimate.report import duration, report
from cortexscale.estimate.sizes import ExpectedSizes
from cortexscale.estimate.stages import Estimate, Stage
from cortexscale.features.blocks import WAITING
from cortexscale.figures.content import table_of
from cortexscale.figures.paper import PAPER
from cortexscale.figures.registry import CONTENTS
from cortexscale.kernels.bounds import (
    EIGENVECTORS,
    factor_seconds,
    geometry_seconds,
    gram_seconds,
    projection_seconds,
    ridge_seconds,
    stored_kernel_seconds,
)
from cortexscale.models.bounds import Network
from cortexscale.plan import Plan
from cortexscale.recording import Recording, Split
from cortexscale.study import Estimate as StudyEstimate

ALEXNET = "alexnet_imagenet_full_seed-0"
UNIT = Machine(**dict.fromkeys(Machine.model_fields, 1.0))
H200 = PRESETS["h200"]


def only(**rates: float) -> Machine:
    """Make a machine that takes no time for anything but these rates."""
    free = {name: 1e-30 if name.startswith("start") else 1e30 for name in Machine.model_fields}
    return Machine(**free | rates)


def needs(figure: str) -> set[str]:
    """Return the tables without which a figure of the paper, or of the registry, cannot be drawn."""
    content = CONTENTS[PAPER[figure].content if figure in PAPER else figure]
    return {table_of(path) for name, path in content.tables.items() if name not in content.optional}


def paper(results: Path | str, only: str = "*", **changes) -> dict:
    """Return the paper's study with published models alone, by default all, and without readouts and fine-tuning."""
    config = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
    models = [{"source": "spvvs", "path": "nowhere", "only": [only]}]
    figures = [figure for figure in config["figures"] if not needs(figure) & {"mapping", "finetuning"}]
    config |= {"results": str(results), "models": models, "mapping": None, "finetuning": None, "figures": figures}
    if only != "*":
        config |= {"projection_study": None, "figures": [name for name in config["figures"] if name not in ("figS9", "figS10")]}
    return config | changes


def estimate(config: dict, machine: Machine = H200) -> Estimate:
    plan = Plan(config, {"estimate"})
    return Estimate(plan, ExpectedSizes(plan, networks(plan.models.inventory.values())), machine)


def stages(config: dict, machine: Machine = H200) -> dict[str, Stage]:
    return {stage.name: stage for stage in estimate(config, machine).stages()}


# ---------------------------------------------------------------------------------------------- arithmetic


def test_full_search_by_hand():
    full = {"n": 10, "units": 3, "alphas": 2, "search": "full"}
    assert ridge_seconds(only(inverse_float64=1), "float64", **full, folds=5) == pytest.approx(2 * 1000 * 1.2)
    assert ridge_seconds(only(gemm_float64=1), "float64", **full, folds=5) == pytest.approx(2 * 4 * 100 * 3)
    assert ridge_seconds(only(elementwise=1), "float64", **full, folds=5) == pytest.approx(2 * 55 * 10 * 3)
    assert ridge_seconds(only(inverse_float64=1), "float64", **full) == pytest.approx(2 * 1000)
    assert ridge_seconds(only(gemm_float64=1), "float64", **full, n_test=4) == pytest.approx(2 * (200 + 80) * 3)


def test_adaptive_search_inverts_six_and_guesses_on_half():
    machine = only(inverse_float32=1)
    assert ridge_seconds(machine, "float32", 10, 3, 10, search="adaptive") == pytest.approx(6 * 1000 + 10 * 5**3)
    assert ridge_seconds(machine, "float32", 10, 3, 2, search="adaptive") == pytest.approx(2 * 1000 + 2 * 5**3)


def test_gram_and_projection_by_hand():
    assert gram_seconds(UNIT, "float64", 10, 7) == pytest.approx(10**2 * 7 + 2 * 10 * 7 + 3 * 10 * 7)
    assert projection_seconds(UNIT, "sparse", 100, 100, 32) == 0
    assert projection_seconds(UNIT, "sparse", 400, 50, 32) == pytest.approx(50 * 20)
    assert projection_seconds(UNIT, "countsketch", 400, 50, 32) == pytest.approx(400)
    assert projection_seconds(UNIT, "gaussian", 400, 50, 10) == pytest.approx(2 * 400 * 50 + 400 * 50)


def test_geometries_by_hand(tmp_path):
    """Eight subjects of NSD have kernels of their own, 1,000 test images and 28 ROIs each."""
    machine = only(gemm_float64=2, elementwise=4)
    assert geometry_seconds(machine, "float64", 10, 3, 50) == 10**2 * 50 / 2 + 3 * 10 * 10**2 / 4
    config = paper(tmp_path, ALEXNET) | {"metrics": {"similarity": ["test"]}}
    config["datasets"] = {"nsd": config["datasets"]["nsd"]}
    config["figures"], config["estimate"] = [], {"machine": "h200", "units": {"nsd": 13_000}}
    found = stages(config, only(elementwise=1))["prepare_responses"]
    assert found.seconds == [pytest.approx(8 * 28 * 10 * 1000**2)] and found.disk == 8 * 28 * 4 * 1000**2


def test_a_factor_by_hand(tmp_path):
    """ROIs with more units than stimuli have factors: in subjects of NSD with 13,000 voxels the whole brain, and its parts."""
    assert factor_seconds(only(gemm_float64=2, inverse_float64=3), 10, 50) == 10**2 * 50 / 2 + EIGENVECTORS * 10**3 / 3
    config = paper(tmp_path, ALEXNET, figures=[], estimate={"machine": "h200", "units": {"nsd": 13_000}})
    config["datasets"] = {"nsd": config["datasets"]["nsd"]}
    found = stages(config, only(inverse_float64=1))["prepare_responses"]
    assert found.seconds == [pytest.approx(8 * 3 * EIGENVECTORS * 9000**3)]
    config["estimate"]["units"]["nsd"] = 8_000
    assert stages(config, only(inverse_float64=1))["prepare_responses"].seconds == [pytest.approx(0)]


def test_a_stored_kernel_is_read_and_a_narrow_layer_made_by_hand():
    assert stored_kernel_seconds(UNIT, "float64", 10, 11) == pytest.approx(2 * 10**2 + 2 * 10**2)
    assert stored_kernel_seconds(UNIT, "float64", 10, 10) == gram_seconds(UNIT, "float64", 10, 10)


def test_auto_precision_is_float64_unless_the_device_is_slow_at_it():
    fast, slow = only(gemm_float64=5, gemm_float32=11), only(gemm_float64=1, gemm_float32=32)
    assert (fast.gemm("auto"), slow.gemm("auto"), slow.gemm("float64")) == (5, 32, 1)


def test_twice_the_stimuli_take_eight_times_the_inverses():
    def seconds(machine, n):
        return ridge_seconds(machine, "float64", n, 100, 10, search="adaptive", folds=5)

    for machine, growth in ((only(inverse_float64=1), 8), (only(gemm_float64=1), 4), (only(elementwise=1), 2)):
        assert seconds(machine, 2000) == pytest.approx(growth * seconds(machine, 1000))


def test_committed_layers_are_no_more_than_candidates_and_fewer_than_at_most():
    assert committed_layers(3, 28) == 3 and committed_layers(80, 1) == 1 and 5 < committed_layers(80, 28) < 6
    assert most_committed_layers(3, 28) == 3 and most_committed_layers(80, 1) == 1
    assert most_committed_layers(80, 28) > 12 and most_committed_layers(80, 53) > 17, "as published, of 85 architectures"


def test_durations_are_readable():
    assert [duration(s) for s in (3, 150, 7300, 1e7)] == ["3.0 s", "2.5 min", "2.0 h", "2,777.8 h"]


# ---------------------------------------------------------------------------------------------- studies


def test_one_stage_by_hand(tmp_path):
    """A study of one published model on TVSD takes the time of each rate in turn."""
    config = paper(tmp_path, "alexnet_imagenet_full_seed-0", figures=[])
    config["datasets"] = {"tvsd": config["datasets"]["tvsd"]}
    config["stimuli"] = {"things": config["stimuli"]["things"]}
    config["estimate"] = {"units": {"tvsd": 500}}
    config["ridge"] = {"alphas": {"count": 4, "search": "full"}, "precision": "float64"}
    config["features"] = {"projection": {"dimensions": 100}}
    (alexnet,) = networks(Plan(config, {"estimate"}).models.inventory.values()).values()
    n, layers = 22_248, len(alexnet.widths)
    assert layers == 13 + 1 + 7 and alexnet.widths[0] == 64 * 55**2 and alexnet.flops == pytest.approx(2 * 714e6, rel=1e-3)

    search = stages(config, only(inverse_float64=1))["layer_search"]
    assert search.seconds == [pytest.approx(layers * 4 * n**3 * 1.2)]
    search = stages(config, only(gemm_float64=1))["layer_search"]
    assert search.seconds == [pytest.approx(layers * (n**2 * 100 + 4 * 4 * n**2 * 1000))]
    features = stages(config, only(forward=1))["features"]
    assert features.seconds == [pytest.approx(26_107 * alexnet.flops)]
    features = stages(config, only(projection=1))["features"]
    assert features.seconds == [pytest.approx(26_107 * 3**0.5 * 100 * np.mean(np.sqrt(alexnet.widths)))]
    assert features.disk == pytest.approx(2 * 26_107 * 3**0.5 * 100)
    aligned = stages(config, only(inverse_float64=1))["alignment"]
    assert aligned.seconds == [pytest.approx(3**0.5 * 4 * n**3)]
    preprocess = stages(config, only(disk_write=1))["preprocess"]
    assert preprocess.seconds == [pytest.approx(4 * 22_348 * 500)] * 2 and preprocess.disk == sum(preprocess.seconds)


def exact(tmp_path, **features) -> dict:
    """Return a study of exact kernels of one published model, on TVSD and NSD."""
    config = paper(tmp_path, "alexnet_imagenet_full_seed-0", figures=[])
    config["datasets"] = {name: config["datasets"][name] for name in ("tvsd", "nsd")}
    config["stimuli"] = {name: config["stimuli"][name] for name in ("things", "nsd")}
    return config | {"estimate": {}, "features": {"projection": {"family": "exact"}, **features}}


def test_exact_kernels_by_hand(tmp_path):
    """The images that are shown pass the network as often as scratch space asks for; subjects of NSD have kernels each."""
    widths, shown, kernels = (2_000, 200_000), (22_348, 73_000), ([22_348], [10_000] * 8)

    def found(machine, **features) -> dict[str, Stage]:
        reckoned = estimate(exact(tmp_path, **features), machine)
        reckoned.sizes.networks = dict.fromkeys(reckoned.sizes.networks, Network(1e9, widths, 10, 10))
        return {stage.name: stage for stage in reckoned.stages()}

    stored = [sum(2 * n * min(n, width) for n in ns for width in widths) for ns in kernels]
    committed = [3**0.5 / 2, 1]  # of the two layers, by three ROIs of TVSD and by more of NSD
    assert found(UNIT)["features"].disk == pytest.approx(sum(c * s for c, s in zip(committed, stored, strict=True)))
    activations = [2 * images * sum(widths) for images in shown]
    for scratch_gb, passes in ((100, (1, 1)), (10, (1, 2)), (4, (2, 2))):  # no more than there are layers
        seconds = found(only(forward=1), scratch_gb=scratch_gb)["sweep_features"].seconds
        assert seconds == pytest.approx([often * images * 1e9 for often, images in zip(passes, shown, strict=True)])
    written = [a + s for a, s in zip(activations, stored, strict=True)]
    assert found(only(disk_write=1))["sweep_features"].seconds == pytest.approx(written)
    products = [sum(n**2 * width for n in ns for width in widths) for ns in kernels]
    assert found(only(gemm_float64=1, gemm_float32=1))["sweep_features"].seconds == pytest.approx(products)
    assert found(only(disk_read=1))["layer_search"].seconds == pytest.approx(stored)
    assert "scratch_gb" in report("paper", estimate(exact(tmp_path)), "preset h200")


def test_exact_kernels_ask_for_memory_by_the_square_of_the_images(tmp_path):
    plan = estimate(exact(tmp_path)).plan
    asked = [getattr(plan.limits, rule) for rule in ("features", "sweep_features")]
    few, all_candidates = (limit("things", ALEXNET) for limit in asked)
    assert few.memory > 8 * 22_348**2 and few.memory < all_candidates.memory < few.memory + WAITING
    assert plan.alignment.kernel_recordings("nsd") == plan.data.recordings("nsd")
    few, all_candidates = (limit("nsd", ALEXNET) for limit in asked)
    assert few.minutes < all_candidates.minutes
    projected = Plan(paper(tmp_path, ALEXNET), {"estimate"})
    assert projected.alignment.kernel_recordings("nsd") == [] and projected.alignment.kernel_subjects("nsd") == {}


@pytest.mark.slow
def test_jobs_of_the_paper_are_those_that_snakemake_plans(tmp_path):
    """The study has 620 of the 632 models. test_workflow.py compares these numbers with Snakemake's."""
    found = {name: len(stage.seconds) for name, stage in stages(paper(tmp_path)).items()}
    assert found == {
        "preprocess": 78,
        "stimuli": 4,
        "download_checkpoint": 620,
        "model_cards": 1,
        "sweep_features": 4 * 60,
        "layer_search": 4 * 60,
        "commit_layers": 4 * 60,
        "features": 4 * 620,
        "prepare_responses": 4,
        "alignment": 4 * 620,
        "projection_study": 4 * 4,
        "fits": 3 * 5 + 1,
        "tables, figures": 48 + 8 + 4 + 1 + 3,
    }


def test_checkpoints_that_the_folder_lacks_are_downloaded(tmp_path):
    """AlexNet has 61.1 million parameters, DeiT-S 22.1, whose files hold averaged weights too."""
    alexnet, deit = "alexnet_imagenet_full_seed-0", "deit_small_imagenet_full_seed-0"
    models = [{"source": "spvvs", "path": str(tmp_path / "weights"), "only": [alexnet, deit]}]
    found = stages(paper(tmp_path, alexnet, models=models))["download_checkpoint"]
    assert len(found.seconds) == 2 and found.disk == pytest.approx(4 * (61.1e6 + 2 * 22.1e6), rel=1e-2)
    (tmp_path / "weights" / deit).mkdir(parents=True)
    (tmp_path / "weights" / deit / "ep300.pt").touch()
    found = stages(paper(tmp_path, alexnet, models=models))["download_checkpoint"]
    assert len(found.seconds) == 1 and found.disk == pytest.approx(4 * 61.1e6, rel=1e-2)
    models[0]["download"] = False
    assert "download_checkpoint" not in stages(paper(tmp_path, alexnet, models=models))


def test_twice_the_models_take_twice_the_hours(tmp_path):
    """The two data sets of an architecture share its reference model."""
    one = stages(paper(tmp_path, "alexnet_imagenet_full_seed-*"))
    two = stages(paper(tmp_path, "alexnet_*_full_seed-*"))
    for name in ("features", "alignment"):
        assert sum(two[name].seconds) == pytest.approx(2 * sum(one[name].seconds))
        assert two[name].disk == pytest.approx(2 * one[name].disk)
        assert max(two[name].seconds) == max(one[name].seconds)
    assert two["layer_search"].seconds == one["layer_search"].seconds


def test_subjects_of_nsd_have_kernels_of_their_own(tmp_path):
    sizes = estimate(paper(tmp_path, ALEXNET)).sizes
    assert [len(sizes.dataset(name).kernels) for name in sizes.data.datasets] == [1, 1, 1, 1, 8, 1, 1, 1]
    assert sizes.dataset("tvsd").kernels[0].units == 2 * 1024 and sizes.dataset("things_eeg1").kernels[0].units == 10 * 1500


def test_recordings_say_how_many_units_there_are(tmp_path):
    units = pd.DataFrame({"unit": ["a", "b", "c"], "nc_percent": 50.0})
    train, test = (Split(np.array([s + "1", s + "2"]), np.eye(2, 3, dtype=np.float32), np.ones(2, int)) for s in ("x", "y"))
    recording = Recording("tvsd", "monkeyF", train, test, units, pd.DataFrame({"V1": [True] * 3}))
    config = paper(tmp_path, ALEXNET, estimate={"units": {"tvsd": 500}})
    assert estimate(config).sizes.dataset("tvsd").kernels[0].units == 1000
    recording.save(tmp_path / "neural/tvsd/monkeyF.h5")
    assert estimate(config).sizes.dataset("tvsd").kernels[0].units == 2 * 3


def test_architectures_are_counted(tmp_path):
    config = yaml.safe_load(COMPLETE.read_text())
    plan = Plan(config | {"results": str(tmp_path)}, {"estimate"})
    counted = networks(plan.models.inventory.values())["vit_base_objects_full_seed-0"]
    tokens = (32 // 4) ** 2
    assert set(counted.widths) == {tokens * 48} and len(counted.widths) == 3 * 3 + 1
    linear = 2 * tokens * (3 * 4 * 4 * 48 + 3 * (4 * 48**2 + 2 * 48 * 4 * 48))
    assert linear < counted.flops < 1.2 * linear  # attention and the classifier are the rest


def test_a_projection_study_by_hand(tmp_path):
    """Activations are written once, and read for each projection; each is scored."""
    config = paper(tmp_path, "alexnet_imagenet_full_seed-0", figures=[])
    config["projection_study"] = {"models": {"alexnet_imagenet_full_seed-0": [100, 300]}, "seeds": [1, 2], "stimuli": ["hvm"]}

    def seconds(**rates):
        found = estimate(config, only(**rates))
        found.sizes.networks = dict.fromkeys(found.sizes.networks, Network(1e9, (200, 2000), 10, 10))
        (job,) = next(stage for stage in found.stages() if stage.name == "projection_study").seconds
        return job, found.sizes.committed(["majajhong"], found.sizes.network(ALEXNET))

    written, layers = seconds(disk_write=1)
    assert written == pytest.approx(2 * 3200 * layers * 1100)
    read, _ = seconds(disk_read=1)
    widths = (200 + 2000) / 2 + 2 * (100 + 100) / 2 + 2 * (200 + 300) / 2
    assert read == pytest.approx(4 * written + 2 * 3200 * layers * widths)
    projected, _ = seconds(projection=1)
    assert projected == pytest.approx(3200 * layers * 2 * (100 * 200**0.5 + 100 * 2000**0.5 + 300 * 2000**0.5) / 2)
    aligned = next(stage for stage in estimate(config, only(inverse_float64=1)).stages() if stage.name == "alignment")
    assert len(aligned.seconds) == 4 and seconds(inverse_float64=1)[0] > 4 * min(aligned.seconds)


def test_wide_networks_cost_more_than_their_stores(tmp_path):
    """Projection is paid for each layer that is wider than it, disk for at most its dimensions."""
    found = estimate(paper(tmp_path, "alexnet_imagenet_full_seed-0"), only(projection=1))
    found.sizes.networks = dict.fromkeys(found.sizes.networks, Network(1e9, (20_000, 200_000), 10, 10))
    store = {stage.name: stage for stage in found.stages()}["features"]
    assert found.sizes.network(ALEXNET).stored_width(30_000) == (20_000 + 30_000) / 2
    assert store.seconds[0] == pytest.approx(26_107 * 2 * (30_000 * 200_000**0.5) / 2)


# ---------------------------------------------------------------------------------------------- machines and reports


@pytest.mark.slow
def test_this_machine_is_measured(tmp_path):
    machine = measure(tmp_path)
    assert 1e8 < machine.gemm_float64 < machine.gemm_float32 * 1.5 and machine.inverse_float64 < machine.gemm_float64
    assert 0.1 < machine.start < 60 and machine.disk_write < 1e12
    assert not list(tmp_path.iterdir())


def test_rates_of_the_config_replace_those_of_a_preset(tmp_path):
    machine, origin = machine_of("h200", {"images": 5}, tmp_path)
    assert machine == H200.model_copy(update={"images": 5})
    assert "not measured" in origin and "set in the config: images" in origin


def test_a_rate_that_does_not_exist(tmp_path):
    with pytest.raises(InputError, match=r"estimate\.rates\.gem\n.*unknown key\n.*gemm_float64"):
        machine_of("here", {"gem": 1.0}, tmp_path)


def test_the_config_knows_every_machine(tmp_path):
    assert get_args(StudyEstimate.model_fields["machine"].annotation) == ("here", *PRESETS)
    with pytest.raises(InputError, match=r"estimate\.machine\n.*h2000'\n.*`here`, `h200` or `slowest`"):
        Plan(paper(tmp_path, ALEXNET, estimate={"machine": "h2000"}), {"estimate"})


def test_units_of_a_dataset_that_does_not_exist(tmp_path):
    with pytest.raises(InputError, match=r"estimate\.units\n.*tvds\n.*\n.*did you mean `tvsd`"):
        Plan(paper(tmp_path, estimate={"units": {"tvds": 5}}), {"estimate"})


@pytest.mark.slow
def test_the_report_says_what_it_assumes(tmp_path):
    text = report("paper", estimate(paper(tmp_path)), "preset h200")
    assert max(map(len, text.splitlines())) <= 120
    for words in (
        "620 models: FLOPs and layers counted",
        "unknown size",
        "preset h200",
        "at most",
    ):
        assert words in " ".join(text.split()), words
    assert all(name in text for name in Machine.model_fields)


@pytest.mark.slow
def test_the_command_needs_no_raw_data(tmp_path):
    config = tmp_path / "paper.yaml"
    config.write_text(yaml.safe_dump(paper("results", "alexnet_*", plan_without_data=False, estimate={"machine": "h200"})))
    command = [sys.executable, "-m", "snakemake", "estimate", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", str(config), "--directory", str(tmp_path), "--workflow-profile", "none", "--cores", "1"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    text = (tmp_path / "results/qc/estimate.txt").read_text()
    assert text in done.stdout and "layer_search" in text


def test_the_demo_study_took_about_what_was_estimated(tmp_path):
    """CPU seconds are compared, since wall time of a busy machine says little. Python takes most of them to start."""
    config = yaml.safe_load(COMPLETE.read_text()) | {"results": str(COMPLETE_RESULTS)}
    plan = Plan(config, {"estimate"})
    rules = {"layer_search": plan.alignment.searched, "alignment": plan.models.inventory}
    sets, root = plan.data.stimuli, COMPLETE_RESULTS / "benchmarks"
    files = {rule: [root / rule / name / f"{model}.tsv" for name in sets for model in rules[rule]] for rule in rules}
    missing = [file for wanted in files.values() for file in wanted if not file.exists()]
    if missing:
        pytest.skip(f"{len(missing)} benchmark files of the complete study are missing: make complete")
    expected = Estimate(plan, ExpectedSizes(plan, networks(plan.models.inventory.values())), measure(tmp_path)).stages()
    for stage in expected:
        if stage.name in files:
            runs = pd.concat([pd.read_csv(file, sep="\t", na_values="NA") for file in files[stage.name]])
            assert len(runs) == len(stage.seconds)
            ratio = sum(stage.seconds) / runs["cpu_time"].sum()
            print(f"{stage.name}: estimated {sum(stage.seconds):.0f} s, took {runs['cpu_time'].sum():.0f} s of CPU")
            assert 1 / 3 < ratio < 3, f"{stage.name}: {ratio:.2f} times what it took"


# ---------------------------------------------------------------------------------------------- readouts


def mapped(results: Path, *readouts: str, **changes) -> dict[str, Stage]:
    model = "alexnet_imagenet_full_seed-0"
    mapping = {"model": model, "datasets": ["tvsd"], "readouts": list(readouts), **changes}
    return stages(paper(results, model, mapping=mapping))


def test_readouts_cost_more_with_fractions_seeds_and_epochs(tmp_path):
    def seconds(readout: str, **changes) -> float:
        (job,) = mapped(tmp_path, readout, **changes)["mapping"].seconds
        return job - H200.start_network

    for readout in ("attention_shared", "low_rank_individual"):
        one = seconds(readout, percent=[100], seeds=[0])
        assert seconds(readout, percent=[100], seeds=[0, 1]) == pytest.approx(2 * one)
        assert seconds(readout, percent=[50, 100], seeds=[0]) == pytest.approx(1.5 * one)
    kind = {"attention": {"all": {"epochs": 60}}}
    assert seconds("attention_shared", recipes=kind) == pytest.approx(2 * seconds("attention_shared"))
    one, three = (seconds("linear_individual", percent=[100], seeds=seeds) for seeds in ([0], [0, 1, 2]))
    assert one == pytest.approx(three), "all stimuli are the same for every seed"
    assert one < seconds("linear_individual", percent=[50, 100], seeds=[0]) < 2 * one


def test_saved_linear_readouts_take_room(tmp_path):
    kept, dropped = (mapped(tmp_path, "linear_individual", save=save)["mapping"].disk for save in (True, False))
    assert kept > 0 == dropped
    assert mapped(tmp_path, "attention_shared")["tokens"].disk > 0
