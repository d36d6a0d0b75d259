"""Report requested targets that no rule makes, and suggest similar ones."""

import os
import re
from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from pathlib import Path

from cortexscale.errors import InputError, Problems, nearest, suggestions

_WILDCARD = re.compile(r"{(\w+)(?:,[^}]*)?}")


def require_known_targets(
    unknown: Iterable[str], rules: Mapping[str, Collection[str]], known: Mapping[str, Collection[str]], files: Collection[str]
) -> None:
    """Raise an InputError that lists all requested targets that cannot be made.

    Args:
        unknown: the targets that are neither a rule without wildcards nor a file that a rule makes.
        rules: name of every rule -> paths of the files that it makes, with wildcards in braces,
            such as ``{model}`` or ``{model,a|b}``.
        known: name of a wildcard -> its possible values.
        files: files that the default target makes.
    """
    problems = Problems()
    plain = {name: [_WILDCARD.sub(r"{\1}", pattern) for pattern in patterns] for name, patterns in rules.items()}
    named = dict.fromkeys(rules, "") | {Path(file).stem: file for file in reversed(list(files))}
    for target in unknown:
        file = os.path.relpath(target) if Path(target).is_absolute() else os.path.normpath(target)
        wrong = _wrong_value(file, chain(*plain.values()), known)
        if target in rules:
            found, expected, near = f"{target}: this rule has many jobs", f"a file that it makes: {', '.join(plain[target])}", ""
        elif os.sep not in file and "." not in file:
            found, expected = f"{target}: no rule has this name", f"a file or a rule, such as {suggestions(target, rules, 4)}"
            near = nearest(target, named) or ""
            near = named.get(near) or near
        elif wrong:
            name, value = wrong
            found, expected = f"{target}: this study has no {name} `{value}`", f"one of {suggestions(value, known[name], 4)}"
            near = file.replace(value, nearest(value, known[name]) or value)
        else:
            found, expected = f"{target}: no rule makes this file", f"a file of this study, such as {suggestions(file, files, 3)}"
            near = nearest(file, [file, *files] if file != target else files) or ""
        remedy = f"did you mean `snakemake {near}`?" if near not in ("", target) else "name a file or another rule;"
        problems.found.append(InputError("target", found, expected, f"{remedy} `snakemake --list` prints all rules"))
    problems.require_none()


def _wrong_value(file: str, patterns: Iterable[str], known: Mapping[str, Collection[str]]) -> tuple[str, str] | None:
    """Return the first wildcard with an impossible value, and the value, if ``file`` has the form of a pattern."""
    for pattern in patterns:
        parts = _WILDCARD.split(pattern)
        texts, names = parts[::2], parts[1::2]
        form = re.escape(texts[0]) + "".join(f"([^/]+){re.escape(text)}" for text in texts[1:])
        match = re.fullmatch(form, file)
        for name, value in zip(names, match.groups() if match else (), strict=False):
            if name in known and value not in known[name]:
                return name, value
    return None
