"""Every logger through the same story of a study, read back by the package's own means."""

import math
import typing
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from loggers import LOGGERS, LoggerCase, ReadRun, following
from trials import record

from tuning.records import TrialRecord
from tuning.study.final_scores import FinalScores
from tuning.study.result import Result
from tuning.watch.loggers.base import LoggedStudy
from tuning.watch.loggers.kinds import LoggerSection

# Of what MLflow asks of its database, which is no matter of ours.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

LONG = "a text of more than five hundred characters " * 20


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Settings of the packages for all tests: none of this machine, and no network."""
    folder = tmp_path_factory.mktemp("services")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_IDENTITY_TOKEN_FILE"):
            patch.delenv(name, raising=False)
        patch.setenv("HOME", str(folder))
        patch.setenv("NETRC", str(folder / "none"))
        patch.setenv("WANDB_ERROR_REPORTING", "false")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        # One for all: MLflow takes seconds to make a database.
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        yield folder


@pytest.fixture(params=LOGGERS)
def logger(request: pytest.FixtureRequest, tmp_path: Path, places: Path) -> "Opened":
    return Opened(request.param, LOGGERS[request.param], tmp_path)


class Opened:
    """A logger for a study in a folder of its own."""

    def __init__(self, kind: Callable[..., LoggerSection], case: LoggerCase, folder: Path) -> None:
        self.section = kind(**case.settings(folder))
        self.study = LoggedStudy("demo", folder / "demo")
        self.study.folder.mkdir()
        self._read = case.read

    def session(self, records: typing.Iterable[TrialRecord] = ()) -> typing.Any:
        return following(self.section, self.study, records)

    def read(self) -> dict[str, ReadRun]:
        return self._read(self.section, self.study)


def curve(run: ReadRun, name: str) -> list[tuple[int, float]]:
    return sorted(run.curves[name])


def test_every_logger_is_in_the_table() -> None:
    union, *_ = typing.get_args(LoggerSection)
    assert set(LOGGERS) == set(typing.get_args(union))


def test_runs_have_the_states_parameters_and_curves_of_their_trials(logger: Opened) -> None:
    session = logger.session()
    trials = [
        record(0, "complete", 0.5, 0.75, 0.625),
        record(1, "stopped", 0.25),
        replace(record(2, "failed"), error="ValueError: no"),
    ]
    for trial in trials:
        session.began(replace(trial, status="running", reports=(), error=None))
    for number in range(3):
        for trial in trials:
            if number < len(trial.reports):
                told = replace(trial, status="running", reports=trial.reports[: number + 1])
                session.reported(told)
    for trial in trials:
        session.ended(trial)
    final = record(7, "complete", 0.5)
    session.ended(replace(final, id="final/0007/seed-1", overrides={"seed": 11}))
    session.close()
    runs = logger.read()
    states = {name: (run.state, run.sort, run.status, run.parent) for name, run in runs.items()}
    assert states.pop("demo")[0] == "KILLED"  # The study has no result yet.
    assert states == {
        "0000": ("FINISHED", "trial", "complete", "demo"),
        "0001": ("KILLED", "trial", "stopped", "demo"),
        "0002": ("FAILED", "trial", "failed", "demo"),
        "final/0007/seed-1": ("FINISHED", "final", "complete", "demo"),
    }
    first = runs["0000"]
    assert float(first.parameters["optimizer.encoder_lr"]) == 2e-4
    assert "seed" not in first.parameters
    assert int(runs["final/0007/seed-1"].parameters["seed"]) == 11
    # The number of the report is the step, and its epochs are a curve of their own.
    assert curve(first, "dev/combined") == [(1, 0.5), (2, 0.75), (3, 0.625)]
    assert curve(first, "dev/intent/accuracy") == [(1, 0.5), (2, 0.75), (3, 0.625)]
    assert curve(first, "epochs") == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_the_final_scores_are_a_table_and_numbers_of_the_study(logger: Opened) -> None:
    parameters = {"optimizer.encoder_lr": 2e-4}
    best = FinalScores("0001", parameters, {"combined": 0.75}, {"intent": {"accuracy": 0.625}})
    default = FinalScores("0000", {}, {"combined": 0.5}, {"intent": {"accuracy": math.nan}})
    session = logger.session()
    session.ended(record(1, "complete", 0.75))
    session.finished(Result(best=best, default=default))
    session.close()
    # Another session with another result: in place of the first, not behind it.
    session = logger.session()
    session.finished(Result(best=replace(best, trial="0002"), default=default))
    session.close()
    study = logger.read()["demo"]
    assert study.state == "FINISHED"
    assert study.table == [
        ["0002", "best", "dev", "combined", 0.75, None, None, 1],
        ["0002", "best", "test", "intent/accuracy", 0.625, None, None, 1],
        ["0000", "default", "dev", "combined", 0.5, None, None, 1],
        ["0000", "default", "test", "intent/accuracy", None, None, None, 1],
    ]
    scores = {"dev/combined": 0.75, "test/intent/accuracy": 0.625, "default/dev/combined": 0.5}
    assert {name: study.last.get(name) for name in scores} == scores
    assert "default/test/intent/accuracy" not in study.last


def test_another_session_goes_on_with_the_same_runs_and_tells_nothing_twice(logger: Opened) -> None:
    whole = record(0, "complete", 0.5, 0.75)
    first = logger.session()
    first.ended(whole)
    first.reported(record(1, "running", 0.25))
    first.close()
    assert logger.read()["0001"].state == "KILLED"
    before = logger.read()["0000"]
    second = logger.session([whole, record(1, "interrupted", 0.25)])
    second.began(record(1, "running", 0.25))
    second.reported(record(1, "running", 0.25, 0.5))
    second.ended(record(1, "complete", 0.25, 0.5))
    second.close()
    runs = logger.read()
    assert runs.keys() == {"demo", "0000", "0001"}
    assert runs["0000"] == before
    assert runs["0001"].state == "FINISHED"
    assert curve(runs["0001"], "dev/combined") == [(1, 0.25), (2, 0.5)]


def test_what_earlier_sessions_did_not_log_is_logged_when_the_study_goes_on(logger: Opened) -> None:
    logger.session([record(0, "complete", 0.5, 0.75), record(1, "interrupted", 0.25)]).close()
    runs = logger.read()
    assert runs.keys() == {"demo", "0000"}  # The other one is told of when it goes on.
    assert curve(runs["0000"], "dev/combined") == [(1, 0.5), (2, 0.75)]


def test_values_that_a_service_may_refuse_are_logged_all_the_same(logger: Opened) -> None:
    odd = replace(
        record(0, "failed", math.nan),
        parameters={"a": LONG, "task_weights[1]": 0.5, "b": None, "c": True},
        error="ValueError: " + LONG,
    )
    names = ["f1 of 'caf\xe9'", "../up", "a//b/", ".", "n" * 300, *map(str, range(1100))]
    dev = {"intent": dict.fromkeys(names, 0.5)}
    odd = replace(odd, reports=(replace(odd.reports[0], dev=dev),))
    session = logger.session()
    session.ended(odd)
    session.close()
    run = logger.read()["0000"]
    assert run.state == "FAILED"
    assert run.parameters["a"][:400] == LONG[:400]
    assert "dev/combined" not in run.curves
    assert curve(run, "epochs") == [(1, 1.0)]
    assert len(run.last) > 1100
    assert run.last["dev/intent/1099"] == 0.5


def test_a_trial_that_took_over_another_has_new_parameters(logger: Opened) -> None:
    session = logger.session()
    session.began(record(0, "running", 0.25))
    session.close()
    session = logger.session()
    changed = replace(record(0, "complete", 0.25, 0.5), parameters={"optimizer.encoder_lr": 1e-3})
    session.ended(changed)
    session.close()
    assert logger.read()["0000"].state == "FINISHED"
