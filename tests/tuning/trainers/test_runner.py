"""The runner: runs with ids of their own through a pool, without Optuna, Tune or Ray."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pools import local_pool
from trials import report

from mtl_core.errors import TrainingError
from tuning.trainers.messages import (
    Failed,
    Job,
    Message,
    Reported,
    Scored,
    ScoreJob,
    StudyRef,
    TrainJob,
    TrialSpec,
)
from tuning.trainers.runner import Runner


def spec(run_id: str, epochs: int = 2) -> TrialSpec:
    return TrialSpec(run_id, {}, Path("checkpoint"), epochs=epochs)


def done(job: Job) -> Iterator[Message]:
    """What a trainer sends of a job; a run fails whose id ends in "bad"."""
    if isinstance(job, ScoreJob):
        yield Scored({"combined": 0.5}, 10)
    elif job.spec.id.endswith("bad"):
        yield Failed("ValueError: no")
    else:
        last = job.spec.epochs or 1
        for epoch in range(1, last + 1):
            yield Reported(report(epoch, epoch / 10), is_last=epoch == last)


def test_a_run_that_is_no_trial_streams_its_reports() -> None:
    with local_pool(done, trainers=1) as pool:
        found = list(Runner(pool).run([TrainJob(spec("alone/intent", epochs=3))]))
    assert [run_id for run_id, _ in found] == ["alone/intent"] * 3
    assert [message.report.epoch for _, message in found] == [1, 2, 3]
    assert [message.is_last for _, message in found] == [False, False, True]


def test_many_runs_are_done_side_by_side_whatever_they_are() -> None:
    jobs = [
        TrainJob(spec("final/0007/seed-1")),
        TrainJob(spec("final/0007/seed-2")),
        TrainJob(spec("alone/bad")),
        ScoreJob(spec("0007"), export=None, dev={}),
    ]
    found: dict[str, list[Message]] = {}
    with local_pool(done) as pool:
        for run_id, message in Runner(pool).run(jobs):
            found.setdefault(run_id, []).append(message)
    reports = [Reported(report(1, 0.1), is_last=False), Reported(report(2, 0.2), is_last=True)]
    assert found == {
        "final/0007/seed-1": reports,
        "final/0007/seed-2": reports,
        "alone/bad": [Failed("ValueError: no")],
        "0007": [Scored({"combined": 0.5}, 10)],
    }


def test_a_run_goes_on_only_once_its_report_was_seen() -> None:
    with local_pool(done, trainers=1) as pool:
        messages = Runner(pool).run([TrainJob(spec("alone/intent"))])
        next(messages)
        assert pool.asked == [("alone/intent", 0)]
        next(messages)
        assert pool.asked == [("alone/intent", 0), ("alone/intent", 1)]


def test_a_lost_answer_is_asked_for_again() -> None:
    with local_pool(done, trainers=1) as pool:
        pool.lost = {("alone/intent", 0), ("alone/intent", 1)}
        found = list(Runner(pool).run([TrainJob(spec("alone/intent"))]))
    assert [message.report.epoch for _, message in found] == [1, 2]
    assert pool.asked == [("alone/intent", index) for index in (0, 0, 1, 1)]


def test_a_check_that_raises_ends_the_waiting() -> None:
    def check() -> None:
        raise TrainingError("no trainer can work any more")

    with local_pool(done, trainers=1) as pool:
        messages = Runner(pool, check=check).run([TrainJob(spec("alone/intent", epochs=1))])
        with pytest.raises(TrainingError, match="no trainer"):
            next(messages)


@pytest.mark.parametrize("run_id", ["", "/0007", "final/", "a//b", "../up", "a/../b", ".", "a b"])
def test_an_id_that_is_no_path_of_folders_is_refused(run_id: str) -> None:
    with pytest.raises(ValueError, match="not a run id"):
        spec(run_id)


def test_studies_that_share_trainers_may_have_runs_of_the_same_id() -> None:
    alone = replace(spec("0000", epochs=1), study=StudyRef("alone/intent"))
    with local_pool(done, trainers=1) as pool:
        runner = Runner(pool)
        own = list(runner.run([TrainJob(spec("0000"))]))
        other = list(runner.run([TrainJob(alone)]))
    assert pool.asked == [("0000", 0), ("0000", 1), ("alone/intent/0000", 0)]
    # Who submitted it knows it by its own id.
    assert [run_id for run_id, _ in (*own, *other)] == ["0000"] * 3
    assert [message.is_last for _, message in other] == [True]
