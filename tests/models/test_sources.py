"""Every source gives a network that can be hooked, its transform, and one row of features per picture."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from inventories import inventory as inventory_of
from PIL import Image
from places import ROOT
from shipped_data import COMMITMENTS

from cortexscale.alignment.published import read_published
from cortexscale.code import stage_digest
from cortexscale.errors import InputError
from cortexscale.models.build import build_backbone, load_backbone, untrained, weights_hash
from cortexscale.models.cards import model_cards
from cortexscale.models.families import LAYERS
from cortexscale.models.layers import candidate_layers, captured
from cortexscale.models.model import HubBuilder, Model
from cortexscale.plan import Plan
from cortexscale.study import load_study

EXAMPLE = ROOT / "docs/example_model.py"
GABORS = {"source": "python", "id": "gabors", "file": str(EXAMPLE), "transform": "transform", "family": "Gabor"}
GABORS |= {"layers": ["simple", "complex"]}
TIMM = {"source": "checkpoint", "id": "mine", "timm": "test_vit", "classes": 5, "layers": "ViT", "file": "mine.pt"}
NAMED = {"source": "checkpoint", "id": "mine", "architecture": "resnet18", "classes": 5, "file": "mine.pt"}


def inventory(*models: dict) -> dict:
    return inventory_of(load_study({"study": "s", "results": "r", "models": list(models)}))


def entry(row: dict) -> Model:
    return next(iter(inventory(row).values()))


def pictures(n: int) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)) for _ in range(n)]


def documented() -> list[dict]:
    """The rows of the documentation."""
    text = (ROOT / "docs/models.md").read_text()
    return yaml.safe_load(re.search(r"```yaml\n(.*?)```", text, re.DOTALL).group(1))["models"]


def test_the_documented_rows_are_models():
    models = inventory(*documented())
    expected = {"vit_base_patch16_dinov3.lvd1689m", "vjepa2-vitl-fpc64-256", "resnet50_mine", "gabors"}
    assert expected < set(models) and "resnet18_imagenet_full" in models
    assert models["resnet50_mine"].layers == LAYERS["ResNet"] and models["resnet50_mine"].family == "ResNet"
    assert {model.source for model in models.values()} == {row["source"] for row in documented()}


@pytest.mark.parametrize("row", [NAMED, TIMM, TIMM | {"image_size": 64, "arguments": {"img_size": 64}}], ids=str)
def test_own_weights_in_a_known_architecture(row, tmp_path):
    file = tmp_path / "mine.pt"
    model = entry(row | {"file": str(file)})
    torch.manual_seed(1)
    network = build_backbone(model).network
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in network.state_dict().items()}}, file)
    backbone = load_backbone(model)
    assert not backbone.network.training and weights_hash(backbone.network) == weights_hash(network)
    size = row.get("image_size") or (224 if "architecture" in row else 160)
    assert backbone.transform(pictures(1)[0]).shape == (3, size, size)
    other = entry(row | {"file": str(file), "classes": 6})
    with pytest.raises(InputError, match=r"mine\.pt"):
        load_backbone(other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": None}, r"models\.0\.architecture\n.*neither `architecture` nor `timm`"),
        ({"timm": "test_vit"}, r"models\.0\.architecture\n.*both `architecture` and `timm`"),
        ({"architecture": "resnet19"}, r"`architecture` of mine\n.*resnet19\n.*resnet18.*\n.*timm"),
        ({"layers": "ResNot"}, r"`layers` of mine\n.*ResNot\n.*ResNet"),
        ({"reference": "nobody"}, r"reference of mine\n.*nobody"),
        ({"clases": 3}, r"models\.0\.clases\n(.*\n)*.*did you mean `classes`\?"),
    ],
)
def test_a_wrong_row_is_named(change, message):
    row = {key: value for key, value in (NAMED | change).items() if value is not None}
    with pytest.raises(InputError, match=message):
        inventory(row)


def test_a_timm_name_that_does_not_exist_is_named():
    with pytest.raises(InputError, match=r"model no_such_net\n.*Unknown model"):
        build_backbone(entry({"source": "timm", "ids": ["no_such_net"], "layers": ["norm"]}))


def test_own_models_borrow_only_where_they_say_so():
    models = inventory(GABORS, GABORS | {"id": "other", "reference": "gabors", "samples": 7})
    assert models["gabors"].reference == "gabors" and models["other"].reference == "gabors" and models["other"].n_samples == 7


# ---------------------------------------------------------------------------------------------- a function of one's own


def test_the_example_is_deaf_to_uniform_pictures_and_tuned_to_orientation():
    backbone = load_backbone(entry(GABORS | {"arguments": {"orientations": 4}}))
    x = torch.arange(64.0).repeat(64, 1)
    grating = (0.5 + 0.5 * torch.cos(2 * np.pi * x / 4)).expand(3, 64, 64)[None]
    with torch.inference_mode(), captured(backbone.network, ["complex"]) as outputs:
        backbone.network(torch.cat([grating, torch.full_like(grating, 0.5)]))
    energy = backbone.rows(outputs["complex"], 2, "complex").reshape(2, 8, 8, 8)[:, :, 2:6, 2:6].mean(dim=(2, 3))
    assert energy[0].argmax() == 0 and energy[0, 0] > 5 * energy[0, 2]
    assert energy[1].max() < 1e-3 * energy[0, 0]


def test_the_card_of_a_function_counts_it():
    card = model_cards([entry(GABORS | {"samples": 10}), entry(NAMED)], ["gabors"]).set_index("model_id")
    assert card.loc["gabors", "backbone_n_params"] == 32 * 15 * 15
    assert card.loc["gabors", "backbone_flops"] == 2 * 32 * 15 * 15 * 64 * 64
    assert card.loc["gabors", "pretraining_n_samples"] == 10 and card.loc["gabors", "image_size"] == 64
    assert card.loc["mine", "backbone_n_params"] == 11_689_512 - 995 * 513
    assert card["held_out"].to_dict() == {"gabors": False, "mine": True}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def build(): return 3", r"build of .*own\.py\n.*a int\n.*torch\.nn\.Module"),
        ("def build(): return 1 / 0", r"model gabors\n.*ZeroDivisionError"),
        ("import no_such_package", r"own\.py, whose import fails with ModuleNotFoundError"),
        ("def other(): pass", r"own\.py\n.*no function build"),
        ("import torch\ndef build(): return torch.nn.ReLU()\ndef transform(p): return p", r"transform of .*\n.*a Image"),
    ],
)
def test_a_wrong_function_is_named(code, message, tmp_path):
    (tmp_path / "own.py").write_text(code)
    with pytest.raises(InputError, match=message):
        load_backbone(entry(GABORS | {"file": str(tmp_path / "own.py")}))


def test_a_change_of_the_file_repeats_its_model_and_no_other(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(EXAMPLE.read_text())
    config = {"study": "s", "results": str(tmp_path / "r"), "plan_without_data": True}
    config["models"] = [GABORS | {"file": str(own)}, {"source": "timm", "ids": ["test_vit"], "layers": "ViT"}]

    def codes() -> list[str]:
        plan = Plan(config)
        return [plan.code("features", *plan.models.code(model)) for model in ("gabors", "test_vit")]

    before, text = codes(), str(load_backbone(entry(config["models"][0])).transform)
    own.write_text(EXAMPLE.read_text().replace("SIZE = 64", "SIZE = 32"))
    stage_digest.cache_clear(), sys.modules["cortexscale.code"].parsed.cache_clear()
    after = codes()
    assert before[0] != after[0] and before[1] == after[1]
    assert str(load_backbone(entry(config["models"][0])).transform) != text
    own.unlink()
    sys.modules["cortexscale.code"].parsed.cache_clear()
    with pytest.raises(InputError, match=r"`file` of the model gabors\n.*own\.py"):
        Plan(config)


# ---------------------------------------------------------------------------------------------- Hugging Face


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Path:
    """Models of three kinds in the files of the hub, tiny and random."""
    pytest.importorskip("transformers")
    import cortexscale.models.vision  # noqa: F401, I001 (torchvision, before transformers looks for it)
    from tiny_hub import write_qwen3_vl, write_vit, write_vjepa2

    folder = tmp_path_factory.mktemp("hub")
    for write in (write_vit, write_vjepa2, write_qwen3_vl):
        torch.manual_seed(0)
        write(folder / write.__name__.removeprefix("write_"))
    return folder


def hub_entry(hub: Path, name: str, layers) -> Model:
    patterns = LAYERS[layers] if isinstance(layers, str) else tuple(layers)
    return Model(name, "huggingface", name, "huggingface", HubBuilder(str(hub / name)), patterns, reference=name)


@pytest.mark.parametrize(
    ("name", "layers", "size"),
    [
        ("vit", [r"layers\.\d"], 32),
        ("vjepa2", "V-JEPA2", 32),
        ("qwen3_vl", "Qwen3-VL", 256),
    ],
)
def test_a_picture_has_its_own_row_whatever_its_batch(hub, name, layers, size):
    model = hub_entry(hub, name, layers)
    backbone = load_backbone(model)
    inputs = torch.stack([backbone.transform(picture) for picture in pictures(3)])
    assert inputs.shape == (3, 3, size, size) and " at 0x" not in str(backbone.transform)
    names = [layer.name for layer in candidate_layers(backbone.network, model.layers)]
    with torch.inference_mode(), captured(backbone.network, names) as outputs:
        backbone.network(inputs)
        together = {name: backbone.rows(outputs[name], 3, name) for name in names}
        for number in range(3):
            backbone.network(inputs[number : number + 1])
            for layer, rows in together.items():
                torch.testing.assert_close(backbone.rows(outputs[layer], 1, layer)[0], rows[number], rtol=1e-4, atol=1e-5)
    assert all(rows.std(dim=0).max() > 0 for rows in together.values()), "pictures differ"
    architecture, image = untrained(model)
    assert image.shape == (1, 3, size, size)
    assert [name for name, _ in architecture.network.named_modules()] == [name for name, _ in backbone.network.named_modules()]


def test_tokens_of_a_vision_tower_are_those_of_the_image_grid(hub):
    backbone = load_backbone(hub_entry(hub, "qwen3_vl", "Qwen3-VL"))
    inputs = torch.stack([backbone.transform(picture) for picture in pictures(2)])
    with torch.inference_mode(), captured(backbone.network, ["visual.blocks.1"]) as outputs:
        backbone.network(inputs)
    assert outputs["visual.blocks.1"].shape == (2 * 16 * 16, 32)
    assert backbone.rows(outputs["visual.blocks.1"], 2, "visual.blocks.1").shape == (2, 16 * 16 * 32)


def test_a_video_model_sees_a_picture_as_two_equal_frames(hub):
    from transformers import VJEPA2Model

    backbone = load_backbone(hub_entry(hub, "vjepa2", "V-JEPA2"))
    inputs = torch.stack([backbone.transform(picture) for picture in pictures(2)])
    with torch.inference_mode(), captured(backbone.network, ["layer.1"]) as outputs:
        backbone.network(inputs)
        whole = VJEPA2Model.from_pretrained(hub / "vjepa2").eval()
        states = whole(inputs[:, None].repeat(1, 2, 1, 1, 1), skip_predictor=True, output_hidden_states=True).hidden_states
    torch.testing.assert_close(outputs["layer.1"], states[2].flatten(1))


@pytest.mark.parametrize(("name", "family"), [("vjepa2-vitl-fpc64-256", "V-JEPA2"), ("Qwen3-VL-2B-Instruct", "Qwen3-VL")])
def test_candidates_have_the_published_names_positions_and_depths(name, family):
    """The networks are as deep as the published ones, and narrow."""
    transformers = pytest.importorskip("transformers")
    narrow = {"hidden_size": 32, "num_attention_heads": 2}
    vision = {"depth": 24, "hidden_size": 32, "num_heads": 2, "deepstack_visual_indexes": [5, 11, 17]}
    text = narrow | {"num_hidden_layers": 28, "num_key_value_heads": 2, "vocab_size": 8, "head_dim": 16}
    with torch.device("meta"):
        if name.startswith("vjepa2"):
            network = transformers.VJEPA2Model(transformers.VJEPA2Config(num_hidden_layers=24, **narrow)).encoder
        else:
            network = transformers.Qwen3VLModel(transformers.Qwen3VLConfig(vision_config=vision, text_config=text))
    ours = {layer.name: (layer.position, layer.depth) for layer in candidate_layers(network, LAYERS[family])}
    published = [entry for rois in read_published(COMMITMENTS)[name].datasets.values() for entry in rois.values()]
    assert published
    for entry in published:
        expected = entry.layer_position, pytest.approx(entry.layer_position_normalized, abs=1e-12)
        assert ours[entry.layer_name] == expected


def test_a_missing_package_is_named(hub, monkeypatch):
    from cortexscale.models.sources import huggingface

    monkeypatch.setattr(huggingface, "transformers", None)
    with pytest.raises(InputError, match=r"no package transformers\n.*\n.*pip install"):
        load_backbone(hub_entry(hub, "vit", ["layers"]))


def test_a_name_that_is_not_on_the_hub_is_named(hub, monkeypatch):
    with pytest.raises(InputError, match=r"model nothing\n(.*\n)+.*HF_HOME"):
        load_backbone(hub_entry(hub, "nothing", ["layers"]))
