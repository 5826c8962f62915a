"""Whole studies that are logged: every run as the study folder has it, whatever breaks down."""

from collections import Counter
from pathlib import Path

from odd_loggers import Odd, OddSection
from simulated_sessions import SimulatedTrainers, session_of
from simulated_study import SimulatedStudy

from tuning.run.earlier_runs import earlier_runs
from tuning.watch.loggers.base import LoggedStudy
from tuning.watch.loggers.following import Following
from tuning.watch.loggers.logged import Logged

ASHA = {"kind": "asha", "grace_epochs": 1, "reduction_factor": 2}


class LoggedSessions:
    """Sessions of a study with failures, early stops and a final stage."""

    def __init__(self, folder: Path) -> None:
        self.simulated = SimulatedStudy(
            folder, scheduler=ASHA, trials=5, epochs=3, finals={"recipes": 2, "seeds": 2}
        )
        self.trainers = SimulatedTrainers(self.simulated)
        self.trainers.failing.add("final/0000/seed-2")
        self.service = Odd(folder / "calls")
        self.section = OddSection(path=self.service.path)

    @property
    def logged(self) -> Logged:
        study = LoggedStudy("simulated", self.simulated.folder.path)
        return Logged(study.folder, "odd", self.section.place(study))

    @property
    def runs(self):
        study, folder = self.simulated.study, self.simulated.folder
        return earlier_runs(study, folder, self.simulated.history)

    def session(self, kill_at: int | None = None) -> bool:
        watcher = Following(self.service, self.logged, self.runs, lambda line: None)
        try:
            return session_of(self.trainers, kill_at=kill_at, watcher=watcher) is not None
        finally:
            watcher.close()

    def check(self) -> None:
        """The service has all that the folder has, and was told none of it twice."""
        runs = self.runs
        assert len(runs) > 5
        assert {run.status for run in runs} == {"complete", "stopped", "failed"}
        assert all(self.logged.has_all_of(run) for run in runs)
        calls = Counter(call for call in self.service.calls() if call.startswith("report"))
        reports = [f"report R{run.id} {one.number}" for run in runs for one in run.reports]
        assert calls == Counter(reports)
        ends = [call for call in self.service.calls() if call.startswith("end R")]
        assert {f"end R{run.id} {run.status}" for run in runs} <= set(ends)


def test_a_driver_that_is_killed_again_and_again_has_each_run_logged_once(tmp_path: Path) -> None:
    study = LoggedSessions(tmp_path)
    kills = [100, 40, 170, 90, 30]  # In the search and in the final stage.
    assert [study.session(kill_at=kill_at) for kill_at in kills] == [False] * len(kills)
    assert study.session()
    study.check()
    assert study.service.calls()[-2:] == ["end S complete", "close"]


def test_a_service_that_was_away_gets_all_of_a_finished_study_afterwards(tmp_path: Path) -> None:
    study = LoggedSessions(tmp_path)
    study.service.breaks("raises")
    assert study.session()
    assert study.service.calls() == []
    study.service.breaks("")
    assert study.session()
    study.check()
