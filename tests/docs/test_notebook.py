"""The notebook of the documentation runs, and shows what it was kept with."""

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from docs.notebook import BOOK, executed


def shown(book: NotebookNode) -> list[list[list[str]]]:
    """Cell -> output -> what it is: kinds of content, or a stream."""
    return [
        [sorted(output.get("data", {output.get("name", "error"): ""})) for output in cell.outputs]
        for cell in book.cells
        if cell.cell_type == "code"
    ]


def test_the_notebook_was_kept_as_it_ran() -> None:
    book = nbformat.read(BOOK, as_version=4)
    nbformat.validate(book)
    outputs = shown(book)
    assert len(outputs) > 8
    assert all(outputs), "python docs/notebook.py --page runs it anew"
    assert not {"error", "stderr"} & {kind for cell in outputs for one in cell for kind in one}
    counts = [cell.execution_count for cell in book.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert BOOK.stat().st_size < 300_000
    assert "/tmp" not in BOOK.read_text(encoding="utf-8")


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Of jupyter_client.
def test_the_notebook_runs_and_shows_what_it_showed(tmp_path: Path) -> None:
    book = executed(tmp_path)
    assert shown(book) == shown(nbformat.read(BOOK, as_version=4))
    assert (tmp_path / "runs" / "notebook" / "result.json").is_file()
