"""A logger in a process of its own: what it does there holds up nothing."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from odd_loggers import Odd, OddSection
from trials import record

from tuning.study.result import Result
from tuning.watch.loggers.apart import Apart
from tuning.watch.loggers.base import LoggedStudy


def make(folder: Path, *records, patience_s: float = 30.0) -> tuple[Apart, Odd]:
    section = OddSection(path=folder / "calls")
    watcher = Apart(section, LoggedStudy("demo", folder), records, patience_s=patience_s)
    return watcher, Odd(section.path)


WHOLE = [
    "study None", "begin 0000", "report R0000 1", "end R0000 complete", "end S failed", "close",
]  # fmt: skip


def test_a_study_is_logged_whole_before_its_session_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watcher, service = make(tmp_path)
    watcher.began(record(0, "running"))
    watcher.reported(record(0, "running", 0.5))
    watcher.ended(record(0, "complete", 0.5))
    watcher.finished(Result())
    watcher.close()
    assert service.calls() == WHOLE
    assert [said for said in caplog.messages if "waiting" not in said] == []
    # With nothing new there is no process, which takes a second.
    before = psutil.Process().children()
    again, _ = make(tmp_path, record(0, "complete", 0.5))
    again.finished(Result())
    assert psutil.Process().children() == before
    again.close()
    assert service.calls() == WHOLE


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("hangs", "Odd did not take all of the study within 2 s"),
        ("dies", "the process that logs to Odd ended with exit code -9"),
        ("raises", "Odd: no answer; the study goes on, and this is logged later"),
    ],
)
def test_a_service_that_breaks_down_costs_no_more_than_the_patience(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str, said: str
) -> None:
    # On a busy machine the process takes seconds to start, and then it breaks down.
    watcher, service = make(tmp_path, patience_s=2.0 if how == "hangs" else 60.0)
    service.breaks(how)
    start = time.monotonic()
    for number in range(200):  # More than a pipe holds.
        watcher.ended(record(number, "complete", *[0.5] * 20))
    assert time.monotonic() - start < 2.0
    with caplog.at_level(logging.WARNING):
        watcher.close()
    assert how != "hangs" or time.monotonic() - start < 20.0
    assert any(message.startswith(said) for message in caplog.messages)
    assert "Traceback" not in caplog.text
    assert "\\n" not in caplog.text


def test_the_process_outlives_a_driver_that_is_killed(tmp_path: Path) -> None:
    # Also one that is interrupted: the process is in no group that a terminal interrupts.
    code = (
        "import pathlib, sys, time\n"
        "from test_apart import make\n"
        "from trials import record\n"
        f"watcher, service = make(pathlib.Path({str(tmp_path)!r}))\n"
        "watcher.began(record(0, 'running'))\n"
        "watcher.reported(record(0, 'running', 0.5))\n"
        "while len(service.calls()) < 3: time.sleep(0.05)\n"
        "print('told', flush=True)\n"
        "time.sleep(60)\n"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    driver = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    with driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == b"told\n"
        os.killpg(driver.pid, signal.SIGINT)
        os.killpg(driver.pid, signal.SIGKILL)
    service, limit = Odd(tmp_path / "calls"), time.monotonic() + 60
    while service.calls()[-1] != "close" and time.monotonic() < limit:
        time.sleep(0.05)
    assert service.calls()[-3:] == ["end R0000 running", "end S None", "close"]
