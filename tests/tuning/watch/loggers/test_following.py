"""A service is told everything once, whatever it refuses meanwhile."""

from dataclasses import replace
from pathlib import Path

import pytest
from odd_loggers import Odd, OddSection
from trials import record

from mtl_core.kept import BrokenError
from tuning.records import TrialRecord
from tuning.study.result import Result
from tuning.watch.loggers.base import LoggedStudy
from tuning.watch.loggers.following import Following
from tuning.watch.loggers.logged import Logged, LoggedRun


class Session:
    """A session of a study with an odd logger."""

    def __init__(self, folder: Path, *records) -> None:
        self.section = OddSection(path=folder / "calls")
        self.study = LoggedStudy("demo", folder)
        self.service = Odd(self.section.path)
        self.said: list[str] = []
        self.logged = Logged(folder, "odd", self.section.place(self.study))
        self.watcher = Following(self.service, self.logged, records, self.said.append)


def test_a_run_is_told_from_its_begin_to_its_end(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.watcher.began(record(0, "running"))
    session.watcher.reported(record(0, "running", 0.5))
    session.watcher.paused(record(0, "paused", 0.5))
    session.watcher.began(record(0, "running", 0.5))
    session.watcher.reported(record(0, "running", 0.5, 0.75))
    session.watcher.ended(record(0, "complete", 0.5, 0.75))
    session.watcher.finished(Result())
    session.watcher.close()
    assert session.service.calls() == [
        "study None", "begin 0000", "report R0000 1", "report R0000 2", "end R0000 complete",
        "end S failed", "close",
    ]  # fmt: skip
    assert session.said == []


def test_what_a_service_refused_is_told_with_the_next_thing_that_happens(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.watcher.began(record(0, "running"))
    session.service.breaks("raises")
    session.watcher.reported(record(0, "running", 0.5))
    session.watcher.reported(record(0, "running", 0.5, 0.75))
    session.watcher.ended(record(0, "complete", 0.5, 0.75))
    assert session.service.calls() == ["study None", "begin 0000"]
    session.service.breaks("")
    session.watcher.began(record(1, "running"))
    assert session.service.calls()[2:] == [
        "report R0000 1", "report R0000 2", "end R0000 complete", "begin 0001"
    ]  # fmt: skip
    # However often: as long as it is the same, the user hears of it once.
    assert session.said == ["no answer; the study goes on, and this is logged later"]


def test_a_run_that_a_service_does_not_take_keeps_no_other_from_it(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.service.refused = {"0000", "0001"}
    for number in range(4):
        session.watcher.ended(record(number, "complete", 0.5))
    session.watcher.finished(Result())
    session.watcher.close()
    begun = [call for call in session.service.calls() if call.startswith("begin")]
    assert begun == ["begin 0002", "begin 0003"]
    assert session.service.calls()[-2:] == ["end S failed", "close"]
    assert session.said == [
        "refused; the study goes on, and this is logged later",
        "2 runs are not logged whole; the study folder has all of it, and the same command logs "
        "the rest",
    ]


def test_what_is_missing_at_the_end_is_said_and_told_in_the_next_session(tmp_path: Path) -> None:
    first = Session(tmp_path)
    first.watcher.ended(record(0, "complete", 0.5))
    first.watcher.began(record(1, "running"))
    first.service.breaks("raises")
    first.watcher.ended(record(1, "failed"))
    first.watcher.ended(record(2, "complete", 0.25))
    first.watcher.close()
    assert first.said[-1] == (
        "2 runs are not logged whole; the study folder has all of it, and the same command logs "
        "the rest"
    )
    first.service.breaks("")
    before = len(first.service.calls())
    ended = [record(0, "complete", 0.5), record(1, "failed"), record(2, "complete", 0.25)]
    second = Session(tmp_path, *ended)
    second.watcher.close()
    assert second.service.calls()[before:] == [
        "study S", "begin 0001", "end R0001 failed", "begin 0002", "report R0002 1",
        "end R0002 complete", "end S None", "close",
    ]  # fmt: skip


def test_runs_of_a_stage_that_ended_before_are_told_with_it(tmp_path: Path) -> None:
    first = Session(tmp_path)
    first.watcher.ended(final("final/0000/seed-1"))
    first.watcher.close()
    before = len(first.service.calls())
    second = Session(tmp_path)
    runs = [final("final/0000/seed-1"), final("final/0000/seed-2")]
    second.watcher.queued([*(run.id for run in runs), "final/0000/seed-3"], runs)
    assert second.service.calls()[before:] == [
        "study S", "begin final/0000/seed-2", "report Rfinal/0000/seed-2 1",
        "end Rfinal/0000/seed-2 complete",
    ]  # fmt: skip


def final(run_id: str) -> TrialRecord:
    return replace(record(0, "complete", 0.5), id=run_id)


def test_runs_that_have_not_ended_are_left_as_interrupted(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.watcher.began(record(0, "running"))
    session.watcher.paused(record(1, "paused", 0.5))
    session.watcher.close()
    assert session.service.calls()[-4:] == [
        "end R0000 running", "end R0001 paused", "end S None", "close"
    ]  # fmt: skip
    assert session.logged.run("0001") == LoggedRun("R0001", reports=1, status=None)


def test_another_place_is_told_everything_anew(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.watcher.ended(record(0, "complete", 0.5))
    session.watcher.close()
    assert Logged(tmp_path, "odd", str(tmp_path / "calls")).has_all_of(record(0, "complete", 0.5))
    assert not Logged(tmp_path, "odd", "elsewhere").has_all_of(record(0, "complete", 0.5))


def test_what_was_logged_is_known_by_all_of_a_run(tmp_path: Path) -> None:
    logged = Logged(tmp_path, "odd", "here")
    logged.note("0000", LoggedRun("R", reports=1, status="complete"))
    one = record(0, "complete", 0.5)
    assert logged.has_all_of(one)
    assert not logged.has_all_of(replace(one, status="failed"))
    assert not logged.has_all_of(record(0, "complete", 0.5, 0.75))
    assert not logged.has_all_of(record(1, "complete", 0.5))


def test_a_broken_file_is_told_in_a_line(tmp_path: Path) -> None:
    logged = Logged(tmp_path, "odd", "here")
    logged.note_study("S")
    logged.path.write_text('{"place": "here", "runs": {"0000": {"id": 3}}}')
    with pytest.raises(BrokenError, match=r"runs\.0000\.id: expected .*text.*; remove it: all"):
        Logged(tmp_path, "odd", "here")
