"""Exact kernels: the numbers of unprojected features, in fewer bytes; whole or absent; of the images that recordings show."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import torch
import zarr
from hypothesis import given
from hypothesis import strategies as st
from memory import peak_mb
from small_network import noise_images, small_backbone

from cortexscale.alignment.layer import check_store
from cortexscale.alignment.score import score_alignment
from cortexscale.alignment.search import search_layers
from cortexscale.alignment.subjects import shown_images
from cortexscale.alignment.targets import shared_targets
from cortexscale.commitments import Commitments, CommittedLayer
from cortexscale.errors import InputError
from cortexscale.features import kernel_store
from cortexscale.features.blocks import ROWS, WAITING
from cortexscale.features.coding import CodedArray, Coding
from cortexscale.features.exact import extract_kernels, layers_at_a_time
from cortexscale.features.extract import ForwardPasses, extract_features
from cortexscale.features.image_sets import image_sets, in_reading_order, places, runs
from cortexscale.features.kernel_store import KernelStore, KernelWriter, open_store
from cortexscale.features.store import FeatureStore, StoreWriter
from cortexscale.kernels.gram import gram
from cortexscale.models.layers import candidate_layers
from cortexscale.recording import Recording, Split
from cortexscale.stimuli import StimulusImages
from cortexscale.study.features import Projection
from cortexscale.study.ridge import Alphas, Ridge
from cortexscale.study.targets import BestSubjects

IDENTITY = {"model": "m", "stimuli": "set"}
LAYERS = {"layers": {"narrow": {"position": 3, "depth": 0.3}, "wide": {"position": 10, "depth": 1.0}}}
CPU, N_IMAGES = torch.device("cpu"), 130


# ---------------------------------------------------------------------------------------------- which images


@given(st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=20, unique=True), min_size=1, max_size=6))
def test_every_entry_lies_in_one_set_and_no_more_is_computed_than_for_each_alone(wanted):
    wanted = [np.array(rows) for rows in wanted]
    sets = image_sets(wanted)
    assert sum(len(images) ** 2 for images in sets) <= sum(len(rows) ** 2 for rows in wanted)
    for rows in wanted:
        images, place = next((s, p) for s in sets if (p := places(rows, s)) is not None)
        np.testing.assert_array_equal(images[place], rows)
        assert sorted(images) == sorted(set(images))
    order = in_reading_order(sets)
    assert sorted(order) == sorted({image for images in sets for image in images})
    for images in sets:
        rows = np.flatnonzero(np.isin(order, images))
        np.testing.assert_array_equal(np.concatenate([np.arange(31)[run] for run in runs(rows)]), rows)


def test_datasets_on_the_same_images_share_a_set_that_begins_with_the_largest():
    small, large = np.array([3, 1, 2]), np.array([9, 2, 3, 5, 1])
    (union,) = image_sets([small, large, small[::-1]])
    assert places(large, union) == slice(0, 5) and places(np.array([2, 3]), union) == slice(1, 3)
    assert isinstance(places(small, union), np.ndarray) and places(np.array([7]), union) is None


def test_subjects_with_images_of_their_own_have_sets_of_their_own_which_are_read_in_two_stretches():
    sets = image_sets([np.r_[20:23, 0:7], np.r_[20:23, 7:14], np.r_[20:23, 14:20]])
    assert [len(images) for images in sets] == [10, 10, 9]
    order = in_reading_order(sets)
    assert set(order[:3]) == {20, 21, 22}, "shared images lie together"
    assert all(len(runs(np.flatnonzero(np.isin(order, images)))) <= 2 for images in sets)


# ---------------------------------------------------------------------------------------------- the store alone


def activations(seed: int = 0) -> dict[str, np.ndarray]:
    """Activations have an offset, as those of real layers have, which centring takes out."""
    rng = np.random.default_rng(seed)
    return {
        "narrow": (rng.standard_normal((N_IMAGES, 30)) + 5).astype(np.float16),
        "wide": (rng.standard_normal((N_IMAGES, 4500)) + 3).astype(np.float16),
    }


def as_it_is(rows: np.ndarray) -> Coding:
    """A coding in which numbers that are float16 stay the same, so that tests can compare Gram matrices exactly."""
    return Coding(np.zeros(rows.shape[1], np.float32), 1.0)


def on_disk(rows: np.ndarray) -> CodedArray:
    group, coding = zarr.create_group({}), as_it_is(rows)
    group.create_array("l", shape=rows.shape, dtype="f2", chunks=(ROWS, 2048))[:] = coding.encoded(rows)
    group.create_array(".offsets/l", shape=rows.shape[1:], dtype="f4", attributes={"scale": coding.scale})[:] = coding.offset
    return CodedArray(group, "l")


def write_kernels(path, sets, identity=IDENTITY) -> KernelStore:
    writer = KernelWriter(path, identity, sets)
    for layer, rows in activations().items():
        writer.add(layer, on_disk(rows[writer.images]))
    writer.finish(LAYERS)
    return open_store(path)


def write_features(path) -> FeatureStore:
    writer = StoreWriter(path, IDENTITY, N_IMAGES)
    with patch.object(Coding, "of", as_it_is):
        writer.write(activations())
    writer.finish(LAYERS)
    return open_store(path)


@pytest.mark.parametrize("block", [1024, 40, 7])
@pytest.mark.parametrize("separate", [False, True])
def test_kernels_are_those_of_the_features(tmp_path, monkeypatch, block, separate):
    monkeypatch.setattr(kernel_store, "BLOCK", block)
    rng = np.random.default_rng(1)
    sets = [rng.permutation(N_IMAGES)[:100]] if not separate else [np.r_[0:10, 20:75], np.r_[0:10, 75:130]]
    store, features = write_kernels(tmp_path / "k.zarr.zip", sets), write_features(tmp_path / "f.zarr.zip")
    assert isinstance(store, KernelStore) and isinstance(features, FeatureStore)
    wanted = [images[: 5 * len(images) // 6] for images in sets] + [sets[0][::-1][:20]]
    for layer in LAYERS["layers"]:
        found, expected = (list(s.kernels(layer, wanted, torch.float64, CPU)) for s in (store, features))
        for rows, ours, theirs in zip(wanted, found, expected, strict=True):
            assert ours.K.shape == (len(rows), len(rows)) and ours.width == theirs.width
            ours, theirs = (
                gram_with_offset(matrix.K, matrix.row_sums, matrix.mean_products, matrix.width) for matrix in (ours, theirs)
            )
            rounding = 1e-12 if layer == "narrow" else 3e-7
            torch.testing.assert_close(ours, theirs, rtol=0, atol=rounding * theirs.diagonal().mean().item())


def gram_with_offset(K, row_sums, mean_products, width):
    """Covariances across features times their number do not depend on the images that K was centred by."""
    return K - row_sums[:, None] * row_sums / width + mean_products[:, None] + mean_products


def test_bytes_are_two_per_pair_of_images_or_those_of_a_narrow_layer(tmp_path):
    n, rng = 2500, np.random.default_rng(0)
    sizes = {}
    for width in (20, 3000):
        writer = KernelWriter(tmp_path / f"{width}.zarr.zip", IDENTITY, [np.arange(n)])
        writer.add("layer", on_disk(rng.standard_normal((n, width)).astype(np.float16)))
        writer.finish({"layers": {"layer": {"position": 1, "depth": 1.0}}})
        sizes[width] = (tmp_path / f"{width}.zarr.zip").stat().st_size
    assert sizes[20] < 2 * n * 20 + 40_000
    assert 2 * n**2 < sizes[3000] < 2 * n**2 * 1.4


def test_layers_of_an_interrupted_run_are_kept_if_it_made_the_same(tmp_path):
    path, sets = tmp_path / "k.zarr.zip", [np.arange(N_IMAGES)]
    writer = KernelWriter(path, IDENTITY, sets)
    writer.add("narrow", on_disk(activations()["narrow"]))
    again = KernelWriter(path, IDENTITY, sets)
    assert "narrow" in again and "wide" not in again and not path.exists()
    assert "narrow" not in KernelWriter(path, IDENTITY, [np.arange(N_IMAGES - 1)])
    assert "narrow" not in KernelWriter(path, IDENTITY | {"weights": "others"}, sets)


def test_a_layer_that_was_not_finished_is_made_anew(tmp_path, monkeypatch):
    path, sets = tmp_path / "k.zarr.zip", [np.arange(10), np.arange(10, N_IMAGES)]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(KernelWriter, "_write_gram", lambda self, name, matrix: (_ for _ in ()).throw(KeyboardInterrupt))
        KernelWriter(path, IDENTITY, sets).add("wide", on_disk(activations()["wide"]))
    assert "wide" not in KernelWriter(path, IDENTITY, sets)
    assert len(list(write_kernels(path, sets).kernels("wide", sets, torch.float32, CPU))) == 2


def test_a_damaged_store_and_one_of_other_stimuli_are_refused(tmp_path):
    path = tmp_path / "k.zarr.zip"
    store = write_kernels(path, [np.arange(N_IMAGES)])
    with pytest.raises(InputError, match=r"k\.zarr\.zip\n.*stimulus set set\n.*other"):
        check_store(store, "other")
    with pytest.raises(InputError, match=r"layers narrow, wide\n.*layer deep"):
        next(store.kernels("deep", [np.arange(3)], torch.float64, CPU))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match="not a readable feature store"):
        open_store(path)


def test_images_that_have_no_kernel_say_that_the_recordings_changed(tmp_path):
    store = write_kernels(tmp_path / "k.zarr.zip", [np.arange(60), np.arange(60, 120)])
    for rows in (np.arange(50, 70), np.array([125])):
        with pytest.raises(InputError, match=rf"no kernel that holds all {len(rows)} images(.*\n)+.*the recordings changed"):
            next(store.kernels("wide", [rows], torch.float64, CPU))


IMPORT = """
import numpy as np, torch, zarr
from cortexscale.features.coding import CodedArray
from cortexscale.features.kernel_store import KernelWriter, open_store
torch.set_num_threads(1)
n, width = {n}, {width}
"""
MAKE = """
group = zarr.create_group("{folder}/rows", overwrite=True)
rows = group.create_array("l", shape=(n, width), dtype="f2", chunks=(256, 2048))
group.create_array(".offsets/l", shape=(width,), dtype="f4", attributes=dict(scale=1.0))[:] = 0
rng = np.random.default_rng(0)
for start in range(0, width, 2048):
    rows[:, start : start + 2048] = rng.standard_normal((n, min(2048, width - start)), dtype=np.float32)
