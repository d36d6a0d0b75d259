"""Remedies for weights that cannot be fetched from a hub, or cannot be read from its cache."""

import errno
import re

_DAMAGED = re.compile(
    r"SafetensorError|UnpicklingError|EOFError|JSONDecodeError|PytorchStreamReader|BadZipFile|central directory|invalid load key"
    r"|incomplete metadata|deserializing header|safetensors file"
)


def fetching_remedy(error: Exception) -> str | None:
    """Return the remedy for an error of the disk, of access or of a damaged cache; None for other errors."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room on the disk of the cache, or set HF_HOME to a folder of another disk"
    if isinstance(error, PermissionError) or (isinstance(error, OSError) and error.errno == errno.EROFS):
        return "set HF_HOME to a folder that the jobs may write to"
    if _DAMAGED.search(text):
        return "a file of the cache is damaged or cut: delete the folder of this model in the cache (HF_HOME) and fetch it again"
    if re.search(r"Gated|\b401\b|\b403\b", text):
        return "ask for access on the page of the model, and log in where the jobs run: hf auth login"
    return None
