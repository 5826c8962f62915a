"""What a report gathers: times, importances, and the command that replays the best recipe."""

import shlex
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from conftest import RunConfigFactory
from pydantic import TypeAdapter
from trials import record

from mtl_core.study_file import parse_assignment
from tuning.report.replay import replay_command, replay_overrides
from tuning.report.summary import importances, summarise
from tuning.space.space import Entry, Space
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


def test_numbers_that_are_drawn_together_have_one_importance() -> None:
    entries = {"weights": {"simplex": ["a", "b", "c"]}, "size": {"ordered": [16, 32, 64]}}
    space = Space(TypeAdapter(dict[str, Entry]).validate_python(entries))
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: -abs(space.sample(trial)["a"] - 0.7), n_trials=60)
    found = importances(study)
    assert set(found) == {"weights", "size"}
    assert found["weights"] > 0.8


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
