"""Names of pretrained networks as papers, configs and torchvision write them, and caches that are damaged or cannot be filled."""

import errno

import pytest
from inventories import inventory
from safetensors import SafetensorError

from cortexscale.check.models import check_timm_names
from cortexscale.check.report import ReportSection
from cortexscale.errors import InputError
from cortexscale.models import timm_names
from cortexscale.models.build import load_backbone
from cortexscale.models.sources import known
from cortexscale.study import load_study


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("vit_base_patch16_224_in21k", "vit_base_patch16_224.augreg_in21k"),
        ("tf_efficientnet_b0_ns", "tf_efficientnet_b0.ns_jft_in1k"),
        ("convnext_tiny_in22ft1k", "convnext_tiny.fb_in22k_ft_in1k"),
    ],
)
def test_old_names_are_those_of_timms_own_table(old, new):
    section = ReportSection("models")
    check_timm_names(section, [old])
    assert not section.problems and f"timm calls {old} {new} now" in section.text()


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("ResNet50", "did you mean resnet50?"),
        ("resnet-50", "did you mean resnet50"),
        ("resnet50(pretrained=True)", "did you mean resnet50?"),
        ("torchvision.models.resnet50", "did you mean resnet50?"),
        ("ResNet50_Weights.IMAGENET1K_V1", "did you mean resnet50?"),
        ("VIT_Base_patch16_224_in21k", "did you mean vit_base_patch16_224.augreg_in21k?"),
        ("resnet18.imagenet", "resnet18 has the weights resnet18.a1_in1k"),
        ("deit3_small", "did you mean deit3_small_patch16_224"),
        ("hf-hub:resnet18.a1_in1k", "needs its owner, such as hf-hub:timm/resnet18.a1_in1k"),
        ("timm/resnet18.a1_in1k", "write hf-hub:timm/resnet18.a1_in1k"),
        ("qwertyuiop", "timm.list_models(pretrained=True) lists all names"),
    ],
)
def test_unknown_names_are_advised_in_the_check_and_in_the_job(name, advice):
    section = ReportSection("models")
    check_timm_names(section, [name])
    assert len(section.problems) == 1 and advice in section.text()
    if "hub:" not in name and "(" not in name:  # an id with brackets is refused before the job
        with pytest.raises(InputError) as caught:
            load_backbone(timm_model(name))
        assert advice in caught.value.remedy


@pytest.mark.parametrize("name", ["resnet18", "resnet18.a1_in1k", "hf-hub:timm/resnet18.a1_in1k", "local-dir:/weights/net"])
def test_right_names_pass(name):
    assert timm_names.unknown(name) is None and timm_names.renamed(name) is None


def timm_model(name: str):
    row = {"source": "timm", "ids": [name], "layers": ["layer1"]}
    return next(iter(inventory(load_study({"study": "s", "results": "r", "models": [row]})).values()))


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (
            OSError("We cannot find the requested files in the local cache. Please check your connection"),
            "connect to the network",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "make room"),
        (PermissionError(errno.EACCES, "Permission denied"), "may write to"),
        (SafetensorError("Error while deserializing header: incomplete metadata, file not fully covered"), "damaged or cut"),
        (RuntimeError("PytorchStreamReader failed reading zip archive: failed finding central directory"), "damaged or cut"),
        (EOFError("Ran out of input"), "damaged or cut"),
        (OSError("401 Client Error. Access to model timm/x is restricted"), "ask for access"),
        (TypeError("ResNet.__init__() got an unexpected keyword argument 'img_size'"), "the model's own arguments"),
    ],
)
def test_the_cause_of_a_failed_fetch_is_told(monkeypatch, error, remedy):
    def create_model(*_args, **_keys):
        raise error

    monkeypatch.setattr(known.timm, "create_model", create_model)
    with pytest.raises(InputError, match=r"model resnet18\n") as caught:
        load_backbone(timm_model("resnet18"))
    assert remedy in caught.value.remedy and str(error)[:40] in caught.value.found
