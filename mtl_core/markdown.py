"""Escapes text from data for Markdown: it is shown as it is, never as HTML, link or picture."""

import html
import re

from mtl_core.printable import one_line

_BY_BACKSLASH = (
    r"[\\`*\[\]~@^]|(?<=\])\("
    r"|(?<![^\W_])_|_(?![^\W_])"  # Inside a word an underline is itself.
    r"|:(?=\S)|:$"  # An address, or the name of a picture; before a space it is itself.
    r"|(?<=[wW]{3})\."  # What begins with "www." becomes a link.
    r"|=(?==)|(?<==)="
    r"|\{(?![%#])"
    r"|^[-+>#=]|#(?=#*$)"  # What begins a block, and what may end a heading.
)
# Not every reader of Markdown takes a backslash before these, and templates are filled in before.
_BY_ENTITY = r"[|$]|<(?=[A-Za-z/!?]|.*>|$)|&(?=[#A-Za-z]|$)|\{(?=[%#])"
_SPECIAL = re.compile(f"(?P<entity>{_BY_ENTITY})|{_BY_BACKSLASH}")
_NUMBER = re.compile(r"^(\d{1,9})(?=[.)])")
"""What begins a numbered list."""
_BREAKS = re.compile(r"[ \t\r\n\f\v\x1c-\x1e\x85\u2028\u2029]+")
_CODE = r"(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)"
_ESCAPED = re.compile(
    rf"\\(?P<mark>[!-/:-@\[-`{{-~])|{_CODE}|(?P<entity>&(?:lt|amp|#\d\d\d?);)", re.DOTALL
)


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
    """Returns `text` on one line with what Markdown could read as its own escaped.

    What cannot act where it stands is left as it is, so that the file is readable as well.
    """
    line = one_line(_BREAKS.sub(" ", text)).strip()
    return _NUMBER.sub(r"\1\\", _SPECIAL.sub(_escaped, line))


def _escaped(found: re.Match[str]) -> str:
    if found["entity"] is None:
        return f"\\{found[0]}"
    return {"<": "&lt;", "&": "&amp;"}.get(found[0], f"&#{ord(found[0])};")


def readable(markdown: str) -> str:
    """Returns what `plain` and `code` have written with the escapes taken back: for a terminal.

    What is read as Markdown afterwards may hold anything.
    """
    return _ESCAPED.sub(
        lambda found: found["mark"] or (html.unescape(found[0]) if found["entity"] else found[0]),
        markdown,
    )
