"""What programs are told of a study: lines of JSON that keep to the schema, and nothing else."""

import json
import logging
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
from trials import at_work, record, report

from tuning.watch import json_lines
from tuning.watch.display import event_display
from tuning.watch.events import Event, StageEvent, event_schema, line_of
from tuning.watch.json_lines import EventLines, event_lines

ROOT = Path(__file__).parents[3]


NAN = replace(report(1, math.nan), losses={"intent": math.inf})
"""A report that holds what is no JSON."""


def parsed(text: str) -> list[dict]:
    """The events of a text, each on a line of its own, without their times."""
    assert text.endswith("\n")
    found = [json.loads(line, parse_constant=pytest.fail) for line in text[:-1].split("\n")]
    for one in found:
        jsonschema.validate(one, event_schema())
        assert one.pop("time") > 1.7e9
    return found


def told(stream: StringIO, monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """A study of two trials and of two runs after them, one of which fails."""
    monkeypatch.setattr(json_lines, "_BETWEEN_SECONDS", 0.0)
    display = event_display("demo", EventLines(stream))
    display.stage("waiting for nodes")
    display.stage("waiting for nodes")
    display.planned(trials=3, ended=[record(0, "complete", 0.5)], epochs=2, trainers=1)
    display.began(record(1, "running"))
    display.progressed([at_work(1, epoch=1, step=10, seconds=1.0)])
    display.reported(replace(record(1, "running"), reports=(NAN,)))
    display.paused(record(1, "paused", math.nan))
    display.began(record(1, "running", math.nan))
    display.ended(record(1, "complete", math.nan, 0.75))
    failed = replace(record(1, "failed"), id="final/0001/seed-1", error="\u2028ValueError: n\xf6")
    display.queued(["final/0001/seed-1", "final/0001/seed-2"], [])
    display.ended(failed)
    display.close()
    return parsed(stream.getvalue())


def test_everything_is_told_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    events = told(StringIO(), monkeypatch)
    parameters = {"optimizer.encoder_lr": 2e-4}
    assert events == [
        {"event": "stage", "text": "waiting for nodes"},
        {"event": "planned", "trials": 3, "ended": 1, "epochs": 2, "trainers": 1},
        {"event": "began", "run": "0001", "parameters": parameters},
        {"event": "progressed", "ended": 1, "trials": 3, "seconds_left": 1.5 + 2.0,
         "running": {"0001": "epoch 1/3 step 10/20 100 sentences/s"}},
        {"event": "reported", "run": "0001", "report": json.loads(NAN.to_json())},
        {"event": "paused", "run": "0001"},
        {"event": "began", "run": "0001", "parameters": parameters},
        {"event": "ended", "run": "0001", "status": "complete", "epochs": 2.0, "combined": 0.75,
         "error": None},
        {"event": "queued", "runs": ["final/0001/seed-1", "final/0001/seed-2"], "ended": 0},
        {"event": "ended", "run": "final/0001/seed-1", "status": "failed", "epochs": 0.0,
         "combined": None, "error": "\u2028ValueError: n\xf6"},
    ]  # fmt: skip


def test_signs_of_life_are_rare() -> None:
    stream = StringIO()
    display = event_display("demo", EventLines(stream))
    for _ in range(5):
        display.progressed([at_work(1, epoch=1, step=10, seconds=1.0)])
    assert stream.getvalue() == ""


def test_every_event_is_documented() -> None:
    text = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
    for kind in get_args(Event):
        fields = [name for name in kind.model_fields if name not in ("event", "time")]
        told = ", ".join(f"`{name}`" for name in fields)
        assert f"| `{kind.model_fields['event'].default}` | {told} |" in text
        assert all(kind.model_fields[name].description for name in fields)


def run(code: str, *, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
    head = (
        "import os, sys, subprocess, logging\n"
        "from tuning.watch.events import StageEvent\n"
        "from tuning.watch.json_lines import event_lines\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", head + code], cwd=ROOT, text=True,
        stdout=stdout, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_standard_output_has_nothing_but_events() -> None:
    """Python, C and processes that are started may print: it goes to standard error."""
    process = run(
        "with event_lines() as lines:\n"
        "    print('python')\n"
        "    lines.write(StageEvent(text='one'))\n"
        "    os.write(1, b'C\\n')\n"
        "    subprocess.run(['echo', 'child'], check=True)\n"
        "    logging.getLogger('tuning').warning('%s', 'careful')\n"
        "    logging.getLogger('other').warning('of a library')\n"
        "    lines.write(StageEvent(text='two'))\n"
        "print('after')\n"
    )
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    lines, _, last = out.rpartition("after\n")
    assert last == ""
    assert [(one["event"], one["text"]) for one in parsed(lines)] == [
        ("stage", "one"), ("warned", "careful"), ("stage", "two"),
    ]  # fmt: skip
    assert {"python", "C", "child"} <= set(errors.splitlines())


def test_a_reader_that_is_gone_ends_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = run(
        "with event_lines() as lines:\n"
        "    for number in range(3): lines.write(StageEvent(text='x' * 100_000))\n"
        "print('nobody')\n"
        "print('went on', file=sys.stderr)\n",
        stdout=writing,
    )
    os.close(writing)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "went on\n")


def test_in_a_notebook_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output is no file there."""
    with event_lines() as lines:
        sys.stdout.write("mine\n")
        lines.write(StageEvent(text="one"))
        logging.getLogger("mtl_core").warning("careful")
    sys.stdout.write("after\n")
    out, errors = capsys.readouterr()
    assert [one["text"] for one in parsed(out.removesuffix("after\n"))] == ["one", "careful"]
    assert errors == "mine\n"


def texts(lines: Sequence[str]) -> list[str]:
    return [json.loads(line)["text"] for line in lines]


def test_a_line_is_one_line_of_ascii() -> None:
    line = line_of(StageEvent(text="a\nb\u2028\x1b[2J\udc80"))
    assert line.isascii()
    assert line.isprintable()
    assert texts([line]) == ["a\nb\u2028\x1b[2J\udc80"]
