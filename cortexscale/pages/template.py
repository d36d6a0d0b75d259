"""Fill Jinja2 templates of ``assets/``. The resulting pages contain their styles, scripts, images and data."""

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt

ASSETS = Path(__file__).parent / "assets"
MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
"""Converter of Markdown, such as paragraphs and tables, to HTML. It escapes HTML in the text."""


def render(template: str, **values: Any) -> str:
    """Fill a template of ``assets/``. Values are escaped unless the template marks them as ``safe``."""
    return _ENVIRONMENT.get_template(template).render(**values)


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _data_uri(png: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(png.read_bytes()).decode()}"


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(ASSETS, encoding="utf-8"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":"), "ensure_ascii": False}
_ENVIRONMENT.filters |= {"markdown": MARKDOWN.render, "data_uri": _data_uri}
_ENVIRONMENT.globals["asset"] = _asset
