"""Reading of files with weights. If a file contains code, the code is never run."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from cortexscale.errors import InputError
from cortexscale.files import require_real_file
from cortexscale.listing import files_in

_AGAIN = "fetch or train it again"
_SAVE = "save the weights alone: torch.save(network.state_dict(), file)"
_CONVERT = "convert it to a state dict of PyTorch, and save that with torch.save"
_EXPECTED = "a file of torch.save, or safetensors"
_UNPACK = "unpack it, and name the checkpoint within it"

_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras and TensorFlow write it", _CONVERT),
    (4, b"TFL3", "a TensorFlow Lite model", _CONVERT),
    (0, b"MATLAB", "a MATLAB file", _CONVERT),
    (0, b"\x93NUMPY", "a NumPy array", _CONVERT),
    (0, b"model_checkpoint_path:", "the list of checkpoints that TensorFlow keeps", _CONVERT),
    (0, b"\x1f\x8b", "a file that gzip has compressed", _UNPACK),
    (0, b"BZh", "a file that bzip2 has compressed", _UNPACK),
    (0, b"\xfd7zXZ", "a file that xz has compressed", _UNPACK),
    (0, b"7z\xbc\xaf", "a 7-Zip archive", _UNPACK),
    (0, b"Rar!", "a RAR archive", _UNPACK),
    (257, b"ustar", "a tar archive", _UNPACK),
)
"""Marks by which files of other programs are recognised: offset, mark, what the file is, and a remedy."""
_SUFFIXES = {
    ".onnx": "an ONNX model",
    ".pb": "a graph of TensorFlow",
    ".index": "the index of a TensorFlow checkpoint",
    ".meta": "the graph of a TensorFlow checkpoint",
    ".data-00000-of-00001": "the data of a TensorFlow checkpoint",
    ".msgpack": "weights of Flax",
    ".caffemodel": "a Caffe model",
    ".gguf": "a GGUF model",
}
"""Ends of names by which files of other programs are recognised if they have no mark."""
_IN_ZIP = (
    ("/code/", "a TorchScript archive", "save its weights alone: torch.save(torch.jit.load(file).state_dict(), other_file)"),
    ("/models/model.json", "a program of torch.export", "save the weights alone: torch.save(program.state_dict, file)"),
    ("model.weights.h5", "a Keras model", _CONVERT),
    (".npy", "a NumPy archive, as JAX and Big Transfer publish weights", _CONVERT),
)
"""Zip archives of other programs than ``torch.save``: part of the name of an entry, what the file is, and a remedy."""


class Pickled:
    """A stand-in for an object that is neither a tensor nor plain Python, such as a network or a function. It does nothing.

    ``state`` has the attributes of the pickled object.
    """

    state: Mapping[str, Any] = {}

    def __new__(cls, *_: Any) -> "Pickled":
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}


def read_checkpoint(path: Path | str) -> Any:
    """Read a file of ``torch.save`` or safetensors. Tensors are loaded from disk when they are used.

    torch is allowed to create only tensors and plain Python objects. Every other object, such as the state of the trainer in a
    published checkpoint, is replaced by an empty stand-in. An InputError is raised if the file is missing, damaged or of another
    format, or cannot be read in this way.
    """
    if Path(path).is_dir():
        inside = ", ".join([file.name for file in files_in(path)][:4])
        raise InputError(path, f"a folder with {inside or 'nothing'} in it", "one file with all weights", "name the file")
    path = require_real_file(path, _AGAIN)
    with path.open("rb") as file:
        head = file.read(512)
    zipped = head.startswith(b"PK\x03\x04")  # torch before 1.6 wrote bare pickles
    if zipped and not zipfile.is_zipfile(path):
        raise InputError(path, f"the first {path.stat().st_size:,} bytes of a longer file", "a whole checkpoint", _AGAIN)
    if head[8:9] == b"{" and (length := int.from_bytes(head[:8], "little")) < 2**27:
        return _read_safetensors(path, length)
    _refuse_other_formats(path, head, zipped)
    try:
        names = get_unsafe_globals_in_checkpoint(path) if zipped else []
        with safe_globals([_stand_in(name) for name in names]):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except Exception as error:  # a damaged file can raise any exception
        # the reason stands inside torch's advice to load the file without its safeguard
        reason = str(error).split("\n\nCheck the documentation")[0].split("\n\n")[-1]
        reason = reason.split("WeightsUnpickler error:")[-1].split("Please use")[0]
        found = f"a file that cannot be read safely as a checkpoint ({type(error).__name__}: {reason.strip()[:200]})"
        remedy = f"{_AGAIN}, or where its trainer is installed {_SAVE}"
        raise InputError(path, found, "a file of torch.save with tensors and plain Python", remedy) from error


def named_tensors(content: Any) -> dict[str, Tensor]:
    """Return all tensors of a checkpoint: place -> tensor. A place has the keys of nested dictionaries and lists, joined by dots.

    If a whole network was pickled, its weights have their names in the network.
    """
    found: dict[str, Tensor] = {}
    above: set[int] = set()

    def visit(value: Any, place: str) -> None:
        if isinstance(value, Tensor):
            found[place] = value
            return
        if id(value) in above:  # the object contains itself
            return
        above.add(id(value))
        for key, entry in _entries(value):
            visit(entry, f"{place}.{key}" if place else str(key))
        above.discard(id(value))

    visit(content, "")
    return found


def _entries(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Pickled):
        kinds = (value.state.get(kind) for kind in ("_parameters", "_buffers", "_modules"))
        return [pair for kind in kinds if isinstance(kind, Mapping) for pair in kind.items()]
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list | tuple) else []


def described(content: Any) -> str:
    """Describe a checkpoint without tensors in a few words."""
    if isinstance(content, Mapping):
        return f"a dictionary of {', '.join(map(str, list(content)[:6])) or 'nothing'}"
    return f"an object of {type(content).__module__}.{type(content).__qualname__}"


def _stand_in(name: str) -> type[Pickled]:
    module, _, name = name.rpartition(".")
    return type(name, (Pickled,), {"__module__": module})


def _refuse_other_formats(path: Path, head: bytes, zipped: bool) -> None:
    for place, mark, found, remedy in _MAGIC:
        if head[place:].startswith(mark):
            raise InputError(path, found, _EXPECTED, remedy)
    for suffix, found in _SUFFIXES.items():
        if path.name.lower().endswith(suffix):
            raise InputError(path, found, _EXPECTED, _CONVERT)
    if head[:1] == b"\x08" and head[2:3] == b"\x12":  # a protocol buffer: its version, then the name of its program
        raise InputError(path, "an ONNX model", _EXPECTED, _CONVERT)
    if zipped:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        for part, found, remedy in _IN_ZIP:
            if any(part in name for name in names):
                raise InputError(path, found, _EXPECTED, remedy)
        if not any(name.endswith("data.pkl") for name in names):
            raise InputError(path, f"a zip archive of {', '.join(names[:4])}", _EXPECTED, _UNPACK)
    elif (head.isascii() and head.decode().isprintable()) or head.lstrip()[:1] in (b"{", b"["):
        text = " ".join(head[:80].decode("utf-8", "replace").split())
        remedy = "name the file with the weights; a server that refuses a download may have sent a message in its place"
        raise InputError(path, f"a text that begins with `{text}`", _EXPECTED, remedy)


def _read_safetensors(path: Path, header: int) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        whole = _safetensors_size(path, header)
        if whole is not None and path.stat().st_size < whole:
            found = f"the first {path.stat().st_size:,} bytes of a safetensors file of {whole:,} bytes"
            raise InputError(path, found, "a whole checkpoint", _AGAIN) from None
        found = f"a file that looks like safetensors and cannot be read as such ({error})"
        raise InputError(path, found, _EXPECTED, f"{_AGAIN}, or {_SAVE}") from None


def _safetensors_size(path: Path, header: int) -> int | None:
    """Return the size of a safetensors file in bytes, according to its header. If the header is unreadable, return None."""
    with path.open("rb") as file:
        text = file.read(8 + header)[8:]
    if len(text) < header:
        return 8 + header
    try:
        ends = [entry["data_offsets"][1] for name, entry in json.loads(text).items() if name != "__metadata__"]
        return 8 + header + max(ends, default=0)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None
