"""Who takes part in a final stage, and which recipe its means choose."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from trials import record, report

from mtl_core.training.decoded import Decoded, Taken
from tuning.goals import Goal
from tuning.records import TrialRecord
from tuning.study.finalists import Contest, contest
from tuning.study.finals import FinalsSection
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.scored import Scoring

RUN = {"seed": 7, "optimizer": {"head_lr": 1e-3}}


def trial(number: int, score: float, **overrides: object) -> TrialRecord:
    found = {f"optimizer.{name}": value for name, value in overrides.items()}
    return replace(record(number, "complete", score), overrides=found)


def stage(*records: TrialRecord, goal: Goal | None = None, decoded: bool = False) -> Contest:
    section = FinalsSection(recipes=2, seeds=2)
    return contest(History(records, goal), section, RUN, is_decoded=decoded)


def runs_of(found: Contest, scores: Mapping[str, Sequence[float]]) -> dict[str, TrialRecord]:
    """The runs with a score for each seed of a recipe; None = it failed."""
    runs = {}
    for finalist in found.finalists:
        for seed, score in zip(found.seeds, scores[finalist.id], strict=True):
            run = finalist.run(seed)
            runs[run.id] = replace(run, status="complete", reports=(report(1, score),))
    return runs


def test_the_default_comes_on_top_of_the_best() -> None:
    records = [trial(n, score, head_lr=n) for n, score in enumerate((0.1, 0.5, 0.7, 0.6))]
    found = stage(*records)
    assert [one.id for one in found.finalists] == ["0002", "0003", "0000"]
    assert list(found.seeds) == [8, 9]
    run = found.finalists[0].run(8)
    assert (run.id, run.overrides) == ("final/0002/seed-8", {"optimizer.head_lr": 2, "seed": 8})
    # It is one of the best itself.
    assert [one.id for one in stage(trial(0, 0.9), *records[1:]).finalists] == ["0000", "0002"]
    # Without a score there is nothing to compare with.
    failed = record(0, "failed")
    assert [one.id for one in stage(failed, *records[1:]).finalists] == ["0002", "0003"]
    assert stage(failed).finalists == []


def test_a_recipe_takes_part_once() -> None:
    same = [trial(n, 0.5 + n / 10, head_lr=5) for n in (1, 2, 3)]
    found = stage(trial(0, 0.1), *same, trial(4, 0.2, head_lr=6))
    assert [one.id for one in found.finalists] == ["0003", "0004", "0000"]
    # As the file has it, in other words.
    found = stage(trial(0, 0.1), trial(1, 0.9, head_lr=1e-3), trial(2, 0.5, head_lr=6))
    assert [one.id for one in found.finalists] == ["0000", "0002"]


def test_means_choose_and_one_of_which_a_run_failed_comes_last(tmp_path: Path) -> None:
    found = stage(*[trial(n, n / 10, head_lr=n) for n in range(4)])
    scores = {"0003": (0.9, 0.1), "0002": (0.6, 0.5), "0000": (0.4, 0.4)}
    runs = runs_of(found, scores)
    assert [one.id for one in found.ranked(runs)] == ["0002", "0003", "0000"]
    best = found.model(runs)
    assert best is not None
    assert best.id == "final/0002/seed-8"
    assert found.losers(runs) == []  # The third is the default.
    run = runs["final/0002/seed-9"]
    runs[run.id] = replace(run, status="failed", error="no")
    assert [one.id for one in found.ranked(runs)] == ["0003", "0000", "0002"]
    assert found.losers(runs) == ["final/0002/seed-8", "final/0002/seed-9"]
    finals = found.finals(runs, Scoring(), StudyFolder(tmp_path))
    assert finals is not None
    assert [(one.id, len(one.seeds), len(one.failed)) for one in finals.recipes] == [
        ("0003", 2, 0), ("0000", 2, 0), ("0002", 1, 1)
    ]  # fmt: skip


def test_a_limit_is_that_of_the_means() -> None:
    goal = Goal(limits={"floors.intent": 0.5})
    found = stage(*[trial(n, 0.6 + n / 10, head_lr=n) for n in range(3)], goal=goal)
    # The mean of the first is the highest, and one of its runs misses the limit: it does not.
    runs = runs_of(found, {"0002": (0.9, 0.4), "0001": (0.6, 0.6), "0000": (0.4, 0.5)})
    assert [one.id for one in found.ranked(runs)] == ["0002", "0001", "0000"]


def test_of_several_objectives_the_knee_of_the_means_is_chosen() -> None:
    def scored(number: int, first: float, second: float) -> TrialRecord:
        dev = {"a": {"accuracy": first}, "b": {"accuracy": second}}
        made = replace(report(1, (first + second) / 2), dev=dev)
        return replace(trial(number, 0.0, head_lr=number), reports=(made,))

    goal = Goal(tasks=("a", "b"))
    records = [scored(0, 0.9, 0.1), scored(1, 0.7, 0.7), scored(2, 0.1, 0.9)]
    section = FinalsSection(recipes=3, seeds=2)
    found = contest(History(records, goal), section, RUN, is_decoded=False)
    assert found.finalists[0].id == "0001"
    runs = {}
    # With other seeds trial 1 is beaten in both, and only two recipes are left on the front.
    for one, pair in zip(found.finalists, ((0.2, 0.05), (0.9, 0.1), (0.1, 0.9)), strict=True):
        for seed in found.seeds:
            run = one.run(seed)
            runs[run.id] = replace(run, status="complete", reports=scored(9, *pair).reports)
    assert found.ranked(runs)[-1].id == "0001"


def test_settings_of_decoding_make_another_recipe_of_the_same_runs(tmp_path: Path) -> None:
    found = stage(trial(0, 0.9), trial(1, 0.5, head_lr=1), decoded=True)
    assert [one.id for one in found.finalists] == ["0000+decoding", "0001+decoding", "0000"]
    assert len(found.runs) == 4
    runs = {}
    for run in found.runs:
        taken = Taken({"k": 1}, {"k": 1}, {"k": 0}, {"intent": {"accuracy": 0.8}}, 0.5, 0.8)
        decoded = Decoded(number=1, searched="s", tried=(), taken=taken, judged=None, seconds=0.0)
        last = replace(report(1, 0.6 if "/0000/" in run.id else 0.3), decoded=decoded)
        runs[run.id] = replace(run, status="complete", reports=(last,))
    assert [one.id for one in found.ranked(runs)] == ["0000+decoding", "0001+decoding", "0000"]
    # Each run is scored once: with the settings, which tells of it without them as well.
    wanted = found.to_score(runs)
    assert len(wanted) == 4
    assert all(run.taken is not None for run in wanted)
    tests = {name: {"combined": 0.4} for name in runs}
    tests |= {f"{name}+decoding": {"combined": 0.7} for name in runs}
    finals = found.finals(runs, Scoring(tests=tests), StudyFolder(tmp_path))
    assert finals is not None
    assert finals.default is not None
    assert finals.best.test is not None
    assert finals.default.test is not None
    assert finals.best.test["combined"].mean == pytest.approx(0.7)
    assert finals.default.test["combined"].mean == pytest.approx(0.4)
    assert finals.default.dev["combined"].mean == pytest.approx(0.6)
