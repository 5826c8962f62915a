"""`mtl tune --json`: how it ends, in its last line and its exit code."""

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from conftest import Mtl, Outcome
from simulated_study import SimulatedStudy
from trials import record

from mtl_core.errors import NotReadyError, TrainingError
from mtl_core.study_file import dump
from tuning.results.study_result import StudyResult
from tuning.run import tune as run_tune
from tuning.study.final_scores import final_scores
from tuning.study.history import History
from tuning.study.result import Result
from tuning.watch.events import event_schema
from tuning.watch.watcher import Watcher


@pytest.fixture
def study(tmp_path: Path) -> Path:
    made = SimulatedStudy(tmp_path / "runs", scheduler={"kind": "none"})
    path = tmp_path / "small.yaml"
    path.write_text(dump(made.study))
    return path


def events(outcome: Outcome) -> list[dict]:
    found = [json.loads(line) for line in outcome.out.splitlines()]
    for one in found:
        jsonschema.validate(one, event_schema())
    return found


def ending(monkeypatch: pytest.MonkeyPatch, end: Callable[[], StudyResult]) -> None:
    """Puts a session in the place of the real one that tells of a trial, and ends so."""

    def tune_study(*_: object, watcher: Watcher, **__: object) -> StudyResult:
        watcher.ended(record(0, "complete", 0.5))
        return end()

    monkeypatch.setattr(run_tune, "tune_study", tune_study)


def test_the_result_comes_last(mtl: Mtl, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = record(0, "complete", 0.5)
    result = Result(best=final_scores(one, {"0000": {"combined": 0.25}}), seconds=2.5)
    found = StudyResult(
        folder=study.parent / "runs" / "x", status="complete", result=result,
        history=History([one]), replay="mtl train x",
    )  # fmt: skip
    ending(monkeypatch, lambda: found)
    outcome = mtl("tune", str(study), "--json")
    told = events(outcome)
    assert (outcome.code, outcome.err) == (0, "")
    assert [event["event"] for event in told] == ["stage", "ended", "result"]
    assert told[-1]["result"] == json.loads(json.dumps(result.to_json()))
    assert told[-1]["replay"] == "mtl train x"
    assert told[-1]["model"] == str(found.folder / "best")
    assert told[-1]["verdict"]
    # Without progress it is the result alone.
    quiet = events(mtl("tune", str(study), "--json", "--quiet"))
    assert [event["event"] for event in quiet] == ["result"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TrainingError("no trainer can work"), 1),
        (NotReadyError("in use"), 75),
        (OSError(28, "No space left on device", "/x"), 1),
    ],
)
def test_an_error_comes_last(
    mtl: Mtl, study: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    def fail() -> StudyResult:
        raise error

    ending(monkeypatch, fail)
    outcome = mtl("tune", str(study), "--json")
    last = events(outcome)[-1]
    assert (outcome.code, last["event"], last["exit_code"]) == (code, "error", code)
    assert [f"error: {line}" for line in last["lines"]] == outcome.err.splitlines()


def test_ctrl_c_comes_last(mtl: Mtl, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> StudyResult:
        raise KeyboardInterrupt

    ending(monkeypatch, interrupt)
    outcome = mtl("tune", str(study), "--set", "study.trials=3", "--json")
    last = events(outcome)[-1]
    assert outcome.code == 130
    assert last["event"] == "interrupted"
    assert last["go_on"] == f"mtl tune {study} --set study.trials=3"
    assert last["go_on"] in outcome.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("no_such_study.yaml",), "no_such_study.yaml"),
        (("demo", "--set", "study.trails=3"), "study.trails"),
        (("demo", "--log-file", "s3://bucket/log"), "--log-file"),
        (("demo", "--no-such-option"), "--no-such-option"),
        (("demo", "--trials", "3"), "--set study.trials=3"),
        ((), "study"),
    ],
)
def test_bad_input_is_an_event_as_well(mtl: Mtl, words: tuple[str, ...], told: str) -> None:
    outcome = mtl("tune", *words, "--json")
    last = events(outcome)[-1]
    assert (outcome.code, last["event"], last["exit_code"]) == (2, "error", 2)
    assert told in "".join(last["lines"])
    assert told.split()[0] in outcome.err.lower() or told in outcome.err


def test_a_bug_is_an_event_and_keeps_its_traceback(
    mtl: Mtl, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> StudyResult:
        raise RuntimeError("a bug")

    ending(monkeypatch, fail)
    monkeypatch.setattr("sys.argv", ["mtl", "tune", str(study), "--json"])
    with pytest.raises(RuntimeError, match="a bug"):
        mtl("tune", str(study), "--json")


def test_without_the_option_nothing_is_told_to_programs(mtl: Mtl) -> None:
    outcome = mtl("tune", "no_such_study.yaml")
    assert (outcome.code, outcome.out) == (2, "")


def test_the_schema_is_printed(mtl: Mtl) -> None:
    assert json.loads(mtl("schema", "--events").out) == event_schema()
