"""Baselines in whole sessions: trained once, found again, compared, whatever is killed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from baseline_sessions import MadeUpTrainers, alone_of, session_of, study_of

from mtl_core.errors import ConfigError, NoScoreError
from mtl_core.files import hold
from mtl_core.kept import BrokenError
from tuning.records import TrialRecord
from tuning.run import company
from tuning.run.stages import baselines
from tuning.statistics.newcombe import difference_interval
from tuning.study.clock import StudyClock
from tuning.study.folder import StudyFolder
from tuning.study.measured import read_measured
from tuning.study.result import Result, read_result
from tuning.watch.watcher import Watcher


class Listener(Watcher):
    def __init__(self) -> None:
        self.ids: list[str] = []
        self.trials: list[str] = []
        self.stages: list[str] = []

    def stage(self, text: str) -> None:
        self.stages.append(text)

    def ended(self, record: TrialRecord) -> None:
        (self.trials if record.is_trial else self.ids).append(record.id)


def test_each_task_is_trained_alone_and_compared(tmp_path: Path) -> None:
    study, trainers, listener = study_of(tmp_path), MadeUpTrainers(), Listener()
    found = session_of(study, trainers, watcher=listener).result
    assert listener.trials == ["0000", "0001"]
    assert listener.ids == [f"alone/{task}/000{n}" for task in ("intent", "slots") for n in (0, 1)]
    assert "alone/intent: searching: 2 trials" in listener.stages
    assert {task: one.verdict for task, one in found.baselines.items()} == {
        "intent": "gained", "slots": "lost",
    }  # fmt: skip
    intent = found.baselines["intent"]
    assert (intent.trial, intent.together, intent.score) == ("0001", "0001", "intent/accuracy")
    assert intent.dev.alone.mean == pytest.approx(0.71)
    assert intent.dev.together.mean == pytest.approx(0.81)
    estimate = intent.difference.estimate
    assert (estimate.low, estimate.high) == pytest.approx(difference_interval(0.81, 0.71, 500))
    # It lies where it says, and is a study of its own.
    alone = read_result(StudyFolder(tmp_path / intent.folder))
    assert (alone.status, alone.trials["complete"]) == ("complete", 2)
    assert alone.best.test["intent"]["accuracy"] == pytest.approx(0.71)
    assert read_result(StudyFolder(study.folder)).to_json() == found.to_json()
    # Trials of the study stand in its folder, and those of the baselines in theirs.
    assert sorted(path.name for path in (study.folder / "trials").iterdir()) == ["0000", "0001"]


def test_what_is_there_is_not_trained_again(tmp_path: Path) -> None:
    trainers = MadeUpTrainers()
    first = session_of(study_of(tmp_path), trainers).result
    done = list(trainers.done)
    assert session_of(study_of(tmp_path), trainers).result.to_json() == first.to_json()
    assert trainers.done == done
    # Nor for another study with the same tasks, which weighs them otherwise.
    other = study_of(tmp_path, name="other", objective={"kind": "minimum"})
    found = session_of(other, trainers).result
    assert {key.startswith("alone/") for _, key in trainers.done[len(done) :]} == {False}
    assert found.baselines["intent"].folder == first.baselines["intent"].folder


def test_baselines_may_be_asked_for_later(tmp_path: Path) -> None:
    trainers = MadeUpTrainers()
    first = session_of(study_of(tmp_path, baselines="none"), trainers).result
    assert first.baselines is None
    before = len(trainers.done)
    found = session_of(study_of(tmp_path), trainers).result
    assert {key.startswith("alone/") for _, key in trainers.done[before:]} == {True}
    assert list(found.baselines) == ["intent", "slots"]
    assert (found.best, found.default) == (first.best, first.default)


def test_the_default_recipe_alone_is_compared_with_the_default_recipe(tmp_path: Path) -> None:
    found = session_of(study_of(tmp_path, baselines="default"), MadeUpTrainers()).result
    assert found.best.trial == "0001"
    intent = found.baselines["intent"]
    assert (intent.trial, intent.together) == ("0000", "0000")
    assert intent.dev.together.mean == pytest.approx(0.80)


def test_with_a_final_stage_all_seeds_are_compared(tmp_path: Path) -> None:
    study = study_of(tmp_path, finals={"recipes": 1, "seeds": 3})
    found = session_of(study, MadeUpTrainers()).result.baselines["intent"]
    assert found.difference.estimate.over == "seeds"
    assert found.dev.alone.count == found.dev.together.count == 3
    assert found.difference.estimate.mean == pytest.approx(0.1)


def test_a_relative_gain_is_measured_first(tmp_path: Path) -> None:
    study = study_of(tmp_path, objective={"kind": "relative_gain"})
    trainers = MadeUpTrainers()
    found = session_of(study, trainers).result
    keys = [key for _, key in trainers.done]
    first = keys.index("0000")
    assert all(key.startswith("alone/") for key in keys[:first])
    assert not any(key.startswith("alone/") for key in keys[first:])
    assert read_measured(StudyFolder(study.folder)) == pytest.approx(
        {"intent": 0.71, "slots": 0.71}
    )
    # Of the default recipe, (0.8 / 0.71 - 1 + 0.6 / 0.71 - 1) / 2.
    assert found.default.dev["combined"] == pytest.approx((0.8 + 0.6) / 0.71 / 2 - 1)


def test_a_relative_gain_stays_relative_to_the_same(tmp_path: Path) -> None:
    study = study_of(tmp_path, objective={"kind": "relative_gain"})
    whole = session_of(study, MadeUpTrainers()).result
    other = study_of(tmp_path / "other", objective={"kind": "relative_gain"})
    trainers = MadeUpTrainers()
    trainers.kill_at = 14  # In the middle of the trials of the study.
    assert session_of(other, trainers) is None
    assert ("train 1", "0000") in trainers.done
    # What a task reaches alone is measured once.
    trainers.kill_at, trainers.learn = None, lambda *told: 0.01 + MadeUpTrainers().learn(*told)
    found = session_of(other, trainers).result
    assert found.default.dev["combined"] > whole.default.dev["combined"]
    measured = read_measured(StudyFolder(other.folder))
    assert measured == pytest.approx({"intent": 0.71, "slots": 0.71})


def told(result: Result) -> dict[str, object]:
    """What `result.json` has, times aside."""
    return {key: value for key, value in result.to_json().items() if key != "seconds"}


@pytest.mark.parametrize(
    ("settings", "kills"),
    # In the search, in a baseline; and in the last one where baselines come first.
    [({}, (3, 12)), ({"objective": {"kind": "relative_gain"}}, (12,))],
)
def test_nothing_is_done_twice_whatever_is_killed(
    tmp_path: Path, settings: dict[str, object], kills: tuple[int, ...]
) -> None:
    trainers = MadeUpTrainers()
    whole = session_of(study_of(tmp_path / "whole", **settings), trainers).result
    assert len(trainers.done) == len(set(trainers.done))
    for kill_at in kills:
        study, killed = study_of(tmp_path / str(kill_at), **settings), MadeUpTrainers()
        killed.kill_at = kill_at
        assert session_of(study, killed) is None
        found = session_of(study, killed).result
        assert sorted(killed.done) == sorted(trainers.done)
        assert told(found) == told(whole)


def test_a_study_waits_for_another_that_trains_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baselines, "_LOOK_SECONDS", 0.0)
    study, trainers, listener = study_of(tmp_path), MadeUpTrainers(), Listener()
    intent, _ = alone_of(study)
    intent.study.folder.mkdir(parents=True)
    lock = hold(intent.study.folder)
    nothing: Callable[[], None] = lambda: None  # noqa: E731
    trainers.looks = [nothing, lock.release]
    found = session_of(study, trainers, watcher=listener).result
    assert trainers.looks == []
    waiting = [text for text in listener.stages if "waiting" in text]
    assert waiting == ["waiting for another study that trains intent alone"]
    # Meanwhile the other task was trained.
    assert listener.ids[0] == "alone/slots/0000"
    assert list(found.baselines) == ["intent", "slots"]


def test_a_task_that_learns_nothing_alone_leaves_the_others(tmp_path: Path) -> None:
    trainers = MadeUpTrainers()
    trainers.failing = {"alone/slots"}
    found = session_of(study_of(tmp_path), trainers).result
    assert (found.baselines["slots"].trial, found.baselines["slots"].score) == (None, None)
    assert found.baselines["intent"].verdict == "gained"
    relative = study_of(tmp_path, name="relative", objective={"kind": "relative_gain"})
    with pytest.raises(NoScoreError, match="relative_gain needs the score of slots alone"):
        session_of(relative, trainers)
    nothing = MadeUpTrainers(lambda task, study, _: 0.01 if study == "" else 0.0)
    zero = study_of(tmp_path / "zero", objective={"kind": "relative_gain"})
    with pytest.raises(ConfigError, match="the task 'intent' alone has a main score of 0"):
        session_of(zero, nothing)


def test_a_broken_folder_is_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_of(tmp_path)
    monkeypatch.setattr(company, "companions", alone_of)
    assert [one.task for one in company.company_of(study).alone] == ["intent", "slots"]
    folder = alone_of(study)[1].study.folder
    folder.mkdir(parents=True)
    (folder / "result.json").write_text("{")
    with pytest.raises(BrokenError, match=r"alone/slots-\w+/result\.json: .* is broken"):
        company.company_of(study)


def test_the_time_of_baselines_is_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("tuning.study.clock.time.monotonic", lambda: now[0])

    class Journal:
        user_attrs: dict[str, float] = {}  # noqa: RUF012

        def set_user_attr(self, key: str, value: float) -> None:
            self.user_attrs[key] = value

    clock = StudyClock(Journal(), start=90.0)
    clock.count()
    with clock.away():
        now[0] += 50
    now[0] += 1
    assert clock.stop() == 11.0
