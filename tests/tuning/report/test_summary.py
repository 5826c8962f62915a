"""What a report gathers: times, importances, and the command that replays the best recipe."""

import shlex
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from conftest import RunConfigFactory
from trials import record

from mtl_core.study_file import parse_assignment
from tuning.report.replay import replay_command, replay_overrides
from tuning.report.summary import summarise
from tuning.study.config import StudyFile
from tuning.study.facts import facts_of
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.result import Result


def study_file(run: object, search: dict[str, object], **study: object) -> StudyFile:
    raw = {"run": run, "search": search, "study": {"name": "tiny", "trials": 1, **study}}
    return StudyFile.model_validate(raw)


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"optimizer.encoder_lr": 1.0123456789e-05, "seed": 3},
        {"freezing": {"kind": "lower_layers", "layers": 2}, "encoder.pooling": "mean"},
        {"optimizer.clip_norm": None, "tasks.intent.weight": 1.0},
        {"a": "null", "b": "true", "c": "x #y", "d": "a: b", "e": "[x", "f": "1e-3", "g": "plain"},
        {"a": "{x", "b": "'", "c": "two words", "d": "grün 😀: x", "e": " ", "f": ""},
        {"a": "a\x7fb", "b": ["\x85", {"c": "\u2028: x"}], "d": "x\ty\nz"},
    ],
)
def test_the_replay_command_gives_the_overrides_back(overrides: dict[str, object]) -> None:
    words = shlex.split(replay_command(Path("runs/my study"), overrides))
    assert words[:3] == ["mtl", "train", "runs/my study/study.yaml"]
    # Not where `mtl train` goes by itself: a run of the study's own recipe may lie there.
    assert words[3:5] == ["--output", "runs/my study/replay"]
    assert words[5::2] == ["--set"] * len(overrides)
    expected = {f"run.{key}": value for key, value in overrides.items()}
    assert dict(parse_assignment(text) for text in words[6::2]) == expected


@pytest.mark.parametrize(("journal", "shown"), [(100.4, 100.4), (900.0, 900.0), (80.0, 100.0)])
def test_time_of_a_session_that_wrote_no_result_counts(
    run_config: RunConfigFactory, tmp_path: Path, journal: float, shown: float
) -> None:
    study = study_file(run_config().model_dump(mode="json"), {}, storage=str(tmp_path))
    trials = optuna.create_study()
    trials.set_user_attr("seconds", journal)
    folder, found = StudyFolder(study.folder), Result(seconds=100.0)
    summary = summarise(facts_of(study), folder, trials, History(), found)
    assert summary.result.seconds == shown


@pytest.mark.parametrize(
    ("wanted", "computed", "expected"),
    [("auto", "bf16", {"seed": 3, "training.precision": "bf16"}), ("fp32", "fp32", {"seed": 3})],
)
def test_a_replay_computes_in_the_precision_of_the_trial(
    wanted: str, computed: str, expected: dict[str, object]
) -> None:
    best = record(1, "complete", 0.5)
    reports = tuple(replace(report, precision=computed) for report in best.reports)
    best = replace(best, overrides={"seed": 3}, reports=reports)
    assert replay_overrides(wanted, best) == expected
    assert replay_overrides(wanted, None) == {}
