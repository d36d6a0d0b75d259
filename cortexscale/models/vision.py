"""Imports of timm and torchvision that work with every build of torch, and do not load torch.compile.

PyPI's torchvision wheel is compiled against the CUDA build of torch. With the CPU build, its shared library does not load.
``import torchvision`` then fails when it registers fake kernels of two operators, ``nms`` and ``qnms``. These operators belong to
object detection, and no backbone calls them. If they are declared, the import succeeds, but a call of an operator still fails.

``roi_align`` of torchvision and a method of timm load all of torch.compile (``torch._dynamo``), which takes longer than the rest
of the import. Both functions are replaced by stand-ins, which load torch.compile only when they are called.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import ModuleType
from typing import Any

import torch
from torch import library


def _compile_supported(device_type: str) -> bool:
    return importlib.import_module("torch._dynamo.utils").is_compile_supported(device_type)


def _disabled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Apply ``torch.compiler.disable`` to a function, but only when the function is called."""

    @wraps(function)
    def outside(*args: object, **kwargs: object) -> object:
        return torch.compiler.disable(function)(*args, **kwargs)

    return outside


@contextmanager
def _torch_compile_later() -> Iterator[None]:
    """Prevent the block from loading torch.compile. Afterwards torch is unchanged."""
    if "torch._dynamo" in sys.modules:
        yield
        return
    stand_ins = {name: ModuleType(name) for name in ("torch._dynamo", "torch._dynamo.utils")}
    vars(stand_ins["torch._dynamo.utils"])["is_compile_supported"] = _compile_supported
    sys.modules.update(stand_ins)
    disable, torch.compiler.disable = torch.compiler.disable, _disabled  # type: ignore[assignment]
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
        _declarations = library.Library("torchvision", "FRAGMENT")  # the declarations exist as long as this object
        for _operator in ("nms", "qnms"):
            _declarations.define(f"{_operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision

    import timm
    import timm.loss  # noqa: F401 (a submodule that timm does not import)
    import timm.utils  # noqa: F401
    from torchvision import transforms

__all__ = ["timm", "torchvision", "transforms"]
