"""Architecture families: their candidate layers, by module names in the published checkpoints, and the families of timm."""

import re

_TRANSFORMER = r"blocks\.\d+(\.(norm1|attn|norm2|mlp))?"

LAYERS: dict[str, tuple[str, ...]] = {
    "AlexNet": (r"features\.\d+", "avgpool", r"classifier\.\d+"),
    "CORnet-S": ("V1", "V2", "V4", "IT"),
    "ResNet": (r"layer\d(\.\d+)?", "avgpool"),
    "EfficientNet": (r"features\.\d+\.\d+\.block\.\d+", "avgpool"),
    "ConvNeXt": (r"features\.\d+(\.\d+)?", "avgpool"),
    "ViT": (_TRANSFORMER, "norm"),
    "ConvNeXt-timm": (r"stages\.\d+\.blocks\.\d+", "norm_pre"),
    "Qwen3-VL": (rf"visual\.{_TRANSFORMER}", r"language_model\.layers\.\d+\.post_attention_layernorm", r"language_model\.norm"),
    "V-JEPA2": (r"layer\.\d+(\.(norm1|attention|norm2))?", "layernorm"),
}
LAYERS |= {f"{family}Flex": LAYERS[family] for family in ("ResNet", "ConvNeXt", "ViT")}
"""Candidate layers of each family, as regular expressions over whole module names.

They are the layers that the published layer search used, as far as the published results show them. ``ConvNeXt`` is from
torchvision, and ``ViT`` from timm (DeiT-III, CLIP, DINOv2, DINOv3). The published results for the language model of ``Qwen3-VL``
name a norm of its blocks. The depths in these results imply that the last norm is the deepest candidate. A stage and its last
block put out the same tensor, and both are candidates.
"""

PUBLISHED_NAMES: dict[str, dict[str, str]] = {
    "AlexNet": {
        f"{part}.{index}": f"{part}.{index + 1}"
        for part, indices in (("features", (0, 3, 6, 8, 10)), ("classifier", (1, 4)))
        for index in indices
    }
}
"""Family -> name of a layer in published commitments -> our name of it, where the two names differ.

AlexNet's ReLUs work in place. The authors' extraction kept the output tensors of convolutions, and so stored the results of the
next ReLU. :func:`cortexscale.models.layers.captured` keeps the output of the module itself.
"""

_TIMM = re.compile(r"(?:(?:test|tf|dm|nf|legacy|wide|eca)_)*(tiny_vit|[a-z]+?(?:\d[a-z]{2,})?)(?=v?\d|_|$)")
_SUITE = {family.lower(): family for family in LAYERS} | {"deit": "ViT"}


def timm_family(arch: str) -> str:
    """Return the family of an architecture of timm, from its name.

    An architecture of a family in the published suite gets this family, whatever its version. For any other architecture, the
    family is the first word of the name. Words that say by whom or how a network was trained are skipped.

    >>> [timm_family(arch) for arch in ("convnextv2_base", "deit3_small_patch16_224", "tf_efficientnet_b0", "swinv2_tiny")]
    ['ConvNeXt', 'ViT', 'EfficientNet', 'swin']
    """
    found = _TIMM.match(arch)
    name = found[1] if found else arch
    return _SUITE.get(name, name)
