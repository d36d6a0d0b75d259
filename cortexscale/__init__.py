"""Cortex Scale measures how well vision models predict the visual brain, and how their scores grow with scale.

The public names of the library are ``align`` and ``InputError``. All other names are internal, and can change with every version.
"""

from typing import TYPE_CHECKING, Any

from cortexscale.errors import InputError

if TYPE_CHECKING:
    from cortexscale.library import align

__all__ = ["InputError", "align"]


def __getattr__(name: str) -> Any:
    if name == "align":  # loads torch, which most modules of the package do not need
        from cortexscale.library import align

        return align
    raise AttributeError(f"module {__name__} has no attribute {name}")
