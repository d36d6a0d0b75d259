"""Source files: no name is read that belongs to another object, text is UTF-8, files are short."""

import ast

import pytest
from places import ROOT

OURS = sorted(file for folder in ("cortexscale", "workflow") for file in (ROOT / folder).rglob("*.py"))
RULES = [ROOT / "Snakefile", *sorted((ROOT / "workflow/rules").glob("*.smk"))]
WITHOUT_PUBLIC_NAME = {"_base", "_version", "_BatchNorm"}
"""Names of torch: the tensor that a view belongs to, the number of its changes, the base class of all batch normalisations."""

of_each_file = pytest.mark.parametrize("file", OURS, ids=lambda file: str(file.relative_to(ROOT)))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name not in WITHOUT_PUBLIC_NAME


def private_names_of_others(tree: ast.AST) -> list[str]:
    """Lines of a module that read a private name of another object or of another module."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            found += [] if own else [f"line {node.lineno}: {ast.unparse(node)}"]
        elif isinstance(node, ast.ImportFrom):
            found += [f"line {node.lineno}: {node.module}.{alias.name}" for alias in node.names if is_private(alias.name)]
    return found


def text_files_without_encoding(tree: ast.AST) -> list[str]:
    """Lines of a module that read or write text in the encoding of the machine."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or any(keyword.arg == "encoding" for keyword in node.keywords):
            continue
        match node.func:
            case ast.Attribute(value=ast.Name(id="zarr")):
                pass  # a store has no text
            case ast.Attribute(attr="read_text" | "write_text"):
                found.append(f"line {node.lineno}: {ast.unparse(node)}")
            case ast.Attribute(attr="open") | ast.Name(id="open"):
                mode = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
                if "r" in mode or "w" in mode or "a" in mode:
                    found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


@of_each_file
def test_no_object_reads_the_private_names_of_another(file):
    assert private_names_of_others(ast.parse(file.read_text(encoding="utf-8"))) == []


@of_each_file
def test_text_files_are_read_and_written_as_utf8(file):
    assert text_files_without_encoding(ast.parse(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("file", [*OURS, *RULES], ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_has_at_most_350_lines(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 350


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("plan._suite", 1),
        ("self._suite.rows", 0),
        ("self.plan._suite", 1),
        ("cls._made", 0),
        ("model.__dict__", 0),
        ("from cortexscale.study import _private", 1),
        ("from cortexscale.study import Study", 0),
    ],
)
def test_private_names_are_found(line, found):
    assert len(private_names_of_others(ast.parse(line))) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("file.read_text()", 1),
        ("file.read_text(encoding='utf-8')", 0),
        ("file.write_text(text)", 1),
        ("open(path, 'w')", 1),
        ("path.open('wb')", 0),
        ("Image.open(path)", 0),
    ],
)
def test_missing_encodings_are_found(line, found):
    assert len(text_files_without_encoding(ast.parse(line))) == found
