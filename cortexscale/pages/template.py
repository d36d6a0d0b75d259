"""Self-contained pages: a template with its styles, scripts and data inside."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).parent / "assets"


def page(template: str, **parts: str) -> str:
    """A template of ``assets/`` with every ``<!--name-->`` replaced by the part of that name."""
    text = (ASSETS / template).read_text(encoding="utf-8")
    for name, part in parts.items():
        marker = f"<!--{name}-->"
        if text.count(marker) != 1:
            raise ValueError(f"{template}: {text.count(marker)} places for {marker}, not one")
        text = text.replace(marker, part)
    return text


def style(*names: str) -> str:
    return "<style>\n" + "".join((ASSETS / name).read_text(encoding="utf-8") for name in names) + "</style>"


def script(*files: Path) -> str:
    """Scripts of one scope, in this order."""
    return "<script>\n" + "\n".join(file.read_text(encoding="utf-8") for file in files) + "\n</script>"


def embedded(data: Mapping[str, Any]) -> str:
    """Data for the scripts of a page. No text in it can end the element that it is in."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return '<script type="application/json" id="data">' + text.replace("<", "\\u003c") + "</script>"
