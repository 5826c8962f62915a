"""The notebook of the documentation: `python docs/notebook.py --page` runs it anew.

mkdocs calls what begins with `on_`, and so the site shows it as well.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url
from nbclient import NotebookClient
from nbformat import NotebookNode

BOOK = Path(__file__).parent / "tutorials" / "first_study.ipynb"
PAGE = "tutorials/notebook.md"
SCRIPT = "assets/plotly.min.js"
PLOTLY = "application/vnd.plotly.v1+json"


def executed(folder: Path) -> NotebookNode:
    """Runs all cells in a folder, which then holds what they write; returns the notebook.

    Raises:
        CellExecutionError: A cell fails.
    """
    book = nbformat.read(BOOK, as_version=4)
    # A figure is kept as its numbers: with its script each would be of 4 MB.
    os.environ["PLOTLY_RENDERER"] = "plotly_mimetype"
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(book, timeout=None, kernel_name="python3", resources=place).execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)  # When it ran.
        cell.metadata.pop("trusted", None)
    book.metadata.pop("language_info", None)
    # Where it ran is nobody's matter.
    text = nbformat.writes(book).replace(f"{folder}/", "")
    return nbformat.reads(text, as_version=4)


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Puts the notebook behind the text of its page."""
    if page.file.src_uri != PAGE:
        return markdown
    book = nbformat.read(BOOK, as_version=4)
    script = f'<script src="{get_relative_url(SCRIPT, page.url)}"></script>'
    cells = [part for number, cell in enumerate(book.cells) for part in _cell(cell, number)]
    return "\n\n".join([markdown, script, *cells])


def on_post_build(config: MkDocsConfig) -> None:
    """Puts plotly's script into the site: pages load nothing from other servers."""
    from plotly.offline import get_plotlyjs

    path = Path(config.site_dir, SCRIPT)
    path.parent.mkdir(exist_ok=True)
    path.write_text(get_plotlyjs(), encoding="utf-8")


def _cell(cell: NotebookNode, number: int) -> Iterator[str]:
    """Yields a cell as Markdown, and what it shows."""
    if cell.cell_type == "markdown":
        # The page has a title of its own.
        yield cell.source.replace("# ", "## ", 1) if cell.source.startswith("# ") else cell.source
        return
    yield f"```python\n{cell.source}\n```"
    for place, output in enumerate(cell.outputs):
        yield from _output(output, f"figure-{number}-{place}")


def _output(output: NotebookNode, name: str) -> Iterator[str]:
    data = output.get("data", {})
    if output.output_type == "stream":
        yield f"```text\n{output.text.rstrip()}\n```"
    elif PLOTLY in data:
        # "</script>" in a text of a figure would end the script.
        figure = json.dumps(data[PLOTLY]).replace("</", "<\\/")
        draw = f'Plotly.newPlot("{name}", {{...{figure}, config: {{responsive: true}}}})'
        yield f'<div id="{name}"></div><script>{draw}</script>'
    elif "text/html" in data:
        yield f"<div>{data['text/html']}</div>"
    elif "text/plain" in data:
        yield f"```text\n{data['text/plain']}\n```"


if __name__ == "__main__":
    if sys.argv[1:] != ["--page"]:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        nbformat.write(executed(Path(folder)), BOOK)
