"""Notes on data are shown by every command that reads it, whoever encoded it, once each."""

import json
import logging
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from summaries import BEST, DEFAULT, RECORDS, SUMMARY

from mtl_core.data.notes import DataNote
from tuning.cli.show import show_result
from tuning.report.claims import ONE_RUN
from tuning.results.study_result import StudyResult
from tuning.run import tune as tune_module
from tuning.study.history import History
from tuning.study.load import load_study
from tuning.study.result import Result
from tuning.watch.live_table import LiveTable
from tuning.watch.log_lines import log_to_stderr
from tuning.watch.state import StudyState

LEAK = "serious: d [dev]: 12 of 12 rows (100 %) stand in train, too; scores on them say little"
CUT = "d [train]: 2 of 12 rows (17 %) are cut after 8 sub-words"


@pytest.fixture
def study(tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    rows = [{"text": f"play {number}", "y": "ab"[number % 2]} for number in range(10)]
    rows += [{"text": "play " * 9 + label, "y": label} for label in "ab"]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    Path("leak.yaml").write_text(
        f"""run:
  encoder: {{name: {tiny_encoder}, max_length: 8}}
  datasets:
    d: {{kind: jsonl, splits: {{train: rows.jsonl, dev: rows.jsonl}}}}
  tasks: {{y: {{kind: classification, dataset: d, column: y}}}}
  training: {{epochs: 1, batch_size: 8, precision: fp32}}
study: {{trials: 1}}
""",
        encoding="utf-8",
    )
    return "leak.yaml"


def test_check_and_train_show_them_with_a_cold_and_a_warm_cache(study, mtl, monkeypatch):
    first = mtl("check", study)
    assert first.code == 0, first.err
    assert first.out.count(LEAK) == first.out.count(CUT) == 1
    monkeypatch.setattr("mtl_core.data.store.read_splits", lambda *_: pytest.fail("read again"))
    assert mtl("check", study).out == first.out
    for output in ("one", "two"):
        done = mtl("train", study, "--output", output, "--log-file", f"{output}.log")
        assert done.code == 0, done.err
        logged = Path(f"{output}.log").read_text()
        assert logged.count(LEAK) == logged.count(CUT) == 1


def test_labels_of_strangers_are_shown_short_and_steer_nothing(study, mtl):
    names = ["x" * 3000, "a\x1b[2Jb", "b\r\nc"]
    rows = [{"text": f"play {n}", "y": name} for n, name in enumerate([*names, "a", "a"])]
    dev = [{"text": f"music {n}", "y": f"{name}!"} for n, name in enumerate([*names, *"a" * 9])]
    for file, content in (("rows", rows), ("dev", [*dev, rows[-1]])):
        Path(f"{file}.jsonl").write_text("\n".join(map(json.dumps, content)), encoding="utf-8")
    done = mtl("check", study, "--set", "datasets.d.splits.dev=dev.jsonl")
    assert done.code == 0, done.err
    assert "serious: d [dev]: task 'y': 12 of 13 rows (92 %) have a label" in done.out
    assert "x" * 38 not in done.out
    assert all(line.isprintable() for line in done.out.splitlines())
    assert r"\x1b[2J" in done.out


def test_a_model_that_is_scored_on_what_it_was_trained_on_says_so(study, mtl, caplog):
    assert mtl("train", study, "--output", "run", "--set", "training.epochs=1").code == 0
    caplog.clear()
    done = mtl("evaluate", "run/model", "--split", "dev", "--json")
    assert done.code == 0, done.err
    # The other notes are about training.
    assert [message for message in caplog.messages if message.startswith("serious")] == [LEAK]
    json.loads(done.out)


def test_quiet_is_no_reason_to_hide_them(study):
    # In a process of its own: pytest takes what is logged in this one.
    command = [sys.executable, "-m", "tuning", "train", study, "--output", "out", "--quiet"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("best epoch ")  # The result, and nothing of the way there.
    assert done.stdout.count("\n") == 1
    assert [line.partition(" (")[0] for line in done.stderr.splitlines()] == [
        "serious: d [dev]: 12 of 12 rows",
        "warning: d [train]: 2 of 12 rows",
        "warning: d [dev]: 2 of 12 rows",
        "hint: d [dev]: 12 rows, so that one row is 8.3 points of a score",
    ]


def test_a_study_tells_them_before_it_starts_once(study, caplog, monkeypatch):
    class StartedError(Exception):
        pass

    def connected() -> None:
        raise StartedError

    # Ray starts in the background while the data is read; here it never does.
    monkeypatch.setattr(tune_module, "cluster", lambda *_, **__: nullcontext(connected))
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING), pytest.raises(StartedError):
            tune_module.tune_study(load_study(study))
        assert caplog.messages.count(LEAK) == 1


def test_a_live_display_shows_them_above_itself():
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=200)
    root = logging.getLogger()
    before = list(root.handlers)
    root.handlers = []
    try:
        log_to_stderr()
        with LiveTable(StudyState("tiny"), console):
            logging.getLogger("tuning.study.load").warning("%s", LEAK)
    finally:
        root.handlers = before
    assert LEAK in out.getvalue()


def study_result(result: Result) -> StudyResult:
    return StudyResult(
        folder=Path("runs/x"), status="complete", result=result, history=History(RECORDS),
        replay="mtl train x",
    )  # fmt: skip


def test_the_result_of_a_study_ends_in_its_verdict_with_what_speaks_against_it(capsys):
    leak = DataNote(split="test", topic="known", text="", count=12, of=20, dataset="d\x1b[2J")
    unseen = {"combined": 0.125}
    result = replace(
        SUMMARY.result,
        notes=(leak,),
        best=replace(BEST, unseen=unseen),
        default=replace(DEFAULT, unseen=unseen),
    )
    show_result(study_result(result))
    told = capsys.readouterr().out
    lines = told.splitlines()
    assert (
        "The best recipe, trial 0001, beats the default on dev; on the rows of test that do not "
        f"stand in train it is +0.00 points, and how sure that is, is not known. {ONE_RUN}"
    ) in lines
    assert (
        "Caution: rows of test stand in train, too: 60 % of d\\x1b[2J (12 of 20); the verdict is "
        "on the others."
    ) in lines
    assert (
        "On the rows of test that do not stand in train it scores 12.50 against 12.50 of the "
        "default: +0.00 points."
    ) in lines
    show_result(study_result(SUMMARY.result))
    told = capsys.readouterr().out
    assert "beats the default on dev; on test it is +10.00 points" in told
    assert "Caution" not in told
    assert "not in train" not in told
