"""A further built-in dataset needs a folder and a line of the registry: nothing else in the package names one."""

import ast
import re
from pathlib import Path

import pytest
from places import ROOT

from cortexscale.datasets import registry

PACKAGE = ROOT / "cortexscale"
FOLDERS = {folder.name for folder in (PACKAGE / "datasets").iterdir() if (folder / "reader.py").exists()}
WORDS = {*registry.NAMES} | {name for entry in registry.all_facts().values() for name in (entry.label, entry.released_name)}
NAMED = re.compile(rf"(?<![A-Za-z0-9])({'|'.join(map(re.escape, sorted(WORDS, key=len, reverse=True)))})(?![A-Za-z0-9])")


def words_of(file: Path) -> list[str]:
    """Identifiers, names of imported modules and texts of a file, without docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    documentation = {
        id(node.body[n].value)
        for node in ast.walk(tree)
        if isinstance(getattr(node, "body", None), list)
        for n in range(len(node.body))
        if isinstance(node.body[n], ast.Expr) and isinstance(node.body[n].value, ast.Constant)
    }
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in documentation:
                found.append(text)
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.append(name)
            case ast.arg(arg=name) | ast.keyword(arg=str(name)) | ast.alias(name=name):
                found.append(name)
            case ast.ImportFrom(module=str(name)):
                found.append(name)
    return found


def test_the_registry_has_a_line_for_every_folder():
    assert set(registry.NAMES) == FOLDERS and len(registry.NAMES) == len(FOLDERS)


@pytest.mark.parametrize("name", registry.NAMES)
def test_a_dataset_has_all_its_parts_in_its_folder(name):
    present = {file.name for file in (PACKAGE / "datasets" / name).iterdir()}
    assert present >= {"facts.toml", "reader.py", "simulate.py", "manifest.tsv"}


def test_no_other_module_names_a_dataset():
    inside = {PACKAGE / "datasets" / name for name in FOLDERS}
    naming = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        if file.parent not in inside and file != PACKAGE / "datasets/registry.py":
            named = {match[1] for word in words_of(file) for match in NAMED.finditer(word)}
            if named:
                naming[str(file.relative_to(PACKAGE))] = sorted(named)
    assert not naming
