"""Pieces of HTML."""

import base64
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

DOTS, PIXELS = 300, 110
"""Of an inch, in the figures and on a screen."""
_NUMBER = re.compile(r"[-−+]?[\d.,]+(e-?\d+)?( ?(%|s|min|h|GB))?")


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; ``**bold**`` cells are strong, numbers stand to the right."""
    rows = list(rows)
    numeric = [all(_NUMBER.fullmatch(_plain(row[place]) or "0") for row in rows) for place in range(len(head))]
    sides = [' class="number"' if number else "" for number in numeric]
    top = "".join(f'<th scope="col"{side}>{escape(name)}</th>' for name, side in zip(head, sides, strict=True))
    body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>\n" for row in rows)
    return f'<div class="scroll" tabindex="0"><table><thead><tr>{top}</tr></thead>\n<tbody>{body}</tbody></table></div>\n'


def _plain(cell: str) -> str:
    return cell.removeprefix("**").removesuffix("**")


def _cell(text: str) -> str:
    plain = _plain(text)
    shown = f"<strong>{escape(plain)}</strong>" if plain != text else escape(text)
    return f'<td class="number">{shown}</td>' if _NUMBER.fullmatch(plain) else f"<td>{shown}</td>"


def markdown(text: str) -> str:
    """Tables and paragraphs, which is all that tables in Markdown hold."""
    parts = []
    for block in text.strip().split("\n\n"):
        lines = [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in block.splitlines()]
        if block.startswith("|"):
            parts.append(html_table(lines[0], lines[2:]))
        else:
            parts.append(f'<p class="soft">{escape(block)}</p>\n')
    return "".join(parts)


def facts(pairs: dict[str, str]) -> str:
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>\n" for name, text in pairs.items())
    return f'<dl class="facts">{rows}</dl>\n'


def details(summary: str, inside: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{inside}</details>\n"


def picture(file: Path, description: str) -> str:
    """A PNG inside the page, in the size that it has in print."""
    content = file.read_bytes()
    width, height = (int.from_bytes(content[start : start + 4]) * PIXELS // DOTS for start in (16, 20))
    source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return f'<img alt="{escape(description)}" width="{width}" height="{height}" loading="lazy" src="{source}">\n'


def links(paths: Iterable[str]) -> str:
    """Links to files beside the page, named by their endings."""
    return " · ".join(f'<a href="{escape(path)}">{escape(path.rsplit(".", 1)[1])}</a>' for path in paths)
