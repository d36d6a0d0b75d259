"""Scripts of the workflow as modules."""

import importlib.util
from types import ModuleType

from places import ROOT


def script(name: str) -> ModuleType:
    """A fresh module of a script; without the global name ``snakemake`` it runs nothing."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"workflow/scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
