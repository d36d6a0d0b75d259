"""The prose of the house: docstrings are statements, and one concept has one word (docs/vocabulary.md)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT

FRAGMENT = re.compile(
    r"(Of|By|As|At|From|In|On|To|With|Without|Beside|Among|Between|Than|And|But|Or|So|"
    r"Those|Its|Their|What|Which|Who|Whose|Where|When|How|The same)\b"
)
"""Openings of docstrings that continue the name above them in place of making a statement."""

WORDS = {
    r"pictures?": "stimulus, or image for its pixels",
    r"probes?": "readout",
    r"(?:the|a|this|smallest|largest|what|which) share|shares? of": "percent (0 to 100) or fraction (0 to 1)",
    r"(?:dataset|reader) handles?": "label",
}
"""Words that the vocabulary forbids, as regular expressions, and the words to use. Code in backticks may have them."""

PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CHANGELOG.md"]


MODULES = sorted(file for folder in ("cortexscale", "workflow") for file in (ROOT / folder).rglob("*.py"))


def docstrings(file: Path) -> Iterator[tuple[int, str]]:
    """Line and text of the docstrings of a module: of itself, its classes and functions, and of its constants and fields."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            for statement in node.body:
                match statement:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        yield statement.lineno, text.strip()


def prose_of(text: str) -> str:
    """A text without code and addresses."""
    return re.sub(r"```.*?```|``[^`]*``|`[^`]*`|\]\([^)]*\)|https?://\S+", "", text, flags=re.DOTALL)


def forbidden(text: str) -> list[str]:
    """The forbidden words of a text, each with the word to use."""
    found = ((re.search(rf"\b({word})\b", text, re.IGNORECASE), use) for word, use in WORDS.items())
    return [f"{match[0]}: {use}" for match, use in found if match]


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_docstrings_are_statements_in_the_words_of_the_vocabulary(file):
    fragments = [(line, text.splitlines()[0]) for line, text in docstrings(file) if FRAGMENT.match(text)]
    assert not fragments, "a docstring begins with a statement that can be read without the name above it"
    assert not [(line, found) for line, text in docstrings(file) for found in forbidden(prose_of(text))]


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_pages_use_the_words_of_the_vocabulary(file):
    assert file.name == "vocabulary.md" or not forbidden(prose_of(file.read_text(encoding="utf-8")))


def test_links_between_pages_resolve():
    for file in PAGES:
        text = file.read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if not link.startswith("http"):
                assert (file.parent / link).exists(), f"{file.name}: {link}"
