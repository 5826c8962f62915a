"""The text of a report as HTML: what `report.md` says, word for word.

Only what a report is made of becomes a tag: headings, paragraphs, lists, tables, code, bold. HTML
in it stays text, and there are no links or pictures, so that nothing is fetched or followed that a
label or a file name holds.
"""

import html
from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from mtl_core.printable import one_line

_LONG = 26
"""Rows from which a table is folded."""
_FRAME = '<div class="scroll" tabindex="0" role="region" aria-label="table">\n'
"""With a focus of its own, so that it scrolls by the arrow keys."""


def escaped(text: str) -> str:
    """Returns plain text as HTML, also for attributes; what steers a reader is spelt out."""
    return html.escape(one_line(text))


def as_html(markdown: str) -> str:
    """Returns Markdown of a report as HTML; tables scroll sideways, and long ones are folded."""
    parser = _parser()
    return str(
        parser.renderer.render(list(_with_frames(parser.parse(markdown))), parser.options, {})
    )


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    return parser.disable(["image", "link", "autolink", "reference", "html_block", "html_inline"])


def _with_frames(tokens: Sequence[Token]) -> Iterator[Token]:
    """Yields the tokens with each table in a frame of its own."""
    for at, token in enumerate(tokens):
        is_long = token.type.startswith("table_") and _rows_around(tokens, at) >= _LONG
        if token.type == "table_open":
            folded = f"<details><summary>{_rows_around(tokens, at)} rows</summary>\n"
            yield _html(f"{folded if is_long else ''}{_FRAME}")
        if token.type == "th_open":
            token.attrSet("scope", "col")
        yield token
        if token.type == "table_close":
            yield _html(f"</div>\n{'</details>' if is_long else ''}\n")


def _rows_around(tokens: Sequence[Token], at: int) -> int:
    """Returns the rows of the table that begins or ends at a token, without its header."""
    step = 1 if tokens[at].type == "table_open" else -1
    rows = 0
    while True:
        at += step
        if tokens[at].type.startswith("table_"):
            return rows - 1
        rows += tokens[at].type == "tr_open"


def _html(content: str) -> Token:
    return Token("html_block", "", 0, content=content)
