"""The log file, the display of one run, faulty watchers, and the clock of long commands."""

import logging
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from full_disks import no_file_beyond
from trials import at_work, record

from mtl_core.errors import ConfigError
from tuning.watch import run_display, waiting
from tuning.watch.console import plain_console
from tuning.watch.log_lines import LogLines, logging_to
from tuning.watch.run_display import RunDisplay
from tuning.watch.watcher import Watcher, Watchers


@pytest.fixture
def quiet_loggers() -> Iterator[None]:
    """Puts the level of our loggers back."""
    before = logging.getLogger("tuning").level
    yield
    logging.getLogger("tuning").setLevel(before)


def test_the_log_file_has_levels_and_times(tmp_path: Path, quiet_loggers: None) -> None:
    path = tmp_path / "logs" / "study.log"
    log = LogLines()
    with logging_to(path):
        log.stage("starting Ray")
        log.reported(record(0, "running", 0.5))
        log.ended(replace(record(1, "failed"), error="no disk"))
        logging.getLogger("other").warning("careful")
        logging.getLogger("other").info("chatter")
    log.stage("after")
    logged = path.read_text().splitlines()
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
    assert re.fullmatch(rf"{stamp} INFO     tuning\.watch\.log_lines: starting Ray", logged[0])
    assert re.search(r"INFO .*trial 0000 epoch 1: combined 0\.5000", logged[1])
    assert re.search(r"ERROR .*trial 0001 failed after 0 epochs: no disk", logged[2])
    assert re.search(r"WARNING  other: careful", logged[3])
    assert len(logged) == 4


def test_a_log_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"^--log-file: cannot write to .*: Is a directory$"),
        logging_to(tmp_path),
    ):
        pass


def test_a_log_file_that_is_full_is_one_line_and_ends_nothing(
    tmp_path: Path, quiet_loggers: None, capsys: pytest.CaptureFixture[str]
) -> None:
    path, log = tmp_path / "study.log", LogLines()
    with no_file_beyond(70), logging_to(path):
        for number in range(5):
            log.stage(f"stage {number}")
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"--log-file {path}: cannot write the output: File too large; lines are")
    assert 0 < path.stat().st_size <= 70


def test_a_watcher_that_raises_is_told_no_more_and_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[str] = []

    class Faulty(Watcher):
        def stage(self, text: str) -> None:
            told.append(f"faulty {text}")
            raise ValueError("my own mistake")

    class Sound(Watcher):
        def stage(self, text: str) -> None:
            told.append(f"sound {text}")

    watchers = Watchers([Faulty(), Sound()])
    watchers.stage("one")
    watchers.stage("two")
    assert told == ["faulty one", "sound one", "sound two"]
    assert "Faulty failed in `stage`" in caplog.text
    assert "my own mistake" in caplog.text


def test_a_run_without_a_terminal_shows_its_lines_and_signs_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hand = SimpleNamespace(now=0.0)
    monkeypatch.setattr(run_display, "time", SimpleNamespace(monotonic=lambda: hand.now))
    output = StringIO()
    display = RunDisplay("demo", plain_console(file=output, width=40), None, is_quiet=False)
    display.stage("reading the data")
    display.line("epoch 1/3  dev: combined 0.5000")
    progress = at_work(0, epoch=2, step=5, seconds=0.5).progress
    assert progress is not None
    display.step(progress)
    hand.now = 29.0
    display.tick()
    hand.now = 31.0
    display.tick()
    display.tick()
    assert output.getvalue().splitlines() == [
        "demo: reading the data",
        "epoch 1/3  dev: combined 0.5000",
        "[0:31] demo: epoch 2/3 step 5/20 100 sentences/s",
    ]


def test_a_quiet_run_shows_nothing() -> None:
    output = StringIO()
    display = RunDisplay("demo", plain_console(file=output), None, is_quiet=True)
    display.stage("reading the data")
    display.line("epoch 1/3")
    display.tick()
    assert output.getvalue() == ""


@pytest.mark.parametrize("is_terminal", [True, False])
def test_waiting_shows_a_clock_on_stderr_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_terminal: bool
) -> None:
    monkeypatch.setattr(waiting, "QUIET_SECONDS", 0.01)
    if is_terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setattr(waiting, "can_redraw", lambda _: True)
    with waiting.waiting("scoring on test"):
        deadline = time.monotonic() + 100
        shown = ""
        while "scoring on test" not in shown and time.monotonic() < deadline:
            time.sleep(0.01)
            shown += capsys.readouterr().err
    out, err = capsys.readouterr()
    assert "scoring on test" in shown
    assert out == ""
    assert is_terminal or not err.startswith("\x1b")
