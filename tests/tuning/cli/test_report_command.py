"""`mtl report` as a person meets it: on a terminal, in a pipe, and with a mistake."""

import sys
from pathlib import Path

import pytest
from answers import snapshot
from baseline_sessions import MadeUpTrainers, session_of, study_of
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


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two that look as those of studies, and a study file beside it."""
    for name in ("finished", "failed"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        for file in ("study.yaml", "optuna.journal"):
            (tmp_path / "runs" / name / file).touch()
    (tmp_path / "study.yaml").touch()
    monkeypatch.chdir(tmp_path / "runs")
    return tmp_path / "runs"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["finishd"], "finishd: there is no such folder. Did you mean 'finished'?"),
        (["none/of/it"], "none/of/it: there is no such folder"),
        (["finished/study.yaml"],
         "finished/study.yaml: expected the folder of a study, found a file; give 'finished'"),
        (["../study.yaml"],
         "../study.yaml: expected the folder of a study, found a file; `mtl tune` makes it below "
         "`study.storage`, with the name `study.name`"),
        (["finished", "finished/../finished"],
         "finished: expected two studies or more to compare, found one alone"),
        (["finished", "failed", "--output", "x.pdf"],
         "--output: expected a name that ends in .html or .md, found 'x.pdf'"),
        (["finished", "failed", "--output", "x"],
         "--output: expected a name that ends in .html or .md, found 'x'"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_nothing_is_written(
    words: list[str], told: str, runs: Path, mtl: Mtl
) -> None:
    before = snapshot([runs])
    found = mtl("report", *words)
    assert (found.code, found.out, found.err) == (2, "", f"error: {told}\n")
    assert snapshot([runs]) == before


def test_it_says_what_it_has_written(
    tmp_path: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        study = study_of(tmp_path, name=name, trials=1, baselines="none")
        assert session_of(study, MadeUpTrainers()) is not None
    monkeypatch.chdir(tmp_path)
    for words, written in (
        (["one"], "one/report.md, one/report.html"),
        (["one", "two"], "comparison.html"),
        (["one", "two", "one", "--output", "both.md"], "both.md"),
    ):
        found = mtl("report", *words)
        assert (found.code, found.err) == (0, f"written: {written}\n")
        for file in map(Path, written.split(", ")):
            text = file.read_text()
            assert text.startswith("<!DOCTYPE html>" if file.suffix == ".html" else "# ")
            assert file.suffix == ".html" or found.out == f"{text}\n"
