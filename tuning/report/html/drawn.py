"""A figure in a page: what is drawn, what it says in words, and how it is put into HTML."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuning.report.html.text import escaped

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure of a section.

    Attributes:
        title: Plain text; its heading.
        figure: What is drawn.
        said: Plain text: what it shows, for those who do not see it, and how to read it.
        min_width: Pixels under which it scrolls sideways.
        is_wide: Whether it stands alone in its row.
    """

    title: str
    figure: "Figure"
    said: str
    min_width: int = 0
    is_wide: bool = False


def as_html(drawn: Drawn, number: int) -> str:
    """Returns a figure as HTML; the script of the page draws it when it comes into view.

    Args:
        drawn: The figure.
        number: Its number in the page.
    """
    title, said = escaped(drawn.title), escaped(drawn.said)
    height = drawn.figure.layout.height or 360
    size = f"height:{height}px;min-width:{drawn.min_width}px"
    return (
        f'<figure class="{"wide" if drawn.is_wide else "narrow"}">\n'
        f'<h3 id="title-{number}">{title}</h3>\n'
        f'<div class="scroll"><div class="plot" id="figure-{number}" style="{size}" role="img" '
        f'aria-labelledby="title-{number}" aria-describedby="said-{number}"></div></div>\n'
        f'<figcaption id="said-{number}">{said}</figcaption>\n'
        f'<script type="application/json" data-figure="figure-{number}">{_data(drawn.figure)}'
        "</script>\n</figure>\n"
    )


def _data(figure: "Figure") -> str:
    """Returns what plotly draws, as JSON that no text in it can end or open a tag from."""
    content = json.loads(figure.to_json())
    # The page has colours of its own, and each figure would bring 7 kB of the same.
    content["layout"].pop("template", None)
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
