"""Texts of data on the terminal: what steers or hides is spelt out, all others stay as they are."""

import json
import logging
import unicodedata
from io import StringIO
from pathlib import Path

import pytest
from conftest import Mtl
from hostile import MARKUP, READABLE, STEERING
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mtl_core.prediction import Prediction
from mtl_core.printable import one_line, printable, quoted
from mtl_core.tasks.outputs import FoundAnswer, Label, Span
from tuning.cli.app import _readable
from tuning.watch.console import Printable, plain_console

HOSTILE = [text for text, _ in STEERING.values()]


def steers(text: str) -> set[str]:
    """The characters that steer or hide, by what Unicode says of them alone."""
    kinds = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return {character for character in text if unicodedata.category(character) in kinds} - {"\n"}


@pytest.mark.parametrize("what", STEERING)
def test_what_steers_a_terminal_or_hides_is_spelt_out(what: str) -> None:
    text, shown = STEERING[what]
    assert steers(printable(text)) == set()
    if shown is None:
        shown = "".join(c if c.isascii() else c.encode("unicode_escape").decode() for c in text)
    assert printable(text) == shown


@pytest.mark.parametrize("language", READABLE)
def test_legitimate_text_is_unchanged(language: str) -> None:
    text = READABLE[language]
    assert printable(text) == one_line(text) == text
    assert printable(f"{text}\n\t{text}") == f"{text}\n\t{text}"


def test_every_character_that_unicode_calls_a_control_is_spelt_out() -> None:
    alone = [chr(code) for code in range(0x110000) if steers(chr(code))]
    kept = {character for character in alone if printable(character) == character}
    # Visible signs before numbers and between hieroglyphs, and the tab.
    visible = {0x600, 0x601, 0x602, 0x603, 0x604, 0x605, 0x6DD, 0x70F, 0x890, 0x891, 0x8E2}
    visible |= {0x110BD, 0x110CD, *range(0x13430, 0x13440)}
    assert kept <= {"\t", *map(chr, visible)}


def test_one_line_is_one() -> None:
    assert one_line("a\n\tb\r\x85") == r"a\n\tb\r\x85"
    assert [quoted("it's"), quoted("a\nb"), quoted('"')] == ['"it\'s"', r"'a\nb'", "'\"'"]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_all_that_is_printed_on_the_console_is_printable(is_terminal: bool) -> None:
    file = StringIO()
    console = plain_console(file=file, width=200, force_terminal=is_terminal, color_system=None)
    for text in HOSTILE:
        table = Table(text, title=text)
        table.add_row(text)
        console.print(table, text, Text(text))
        console.print(text, soft_wrap=True)
    assert steers(file.getvalue()) == set()
    assert r"\x1b[2J" in file.getvalue()


def test_the_console_keeps_its_own_colours_and_legitimate_text() -> None:
    file = StringIO()
    console = plain_console(file=file, width=200, force_terminal=True, color_system="standard")
    for text in READABLE.values():
        console.print(Text(text, style="red"))
    assert file.getvalue() == "".join(f"\x1b[31m{text}\x1b[0m\n" for text in READABLE.values())


def test_a_live_display_is_printable_where_it_is_asked_for() -> None:
    file = StringIO()
    console = plain_console(file=file, width=80, force_terminal=True)
    with Live(Printable(Text("\x1b]0;title\x07")), console=console, auto_refresh=False) as live:
        console.print("\x9b2J")
        live.refresh()
    assert r"\x1b]0;title" in file.getvalue()
    assert r"\x9b2J" in file.getvalue()
    assert not {"\x07", "\x9b"} & set(file.getvalue())
    assert "\x1b]" not in file.getvalue()


def test_predictions_are_shown_on_lines_of_their_own() -> None:
    for text in [*HOSTILE, *MARKUP]:
        outputs = {
            "a": Label(f"{text}\n  b: good", 0.5),
            "b": (Span(text, 0, 1, text), Span("x", 0, 1, "\n")),
            "c": FoundAnswer(text, 0, 1, 0.5),
        }
        shown = _readable(Prediction(f"{text}\n", text, outputs))
        assert steers(shown) <= {"\t"}
        assert len(shown.split("\n")) == 4


def test_spans_of_any_script_are_readable() -> None:
    for text in READABLE.values():
        assert text in str(Span("WORD", 0, len(text), text))
        assert text in str(FoundAnswer(text, 0, len(text), 1.0))


@pytest.mark.parametrize("text", [*HOSTILE, *READABLE.values()])
def test_json_says_exactly_what_it_said(text: str) -> None:
    line = Prediction(text, "", {"a": Label(text, 0.5)}).to_json()
    assert json.loads(line) == {"text": text, "a": {"label": text, "probability": 0.5}}
    assert text not in HOSTILE or steers(line) == set()
    assert text not in READABLE.values() or line == json.dumps(
        {"text": text, "a": {"label": text, "probability": 0.5}}, ensure_ascii=False
    )


@pytest.mark.parametrize("what", STEERING)
def test_an_error_about_data_is_one_line_that_steers_nothing(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mtl: Mtl
) -> None:
    text = STEERING[what][0].replace("\0", "").encode(errors="ignore").decode()
    monkeypatch.chdir(tmp_path)
    key = json.dumps(f"se{text}\ned")
    Path("study.yaml").write_text(f"run: {{{key}: 1, datasets: {{}}, tasks: {{}}}}", "utf-8")
    refused = mtl("check", "study.yaml")
    lines = [line for line in refused.err.split("\n") if r"\ned" in line]
    assert (refused.code, len(lines), steers(refused.err)) == (2, 1, set())
    assert all(line.startswith("error: study.yaml:1: ") for line in refused.err.split("\n")[:-1])


def test_warnings_about_data_steer_nothing(mtl: Mtl, capsys: pytest.CaptureFixture[str]) -> None:
    from tuning.watch.log_lines import spell_out

    record = logging.LogRecord("x", logging.WARNING, "x", 1, "label %s", ("\x1b[2J",), None)
    assert spell_out(record)
    assert record.getMessage() == r"label \x1b[2J"
