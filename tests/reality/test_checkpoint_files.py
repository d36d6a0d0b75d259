"""Checkpoints that people have: the weights that fit are found under any wrapper, and everything else is refused by name."""

import gzip
import json
import logging
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from inventories import inventory
from places import SHARED
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from cortexscale.errors import InputError
from cortexscale.models import architectures
from cortexscale.models.build import build_backbone, load_backbone, weights_hash
from cortexscale.models.checkpoints import load_weights
from cortexscale.models.model import Model
from cortexscale.study import load_study

RESNET20 = SHARED / "data/real/cifar_resnet/resnet20-12fca82f.th"


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3))
    return nn.Sequential(OrderedDict(features=features, pool=nn.Flatten(), head=nn.Linear(8, 10)))


def weights(seed: int = 1) -> dict[str, torch.Tensor]:
    return network(seed).state_dict()


def under(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {prefix + key: tensor for key, tensor in state.items()}


def without(state: dict[str, torch.Tensor], *parts: str) -> dict[str, torch.Tensor]:
    return {key: tensor for key, tensor in state.items() if not any(part in key for part in parts)}


def loaded(tmp_path: Path, content: object, make=network, **how) -> nn.Module:
    target = make()
    torch.save(content, tmp_path / "w.pt")
    load_weights(target, tmp_path / "w.pt", **how)
    return target


def equal(one: nn.Module, other: nn.Module, *, but: tuple[str, ...] = ()) -> bool:
    there = other.state_dict()
    return all(
        torch.equal(tensor, there[key]) for key, tensor in one.state_dict().items() if not any(part in key for part in but)
    )


WRAPPED = {
    "model_state_dict": {"model_state_dict": weights(), "epoch": 3},
    "net": {"net": weights(), "acc": 93.1},
    "network": {"network": under("_forward_module.", weights())},
    "a teacher alone": {"teacher": under("backbone.", weights()), "args": None},
    "nested twice": {"state": {"model": {"weights": under("module.", weights())}}},
    "in a list": [7, weights(), {"lr": 0.1}],
    "encoder_q": {
        "state_dict": under("module.encoder_q.", weights()) | {"module.queue": torch.ones(3), "module.queue_ptr": torch.ones(1)}
    },
    "features.module": {"state_dict": {key.replace("features.", "features.module."): w for key, w in weights().items()}},
    "fsdp within": {key.replace("features.0", "features._fsdp_wrapped_module.0"): w for key, w in weights().items()},
    "compiled in parallel": under("_orig_mod.module.", weights()),
    "loss beside the model": {"state_dict": under("model.", weights()) | {"criterion.pos_weight": torch.ones(10)}},
    "loss among the layers": {"state_dict": weights() | {"loss_fn.weight": torch.ones(10), "val_acc.tp": torch.ones(1)}},
    "flop counters": weights() | {"features.0.total_ops": torch.ones(1), "total_params": torch.ones(1)},
    "parts of self-supervision": under("module.", weights()) | {"module.prototypes.weight": torch.ones(3, 8)},
    "two equal copies": {"model": weights(), "model_without_ddp": weights()},
    "an optimizer": {
        "model": weights(),
        "optimizer": {"state": {n: {"exp_avg": torch.ones(8), "step": torch.ones(())} for n in range(40)}, "param_groups": [{}]},
    },
}


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_the_weights_are_found_in_any_wrapper(tmp_path, wrapped):
    assert equal(loaded(tmp_path, WRAPPED[wrapped]), network(1))


def test_a_network_that_was_pickled_whole(tmp_path):
    assert equal(loaded(tmp_path, network(1)), network(1))
    assert equal(loaded(tmp_path, {"epoch": 3, "model": nn.DataParallel(network(1))}), network(1))


def test_a_network_that_was_wrapped_after_its_training(tmp_path):
    made = loaded(tmp_path, weights(), lambda: nn.ModuleDict({"body": network()}))
    assert equal(made["body"], network(1))


def test_safetensors(tmp_path):
    save_file(under("vit.", weights()), tmp_path / "model.safetensors")
    target = network()
    load_weights(target, tmp_path / "model.safetensors")
    assert equal(target, network(1))
    whole = (tmp_path / "model.safetensors").read_bytes()
    for length in (len(whole) - 40, 60):
        (tmp_path / "cut.safetensors").write_bytes(whole[:length])
        with pytest.raises(InputError, match=rf"the first {length:,} bytes of a safetensors file"):
            load_weights(target, tmp_path / "cut.safetensors")


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_that_of_the_network(tmp_path, dtype):
    content = {key: tensor.to(dtype) if tensor.is_floating_point() else tensor for key, tensor in weights().items()}
    target = loaded(tmp_path, content)
    assert target.head.weight.dtype == torch.float32
    torch.testing.assert_close(target.head.weight, network(1).head.weight, rtol=torch.finfo(dtype).eps, atol=2**-10)


def test_files_before_torch_0_4_1_have_no_counters(tmp_path):
    assert equal(loaded(tmp_path, without(weights(), "num_batches_tracked")), network(1))


def test_the_log_says_what_was_taken_and_what_was_left(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    loaded(tmp_path, {"state_dict": under("net.", weights()) | {"criterion.weight": torch.ones(10)}, "step": torch.ones(1)})
    assert "11 weights below `state_dict.net`" in caplog.text
    assert "2 other tensors were not used: state_dict.criterion.weight, step" in caplog.text
    loaded(tmp_path, {key.replace("features.", "features.module."): w for key, w in weights().items()})
    assert "such as features.module.0.weight, by shorter names" in caplog.text


# ---------------------------------------------------------------------------------------------- several that fit


def test_several_sets_of_weights_are_chosen_by_the_config(tmp_path):
    both = {"student": under("module.", weights(1)), "teacher": weights(2)}
    with pytest.raises(InputError, match=r"fit at 2 places: student\.module, teacher\n.*\n.*`weights_at: student\.module`"):
        loaded(tmp_path, both)
    assert equal(loaded(tmp_path, both, weights_at="student"), network(1))
    assert equal(loaded(tmp_path, both, weights_at="teacher"), network(2))
    with pytest.raises(InputError, match=r"nothing at `weights_at: teachers`\n.*student, teacher"):
        loaded(tmp_path, both, weights_at="teachers")


@pytest.mark.parametrize(("ema", "seed"), [("auto", 2), (True, 2), (False, 1)])
@pytest.mark.parametrize("average", ["ema", "model_ema", "state_dict_ema", "ema_model.module", "swa_model", "modelEma"])
def test_an_average_of_the_weights(tmp_path, average, ema, seed):
    content = {"model": weights(1)} | under(average + ".", weights(2)) | {"ema_decay": torch.ones(1)}
    assert equal(loaded(tmp_path, content, ema=ema), network(seed))


def test_an_average_that_does_not_fit_is_not_passed_over(tmp_path):
    with pytest.raises(InputError, match=r"below `ema`: 1 missing: head\.bias"):
        loaded(tmp_path, {"model": weights(1), "ema": without(weights(2), "head.bias")})


def test_the_config_chooses(tmp_path):
    row = {"source": "checkpoint", "id": "m", "timm": "test_vit", "classes": 5, "layers": "ViT", "file": str(tmp_path / "w.pt")}
    made = [build_backbone(model(row)).network for _ in range(2)]
    torch.save({"teacher": made[0].state_dict(), "student": made[1].state_dict()}, tmp_path / "w.pt")
    assert weights_hash(load_backbone(model(row | {"weights_at": "student"})).network) == weights_hash(made[1])


# ---------------------------------------------------------------------------------------------- what does not fit


def reparametrized(made: nn.Module) -> dict[str, torch.Tensor]:
    """Return the weights of a network whose first layer was reparametrized for its training."""
    nn.utils.parametrizations.weight_norm(made.features[0])
    return made.state_dict()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"net": without(weights(), "features.3")}, r"below `net`: 2 missing: features\.3\.weight, features\.3\.bias\n"),
        (weights() | {"features.1.adapter": torch.ones(8)}, r"1 unexpected: features\.1\.adapter\n"),
        (weights() | {"reg_token": torch.ones(8)}, r"1 unexpected: reg_token\n"),
        (
            {key.replace("features.3", "features.3.base"): w for key, w in weights().items()}
            | {"features.3.lora.weight": torch.ones(8)},
            r"unexpected: .*features\.3\.lora\.weight",
        ),
        (weights() | {"head.weight": torch.ones(10, 8, dtype=torch.int8)}, r"head\.weight int8 instead of float32"),
        (weights() | {"head.weight": torch.full((10, 8), torch.nan)}, r"not finite: head\.weight\n(.*\n)*.*diverged"),
        ({name: tensor.to("meta") for name, tensor in weights().items()}, r"10 weights of the device `meta`"),
        (reparametrized(network()), r"of a parametrization.*1 missing: features\.0\.weight;"),
        (without(weights(), "head"), r"no classifier; 2 missing: head\.weight, head\.bias\n(.*\n)*.*features alone"),
        (weights() | {"head.weight": torch.ones(7, 8), "head.bias": torch.ones(7)}, r"7 classes instead of 10"),
        ({"a": {"head.weight": torch.ones(10, 8)}, "b": torch.ones(3)}, r"missing: features\.0\.weight"),
    ],
)
def test_what_does_not_fit_is_told_by_the_nearest_place(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        loaded(tmp_path, content)


def test_one_of_several_files_of_a_network_is_told(tmp_path):
    save_file(without(weights(), "head", "features.3"), tmp_path / "model-00001-of-00002.safetensors")
    with pytest.raises(InputError, match=r"one of several files of a network; 4 missing"):
        load_weights(network(), tmp_path / "model-00001-of-00002.safetensors")


def test_position_embeddings_of_another_image_size(tmp_path):
    row = {"source": "checkpoint", "id": "m", "timm": "test_vit", "classes": 5, "layers": "ViT", "file": str(tmp_path / "w.pt")}
    torch.save(build_backbone(model(row)).network.state_dict(), tmp_path / "w.pt")
    with pytest.raises(
        InputError, match=r"position embeddings of another image size; .*pos_embed \(1, 101, 64\)(.*\n)*.*img_size"
    ):
        load_backbone(model(row | {"arguments": {"img_size": 64}}))


# ---------------------------------------------------------------------------------------------- without the classifier


def model(row: dict) -> Model:
    return next(iter(inventory(load_study({"study": "s", "results": "r", "models": [row]})).values()))


RESNET = {"source": "checkpoint", "id": "m", "architecture": "resnet18", "classes": 10}
ALEXNET = RESNET | {"architecture": "alexnet"}


def test_weights_without_the_classifier_give_features_and_no_accuracy(tmp_path, caplog):
    row = RESNET | {"file": str(tmp_path / "w.pt")}
    trained = architectures.build("resnet18", 10)
    projector = {"module.encoder.fc.0.weight": torch.ones(4, 512)}
    torch.save(under("module.encoder.", without(trained.state_dict(), "fc.")) | projector, tmp_path / "w.pt")
    network = load_backbone(model(row)).network
    assert equal(network, trained, but=("fc.",)) and network.fc.weight.isnan().all()
    assert "has no weights of fc.weight, fc.bias" in caplog.text
    assert weights_hash(network) == weights_hash(load_backbone(model(row)).network), (
        "random weights would change the features' identity"
    )
    with pytest.raises(InputError, match=r"2 missing: fc\.weight, fc\.bias"):
        load_backbone(model(row), classifier=True)


def test_a_classifier_that_is_a_candidate_layer_is_needed(tmp_path):
    row = ALEXNET | {"file": str(tmp_path / "w.pt")}
    torch.save(without(architectures.build("alexnet", 10).state_dict(), "classifier.6"), tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"no classifier; 2 missing: classifier\.6\.weight"):
        load_backbone(model(row))
    load_backbone(model(row | {"layers": [r"features\.\d+", "avgpool"]}))


# ---------------------------------------------------------------------------------------------- other formats


def zipped(path: Path, **entries: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "/").replace("_DOT_", "."), content)


