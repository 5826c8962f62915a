"""The final stage: who takes part, who is chosen, and that nothing is done twice."""

import json
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from simulated_sessions import SimulatedTrainers, session_of
from simulated_study import SPACE, SimulatedStudy, learn

from mtl_core.errors import TrainingError
from mtl_core.study_file import dump
from tuning.records import TrialRecord
from tuning.report.write import write_report
from tuning.study.finals import Finals
from tuning.study.result import read_result
from tuning.study.scored import read_scoring
from tuning.study.status import read_status
from tuning.trainers.messages import ScoreJob
from tuning.watch.state import StudyState
from tuning.watch.watcher import Watcher, Watchers

FINALS = {"recipes": 2, "seeds": 3}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what takes long and is read by nobody here."""
    monkeypatch.setattr(os, "fsync", lambda file: None)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr("tuning.report.write.study_page", lambda *_, **__: "")


def noisy(score: float, overrides: Mapping[str, object]) -> float:
    """As `learn` has it, with luck that differs from seed to seed, and from recipe to recipe."""
    luck = random.Random(json.dumps(overrides, sort_keys=True)).gauss(0, 0.02)
    return learn(score, overrides) + luck


def trainers_of(storage: Path, *, trials: int = 5, **study: object) -> SimulatedTrainers:
    settings = {"scheduler": {"kind": "none"}, "epochs": 2, "finals": FINALS, "learn": noisy}
    return SimulatedTrainers(SimulatedStudy(storage, trials=trials, **{**settings, **study}))


def finals_of(trainers: SimulatedTrainers, **session: object) -> Finals:
    found = session_of(trainers, **session)
    assert found is not None
    assert found.result.finals is not None
    # What runs took is read from their reports, and not kept again.
    assert read_result(trainers.study.folder) == replace(found.result, behind=())
    return found.result.finals


def test_the_best_recipes_and_the_default_are_trained_anew(tmp_path: Path) -> None:
    trainers = trainers_of(tmp_path)
    finals = finals_of(trainers)
    history = trainers.study.history
    best = [one.id for one in history.goal.ranked(history)][:2]
    wanted = {*best, "0000"}
    assert {one.trial for one in finals.recipes} == wanted
    runs = {f"final/{one}/seed-{seed}" for one in wanted for seed in (1, 2, 3)}
    assert {one.run for recipe in finals.recipes for one in recipe.seeds} == runs
    trained = [run for what, run in trainers.done if what == "train"]
    assert Counter(trained) == dict.fromkeys(runs, 2)  # epochs
    for recipe in finals.recipes:
        for run in recipe.seeds:
            folder = trainers.study.folder.run(run.run)
            assert folder == trainers.study.folder.path / run.run
            assert f"seed: {run.seed}\n" in (folder / "config.yaml").read_text()
            scores = [one.combined for one in trainers.study.folder.read_reports(run.run)]
            assert run.dev["combined"] == max(scores)
        mean = sum(run.dev["combined"] for run in recipe.seeds) / 3
        assert recipe.dev["combined"].mean == pytest.approx(mean, abs=1e-12)
        assert recipe.parameters == history[recipe.trial].parameters
    means = [recipe.dev["combined"].mean for recipe in finals.recipes]
    assert means == sorted(means, reverse=True)
    assert finals.chosen == finals.recipes[0].trial


def test_test_is_opened_once_dev_has_chosen(tmp_path: Path) -> None:
    trainers = trainers_of(tmp_path, trials=6, finals={"recipes": 4, "seeds": 2})
    finals = finals_of(trainers)
    kinds = [what for what, _ in trainers.done]
    assert kinds == sorted(kinds, reverse=True)  # All that is trained comes before any score.
    assert finals.second is not None
    opened = {finals.chosen, finals.second.trial, "0000"}
    scored = [run for what, run in trainers.done if what == "score"]
    assert Counter(scored) == {f"final/{one}/seed-{n}": 1 for one in opened for n in (1, 2)}
    for recipe in finals.recipes:
        assert (recipe.test is not None) == (recipe.trial in opened)
        assert all((run.test is not None) == (recipe.trial in opened) for run in recipe.seeds)
    # Whose model it is dev has chosen as well.
    best = max(finals.best.seeds, key=lambda run: run.dev["combined"])
    assert (trainers.study.folder.best / "run").read_text() == best.run == finals.model
    # Nobody needs the others any more.
    kept = [path.parent for path in trainers.study.folder.path.glob("final/*/*/checkpoint")]
    assert kept == [trainers.study.folder.run(best.run)]
    result = read_result(trainers.study.folder)
    assert result.best is not None
    assert (result.best.trial, result.best.test) == (finals.chosen, None)
    [choice] = read_scoring(trainers.study.folder, result).choices
    assert (choice.chosen, set(choice.scored)) == (finals.chosen, set(scored))
    # There is nothing left to do.
    trainers.done.clear()
    assert finals_of(trainers) == finals
    assert trainers.done == []


def test_luck_in_the_search_does_not_win(tmp_path: Path) -> None:
    def lucky(score: float, overrides: Mapping[str, object]) -> float:
        # The first recipe that is drawn is poor, and was lucky with the seed of the search.
        is_first = overrides.get("optimizer.weight_decay") == 0.02
        return 0.9 if is_first and "seed" not in overrides else 0.5 if is_first else 0.7

    search = {**SPACE, "try": [{"optimizer.weight_decay": 0.02}]}
    trainers = trainers_of(tmp_path, learn=lucky, search=search)
    finals = finals_of(trainers)
    history = trainers.study.history
    assert history.best is not None
    assert history.best.id == "0001"
    assert finals.chosen != "0001"
    assert finals.best.dev["combined"].mean == pytest.approx(0.7)
    [poor] = [recipe for recipe in finals.recipes if recipe.trial == "0001"]
    assert poor.dev["combined"].mean == pytest.approx(0.5)


def test_a_driver_that_is_killed_anywhere_costs_nothing(tmp_path: Path) -> None:
    settings = {"trials": 2, "epochs": 1, "finals": {"recipes": 2, "seeds": 2}}
    searched = trainers_of(tmp_path / "searched", **settings)
    assert searched.study.run()
    shutil.copytree(searched.study.folder.path, tmp_path / "whole" / "simulated")
    expected = finals_of(trainers_of(tmp_path / "whole", **settings))
    # So many things and more are done and written.
    for kill_at in (1, *random.Random(0).sample(range(2, 60), 7)):
        storage = tmp_path / str(kill_at)
        shutil.copytree(searched.study.folder.path, storage / "simulated")
        trainers = trainers_of(storage, **settings)
        assert session_of(trainers, kill_at=kill_at) is None
        assert finals_of(trainers) == expected
        # An epoch that was under way may be trained again, and a score asked for again.
        trained, scored = (
            Counter(run for what, run in trainers.done if what == kind)
            for kind in ("train", "score")
        )
        assert len(trained) == len(scored) == 4
        assert sum(trained.values()) in (4, 5)
        assert sum(scored.values()) in (4, 5)
        result = read_result(trainers.study.folder)
        assert len(read_scoring(trainers.study.folder, result).choices) == 1


def test_a_recipe_of_which_a_run_fails_stands_behind(tmp_path: Path) -> None:
    plain = finals_of(trainers_of(tmp_path / "plain"))
    trainers = trainers_of(tmp_path / "failing")
    run = plain.best.seeds[1].run
    trainers.failing = {run}
    finals = finals_of(trainers)
    assert finals.chosen == plain.recipes[1].trial
    [failed] = [recipe for recipe in finals.recipes if recipe.trial == plain.chosen]
    assert len(failed.seeds) == 2
    assert failed.failed == {run: "TrainingError: it failed"}
    # It has failed for good.
    trainers.failing, trainers.done = set(), []
    assert finals_of(trainers) == finals
    assert trainers.done == []


def test_where_all_runs_fail_there_is_no_result(tmp_path: Path) -> None:
    trainers = trainers_of(tmp_path, trials=1)
    trainers.failing = {f"final/0000/seed-{seed}" for seed in (1, 2, 3)}
    for _ in range(2):
        with pytest.raises(TrainingError, match=r"no run of the final stage .* it failed; .*final"):
            session_of(trainers)
    assert not trainers.study.folder.result.exists()


def test_more_trials_and_more_seeds_go_on_with_what_is_there(tmp_path: Path) -> None:
    trainers = trainers_of(tmp_path)
    first = finals_of(trainers)
    trainers.done.clear()
    study = trainers.study.study
    more = study.study.finals.model_copy(update={"seeds": 4})
    trainers.study.study = study.model_copy(
        update={"study": study.study.model_copy(update={"finals": more})}
    )
    second = finals_of(trainers)
    assert {run for what, run in trainers.done if what == "train"} == {
        f"final/{recipe.trial}/seed-4" for recipe in first.recipes
    }
    scoring = read_scoring(trainers.study.folder, read_result(trainers.study.folder))
    # Test was opened again, for the runs that are new.
    assert len(scoring.choices) == 2
    assert len(second.best.seeds) == 4


def test_a_study_that_has_ended_without_finals_gets_them(tmp_path: Path) -> None:
    trainers = trainers_of(tmp_path, finals=None)
    found = session_of(trainers)
    assert found is not None
    assert found.result.finals is None
    earlier = found.result.tests
    assert len(earlier) == len({found.result.model, "0000"})
    with_finals = trainers_of(tmp_path / "other")
    trainers.study.study = with_finals.study.study.model_copy(
        update={"study": with_finals.study.study.study.model_copy(update={"storage": tmp_path})}
    )
    finals = finals_of(trainers)
    assert finals.best.test is not None
    result = read_result(trainers.study.folder)
    assert result.tests.items() >= earlier.items()
    scoring = read_scoring(trainers.study.folder, result)
    assert [one.scored[0].startswith("final/") for one in scoring.choices] == [False, True]


def test_claims_are_those_of_test(tmp_path: Path) -> None:
    trainers = trainers_of(tmp_path)

    def test(job: ScoreJob) -> float:
        is_default = job.spec.id.startswith("final/0000/")
        return (0.5 if is_default else 0.8) + 0.001 * int(job.spec.id[-1])

    trainers.test = test
    finals = finals_of(trainers)
    found = {(one.second, one.score): one for one in finals.differences}
    assert finals.second is not None
    assert {second for second, _ in found} == {"0000", finals.second.trial}
    difference = found["0000", "combined"]
    assert difference.first == finals.chosen != "0000"
    assert difference.estimate.mean == pytest.approx(0.3)
    assert (difference.claim, difference.where) == ("better", "test")


def test_its_report_says_what_may_be_claimed(tmp_path: Path) -> None:
    trainers = trainers_of(tmp_path)
    trainers.test = lambda job: (0.5 if "/0000/" in job.spec.id else 0.8) + 1e-3 * seed_of(job)
    finals = finals_of(trainers)
    assert finals.second is not None
    report = trainers.study.folder.report.read_text()
    assert f"The best recipe on dev is that of trial {finals.chosen} by the mean over 3" in report
    assert "It is better than the default on test (+30.00 points, 95 % interval " in report
    assert (
        f"Whether it is better than the second, trial {finals.second.trial}, cannot be told on "
        "test (+0.00 points"
    ) in report
    assert "| `combined` | seeds | 80.20 (79.95 to 80.45; sd 0.10) |" in report  # t(2) = 4.303
    assert "Caution: test was opened" not in report
    runs = 3 * len(finals.recipes)
    assert f"anew with 3 seeds, in {runs} runs. The mean over these on dev chose; test" in report
    assert f"--set seed={finals.model[-1]}\n" in report


def seed_of(job: ScoreJob) -> int:
    return int(job.spec.id.rpartition("-")[2])


def test_a_study_stands_where_its_final_stage_does(tmp_path: Path) -> None:
    trainers = trainers_of(tmp_path)
    folder = trainers.study.folder
    folder.study.write_text(dump(trainers.study.study))
    assert trainers.study.run()
    assert session_of(trainers, kill_at=20) is None
    status = read_status(folder.path)
    ended = [run.id for run in status.runs if run.has_ended]
    assert status.state == "interrupted"
    assert 0 < len(ended) < len(status.runs)
    assert set(ended) < {run for _, run in trainers.done}
    told = f"5 of 5 trials have ended, and {len(ended)} of {len(status.runs)} runs of the final"
    assert told in write_report(folder.path)
    finals = finals_of(trainers)
    status = read_status(folder.path)
    assert status.state == "complete"
    assert len(status.runs) == sum(len(recipe.seeds) for recipe in finals.recipes)
    # More of it was asked for since.
    folder.study.write_text(dump(trainers.study.study).replace("seeds: 3", "seeds: 4"))
    status = read_status(folder.path)
    assert status.state == "interrupted"
    assert [run.id[-1] for run in status.runs if not run.has_ended] == ["4"] * len(finals.recipes)


class Heard(Watcher):
    """Keeps what it is told."""

    def __init__(self, state: StudyState) -> None:
        self.state = state
        self.begun: list[TrialRecord] = []
        self.ends: list[TrialRecord] = []
        self.queues: list[Sequence[str]] = []
        self.stages: list[str] = []
        self.results: list[object] = []

    def queued(self, run_ids: Sequence[str], ended: Sequence[TrialRecord]) -> None:
        self.queues.append(run_ids)

    def began(self, record: TrialRecord) -> None:
        self.begun.append(record)

    def ended(self, record: TrialRecord) -> None:
        self.ends.append(record)
        self.stages.append(self.state.snapshot().stage)

    def finished(self, result: object) -> None:
        self.results.append(result)


def test_watchers_hear_of_every_run(tmp_path: Path) -> None:
    trainers = trainers_of(tmp_path)
    state = StudyState("simulated")
    heard = Heard(state)
    found = session_of(trainers, watcher=Watchers([state, heard]))
    assert found is not None
    assert heard.results == [found.result]
    runs = [record for record in heard.ends if not record.is_trial]
    assert {run.id for run in runs} == set(heard.queues[0])
    assert [run.id for run in heard.begun if not run.is_trial] == [run.id for run in runs]
    assert len(heard.ends) - len(runs) == 5
    assert all(run.status == "complete" and len(run.reports) == 2 for run in runs)
    count = len(runs)
    stage = f"final stage: {count // 3} recipes with 3 seeds"
    assert heard.stages[5:] == [f"{stage}, {n} of {count} runs ended" for n in range(1, count + 1)]
    # Trials are counted without them.
    now = state.snapshot()
    assert [record.id for record in now.ranked] == [
        record.id for record in trainers.study.history.goal.ranked(trainers.study.history)
    ]
    assert now.running == []


def test_a_study_without_test_is_compared_on_dev_and_says_so(tmp_path: Path) -> None:
    trainers = trainers_of(tmp_path)
    trainers.test = lambda job: None
    finals = finals_of(trainers)
    assert all(recipe.test is None for recipe in finals.recipes)
    assert {one.where for one in finals.differences} == {"dev"}
    assert "there are no scores on test, so" in trainers.study.folder.report.read_text()
    # That there is none is known, and is not asked for again.
    trainers.done.clear()
    assert finals_of(trainers) == finals
    assert trainers.done == []
