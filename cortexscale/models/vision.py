"""timm and torchvision, importable beside every build of torch and without loading torch.compile. Import them from here.

PyPI's torchvision wheel is compiled against the CUDA build of torch. Beside the CPU build its shared library
does not load, and ``import torchvision`` (timm does it) stops at two operators, ``nms`` and ``qnms``, whose
fake kernels it registers without asking whether they exist. Both are steps of object detection; no backbone calls
them. Their declarations alone let the import pass; calling one still fails. Where the library loads, nothing happens.

Two of their lines load the whole of torch.compile, ``torch._dynamo``, which takes longer than all else that they load:
``roi_align`` of torchvision imports a function of it, and timm decorates a method with ``torch.compiler.disable``. Each
gets a stand-in that turns to torch.compile once it is called.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import ModuleType

import torch
from torch import library


def _compile_supported(device_type: str) -> bool:
    return importlib.import_module("torch._dynamo.utils").is_compile_supported(device_type)


def _disabled(function: Callable) -> Callable:
    @wraps(function)
    def outside(*args: object, **kwargs: object) -> object:
        return torch.compiler.disable(function)(*args, **kwargs)

    return outside


@contextmanager
def _torch_compile_later() -> Iterator[None]:
    """Inside, torch.compile is not loaded; afterwards torch is as it was."""
    if "torch._dynamo" in sys.modules:
        yield
        return
    stand_ins = {name: ModuleType(name) for name in ("torch._dynamo", "torch._dynamo.utils")}
    stand_ins["torch._dynamo.utils"].is_compile_supported = _compile_supported
    sys.modules.update(stand_ins)
    disable, torch.compiler.disable = torch.compiler.disable, _disabled
    try:
        yield
    finally:
        torch.compiler.disable = disable
        for name in stand_ins:
            del sys.modules[name]


with _torch_compile_later():
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        _declarations = library.Library("torchvision", "FRAGMENT")  # they live as long as this object
        for _operator in ("nms", "qnms"):
            _declarations.define(f"{_operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision

    import timm
    import timm.loss
    from torchvision import transforms

__all__ = ["timm", "torchvision", "transforms"]
