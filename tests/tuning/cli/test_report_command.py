"""`mtl report` as a person meets it: on a terminal, in a pipe, and with a mistake."""

import sys
from pathlib import Path

import pytest
from conftest import Mtl

from mtl_core.markdown import plain
from tuning.report import write

TEXT = "task 'x': `a` <b> [c] | d_e"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> str:
    """A report with a text that Markdown would take for its own."""
    text = f"# Study\n\n- {plain(TEXT)}\n"
    monkeypatch.setattr(write, "write_report", lambda _: text)
    return text


def test_a_pipe_gets_markdown_that_is_safe_to_render(
    written: str, tmp_path: Path, mtl: Mtl
) -> None:
    assert mtl("report", str(tmp_path)).out == f"{written}\n"


def test_a_terminal_gets_the_text_without_escapes(
    written: str, tmp_path: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert mtl("report", str(tmp_path)).out == f"# Study\n\n- {TEXT}\n\n"
