"""The log of a study: what goes there and what to the console, by processes of their own."""

import errno
import logging
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

from tuning.watch import study_log as module
from tuning.watch.study_log import StudyLog, study_log

# What a process may say while a study runs; each line names where it has to be found.
_SPEAKS = """
import ctypes, logging, os, subprocess, sys, threading, warnings
from pathlib import Path
from tuning.watch.log_lines import log_to_stderr
from tuning.watch.study_log import study_log

class Vain:
    def __del__(self):
        raise ValueError("log: in vain")

def fails():
    raise LookupError("log: in a thread")

log_to_stderr()
with study_log() as log, log.taking_over():
    os.write(2, b"log: C++\\n")
    log.keep_in(Path(sys.argv[1]))
    os.write(2, b"log: C++ later\\n")
    subprocess.run([sys.executable, "-c", "import sys; print('log: child', file=sys.stderr)"])
    warnings.warn("log: a warning", FutureWarning)
    thread = threading.Thread(target=fails, name="worker")
    thread.start()
    thread.join()
    Vain()
    logging.getLogger("transformers").warning("log: a library")
    logging.getLogger("transformers").info("nowhere")
    logging.getLogger("tuning.cluster").info("log: ours, in detail")
    logging.getLogger("mtl_core.data").warning("both: a note of ours")
    print("console: out")
    print("console: err", file=sys.stderr)
    print("console: a terminal" if sys.stderr.isatty() else "console: no terminal")
    %s
os.write(2, b"console: after\\n")
warnings.warn("console: a warning after", FutureWarning)
"""


def speak(path: Path, last: str = "pass") -> subprocess.CompletedProcess[str]:
    script = path.with_name("speaks.py")
    script.write_text(_SPEAKS % last)
    return subprocess.run(
        [sys.executable, str(script), str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )


def test_what_is_not_ours_goes_into_the_log_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    said = speak(path)
    console, log = said.stdout + said.stderr, path.read_text()
    assert said.returncode == 0
    for place in ("log", "console", "both"):
        for text in re.findall(rf'"({place}: [^"\\]+)', _SPEAKS % ""):
            if text == "console: a terminal":
                continue
            assert (text in log) == (place != "console"), text
            assert (text in console) == (place != "log"), text
    assert "log: child" in log
    assert "nowhere" not in console + log
    assert "Traceback" not in console
    assert "LookupError: log: in a thread" in log
    assert "error in thread worker" in log


def test_on_a_terminal_it_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    script = tmp_path / "speaks.py"
    script.write_text(_SPEAKS % "pass")
    main, side = pty.openpty()
    done = subprocess.run(
        [sys.executable, str(script), str(path)],
        stdout=side,
        stderr=side,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    os.close(side)
    shown = os.read(main, 100_000).decode()
    os.close(main)
    assert done.returncode == 0
    assert "console: a terminal" in shown
    assert "both: a note of ours" in shown
    assert "log: " not in shown
    assert "log: C++ later" in path.read_text()


def test_an_error_that_ends_the_command_is_shown(tmp_path: Path) -> None:
    said = speak(tmp_path / "log.txt", 'raise ValueError("a bug")')
    assert said.returncode == 1
    assert "Traceback" in said.stderr
    assert said.stderr.rstrip().endswith("ValueError: a bug")


def test_a_crash_is_told_in_the_log(tmp_path: Path) -> None:
    said = speak(tmp_path / "log.txt", "ctypes.string_at(0)")
    assert said.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in (tmp_path / "log.txt").read_text()
    assert "Segmentation fault" not in said.stderr


def test_sessions_follow_each_other_with_their_command(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    for text in ("first", "second"):
        with study_log() as log:
            logging.getLogger("tuning").info("%s before the folder", text)
            log.keep_in(path)
            logging.getLogger("tuning").info("%s after", text)
    lines = path.read_text().splitlines()
    assert [bool(re.match(r"=== \d{4}-\d\d-\d\d \d\d:\d\d:\d\d process \d+: .", line))
            for line in lines] == [False, True, False, False] * 2  # fmt: skip
    assert [line.partition(": ")[2] for line in lines if ": " in line and "===" not in line] == [
        "first before the folder", "first after", "second before the folder", "second after",
    ]  # fmt: skip


def test_of_a_study_that_is_refused_nothing_is_left(tmp_path: Path) -> None:
    with study_log():
        logging.getLogger("tuning").warning("refused")
    assert list(tmp_path.iterdir()) == []


def test_a_log_is_bounded_and_keeps_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10_000)
    path = tmp_path / "log.txt"
    log = StudyLog()
    log.keep_in(path)
    for number in range(2_000):
        log.write(f"line {number}\n")
        assert path.stat().st_size <= 10_000
    log.close()
    lines = path.read_text().splitlines()
    assert lines[0] == "(older lines were dropped)"
    newest = len(lines) - 1
    assert lines[1:] == [f"line {number}" for number in range(2_000 - newest, 2_000)]


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "read_only"])
def test_a_log_that_cannot_be_written_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / "log.txt", tmp_path / "other"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        other.write_text("mine")
        path.symlink_to(other)

    def refuse(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    with study_log() as log:
        with monkeypatch.context() as patch:
            if kind == "read_only":
                patch.setattr(module.os, "open", refuse)
            log.keep_in(path)
        logging.getLogger("tuning").info("goes on")
    [warning] = caplog.messages
    assert warning.startswith(f"{path}: ")
    assert warning.endswith("without a log")
    assert not other.exists() or other.read_text() == "mine"


def test_a_full_disk_costs_lines_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.txt"
    with study_log() as log:
        log.keep_in(path)
        with monkeypatch.context() as patch:

            def full(*_: object) -> int:
                raise OSError(errno.ENOSPC, "No space left on device")

            patch.setattr(module.os, "write", full)
            logging.getLogger("tuning").warning("lost")
        logging.getLogger("tuning").warning("kept")
    assert "kept" in path.read_text()
    assert "lost" not in path.read_text()


def test_everything_is_put_back(tmp_path: Path) -> None:
    def state() -> list[object]:
        levels = [one.level for one in logging.getLogger().handlers]
        hooks = [sys.unraisablehook, threading.excepthook, warnings.showwarning]
        return [logging.getLogger("tuning").level, levels, sys.stderr, *hooks]

    def interrupt(log: StudyLog) -> None:
        log.keep_in(tmp_path / "log.txt")
        raise KeyboardInterrupt

    before = state()
    with pytest.raises(KeyboardInterrupt), study_log() as log, log.taking_over():
        interrupt(log)
    assert state() == before
