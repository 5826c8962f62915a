"""Escapes text from data for Markdown: it is shown as it is, never as HTML, link or picture."""

import re

from mtl_core.printable import one_line

_SPECIAL = re.compile(
    r"[\\`*{}\[\]<>#|!&~$:@^\"'+=]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # Inside a word an underline is itself.
    r"|(?<=[wW]{3})\."  # What begins with "www." becomes a link.
)
_BREAKS = re.compile(r"[ \t\r\n\f\v\x1c-\x1e\x85\u2028\u2029]+")


def code(text: str) -> str:
    """Returns `text` as a code span on one line; a table has to escape the bars in it."""
    line = one_line(_BREAKS.sub(" ", text)).strip()
    # A table takes a bar behind a backslash in two ways, and an empty span is no span.
    if r"\|" in line or not line:
        return plain(line) or "(empty)"
    longest = max(map(len, re.findall("`+", line)), default=0)
    ticks, space = "`" * (longest + 1), " " if longest else ""
    return f"{ticks}{space}{line}{space}{ticks}"


def plain(text: str) -> str:
    """Returns `text` on one line with what Markdown could read as its own as HTML entities."""
    line = one_line(_BREAKS.sub(" ", text)).strip()
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", line)
