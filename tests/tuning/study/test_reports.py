"""Reports within epochs, on all of dev or on a sample of it: what is the best, and what is kept."""

import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from pydantic import TypeAdapter
from trials import record, report

from mtl_core.kept import BrokenError
from mtl_core.training.report import Report, best_so_far, epochs_text, why_no_number
from tuning.goals import Goal
from tuning.records import TrialRecord, rank
from tuning.search.knowledge.worth import worths
from tuning.search.points import Points
from tuning.space.space import Entry, Space
from tuning.study.folder import StudyFolder
from tuning.study.history import History, read_history
from tuning.study.journal import open_optuna, read_optuna
from tuning.study.reports import read_reports
from tuning.trainers.tune_values import TrialResult

NAN = math.nan


def made(scores: list[float], *, per_epoch: int, is_sampled: bool) -> Iterator[Report]:
    """The reports of a run, of which the last of each epoch stands on all of dev."""
    reports: list[Report] = []
    for number, score in enumerate(scores, 1):
        is_sample = is_sampled and number % per_epoch != 0
        best_number, best = best_so_far(reports, number, score, is_sample=is_sample)
        one = report(number, score, per_epoch=per_epoch, is_sample=is_sample)
        reports.append(dataclasses.replace(one, best_number=best_number, best_combined=best))
    yield from reports


def trial(*scores: float, per_epoch: int = 2) -> TrialRecord:
    reports = tuple(made(list(scores), per_epoch=per_epoch, is_sampled=True))
    return dataclasses.replace(record(3, "stopped"), reports=reports)


def test_a_run_is_worth_its_best_report_on_all_of_dev() -> None:
    one = trial(0.9, 0.5, 0.8, 0.6, 0.95)
    assert one.best is not None
    assert one.best_on_sample is not None
    assert (one.best.number, one.best_on_sample.number, one.progress) == (4, 5, 2.5)
    assert [found.best_number for found in one.reports] == [1, 2, 1, 4, 5]


def test_a_run_that_was_scored_on_a_sample_alone_is_behind_all_others_and_never_the_best() -> None:
    flattered, worse, ended = trial(0.9), trial(0.8), trial(0.9, 0.1)
    assert Goal().best([flattered, worse]) is None
    assert Goal().best([flattered, ended]) is ended
    nothing = dataclasses.replace(flattered, reports=())
    failed = dataclasses.replace(ended, status="failed")
    order = [ended, flattered, worse, nothing, failed]
    assert sorted([failed, nothing, worse, flattered, ended], key=rank) == order


def test_a_score_that_few_rows_lack_fails_no_run() -> None:
    assert why_no_number(report(1, NAN, per_epoch=4, is_sample=True)) is None
    assert why_no_number(report(1, NAN, per_epoch=4)) == (
        "epoch 0.25: the objective is no number but nan: accuracy of task 'intent' is nan"
    )


def test_epochs_are_written_with_two_digits() -> None:
    assert [epochs_text(one) for one in (3.0, 0.1, 1 / 3, 0.0, 10.0)] == [
        "3", "0.1", "0.33", "0", "10",
    ]  # fmt: skip


def test_reports_of_old_versions_are_read(tmp_path: Path) -> None:
    new = [report(1, 0.25), report(2, 0.5)]
    lines = []
    for one in new:
        line = json.loads(one.to_json())
        del line["number"], line["is_sample"]
        line["best_epoch"] = line.pop("best_number")
        lines.append(json.dumps(line) + "\n")
    path = tmp_path / "reports.jsonl"
    path.write_text("".join(lines))
    assert list(read_reports(path)) == new
    path.write_text(lines[1])
    with pytest.raises(BrokenError, match=r"jsonl:1: .*: expected report 1, found report 2;"):
        read_reports(path)


def test_a_report_without_its_number_is_broken(tmp_path: Path) -> None:
    line = json.loads(report(1, 0.25).to_json())
    del line["number"]
    path = tmp_path / "reports.jsonl"
    path.write_text(json.dumps(line) + "\n")
    with pytest.raises(BrokenError, match="there is no 'number'"):
        read_reports(path)


@pytest.mark.parametrize("is_sampled", [False, True])
@pytest.mark.parametrize("lost", [1, 5, 7])
def test_what_a_trial_has_lost_the_journal_has(
    tmp_path: Path, lost: int, *, is_sampled: bool
) -> None:
    scores = [0.2, 0.1, 0.3, 0.25, 0.15, 0.35, 0.2]
    reports = list(made(scores, per_epoch=3, is_sampled=is_sampled))
    folder = StudyFolder(tmp_path)
    found = points(folder).draw()
    assert found is not None
    for one in reports:
        found.observe(one)
    found.end(TrialResult(reports[-1], is_last=False), has_failed=False)
    path = folder.reports(found.id)
    path.parent.mkdir(parents=True)
    path.write_text("".join(one.to_json() + "\n" for one in reports[: len(reports) - lost]))
    [again] = history(folder)
    assert [one.number for one in again.reports] == [one.number for one in reports]
    for ours, theirs in zip(again.reports, reports, strict=True):
        for name in ("epoch", "progress", "best_combined", "best_number", "is_sample"):
            assert getattr(ours, name) == getattr(theirs, name)
    assert again.best is not None
    whole = dataclasses.replace(again, reports=tuple(reports)).best
    assert whole is not None
    for name in ("number", "combined", "dev", "joint_accuracy"):
        assert getattr(again.best, name) == getattr(whole, name)


def test_samplers_hear_of_each_kind_its_best_so_far(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    found = points(folder).draw()
    assert found is not None
    reports = list(made([0.9, NAN, 0.8, 0.5, 0.95], per_epoch=4, is_sampled=True))
    for one in reports[:3]:
        found.observe(one)
    found.end(TrialResult(reports[2], is_last=False), has_failed=False)
    [told] = read_optuna(folder.journal).get_trials(deepcopy=False)
    # Stopped, and not failed: of a sample alone nothing is known for sure.
    assert (told.state, told.intermediate_values) == (TrialState.PRUNED, {1: 0.9, 3: 0.9})
    assert "scores" not in told.user_attrs


def test_what_a_sample_flatters_is_behind_what_ran_to_its_end(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    drawn = points(folder)
    for scores in ([0.9], [0.1, 0.3], [0.8], [0.1, 0.4]):
        found = drawn.draw()
        assert found is not None
        reports = list(made(scores, per_epoch=2, is_sampled=True))
        for one in reports:
            found.observe(one)
        if scores != [0.8]:  # That one still runs.
            last = TrialResult(reports[-1], is_last=len(reports) == 2)
            found.end(last, has_failed=False)
    study = read_optuna(folder.journal)
    first, second, third, fourth = worths(study.get_trials(deepcopy=False), study.directions)
    assert fourth > second > first > third


def points(folder: StudyFolder) -> Points:
    entry = {"optimizer.encoder_lr": {"log_range": [1e-5, 1e-3]}}
    space = Space(TypeAdapter(dict[str, Entry]).validate_python(entry))
    study = open_optuna(folder.journal, name="demo", sampler=optuna.samplers.RandomSampler(seed=0))
    return Points(study, space, total=4, default_parameters={"optimizer.encoder_lr": 1e-4})


def history(folder: StudyFolder) -> History:
    return read_history(folder, read_optuna(folder.journal), tell=lambda _: None)
