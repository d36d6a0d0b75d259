"""Tables in Markdown without the padding of their cells, to look for text in them."""

import re


def unpadded(markdown: str) -> str:
    """The same text with one space around every cell."""
    return re.sub(r" *\| *", " | ", markdown).replace("\n | ", "\n| ").replace(" | \n", " |\n").lstrip()