FILES = {
    "w.h5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(600)), "an HDF5 file, as Keras"),
    "w.keras": (lambda path: zipped(path, model_DOT_weights_DOT_h5="", config_DOT_json="{}"), "a Keras model"),
    "w.onnx": (lambda path: path.write_bytes(b"\x08\x07\x12\x07pytorch" + bytes(300)), "an ONNX model"),
    "net.pth": (lambda path: path.write_bytes(b"\x08\x07\x12\x07pytorch" + bytes(300)), "an ONNX model"),
    "model.ckpt.index": (lambda path: path.write_bytes(bytes(300)), "the index of a TensorFlow checkpoint"),
    "model.ckpt.data-00000-of-00001": (lambda path: path.write_bytes(bytes(300)), "the data of a TensorFlow checkpoint"),
    "saved_model.pb": (lambda path: path.write_bytes(bytes(300)), "a graph of TensorFlow"),
    "checkpoint": (lambda path: path.write_text('model_checkpoint_path: "model.ckpt-3"'), "the list of checkpoints"),
    "w.tflite": (lambda path: path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(300)), "a TensorFlow Lite model"),
    "w.npz": (lambda path: np.savez(path, kernel=np.ones(3)), "a NumPy archive"),
    "w.npy": (lambda path: np.save(path, np.ones(3)), "a NumPy array"),
    "w.pth.gz": (lambda path: path.write_bytes(gzip.compress(b"weights")), "a file that gzip"),
    "weights.zip": (lambda path: zipped(path, weights__best_DOT_pth="x"), r"a zip archive of weights/best\.pth"),
    "script.pt": (lambda path: torch.jit.script(nn.Linear(2, 2)).save(path), "a TorchScript archive"),
    "index.json": (lambda path: path.write_text(json.dumps({"weight_map": {}})), "a text that begins with"),
    "denied.pt": (lambda path: path.write_text("Invalid username or password."), "a text that begins with `Invalid username"),
    "pointer.pt": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9"),
        "a Git LFS pointer",
    ),
    "annex.pt": (lambda path: path.write_text("/annex/objects/MD5E-s9--0.pt"), "a git-annex pointer"),
    "page.pt": (lambda path: path.write_text("<html>404</html>"), "an HTML page"),
    "empty.pt": (lambda path: path.touch(), "an empty file"),
    "folder": (lambda path: (path.mkdir(), (path / "model.bin").touch()), r"a folder with model\.bin in it"),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("name", FILES)