"""
WRITE = """
writer = KernelWriter("{folder}/k{n}.zarr.zip", dict(stimuli="s"), [np.arange(n)])
writer.add("layer", CodedArray(group, "l"))
writer.finish(dict(layers=dict(layer=dict(position=1, depth=1.0))))
"""
READ = """
store = open_store("{folder}/k{n}.zarr.zip")
for matrix in store.kernels("layer", [np.arange(n // 2)], torch.float64, torch.device("cpu")):
    assert matrix.K.shape == (n // 2, n // 2)
"""


@pytest.mark.slow
def test_memory_is_that_of_one_kernel_and_one_slab(tmp_path):
    """A kernel of more columns needs no more memory; reading and cutting needs one kernel and no copy."""

    def peak(code: str, n: int = 1, width: int = 0) -> float:
        return peak_mb(code.format(n=n, width=width, folder=tmp_path))

    few, many = (peak(IMPORT + MAKE + WRITE, 1000, slabs * 4096) for slabs in (3, 15))
    activations = 1000 * 12 * 4096 * 2 / 2**20
    assert many < few + activations / 3
    libraries, n = peak(IMPORT), 2600
    kernel, slab = 8 * n**2 / 2**20, n * (2 * 4096 + 8 * 2048) / 2**20
    assert peak(IMPORT + MAKE + WRITE, n, 2 * 4096) < libraries + kernel + 2 * slab + 100
    assert peak(IMPORT + READ, n) < libraries + kernel + 70


# ---------------------------------------------------------------------------------------------- alignment


ROIS = ["V1", "IT"]
SETTINGS = Ridge(alphas=Alphas(low=-1, high=4, count=8))


def record(dataset: str, subject: str, train: np.ndarray, test: np.ndarray) -> Recording:
    """V1 reads the narrow layer, IT the wide one."""
    rng = np.random.default_rng(len(subject) + train[0])
    signal = np.hstack([activations()[layer][:, :5].astype(float) @ rng.standard_normal((5, 4)) for layer in ("narrow", "wide")])
    responses = (signal + rng.standard_normal(signal.shape)).astype(np.float32)
    units = pd.DataFrame({"unit": [f"u{n}" for n in range(8)], "nc_percent": rng.uniform(20, 90, 8)})
    rois = pd.DataFrame({"V1": np.arange(8) < 4, "IT": np.arange(8) >= 4})
    ids = STIMULI["stimulus_id"].to_numpy()
    splits = (Split(ids[rows], responses[rows], np.ones(len(rows), int)) for rows in (train, test))
    screening = pd.concat([units.assign(kept=True), rois], axis=1)
    return Recording(dataset, subject, *splits, units, rois, screening=screening).check()


STIMULI = pd.DataFrame({"stimulus_id": [f"i{n:03d}" for n in range(N_IMAGES)], "hash": "h"})
STIMULI["concept"] = STIMULI["stimulus_id"]
STUDIES = {
    "datasets that repeat images": [
        record("d", "s1", np.arange(80), np.arange(80, 100)),
        record("d", "s2", np.arange(80), np.arange(80, 100)),
        record("e", "s1", np.arange(90)[::-1], np.arange(95, 115)),
    ],
    "subjects with images of their own": [
        record("d", "s1", np.arange(50), np.arange(110, 130)),
        record("d", "s2", np.arange(50, 100), np.arange(110, 130)),
    ],
}


@pytest.mark.parametrize("study", STUDIES)
def test_alignment_equals_that_of_unprojected_features(tmp_path, study, monkeypatch):
    files, made = [], []
    for recording in STUDIES[study]:
        files.append(tmp_path / recording.dataset / f"{recording.subject}.h5")
        recording.save(files[-1])
    names = dict.fromkeys(recording.dataset for recording in STUDIES[study])
    shown = shown_images(files, dict.fromkeys(names), STIMULI)
    targets = [
        target
        for name in names
        for target in shared_targets([recording for recording in STUDIES[study] if recording.dataset == name], STIMULI, ROIS)
    ]

    def counted(slabs, dtype, device):
        made.append(dtype)
        return gram(slabs, dtype, device)

    monkeypatch.setattr(kernel_store, "gram", counted)
    sets = image_sets(shown)
    assert len(sets) == (1 if "repeat" in study else 2)
    exact, features = write_kernels(tmp_path / "k.zarr.zip", sets), write_features(tmp_path / "f.zarr.zip")
    assert len(made) == len(sets), "one Gram matrix of the wide layer for each set; none of the narrow one yet"
    searched = [search_layers(store, targets, SETTINGS) for store in (exact, features)]
    assert len(made) == 2 * len(sets), "one of the narrow layer for each set; none of the wide one again"
    pd.testing.assert_frame_equal(*searched, rtol=1e-5)
    rois = {roi: CommittedLayer(layer, 1, 0.5, score=0.1, margin=0.1) for roi, layer in (("V1", "narrow"), ("IT", "wide"))}
    committed = Commitments("m", dict.fromkeys(names, rois))
    for ours, theirs in zip(*(score_alignment(store, targets, committed, SETTINGS) for store in (exact, features)), strict=True):
        pd.testing.assert_frame_equal(ours, theirs, rtol=1e-5)


def test_only_subjects_that_are_scored_have_kernels(tmp_path):
    good, bad = record("d", "good", np.arange(50), np.arange(60, 70)), record("d", "bad", np.arange(9), np.arange(10, 20))
    bad = replace(bad, screening=bad.screening.assign(nc_percent=1.0))
    for recording in (good, bad):
        recording.save(tmp_path / "d" / f"{recording.subject}.h5")
    files = [tmp_path / "d/good.h5", tmp_path / "d/bad.h5"]
    (rows,) = shown_images(files, {"d": BestSubjects(count=1, roi="V1")}, STIMULI)
    np.testing.assert_array_equal(rows, np.r_[0:50, 60:70])


# ---------------------------------------------------------------------------------------------- extraction


NAMES = ("layer1", "layer4", "global_pool")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> tuple:
    return noise_images(tmp_path_factory.mktemp("images"), ROWS + 80)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    return small_backbone(tmp_path_factory.mktemp("weights"))


SHOWN = [np.arange(ROWS + 20)[::-1], np.arange(30, ROWS + 60)]


class Counted(StimulusImages):
    """Notes which images are opened, and is interrupted after so many."""

    def __init__(self, *what, stop: int | None = None):
        super().__init__(*what)
        self.stop, self.opened = stop, []

    def __getitem__(self, row):
        if len(self.opened) == self.stop:
            raise KeyboardInterrupt
        self.opened.append(row)
        return super().__getitem__(row)


def extract(backbone, pictures, path, *, images=None, scratch_gb: float = 1, shown=SHOWN) -> KernelStore:
    passes = ForwardPasses(backbone, images or StimulusImages("image_folder", *pictures), {"model": "small", "stimuli": "s"}, 32)
    layers = candidate_layers(backbone.network, NAMES)
    extract_kernels(passes, layers, path, image_rows=shown, scratch_gb=scratch_gb, made_by={})
    return open_store(path)


def assert_same_kernels(one, other, rtol=0.0):
    for layer in other.layers:
        for ours, theirs in zip(*(store.kernels(layer, SHOWN, torch.float64, CPU) for store in (one, other)), strict=True):
            ours, theirs = (gram_with_offset(m.K, m.row_sums, m.mean_products, m.width) for m in (ours, theirs))
            torch.testing.assert_close(ours, theirs, rtol=0, atol=rtol * theirs.diagonal().mean().item())


def test_extracted_kernels_are_those_of_features_kept_whole(backbone, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(Coding, "of", as_it_is)
    path = tmp_path / "f.zarr.zip"
    passes = ForwardPasses(backbone, StimulusImages("image_folder", *pictures), {"model": "small", "stimuli": "s"}, 32)
    whole = Projection(family="sparse", dimensions=100_000, seed=0)
    extract_features(passes, candidate_layers(backbone.network, NAMES), path, projection=whole, made_by={})
    exact = extract(backbone, pictures, tmp_path / "k.zarr.zip")
    assert list(exact.layers.items()) == list(open_store(path).layers.items())
    assert_same_kernels(exact, open_store(path), rtol=3e-7)
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_little_scratch_space_takes_more_passes_and_gives_the_same(backbone, pictures, tmp_path):
    images = Counted("image_folder", *pictures)
    little = extract(backbone, pictures, tmp_path / "little.zarr.zip", images=images, scratch_gb=1e-6)
    assert len(images.opened) == len(NAMES) * (ROWS + 60) + 1, "every shown image once a layer, and one to measure the layers"
    assert set(images.opened) == set(range(ROWS + 60))
    assert_same_kernels(little, extract(backbone, pictures, tmp_path / "much.zarr.zip"))


def test_an_interrupted_pass_continues_at_its_last_block_of_rows(backbone, pictures, tmp_path):
    path = tmp_path / "k.zarr.zip"
    with pytest.raises(KeyboardInterrupt):
        extract(backbone, pictures, path, images=Counted("image_folder", *pictures, stop=ROWS + 50))
    assert not path.exists()
    images = Counted("image_folder", *pictures)
    store = extract(backbone, pictures, path, images=images)
    assert len(images.opened) == 1 + 60
    assert_same_kernels(store, extract(backbone, pictures, tmp_path / "whole.zarr.zip"))


def test_work_that_was_interrupted_between_layers_opens_no_image_again(backbone, pictures, tmp_path, monkeypatch):
    path, add, added = tmp_path / "k.zarr.zip", KernelWriter.add, []

    def interrupted(self, layer, rows):
        if len(added) == 1:
            raise KeyboardInterrupt
        added.append(layer)
        add(self, layer, rows)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(KernelWriter, "add", interrupted)
        extract(backbone, pictures, path)
    images = Counted("image_folder", *pictures)
    monkeypatch.setattr(KernelWriter, "add", lambda self, layer, rows: (added.append(layer), add(self, layer, rows)))
    store = extract(backbone, pictures, path, images=images)
    assert len(images.opened) == 1 and added == list(NAMES)
    assert_same_kernels(store, extract(backbone, pictures, tmp_path / "whole.zarr.zip"))


def test_other_recordings_begin_anew(backbone, pictures, tmp_path):
    path = tmp_path / "k.zarr.zip"
    with pytest.raises(KeyboardInterrupt):
        extract(backbone, pictures, path, images=Counted("image_folder", *pictures, stop=ROWS + 50))
    images = Counted("image_folder", *pictures)
    extract(backbone, pictures, path, images=images, shown=[np.arange(7)])
    assert len(images.opened) == 1 + 7


def test_a_value_that_is_not_finite_names_the_image_of_the_table(backbone, pictures, tmp_path, monkeypatch):
    root, table = pictures
    transform = backbone.transform
    images = Counted("image_folder", root, table)

    def spoiled(picture):
        return transform(picture) * (1e38 if images.opened[-1] == 33 else 1)

    passes = ForwardPasses(replace(backbone, transform=spoiled), images, {"model": "small"}, 8)
    layers, rows = candidate_layers(backbone.network, NAMES), [np.arange(40)[::-1]]
    with pytest.raises(InputError, match=r"model small, layer layer1, stimulus row 33\n.*non-finite"):
        extract_kernels(passes, layers, tmp_path / "k.zarr.zip", image_rows=rows, scratch_gb=1, made_by={})


def test_layers_share_a_pass_as_far_as_disk_and_memory_go(caplog):
    widths = {"a": 10, "b": 20, "c": 30, "d": 5}
    assert layers_at_a_time(widths, 100, 2 * 100 * 65, 32) == [["a", "b", "c", "d"]]
    assert layers_at_a_time(widths, 100, 2 * 100 * 35, 32) == [["a", "b"], ["c", "d"]]
    assert "more than allowed" not in caplog.text
    assert layers_at_a_time(widths, 100, 2 * 100 * 20, 32) == [["a"], ["b"], ["c"], ["d"]]
    assert "layer c takes" in caplog.text
    wide = int(WAITING / 2 / (ROWS + 32) * 0.6)
    assert layers_at_a_time({"a": wide, "b": wide}, 10**5, 1e15, 32) == [["a"], ["b"]]
