"""Extraction: what hooks see is what a plain forward pass gives; interrupted work continues; damage is named."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from small_network import SMALL, small_backbone
from torch import nn

from cortexscale.commitments import Commitments, CommittedLayer
from cortexscale.errors import InputError
from cortexscale.features.blocks import ROWS
from cortexscale.features.extract import ForwardPasses, ModelOnImages, extract_features, forward_precision
from cortexscale.features.store import FeatureStore
from cortexscale.kernels.projection import RandomProjection
from cortexscale.models.build import load_backbone
from cortexscale.models.cards import model_cards
from cortexscale.models.inputs import as_input
from cortexscale.models.layers import candidate_layers, captured
from cortexscale.models.model import TimmBuilder
from cortexscale.stimuli import StimulusImages, stimulus_table
from cortexscale.study.features import Projection
from cortexscale.study.images import ImageFiles

PROJECTION = Projection(family="sparse", dimensions=100, seed=1)


class Recurrent(nn.Module):
    """A block that runs three times a pass, and one that returns a tuple."""

    def __init__(self):
        super().__init__()
        self.block, self.pair = nn.Linear(4, 4), nn.Identity()

    def forward(self, x):
        for _ in range(3):
            x = self.block(x)
        return self.pair((x, x * 0))[0]


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory) -> tuple:
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    (root / "a").mkdir()
    for number in range(ROWS + 20):
        picture = rng.integers(0, 256, (40, 36, 3), dtype=np.uint8)
        Image.fromarray(picture).save(root / f"a/{number:04d}.png")
    table = stimulus_table("image_folder", root)
    return root, table


@pytest.fixture
def backbone(tmp_path):
    return small_backbone(tmp_path)


def run(backbone, stimuli, path, images=None, layers=("layer1", "layer4", "global_pool"), batch_size=32, **how):
    root, table = stimuli
    images = images or StimulusImages("image_folder", root, table)
    passes = ForwardPasses(backbone, images, {"model": "small", "stimuli": "s"}, batch_size, **how)
    extract_features(passes, candidate_layers(backbone.network, layers), path, projection=PROJECTION, made_by={})
    return FeatureStore(path)


def test_features_equal_a_plain_forward_pass(backbone, stimuli, tmp_path):
    store = run(backbone, stimuli, tmp_path / "m.zarr.zip")
    root, table = stimuli
    images, transform = StimulusImages("image_folder", root, table), backbone.transform
    network = backbone.network
    inputs = torch.stack([transform(images[row]) for row in range(len(images))])
    with torch.inference_mode():
        x = network.maxpool(network.act1(network.bn1(network.conv1(inputs))))
        first = network.layer1(x).flatten(1)
        last = network.global_pool(network.layer4(network.layer3(network.layer2(network.layer1(x)))))
    assert [*store.layers] == ["layer1", "layer4", "global_pool"]
    assert store.layers["layer1"]["depth"] < store.layers["layer4"]["depth"] < store.layers["global_pool"]["depth"] == 1
    pooled = np.concatenate(list(store.slabs("global_pool")), axis=1)
    np.testing.assert_allclose(pooled, RandomProjection("sparse", last.shape[1], 100, 1)(last).numpy(), rtol=2e-3, atol=2e-3)
    projected = np.concatenate(list(store.slabs("layer1")), axis=1)
    expected = RandomProjection("sparse", first.shape[1], 100, 1)(first).numpy()
    assert projected.shape == (len(images), 100)
    np.testing.assert_allclose(projected, expected, rtol=5e-3, atol=5e-3 * np.abs(expected).max())


def test_an_interrupted_extraction_continues_and_reads_no_image_twice(backbone, stimuli, tmp_path):
    root, table = stimuli
    opened = []

    class Counted(StimulusImages):
        stop = ROWS + 10

        def __getitem__(self, row):
            if len(opened) == self.stop:
                raise KeyboardInterrupt
            opened.append(row)
            return super().__getitem__(row)

    with pytest.raises(KeyboardInterrupt):
        run(backbone, stimuli, tmp_path / "m.zarr.zip", Counted("image_folder", root, table))
    assert not (tmp_path / "m.zarr.zip").exists()
    Counted.stop, opened[:] = None, []
    store = run(backbone, stimuli, tmp_path / "m.zarr.zip", Counted("image_folder", root, table))
    assert opened == list(range(ROWS, ROWS + 20))
    whole = run(backbone, stimuli, tmp_path / "whole.zarr.zip")
    for layer in store.layers:
        np.testing.assert_array_equal(*(np.concatenate(list(s.slabs(layer)), axis=1) for s in (store, whole)))


def test_non_finite_activations_name_the_model_and_layer(backbone, stimuli, tmp_path):
    with torch.no_grad():
        backbone.network.layer4[0].conv1.weight.fill_(torch.nan)
    with pytest.raises(InputError, match=r"model small, layer layer4, stimulus row 0\n.*non-finite"):
        run(backbone, stimuli, tmp_path / "m.zarr.zip")
    assert not (tmp_path / "m.zarr.zip").exists()


def test_non_finite_values_of_a_later_batch_stop_the_extraction(backbone, stimuli, tmp_path):
    """They are found by the thread that writes, while the next batch is computed."""
    root, table = stimuli

    class Spoiled(StimulusImages):
        def __getitem__(self, row):
            opened.append(row)
            return Image.new("L", (1, 1)) if row == 70 else super().__getitem__(row)

    opened, transform = [], backbone.transform
    spoiled = replace(backbone, transform=lambda p: transform(p) if p.mode == "RGB" else torch.full((3, 32, 32), 1e38))
    with pytest.raises(InputError, match=r"layer layer1, stimulus row 70\n.*non-finite values: \d+ NaN, \d+ infinite"):
        run(spoiled, stimuli, tmp_path / "m.zarr.zip", Spoiled("image_folder", root, table))
    assert len(opened) <= 4 * 32, "no more than the next batch was computed"


def test_a_layer_that_does_not_run_is_named(backbone, stimuli, tmp_path):
    backbone.network.unused = nn.Identity()
    with pytest.raises(InputError, match=r"layer unused of a ResNet\n.*no output"):
        run(backbone, stimuli, tmp_path / "m.zarr.zip", layers=("layer1", "unused"))


def test_one_model_and_one_set_of_images_are_the_same_bytes(backbone, stimuli, tmp_path):
    once, again = (run(backbone, stimuli, tmp_path / name).path for name in ("a.zarr.zip", "b.zarr.zip"))
    assert once.read_bytes() == again.read_bytes()


def commitments(layers: dict[str, dict[str, str]]) -> Commitments:
    return Commitments(
        "small", {name: {roi: CommittedLayer(layer, 1, 0.5, 0.1) for roi, layer in rois.items()} for name, rois in layers.items()}
    )


def test_jobs_find_candidates_commitments_and_what_activations_depend_on(backbone, stimuli, tmp_path):
    root, table = stimuli
    table.to_parquet(tmp_path / "stimuli.parquet")
    layers = {"d": {"V1": "layer1", "IT": "layer4"}, "e": {"V1": "layer2"}}
    model = replace(SMALL, checkpoint=str(tmp_path / "small.pt"), layers=(r"layer\d",))
    files = ImageFiles(layout="image_folder", path=str(root))
    job = ModelOnImages.load(model, tmp_path / "stimuli.parquet", files, "float32", batch_size=8)
    assert [layer.name for layer in job.candidates] == ["layer1", "layer2", "layer3", "layer4"]
    assert len(job.images) == len(job.table) == len(table)
    assert job.identity.keys() == {"model", "weights", "transform", "stimuli", "precision"}
    committed = commitments(layers)
    assert [layer.name for layer in job.committed(committed)] == ["layer1", "layer2", "layer4"]
    assert [layer.name for layer in job.committed(committed.restricted(["d"]))] == ["layer1", "layer4"]
    with pytest.raises(InputError, match=r"committed layers of small\n.*stem"):
        job.committed(commitments({"d": {"V1": "stem"}}))


def test_half_precision_reaches_the_network_and_not_the_projection(backbone, stimuli, tmp_path):
    """A CPU has the same autocast as a GPU."""
    whole = run(backbone, stimuli, tmp_path / "a.zarr.zip")
    half = run(backbone, stimuli, tmp_path / "b.zarr.zip", precision="bfloat16")
    for layer in ("layer1", "layer4"):
        expected, found = (np.concatenate(list(store.slabs(layer)), axis=1).astype(float) for store in (whole, half))
        assert not np.array_equal(found, expected)
        assert np.linalg.norm(found - expected) < 0.02 * np.linalg.norm(expected)


def test_a_cpu_computes_in_float32(monkeypatch):
    monkeypatch.setattr("cortexscale.features.extract.best_device", lambda: torch.device("cpu"))
    assert forward_precision("float16") == "float32"
    monkeypatch.setattr("cortexscale.features.extract.best_device", lambda: torch.device("cuda"))
    assert forward_precision("float16") == "float16"


def test_a_pattern_without_a_match_is_an_error(backbone):
    with pytest.raises(InputError, match=r"layer pattern blocks.*\n.*no match among"):
        candidate_layers(backbone.network, [r"blocks\.\d"])


def test_a_recurrent_block_leaves_its_last_step_and_a_tuple_its_first_tensor():
    network, x = Recurrent(), torch.randn(2, 4)
    with captured(network, ["block", "pair"]) as outputs:
        last = network(x)
    torch.testing.assert_close(outputs["block"], last)
    torch.testing.assert_close(outputs["pair"], last)


@pytest.mark.parametrize("damage", ["truncated", "other architecture", "missing"])
def test_a_wrong_checkpoint_is_named(tmp_path, damage):
    path = tmp_path / "small.pt"
    if damage == "truncated":
        torch.save({"weight": torch.zeros(1000)}, path)
        path.write_bytes(path.read_bytes()[:800])
    elif damage == "other architecture":
        torch.save({"other.weight": torch.zeros(3)}, path)
    with pytest.raises(InputError, match=r"small\.pt\n(.*\n)+.*to do: "):
        load_backbone(replace(SMALL, checkpoint=str(path)))


def test_layers_are_positions_in_definition_order(backbone):
    network = backbone.network
    layers = candidate_layers(network, [r"layer\d", "global_pool"])
    assert [layer.name for layer in layers] == ["layer1", "layer2", "layer3", "layer4", "global_pool"]
    names = [name for name, _ in network.named_modules()]
    for layer in layers:
        assert layer.position == max(index for index, name in enumerate(names) if (name + ".").startswith(layer.name + "."))


def test_the_transform_is_that_of_training(backbone):
    transform = backbone.transform
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    torch.testing.assert_close(transform(picture), as_input(np.array(picture)[None])[0])


def test_cards_count_parameters_and_flops():
    model = replace(SMALL, builder=TimmBuilder("resnet18", classes=1000), image_size=224, dataset="d", n_samples=10)
    card = model_cards([model, replace(model, id="other")], [])
    assert isinstance(card, pd.DataFrame) and list(card["model_id"]) == ["small", "other"]
    assert (card["backbone_n_params"] == 11_689_512).all()  # as published
    assert card["backbone_macs"].between(1.79e9, 1.83e9).all()  # 1.8 G multiply-adds at 224 pixels