def test_other_formats_are_recognised(tmp_path, name):
    write, message = FILES[name]
    write(tmp_path / name)
    with pytest.raises(InputError, match=rf"{name}\n.*found: +{message}"):
        load_weights(network(), tmp_path / name)


# ---------------------------------------------------------------------------------------------- a real file


class Block(nn.Module):
    """A block of the CIFAR ResNets, whose shortcut has no weights."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, outputs // inputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.missing = (outputs - inputs) // 2

    def forward(self, x):
        shortcut = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.missing, self.missing)) if self.missing else x
        return functional.relu(self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x))))) + shortcut)


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        for stage, (inputs, outputs) in enumerate([(16, 16), (16, 32), (32, 64)], start=1):
            blocks = [Block(inputs if block == 0 else outputs, outputs) for block in range(3)]
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(functional.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean(dim=(2, 3)))


@pytest.mark.skipif(not RESNET20.exists(), reason=f"the published ResNet-20 is not at {RESNET20}")
def test_a_published_file_of_torch_0_4(caplog):
    caplog.set_level(logging.INFO)
    network, other = ResNet20().eval(), ResNet20().eval()
    load_weights(network, RESNET20)
    content = torch.load(RESNET20, map_location="cpu", weights_only=True)
    assert not any("num_batches_tracked" in key for key in content["state_dict"])
    other.load_state_dict({key.removeprefix("module."): tensor for key, tensor in content["state_dict"].items()})
    image = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(network(image), other(image), rtol=0, atol=0)
    assert "weights below `state_dict.module`" in caplog.text
