"""The displays of a study: plain lines, the view on a terminal, in a notebook, the log file."""

import os
import re
import sys
from dataclasses import replace
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console
from trials import at_work, record

from tuning.records import TrialRecord
from tuning.trainers.messages import TrainerStatus
from tuning.watch import plain_lines
from tuning.watch.console import can_redraw, plain_console
from tuning.watch.display import Display
from tuning.watch.live_table import LiveTable, study_view
from tuning.watch.notebook import as_html
from tuning.watch.plain_lines import PlainLines
from tuning.watch.state import StudyState
from tuning.watch.watcher import Watcher

WAITS = TrainerStatus(is_ready=False)
LONG = {
    "optimizer.encoder_lr": 0.000582, "optimizer.head_lr": 0.00545, "tasks.slots.weight": 4.16,
    "weighting.kind": "uncertainty", "freezing.kind": "lower_layers",
    "freezing.lower_layers.layers": 1,
}  # fmt: skip


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that tests turn by hand."""
    hand = SimpleNamespace(now=100.0)
    time = SimpleNamespace(monotonic=lambda: hand.now)
    monkeypatch.setattr("tuning.watch.state.time", time)
    monkeypatch.setattr(plain_lines, "time", time)
    return hand


@pytest.fixture
def lines(clock: SimpleNamespace) -> SimpleNamespace:
    """A display of plain lines in 40 columns, and what it has printed."""
    output = StringIO()
    state = StudyState("demo")
    plain = PlainLines(state, plain_console(file=output, width=40))
    return SimpleNamespace(
        show=Display(state, plain), tick=plain.tick, printed=lambda: output.getvalue().splitlines()
    )


def test_a_line_for_each_stage_and_each_ended_trial(
    lines: SimpleNamespace, clock: SimpleNamespace
) -> None:
    for _ in range(2):
        lines.show.stage("starting Ray")
    lines.show.planned(
        trials=5, ended=[record(0, "failed"), record(1, "failed")], epochs=3, trainers=1
    )
    lines.show.began(record(2, "running"))
    lines.show.ended(record(2, "complete", 0.5, 0.75, 0.7, seconds=10.0))
    lines.show.ended(replace(record(3, "failed"), error="no [disk]"))
    assert lines.printed() == [
        "demo: starting Ray",
        "demo: searching: 5 trials (2 of them ended before), 1 at a time",
        # 10 s an epoch, 3 epochs a trial: two trials are left, then one
        "[3/5] trial 0002 complete after 3 epochs: combined 0.7500  intent 0.750  "
        "encoder_lr=0.0002  at most 1:00 left",
        "[4/5] trial 0003 failed after 0 epochs: no [disk]  encoder_lr=0.0002  at most 0:30 left",
    ]


def test_after_half_a_minute_of_silence_there_is_a_sign_of_life(
    lines: SimpleNamespace, clock: SimpleNamespace
) -> None:
    lines.show.planned(trials=12, ended=[], epochs=3, trainers=2)
    lines.show.began(record(0, "running"))
    lines.show.reported(record(0, "running", 0.5))
    lines.tick()  # the estimate
    lines.show.progressed([at_work(0, epoch=2, step=5, seconds=0.5), WAITS])
    for _ in range(29):
        clock.now += 1
        lines.tick()
    assert len(lines.printed()) == 2
    clock.now += 1
    lines.tick()
    assert lines.printed()[2:] == [
        "[0:30] demo: searching 0/12; 0000 epoch 2/3 step 5/20 100 sentences/s; best 0000 0.5000; "
        "1 of 2 trainers started; at most 0:19 left"
    ]
    lines.tick()
    assert len(lines.printed()) == 3


def test_a_stage_before_the_search_has_signs_of_life_too(
    lines: SimpleNamespace, clock: SimpleNamespace
) -> None:
    lines.show.stage("starting Ray and reading the data")
    clock.now += 3700
    lines.tick()
    assert lines.printed()[1:] == ["[1:01:40] demo: starting Ray and reading the data"]


def test_a_study_of_hours_is_warned_of_once(lines: SimpleNamespace, clock: SimpleNamespace) -> None:
    lines.show.planned(trials=100, ended=[], epochs=3, trainers=1)
    lines.show.began(record(0, "running"))
    lines.show.progressed([at_work(0, epoch=1, step=1, seconds=6.0)])
    lines.tick()
    lines.tick()
    estimate, warning = lines.printed()[1:]
    # 6 s a step, 20 steps, a tenth for dev; 99 trials and 2.95 epochs
    assert estimate == "demo: at most 10:59:53 left, by the speed of the first steps"
    assert re.match(
        r"demo: this may take 11\.0 hours; Ctrl-C stops it.*--set study\.trials", warning
    )


def view(state: StudyState, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(study_view(state.snapshot()))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@pytest.fixture
def busy(clock: SimpleNamespace) -> StudyState:
    """A study of 20 trials, of which 7 ended and one runs, with many tasks and parameters."""
    state = StudyState("demo")
    state.planned(trials=20, ended=[], epochs=3, trainers=2)
    for number in range(6):
        state.ended(wide(record(number, "complete", number / 10)))
    state.ended(
        replace(record(9, "failed"), error="TrainingError: the loss of task 'intent' is nan")
    )
    state.began(wide(record(8, "running")))
    state.progressed([at_work(8, epoch=2, step=10, seconds=1.0), WAITS])
    clock.now += 151
    return state


def wide(one: TrialRecord) -> TrialRecord:
    dev = {f"task_{n}": {"accuracy": 0.123} for n in range(9)}
    reports = tuple(replace(report, dev=dev) for report in one.reports)
    return replace(one, parameters=dict(LONG), reports=reports)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_view_fits_its_terminal_and_cuts_nothing(busy: StudyState, width: int) -> None:
    shown = view(busy, width)
    text = "\n".join(shown)
    assert all(len(line) <= width for line in shown)
    assert "\u2026" not in text
    assert "epoch 2/3 step 10/20 100 sentences/s" in " ".join(text.split())
    assert "1 of 2 trainers started" in " ".join(text.split())
    # five of the trials that ended are shown
    assert [len(re.findall(rf"task_{n}\b", text)) for n in range(9)] == [5] * 9
    for name in LONG:
        assert name.removeprefix("optimizer.") in text


def test_running_trials_have_bars_above_the_best_that_ended(busy: StudyState) -> None:
    shown = view(busy, 120)
    trials = [found[1] for line in shown if (found := re.match(r"\W*(00\d\d)\b", line))]
    assert trials == ["0008", "0005", "0004", "0003", "0002", "0001"]
    # half of the second of three epochs
    bar = next(line for line in shown if line.startswith("0008"))
    done, rest = bar.count("\u2501"), len(re.sub(r"[^\u2501\u2578\u257a]", "", bar))
    assert done / rest == pytest.approx(0.5, abs=0.5)
    assert "2:31" in shown[0]


def test_the_last_state_stays_on_the_terminal(busy: StudyState) -> None:
    output = StringIO()
    console = plain_console(file=output, width=100, force_terminal=True)
    with LiveTable(busy, console):
        busy.ended(record(8, "complete", 0.95))
    last = output.getvalue().rpartition("trials ")[2]
    assert "0.9500" in last
    # a transient display would go back over its lines and erase them after the last of them
    assert not output.getvalue().rstrip("\x1b[?25h\n").endswith("\x1b[2K")


def test_statuses_have_colours(busy: StudyState) -> None:
    console = plain_console(
        file=StringIO(), width=120, force_terminal=True, color_system="standard"
    )
    console.print(study_view(busy.snapshot()))
    assert isinstance(console.file, StringIO)
    assert "\x1b[32mcomplete" in console.file.getvalue()


def test_a_notebook_shows_the_same_view(busy: StudyState, monkeypatch: pytest.MonkeyPatch) -> None:
    # What Rich takes for a notebook, in which it would show each view by itself.
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setattr("builtins.get_ipython", lambda: shell, raising=False)
    assert Console().is_jupyter
    html = as_html(busy)
    assert html.startswith("<pre")
    assert "searching" in html
    assert "epoch 2/3 step 10/20" in html
    assert "\x1b" not in html


def test_best_so_far_is_seen_on_a_terminal_of_24_lines(busy: StudyState) -> None:
    output = StringIO()
    console = plain_console(file=output, width=80, height=24, force_terminal=True)
    with LiveTable(busy, console):
        pass
    assert "best so far, 0005 with 0.5000" in output.getvalue()


@pytest.mark.parametrize(
    ("term", "is_a_terminal", "expected"),
    [("xterm", True, True), ("dumb", True, False), ("xterm", False, False)],
)
def test_only_a_terminal_that_can_is_redrawn(
    monkeypatch: pytest.MonkeyPatch, term: str, is_a_terminal: bool, expected: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("FORCE_COLOR", "1")
    file = StringIO()
    monkeypatch.setattr(file, "isatty", lambda: is_a_terminal)
    assert can_redraw(plain_console(file=file)) is expected


def test_a_closed_pipe_ends_the_lines_and_not_the_study() -> None:
    told: list[str] = []

    class Closed(StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    class Sound(Watcher):
        def stage(self, text: str) -> None:
            told.append(text)

    state = StudyState("demo")
    display = Display(state, PlainLines(state, plain_console(file=Closed())), Sound())
    before = os.fstat(sys.stdout.fileno()).st_ino
    display.stage("one")
    display.stage("two")
    assert told == ["one", "two"]
    assert os.fstat(sys.stdout.fileno()).st_ino == before, "only the file of the console is let go"
