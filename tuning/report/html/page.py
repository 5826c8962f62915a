"""`report.html`: one file with all that is known of a study, which opens without a network.

It says what `report.md` says, in the same words, and puts figures to it. Its policy lets no script
run but its own, known by their hashes, and fetches nothing.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from tuning.report.html import drawn as figures
from tuning.report.html.drawn import Drawn
from tuning.report.html.text import as_html, escaped
from tuning.report.render import Section

_NAVIGATION_FROM = 4
"""Sections from which a page has a list of them."""


def render_page(
    title: str, sections: Sequence[Section], drawn: Mapping[str, Sequence[Drawn]]
) -> str:
    """Returns a page of sections and the figures that belong to them.

    Args:
        title: Plain text.
        sections: What it says, in order; the heading of each is its first part.
        drawn: Key of a section -> its figures.
    """
    number, body = 0, []
    for section in sections:
        placed = []
        for one in drawn.get(section.key, ()):
            placed.append(figures.as_html(one, number))
            number += 1
        text = as_html("\n\n".join(section.parts))
        grid = f'<div class="figures">\n{"".join(placed)}</div>\n' if placed else ""
        body.append(f'<section id="{escaped(section.key)}">\n{text}{grid}</section>\n')
    # Without figures there is nothing to draw, and 4.8 MB less to carry.
    scripts = [_plotly(), _own("page.js")] if number else []
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escaped(title)}</title>\n<style>\n{_own('page.css')}</style>\n</head>\n"
        f"<body>\n{_navigation(sections)}<main>\n{''.join(body)}</main>\n"
        f"{''.join(f'<script>{script}</script>{chr(10)}' for script in scripts)}</body>\n</html>\n"
    )


def _navigation(sections: Sequence[Section]) -> str:
    if len(sections) < _NAVIGATION_FROM:
        return ""
    entries = "".join(
        f'<li><a href="#{escaped(section.key)}">{escaped(_heading(section))}</a></li>\n'
        for section in sections[1:]
    )
    return f'<nav aria-label="sections">\n<ul>\n{entries}</ul>\n</nav>\n'


def _heading(section: Section) -> str:
    """Returns the heading of a section but the first, which are plain words of ours."""
    return section.parts[0].lstrip("# ")


def _policy(scripts: Sequence[str]) -> str:
    allowed = "".join(
        f" 'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    no = " 'none'"
    # Plotly sets styles, and saves a figure as a picture by way of `data:` and `blob:`.
    return (
        f"default-src 'none'; script-src{allowed or no}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


@cache
def _own(name: str) -> str:
    return (files("tuning.report.html") / name).read_text(encoding="utf-8")
