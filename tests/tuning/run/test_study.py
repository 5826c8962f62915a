import shlex
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import optuna
import pytest
from conftest import RunConfigFactory
from trials import record

import tuning
from mtl_core.errors import ConfigError
from mtl_core.study_file import parse_assignment
from tuning.records import DEFAULT_ID, TrialRecord, run_id_of
from tuning.run import session as session_module
from tuning.run.session import Session
from tuning.run.tune import is_local, tune_study
from tuning.study.config import Study, StudyFile
from tuning.study.folder import StudyFolder
from tuning.study.load import load_study
from tuning.study.result import _importances, replay_command, replay_overrides, summarise
from tuning.watch.observer import Observer


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
    assert _importances(study) == {}
    study.optimize(
        lambda trial: trial.suggest_float("rate", 0, 1) + 0 * trial.suggest_float("idle", 0, 1),
        n_trials=40,
    )
    found = _importances(study)
    assert set(found) == {"rate", "idle"}
    assert found["rate"] > 0.8


def test_a_model_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    session = object.__new__(Session)
    record = TrialRecord("0003", "complete", {}, {}, reports=(MagicMock(combined=0.5),))
    session.logbook = SimpleNamespace(records={record.id: record})  # type: ignore[assignment]
    session.folder = StudyFolder(tmp_path)
    session.folder.write_result({"tests": {"0003": None}, "model": "0003"})
    session.folder.best.mkdir()
    assert session._unscored() == []
    session.folder.best.rmdir()
    assert session._unscored() == [record]


@pytest.mark.parametrize(("journal", "shown"), [(100.4, 100.4), (900.0, 900.0), (80.0, 100.0)])
def test_time_of_a_session_that_wrote_no_result_counts(
    run_config: RunConfigFactory, tmp_path: Path, journal: float, shown: float
) -> None:
    study = study_file(run_config().model_dump(mode="json"), {}, storage=str(tmp_path))
    trials = optuna.create_study()
    trials.set_user_attr("seconds", journal)
    summary = summarise(study, StudyFolder(study.folder), trials, {}, {"seconds": 100.0})
    assert summary.seconds == shown


@pytest.mark.parametrize(("left", "count"), [(5, 3), (2, 2), (0, 1)])
def test_no_more_trainers_start_than_trials_are_left(
    monkeypatch: pytest.MonkeyPatch, left: int, count: int
) -> None:
    started = MagicMock(side_effect=KeyboardInterrupt)
    monkeypatch.setattr(session_module, "start_trainers", started)
    session = object.__new__(Session)
    session.study = MagicMock(trials=10, study=Study(name="tiny"))
    session.folder, session.observer, session.run_data = MagicMock(), Observer(), {}
    ids = [run_id_of(number) for number in range(10 - left)]
    records = {one: TrialRecord(one, "failed", {}, {}) for one in ids}
    session.logbook = SimpleNamespace(records=records)  # type: ignore[assignment]
    monkeypatch.setattr(session, "_unscored", lambda: [records[DEFAULT_ID]])
    with pytest.raises(KeyboardInterrupt):
        session.run(3)
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
    study = load_study("demo", [f"training.precision={wanted}"])
    best = record(1, "complete", 0.5)
    reports = tuple(replace(report, precision=computed) for report in best.reports)
    best = replace(best, overrides={"seed": 3}, reports=reports)
    assert replay_overrides(study, best) == expected
    assert replay_overrides(study, None) == {}
