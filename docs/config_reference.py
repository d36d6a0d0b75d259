"""Write docs/config.md and config/schema.json from the descriptions of the sections of the config: ``make docs``."""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pandas as pd
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cortexscale.datasets.readers import DESCRIBED, load_reader, load_simulator
from cortexscale.datasets.registry import NAMES
from cortexscale.study import Study
from cortexscale.study.fields import Kind, choices, kind_of, kind_of_field, plain, section_of

ROOT = Path(__file__).parents[1]
PAGE, SCHEMA = ROOT / "docs/config.md", ROOT / "config/schema.json"
INTRODUCTION = """# The config

This page describes all keys of a config file. `make docs` generates it from the code. The same command generates
`config/schema.json`, with which editors complete and check keys (YAML language server).

[config.yaml](../config/config.yaml), the config of the demo, is a short example, and [complete.yaml](../config/complete.yaml) has
every section. For a study of your own, copy one of them, change `study` and `results`, remove `simulation`, and run
`snakemake --configfile config/mine.yaml`. All problems of a config are reported at once. Each report says which key is wrong,
what was found, what was expected, and what to do.

Relative paths are relative to the folder in which Snakemake runs. `~` stands for the home folder, and `$NAME` or `${NAME}` for an
environment variable. Write a dollar sign as `$$`. A list must not contain the same entry twice. Write names in quotes if YAML
would read them as something else, such as `no` or `01`.

In the column *Default*, *required* means that the key must be given, and – means that the key has no default.
"""


def sections(root: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the first config key of every section, and the section. Sections come in the order of the config."""
    waiting: list[tuple[str, type[BaseModel]]] = [("", root)]
    seen = set()
    while waiting:
        key, section = waiting.pop(0)
        if section in seen:
            continue
        seen.add(section)
        yield key, section
        within = []
        for name, field in section.model_fields.items():
            for inner, path in _inner(kind_of_field(field), f"{key}.{name}" if key else name):
                within.append((path, inner))
        waiting = within + waiting


def _inner(kind: Kind, path: str) -> Iterator[tuple[type[BaseModel], str]]:
    """Yield the sections that a value of this kind can be or contain, with their paths in the config."""
    for choice in choices(kind):
        section, members = section_of(choice), get_args(choice.type)
        if section is not None:
            sources = get_args(section.model_fields["source"].annotation) if "source" in section.model_fields else ()
            yield section, f"{path} (source: {sources[0]})" if sources else path
        elif choice.type and members:
            entry = f"{path}.NAME" if getattr(choice.type, "__origin__", None) is dict else path
            yield from _inner(kind_of(members[-1]), entry)


def page(root: type[BaseModel]) -> str:
    """Return the reference of all keys of a config in Markdown."""
    parts = [INTRODUCTION]
    titles = {section: key for key, section in sections(root)}
    for section, key in titles.items():
        rows = [_row(name, field, titles) for name, field in section.model_fields.items()]
        text = " ".join((section.__doc__ or "").replace("``", "`").split())
        parts.append(
            "\n\n".join(
                [
                    f"## {key or 'Top level'}",
                    text,
                    _table(rows),
                ]
            )
            + "\n"
        )
    for reader in (DESCRIBED, *NAMES):
        found = {"options": load_reader(reader).Options}
        if reader != DESCRIBED:
            found["simulation settings"] = load_simulator(reader, "reader").Settings
        for what, settings in found.items():
            heading = f"{what.capitalize()} of the reader `{reader}`"
            titles = {section: f"{heading}: {key}" if key else heading for key, section in sections(settings)}
            for section, title in titles.items():
                meanings = attributes(section)
                rows = [(*_row(name, field, titles)[:3], meanings[name]) for name, field in section.model_fields.items()]
                parts.append(f"## {title}\n\n{_table(rows)}\n")
    return "\n".join(parts)


def attributes(section: type[BaseModel]) -> dict[str, str]:
    """Return the meaning of each field: its description, or its entry in the docstring of the class."""
    found: dict[str, str] = {}
    for base in reversed(section.__mro__):
        entries = inspect.cleandoc(base.__doc__ or "").partition("Attributes:\n")[2]
        for names, text in re.findall(r"^    ([a-z]\w*(?:, \w+)*): (.*(?:\n {8}.*)*)", entries, re.MULTILINE):
            words = " ".join(text.replace("``", "`").split())
            found |= dict.fromkeys(names.split(", "), words[:1].upper() + words[1:])
    given = {name: field.description for name, field in section.model_fields.items() if field.description}
    meanings = found | {name: " ".join(text.replace("``", "`").split()) for name, text in given.items()}
    return {name: _escaped(meanings.get(name, "")) for name in section.model_fields}


def _row(name: str, field: FieldInfo, titles: dict[type[BaseModel], str]) -> tuple[str, str, str, str]:
    kind = kind_of_field(field)
    links = dict.fromkeys(f"[{titles[section]}](#{_anchor(titles[section])})" for section, _ in _inner(kind, ""))
    value = plain(kind) + (f": {', '.join(links)}" if links else "")
    cells = (f"`{name}`", value, _default(field), " ".join((field.description or "").split()))
    key, value, default, meaning = map(_escaped, cells)
    return key, value, default, meaning


def _table(rows: list[tuple[str, str, str, str]]) -> str:
    table = pd.DataFrame(rows, columns=["Key", "Value", "Default", "Meaning"])
    return re.sub(" {2,}", " ", re.sub("-{3,}", "--", table.to_markdown(index=False, disable_numparse=True)))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _anchor(title: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        given = value.model_dump(mode="json", exclude_defaults=True)
        return f"`{json.dumps(given)}`" if given else "its defaults"
    if value is None or value in ([], {}):
        return "–"
    plain_value = [each.model_dump(exclude_defaults=True) for each in value.values()] if _holds_sections(value) else value
    return f"`{json.dumps(dict(zip(value, plain_value, strict=True)) if _holds_sections(value) else plain_value)}`"


def _holds_sections(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(each, BaseModel) for each in value.values())


def schema(root: type[Study]) -> str:
    """Return the JSON schema of a config file."""
    found = root.model_json_schema()
    recipe = found["$defs"]["Recipe"]
    found["$defs"]["Recipe"] = {"anyOf": [{"type": "string", "description": "A published recipe."}, recipe]}
    grids = found["$defs"]["Finetuning"]["properties"]["experiments"]["patternProperties"]
    for pattern, several in grids.items():  # a single grid can replace a list with one grid
        grids[pattern] = {"anyOf": [several["items"], several]}
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **found}, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(Study), encoding="utf-8")
    SCHEMA.write_text(schema(Study), encoding="utf-8")
