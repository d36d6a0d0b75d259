"""Find keys that a config file gives twice. YAML keeps the last of them in silence."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from cortexscale.errors import InputError

_MERGE = "tag:yaml.org,2002:merge"


def repeated_keys(files: Iterable[Path]) -> Iterator[InputError]:
    """Yield an error for every key that stands twice in one mapping of a config file.

    Files that cannot be parsed are left to Snakemake, which reads them first.
    """
    for file in files:
        try:
            root = yaml.compose(file.read_text(encoding="utf-8"), yaml.SafeLoader)
        except yaml.YAMLError:
            continue
        yield from _repeated(root, file, "", set())


def _repeated(node: yaml.Node | None, file: Path, path: str, seen: set[int]) -> Iterator[InputError]:
    if node is None or id(node) in seen:  # an alias is the node of its anchor
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for number, entry in enumerate(node.value):
            yield from _repeated(entry, file, f"{path}{number}.", seen)
    if isinstance(node, yaml.MappingNode):
        lines: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            line, name = key.start_mark.line + 1, (key.tag, str(key.value))
            if name in lines and key.tag != _MERGE:
                found = f"the key {path}{key.value} twice, in lines {lines[name]} and {line}"
                yield InputError(f"{file}, line {line}", found, "every key once; YAML would use the last", "remove or rename one")
            lines.setdefault(name, line)
            yield from _repeated(value, file, f"{path}{key.value}.", seen)
