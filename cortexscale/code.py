"""Digests of the code of stages, and loading of a user's own modules.

A digest changes only if the statements of the code change, because only these can change a result.
"""

import ast
import hashlib
import importlib.util
import sys
import traceback
from contextlib import chdir
from functools import cache
from operator import itemgetter
from pathlib import Path
from types import ModuleType

from cortexscale.errors import InputError

PACKAGE = Path(__file__).parent


@cache
def stage_digest(script: Path, *modules: str | Path) -> str:
    """Return the digest of a script and of every module of this package that it imports, directly or indirectly.

    Comments, layout and docstrings do not change the digest.

    Args:
        modules: other modules that the script loads, such as ``cortexscale.datasets.tvsd.reader``, and files of code or data.
    """
    files: set[Path] = set()
    named = [module if isinstance(module, Path) else module_file(module) for module in modules]
    waiting = [script, *filter(None, named)]
    while waiting:
        file = waiting.pop()
        if file not in files:
            files.add(file)
            waiting += parsed(file)[1]
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(files, key=lambda file: (file.name, file)):  # the digest does not depend on the folder of a user's module
        digest.update(file.name.encode() + parsed(file)[0])
    return digest.hexdigest()


@cache
def parsed(file: Path) -> tuple[bytes, tuple[Path, ...]]:
    """Return the digest of the statements of a Python file, and the files of this package that it imports.

    For a data file, return the digest of its bytes, and no imported files.
    """
    if file.suffix != ".py":
        return hashlib.blake2b(file.read_bytes(), digest_size=8).digest(), ()
    tree = ast.parse(file.read_bytes())
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [entry for entry in body if not _is_text(entry)]  # type: ignore[attr-defined]
    ours = (module_file(name) for name in dict.fromkeys(names) if name.split(".")[0] == PACKAGE.name)
    return hashlib.blake2b(_written(tree).encode(), digest_size=8).digest(), tuple(filter(None, ours))


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
    except (Exception, SystemExit) as error:
        found = f"{file}, whose import fails with {type(error).__name__}: {error}{line_of(file, error)}"
        raise InputError(where, found, "a Python module that can be imported", "correct the module") from error


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
    with chdir(Path.cwd()):  # a module that changes the working directory would move every relative path of the study
        spec.loader.exec_module(module)
    return module
