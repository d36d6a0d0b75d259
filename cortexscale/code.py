"""Digests of the code of stages, and loading of a user's own modules.

A digest changes only if the statements of the code change, because only these can change a result.
"""

import ast
import hashlib
import importlib.util
import logging
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import chdir
from functools import cache
from operator import itemgetter
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from cortexscale.errors import InputError

log = logging.getLogger(__name__)

PACKAGE = Path(__file__).parent


@cache
def stage_digest(script: Path, *modules: str | Path) -> str:
    """Return the digest of a script and of every module of this package that it imports, directly or indirectly.

    Comments, layout and docstrings do not change the digest.

    Args:
        modules: other modules that the script loads, such as ``cortexscale.datasets.tvsd.reader``, and files of code or data. For
            a user's file, the digest also covers its :func:`helpers`.
    """
    files: set[Path] = set()
    waiting = [script]
    for module in modules:
        file = module if isinstance(module, Path) else module_file(module)
        waiting += [file, *helpers(file)] if file else []
    while waiting:
        file = waiting.pop()
        if file not in files:
            files.add(file)
            waiting += parsed(file).ours
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(files, key=lambda file: (file.name, file)):  # the digest does not depend on the folder of a user's module
        digest.update(file.name.encode() + parsed(file).digest)
    return digest.hexdigest()


@cache
def helpers(file: Path) -> tuple[Path, ...]:
    """List the modules that a user's Python file imports, directly or indirectly, from its own folder or from ``PYTHONPATH``.

    Installed packages and modules of this package are not listed. A file of this package, and a data file, have no helpers.
    """
    if PACKAGE in file.parents:
        return ()
    folders = [file.parent, *map(Path, filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)))]
    found: dict[Path, None] = {}
    waiting = [file]
    while waiting:
        importing = waiting.pop()
        for name in _imports(importing, whose=file):
            dots = len(name) - len(name.lstrip("."))  # `.clean` lies beside the importing file, and `..clean` one folder above
            roots = [importing.parents[dots - 1]] if dots else folders
            parts = name.lstrip(".").split(".")
            new = [place for place in _modules_on(parts, roots) if place != file and place not in found]
            found |= dict.fromkeys(new)
            waiting += new
    return tuple(found)


def _imports(helper: Path, whose: Path) -> tuple[str, ...]:
    """Return the imports of a helper, or raise an InputError if it cannot be parsed. ``whose`` is the file that needs it."""
    try:
        return parsed(helper).imports
    except (OSError, SyntaxError, ValueError) as error:
        where = f"{helper}, imported by {whose.name}" if helper != whose else helper
        raise InputError(where, f"{type(error).__name__}: {error}", "a Python file", "correct the file") from None


def _modules_on(parts: Sequence[str], roots: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that run when the module of dotted ``parts`` is imported from one of the folders ``roots``."""
    for root in roots:
        places = [root.joinpath(*parts[:n]) for n in range(1, len(parts) + 1)]
        yield from (file for place in places for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file())


class Parsed(NamedTuple):
    """A Python file: the digest of its statements, the modules that it imports, and the files of this package among them.

    A relative import keeps its dots, as in ``.clean``. A data file has the digest of its bytes, and no imports.
    """

    digest: bytes
    imports: tuple[str, ...] = ()
    ours: tuple[Path, ...] = ()


@cache
def parsed(file: Path) -> Parsed:
    """Parse a Python file, or compute the digest of a data file."""
    if file.suffix != ".py":
        return Parsed(hashlib.blake2b(file.read_bytes(), digest_size=8).digest())
    tree = ast.parse(file.read_bytes())
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            joint = "." if node.module else ""
            names += [*([module] if node.module else []), *(f"{module}{joint}{alias.name}" for alias in node.names)]
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [entry for entry in body if not _is_text(entry)]  # type: ignore[attr-defined]
    imports = tuple(dict.fromkeys(names))
    ours = (module_file(name) for name in imports if name.split(".")[0] == PACKAGE.name)
    return Parsed(hashlib.blake2b(_written(tree).encode(), digest_size=8).digest(), imports, tuple(filter(None, ours)))


def _written(node: object) -> str:
    """Write a syntax tree as text that is the same under every version of Python.

    The text of ``ast.dump`` differs between versions: some versions leave out empty fields, or have more fields than others. The
    text here has no empty fields and no empty parts of f-strings.
    """
    if isinstance(node, list):
        return f"[{','.join(map(_written, node))}]"
    if not isinstance(node, ast.AST):
        return ascii(node)
    if isinstance(node, ast.JoinedStr):
        node.values = [part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")]
    fields = [(name, value) for name, value in sorted(ast.iter_fields(node), key=itemgetter(0)) if value not in (None, [])]
    return f"{type(node).__name__}({','.join(f'{name}={_written(value)}' for name, value in fields)})"


def _is_text(node: ast.AST) -> bool:
    """Tell whether a statement is only a text, such as a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def module_file(name: str) -> Path | None:
    """Return the file of a module or subpackage. For this package itself and for a member of a module, return None."""
    place = PACKAGE.joinpath(*name.split(".")[1:])
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in files if file.is_file() and place != PACKAGE), None)


def load_module(file: Path, where: str) -> ModuleType:
    """Load the user's Python file that the config key ``where`` names. If it cannot be imported, raise an InputError."""
    file = file.resolve()
    if not file.is_file():
        raise InputError(where, f"{file}, which is not there", "a Python file", "correct the path in the config")
    try:
        return _load_file(file, file.stat().st_mtime_ns)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        found = f"{file}, whose import fails with {type(error).__name__}: {error}{line_of(file, error)}"
        beside = isinstance(error, ModuleNotFoundError) and any(_modules_on([str(error.name).split(".")[0]], [file.parent]))
        remedy = f"let Python find the helper: export PYTHONPATH={file.parent}" if beside else "correct the module"
        raise InputError(where, found, "a Python module that can be imported", remedy) from error


def line_of(file: Path, error: BaseException) -> str:
    """Say in which line of a file an error arose: ` (line 3 of a.py)`. The text is empty if it arose in another file."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == file.resolve()]
    return f" (line {lines[-1]} of {file.name})" if lines else ""


@cache
def _load_file(file: Path, changed: int) -> ModuleType:
    name = f"own_{file.stem}"  # without the prefix, a file called numpy.py would hide the package
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks up annotations there
    before = set(sys.modules)
    with chdir(Path.cwd()):  # a module that changes the working directory would move every relative path of the study
        spec.loader.exec_module(module)
    _warn_of_unnoticed(file, set(sys.modules) - before)
    return module


def _warn_of_unnoticed(file: Path, loaded: Iterable[str]) -> None:
    """Warn of modules that a user's file has loaded from a place where changes are not noticed."""
    noticed = {file, *(place.resolve() for place in helpers(file))}
    ours = [PACKAGE, *(Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "platstdlib"))]
    places = (getattr(sys.modules.get(name), "__file__", None) for name in loaded)
    for place in sorted({Path(place).resolve() for place in places if place} - noticed):
        if not any(folder in place.parents for folder in ours) and _INSTALLED.isdisjoint(place.parts):
            log.warning("%s imports %s, and results are not made again if that file changes; %s", file, place, _NOTICED)


_INSTALLED = {"site-packages", "dist-packages"}
_NOTICED = "a helper beside the importing file or in a folder of PYTHONPATH is noticed"
