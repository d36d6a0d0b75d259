"""timm and torchvision, importable beside every build of torch. Import them from here.

PyPI's torchvision wheel is compiled against the CUDA build of torch. Beside the CPU build its shared library
does not load, and ``import torchvision`` (timm does it) stops at two operators, ``nms`` and ``qnms``, whose
fake kernels it registers without asking whether they exist. Both are steps of object detection; no backbone calls
them. Their declarations alone let the import pass; calling one still fails. Where the library loads, nothing happens.
"""

from torch import library

try:
    import torchvision
except RuntimeError as error:
    if "torchvision::" not in str(error):
        raise
    _declarations = library.Library("torchvision", "FRAGMENT")  # they live as long as this object
    for _operator in ("nms", "qnms"):
        _declarations.define(f"{_operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision  # noqa: F401

import timm
from torchvision import transforms

__all__ = ["timm", "transforms"]
