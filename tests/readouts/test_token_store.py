"""The token store: what layers put out, for the images that are shown, whole after any kill."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cortexscale.errors import InputError
from cortexscale.features.blocks import ROWS
from cortexscale.features.extract import ForwardPasses
from cortexscale.features.image_sets import image_sets
from cortexscale.models.backbone import Backbone
from cortexscale.models.layers import candidate_layers
from cortexscale.readouts.token_store import POOLED, TokenStore, TokenWriter, extract_tokens
from cortexscale.readouts.tokens import as_tokens
from cortexscale.stimuli import StimulusImages, stimulus_table

N_IMAGES, SHOWN = 400, np.setdiff1d(np.arange(2, 390), np.arange(50, 61))


class Network(nn.Module):
    """A map (3, 4, 4), tokens (16, 3) and a vector (3,)."""

    def __init__(self):
        super().__init__()
        self.map, self.tokens, self.vector = nn.Conv2d(3, 3, 1), nn.Linear(3, 3), nn.Identity()

    def forward(self, x):
        return self.vector(self.tokens(self.map(x).flatten(2).mT).mean(dim=1))


def transform(picture: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1) / 255


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> StimulusImages:
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    (folder / "c").mkdir()
    for number in range(N_IMAGES):
        Image.fromarray(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8)).save(folder / f"c/{number:03d}.jpg")
    return StimulusImages("image_folder", folder, stimulus_table("image_folder", folder))


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    torch.manual_seed(0)
    return Backbone(Network().eval(), transform)


def extract(backbone, images, path, committed=("map", "tokens")):
    layers = candidate_layers(backbone.network, ["map", "tokens", "vector"])
    passes = ForwardPasses(backbone, images, {"model": "m"}, 100)
    extract_tokens(passes, layers, list(committed), path, rows=SHOWN, made_by={})
    return TokenStore(path)


def outputs(backbone, images, rows) -> dict[str, np.ndarray]:
    x = torch.stack([transform(images[row]) for row in rows])
    with torch.inference_mode():
        first = backbone.network.map(x)
        second = backbone.network.tokens(first.flatten(2).mT)
    return {"map": first.numpy(), "tokens": second.numpy(), "vector": second.mean(dim=1).numpy()}


def test_it_reads_what_layers_put_out_for_rows_in_any_order(backbone, images, tmp_path):
    store, rows = extract(backbone, images, tmp_path / "t.zarr.zip"), np.random.default_rng(1).permutation(SHOWN)[:300]
    expected = outputs(backbone, images, rows)
    for layer in ("map", "tokens"):
        tokens = store.tokens(layer)
        assert tokens.widths == (3,) * 16
        assert tokens.read(rows) == pytest.approx(as_tokens(expected[layer]), abs=2e-3)
    pooled = store.tokens(POOLED)
    assert pooled.widths == (3, 3, 3) and list(store.layers) == ["map", "tokens", "vector"]
    means = np.stack([as_tokens(expected[layer]).mean(axis=1) for layer in store.layers], axis=1)
    assert pooled.read(rows) == pytest.approx(means, abs=2e-3)


def test_kernels_are_those_of_the_flattened_activations(backbone, images, tmp_path):
    store, wanted = extract(backbone, images, tmp_path / "t.zarr.zip"), [SHOWN[5:60], SHOWN[10:70]]
    for rows, kernel in zip(wanted, store.kernels("map", wanted, torch.float64, torch.device("cpu")), strict=True):
        X = store.read("map", rows).astype(float)
        X -= store.read("map", image_sets(wanted)[0]).astype(float).mean(axis=0)
        assert kernel.K.numpy() == pytest.approx(X @ X.T, abs=1e-9)


def test_an_interrupted_store_goes_on_and_equals_one_in_a_go(backbone, images, tmp_path, monkeypatch):
    whole, path, seen = extract(backbone, images, tmp_path / "whole.zarr.zip"), tmp_path / "t.zarr.zip", []
    read = StimulusImages.__getitem__

    def broken(self, row):
        seen.append(row)
        if len(seen) == 350:
            raise KeyboardInterrupt
        return read(self, row)

    monkeypatch.setattr(StimulusImages, "__getitem__", broken)
    with pytest.raises(KeyboardInterrupt):
        extract(backbone, images, path)
    assert not path.exists()
    seen.clear()
    store = extract(backbone, images, path)
    assert len(seen) == 1 + len(SHOWN) - ROWS  # one to see the shapes
    for layer in ("map", "tokens", POOLED):
        assert np.array_equal(store.read(layer, SHOWN), whole.read(layer, SHOWN))


def test_what_is_not_stored_is_refused(backbone, images, tmp_path):
    store = extract(backbone, images, tmp_path / "t.zarr.zip", ["tokens"])
    with pytest.raises(InputError, match="tokens of layers tokens, pooled"):
        store.tokens("map")
    for row in (0, 55, 395):
        with pytest.raises(InputError, match="no tokens of 1 of 2 images"):
            store.read("tokens", np.array([SHOWN[0], row]))


def test_a_block_of_zeros_is_read_as_such(tmp_path):
    rows = np.arange(ROWS + 20)
    writer = TokenWriter(tmp_path / "t.zarr.zip", {}, rows, {"l": (2, 3)}, ["l"])
    values = np.zeros((len(rows), 6), dtype=np.float32)
    values[-1] = 7
    writer.write({"l": values})
    writer.finish({"layers": {"l": {}}, "shapes": {"l": [2, 3]}, "pooled_widths": [3]})
    assert np.array_equal(TokenStore(tmp_path / "t.zarr.zip").tokens("l").read(rows[::-1]).reshape(-1, 6), values[::-1])
