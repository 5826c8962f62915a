import shlex
from dataclasses import replace
from pathlib import Path
from unittest.mock import MagicMock

import optuna
import pytest
from conftest import RunConfigFactory
from trials import record

import tuning
from mtl_core.errors import ConfigError
from mtl_core.study_file import parse_assignment
from tuning.report.replay import replay_command, replay_overrides
from tuning.report.summary import importances, summarise
from tuning.run import session as session_module
from tuning.run.session import Session
from tuning.run.stages.finals import result_of, unscored
from tuning.run.tune import is_local, tune_study
from tuning.study.config import Study, StudyFile
from tuning.study.facts import facts_of
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.result import FinalScores, Result
from tuning.trainers.messages import Scored
from tuning.watch.watcher import Watcher


def study_file(run: object, search: dict[str, object], **study: object) -> StudyFile:
    raw = {"run": run, "search": search, "study": {"name": "tiny", "trials": 1, **study}}
    return StudyFile.model_validate(raw)


@pytest.mark.parametrize(
    ("space", "longest"),
    [
        ({}, 3),
        ({"training.epochs": {"choice": [7, 2]}}, 7),
        ({"training.epochs": {"int_range": [1, 2]}}, 3),
        ({"training": {"choice": [{"epochs": 1}, {"epochs": {"int_range": [2, 9]}}]}}, 9),
    ],
)
def test_the_longest_trial_of_a_space(
    run_config: RunConfigFactory, space: dict[str, object], longest: int
) -> None:
    run = run_config({"training.epochs": 3}).model_dump(mode="json")
    assert study_file(run, space).max_epochs == longest


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
    assert words[3::2] == ["--set"] * len(overrides)
    expected = {f"run.{key}": value for key, value in overrides.items()}
    assert dict(parse_assignment(text) for text in words[4::2]) == expected


def test_a_study_runs_here_unless_a_cluster_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert is_local(None)
    assert not is_local("auto")
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert not is_local(None)


def test_what_cannot_run_here_writes_nothing(tmp_path: Path, run_config: RunConfigFactory) -> None:
    run = run_config().model_dump(mode="json")
    study = study_file(run, {}, storage=str(tmp_path), resources={"workers": 100_000})
    with pytest.raises(ConfigError, match=r"^study\.resources: .* cannot run here"):
        tune_study(study)
    assert not study.folder.exists()


def test_the_parameter_that_matters_is_the_most_important() -> None:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    assert importances(study) == {}
    study.optimize(
        lambda trial: trial.suggest_float("rate", 0, 1) + 0 * trial.suggest_float("idle", 0, 1),
        n_trials=40,
    )
    found = importances(study)
    assert set(found) == {"rate", "idle"}
    assert found["rate"] > 0.8


def test_a_model_that_was_deleted_is_made_again() -> None:
    history = History([record(3, "complete", 0.5)])
    before = Result(best=FinalScores("0003", {}, {"combined": 0.5}, test=None))
    assert unscored(history, before, has_model=True) == []
    assert unscored(history, before, has_model=False) == [history["0003"]]


def test_best_and_default_are_scored_once() -> None:
    history = History([record(0, "complete", 0.5), record(1, "stopped", 0.6)])
    wanted = ["0001", "0000"]
    assert [one.id for one in unscored(history, Result(), has_model=False)] == wanted
    scored = {one: Scored({"combined": 0.25}, worth_in_rows=100) for one in wanted}
    result = result_of(history, Result(), scored, objective="mean", seconds=3.0)
    assert unscored(history, result, has_model=True) == []
    history.note(record(2, "complete", 0.7))
    assert [one.id for one in unscored(history, result, has_model=True)] == ["0002"]
    later = result_of(
        history, result, {"0002": Scored({"combined": 0.5}, 0)}, objective="mean", seconds=9.0
    )
    assert (later.model, later.test_rows) == ("0002", 100)
    assert later.tests == {
        "0000": {"combined": 0.25},
        "0001": {"combined": 0.25},
        "0002": {"combined": 0.5},
    }
    # What was the best once is so again, without a second look at test.
    history.note(record(2, "failed", 0.7))
    assert unscored(history, later, has_model=True) == [history["0001"]]  # for its model


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


@pytest.mark.parametrize(("left", "count"), [(5, 3), (2, 2), (0, 1)])
def test_no_more_trainers_start_than_trials_are_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, left: int, count: int
) -> None:
    started = MagicMock(side_effect=KeyboardInterrupt)
    monkeypatch.setattr(session_module, "start_trainers", started)
    session = object.__new__(Session)
    session.study = MagicMock(trials=10, study=Study(name="tiny"))
    session.folder = StudyFolder(tmp_path)
    session.history = History(record(n, "complete", 0.5) for n in range(10 - left))
    with pytest.raises(KeyboardInterrupt):
        session.run(3, Watcher(), verbose=False)
    assert started.call_args.kwargs["count"] == count


def test_values_from_python_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    found = MagicMock()
    monkeypatch.setattr("tuning.run.tune.tune_study", found)
    tuning.tune("demo", {"study.storage": Path("/runs/a: 😀"), "run.seed": 3})
    study = found.call_args.args[0]
    assert (study.study.storage, study.run.seed) == (Path("/runs/a: 😀"), 3)


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
