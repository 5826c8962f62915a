"""The text of a report as HTML: what `report.md` says, word for word.

Only what a report is made of becomes a tag: headings, paragraphs, lists, tables, code, bold. HTML
in it stays text, and there are no links or pictures, so that nothing is fetched or followed that a
label or a file name holds.
"""

import html
import re
from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from mtl_core.printable import one_line

_LONG = 26
"""Rows from which a table shows its first ones until more are wanted."""
_FIRST = 10
"""How many these are; `page.css` hides the others."""
_SENTENCE = 40
"""Letters from which code is a text rather than a name or a number."""
_BREAKS = re.compile("(?<=[./_])(?=[^./_])")
"""Where a long name may go on in the next line."""
_FRAME = '<div class="scroll" tabindex="0" role="region" aria-label="table">\n'
"""With a focus of its own, so that it scrolls by the arrow keys."""


def escaped(text: str) -> str:
    """Returns plain text as HTML, also for attributes; what steers a reader is spelt out."""
    return html.escape(one_line(text))


def as_html(markdown: str) -> str:
    """Returns Markdown of a report as HTML; tables scroll sideways, and of long ones rows wait."""
    parser = _parser()
    return str(
        parser.renderer.render(list(_with_frames(parser.parse(markdown))), parser.options, {})
    )


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("code_inline", _code)
    return parser.disable(["image", "link", "autolink", "reference", "html_block", "html_inline"])


def _with_frames(tokens: Sequence[Token]) -> Iterator[Token]:
    """Yields the tokens with each table in a frame of its own."""
    rows = 0
    for token in tokens:
        if token.type == "table_open":
            # Without its header.
            rows = -1
            yield _html(_FRAME)
        if token.type == "th_open":
            token.attrSet("scope", "col")
        rows += token.type == "tr_open"
        yield token
        if token.type == "table_close":
            yield _html(f"</div>\n{_more(rows) if rows >= _LONG else ''}")


def _more(rows: int) -> str:
    """Returns what stands behind a long table: as long as it is closed, the style hides rows."""
    return f'<details class="more"><summary>{rows - _FIRST} more rows</summary></details>\n'


def _code(
    renderer: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType
) -> str:
    text = tokens[at].content
    # A sentence wants some width, where it is one of the columns of a narrow page.
    opened = '<code class="text">' if len(text) > _SENTENCE else "<code>"
    return f"{opened}{_BREAKS.sub('<wbr>', html.escape(text))}</code>"


def _html(content: str) -> Token:
    return Token("html_block", "", 0, content=content)
