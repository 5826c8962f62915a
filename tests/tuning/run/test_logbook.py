import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pandas
import pytest

from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError, StorageError, TrainingError
from mtl_core.study_file import read_document
from mtl_core.training.report import Report
from mtl_core.validation import validate
from tuning.records import Value, run_id_of
from tuning.run.logbook import Logbook
from tuning.search.ending import SearchEnded, run_search
from tuning.search.schedulers.base import Scheduler
from tuning.search.study_scheduler import StudyScheduler
from tuning.study.clock import StudyClock
from tuning.study.config import StudyFile
from tuning.study.folder import StudyFolder
from tuning.study.history import read_history
from tuning.study.journal import open_optuna
from tuning.study.recorder import Recorder
from tuning.trainers.messages import PoolAddress, TrialSpec
from tuning.trainers.tune_values import TrialConfig, TrialFailure, TrialResult
from tuning.watch.trials_csv import TrialsCsv

LEARNING_RATES = [1e-3, 2e-3, 3e-3, 4e-3]


class Trainers:
    """Notes which trials it was told to stop."""

    def __init__(self) -> None:
        self.stopped: list[tuple[str, int]] = []

    def stop(self, run_id: str, delivered: int) -> None:
        self.stopped.append((run_id, delivered))

    def check(self) -> None:
        raise TrainingError("no trainer can work any more")


class Driver:
    """Plays Tune's callbacks on the logbook of a study of four trials."""

    def __init__(self, study: StudyFile, folder: StudyFolder) -> None:
        sampler = study.study.sampler.build(0, study.space)
        self.folder = folder
        self.optuna_study = open_optuna(folder.journal, name="demo", sampler=sampler)
        for value in LEARNING_RATES[len(self.optuna_study.trials) :]:
            self.optuna_study.enqueue_trial({"optimizer.head_lr": value})
            study.space.sample(self.optuna_study.ask())
        self.trainers = Trainers()
        defaults = study.default_parameters
        self.history = read_history(folder, self.optuna_study, defaults)
        self.table = TrialsCsv(folder.path / "trials.csv", self.history)
        recorder = Recorder(
            study.run.model_dump(mode="json"),
            folder,
            self.history,
            defaults=defaults,
            keep_checkpoints=study.study.keep_checkpoints,
        )
        self.clock = StudyClock(self.optuna_study, start=0.0)
        self.scheduler = StudyScheduler(Scheduler())
        self.logbook = Logbook(recorder, self.trainers, self.table, self.clock, self.scheduler)
        self.trials: dict[int, SimpleNamespace] = {}

    def start(self, number: int) -> None:
        overrides = {"optimizer.head_lr": LEARNING_RATES[number]} if number else {}
        config = tune_config(number, overrides)
        room = self.folder.path / ".scratch" / str(number)
        trial = SimpleNamespace(config=config, last_result={}, local_path=str(room))
        room.mkdir(parents=True, exist_ok=True)
        self.trials[number] = trial
        self.logbook.on_trial_start(0, [], trial)
        (self.folder.checkpoint(run_id_of(number))).mkdir(exist_ok=True)

    def report(self, number: int, epoch: int, combined: float) -> None:
        trial = self.trials[number]
        report = epoch_report(epoch, combined)
        trial.last_result = TrialResult(report, is_last=epoch == 3).for_tune()
        self.logbook.on_trial_result(0, [], trial, trial.last_result)

    def end(self, number: int, error: str | None = None) -> None:
        trial = self.trials[number]
        if error is None:
            self.logbook.on_trial_complete(0, [], trial)
        else:
            trial.last_result = TrialFailure(error).for_tune()
            self.logbook.on_trial_result(0, [], trial, trial.last_result)
            self.logbook.on_trial_complete(0, [], trial)
        assert not Path(trial.local_path).exists(), "Tune's folder of the trial is gone"

    def run(self, number: int, values: list[float], error: str | None = None) -> None:
        self.start(number)
        for epoch, value in enumerate(values, start=1):
            self.report(number, epoch, value)
        self.end(number, error)

    def kept(self) -> set[int]:
        return {
            number for number in self.trials if self.folder.checkpoint(run_id_of(number)).exists()
        }

    def lines(self, number: int) -> list[str]:
        return (self.folder.run(run_id_of(number)) / "reports.jsonl").read_text().splitlines()


def tune_config(number: int, overrides: dict[str, Value]) -> dict[str, object]:
    spec = TrialSpec(run_id_of(number), dict(overrides), Path("checkpoint"))
    return TrialConfig(spec, overrides, 0, PoolAddress("pool", "tests")).for_tune()


def epoch_report(epoch: int, combined: float) -> Report:
    return Report(
        epoch=epoch,
        number=epoch,
        progress=float(epoch),
        step=epoch,
        losses={"intent": 0.5},
        weights={"intent": 1.0},
        learning_rates={"encoder": 1e-4},
        dev={"intent": {"accuracy": combined}},
        joint_accuracy=combined,
        combined=combined,
        best_combined=combined,
        best_number=epoch,
        seconds=1.5,
        sentences_per_second=100.0,
    )


def study_file(storage: Path, keep_checkpoints: int = 1) -> StudyFile:
    intent = {"kind": "classification", "dataset": "sample", "column": "intent"}
    return StudyFile.model_validate(
        {
            "run": {"datasets": {"sample": {"kind": "sample"}}, "tasks": {"intent": intent}},
            "search": {"optimizer.head_lr": {"log_range": [1e-4, 1e-2]}},
            "study": {
                "name": "demo",
                "storage": str(storage),
                "trials": 4,
                "keep_checkpoints": keep_checkpoints,
            },
        }
    )


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    study = study_file(tmp_path)
    with StudyFolder.opened(study, {}) as folder:
        driver = Driver(study, folder)
        yield driver


def test_a_search_without_trainers_is_left(driver: Driver) -> None:
    driver.start(0)
    with pytest.raises(SearchEnded) as raised:
        driver.logbook.on_step_begin(0, [])
    assert str(raised.value.__cause__) == "no trainer can work any more"
    assert driver.history["0000"].status == "running"


def test_every_report_is_a_line(driver: Driver) -> None:
    driver.run(0, [0.25, 0.75])
    expected = [epoch_report(1, 0.25), epoch_report(2, 0.75)]
    assert [Report.from_json(line) for line in driver.lines(0)] == expected


def test_reports_that_a_resumed_trial_repeats_are_not_written_twice(driver: Driver) -> None:
    driver.start(0)
    driver.report(0, 1, 0.25)
    driver.report(0, 2, 0.5)
    driver.run(0, [0.25, 0.5, 0.75])
    assert [Report.from_json(line).epoch for line in driver.lines(0)] == [1, 2, 3]
    assert driver.history["0000"].seconds == 3 * 1.5


def test_a_later_session_knows_what_an_earlier_one_wrote(driver: Driver, tmp_path: Path) -> None:
    driver.run(0, [0.25, 0.5])
    driver.start(1)
    driver.report(1, 1, 0.75)
    later = Driver(study_file(tmp_path), driver.folder)
    assert later.history["0001"].reports == (epoch_report(1, 0.75),)
    later.run(1, [0.75, 0.25])
    assert len(later.lines(1)) == 2
    assert later.history["0001"].seconds == 3.0


def test_how_a_trial_ended(driver: Driver) -> None:
    driver.run(0, [0.1, 0.2, 0.3])
    driver.run(1, [0.1])
    driver.run(2, [], error="ValueError: no\nnever")
    records = driver.history
    statuses = [records[run_id_of(number)].status for number in range(3)]
    assert statuses == ["complete", "stopped", "failed"]
    assert records["0002"].error == "ValueError: no"
    assert (driver.folder.run("0002") / "error.txt").read_text() == "ValueError: no\nnever"


def test_trainers_are_told_of_trials_that_they_do_not_end_themselves(driver: Driver) -> None:
    driver.run(0, [0.1, 0.2, 0.3])
    driver.run(1, [0.1])
    driver.run(2, [], error="boom")
    assert driver.trainers.stopped == [("0001", 1)]


def test_best_and_default_keep_their_checkpoints(driver: Driver) -> None:
    driver.run(0, [0.1, 0.1, 0.1])
    driver.run(1, [0.5])
    driver.run(2, [0.4])
    assert driver.kept() == {0, 1}
    driver.run(3, [0.7, 0.2])
    assert driver.kept() == {0, 3}


def test_a_running_trial_keeps_its_checkpoint(driver: Driver) -> None:
    driver.start(1)
    driver.report(1, 1, 0.1)
    driver.run(2, [0.5])
    driver.run(3, [0.6])
    assert driver.kept() == {1, 3}


def test_a_failed_trial_is_never_the_best(driver: Driver) -> None:
    driver.run(1, [0.9], error="boom")
    driver.run(2, [0.4])
    assert driver.kept() == {2}
    assert driver.history.best.id == "0002"


def test_more_checkpoints_are_kept_on_demand(tmp_path: Path) -> None:
    study = study_file(tmp_path, keep_checkpoints=2)
    with StudyFolder.opened(study, {}) as folder:
        driver = Driver(study, folder)
        for number, value in enumerate([0.1, 0.5, 0.2, 0.4]):
            driver.run(number, [value])
        assert driver.kept() == {0, 1, 3}


def test_trials_csv(driver: Driver) -> None:
    driver.run(0, [0.1, 0.3, 0.2])
    driver.run(1, [0.5])
    table = pandas.read_csv(driver.folder.path / "trials.csv", dtype={"trial": str})
    assert list(table.columns) == [
        *("trial", "status", "optimizer.head_lr", "combined", "joint_accuracy"),
        *("intent.accuracy", "best_epoch", "epochs", "seconds"),
    ]
    assert list(table["trial"]) == ["0000", "0001", "0002", "0003"]
    assert list(table["status"]) == ["complete", "stopped", "running", "running"]
    assert list(table["combined"][:2]) == [0.3, 0.5]
    assert list(table["seconds"][:2]) == [4.5, 1.5]


def test_a_trial_folder_holds_the_recipe_that_ran(driver: Driver) -> None:
    driver.run(3, [0.5])
    path = driver.folder.run("0003") / "config.yaml"
    assert validate(read_document(path), RunConfig).optimizer.head_lr == LEARNING_RATES[3]


def test_a_recipe_that_cannot_be_is_written_and_left_to_its_trainer(driver: Driver) -> None:
    config = tune_config(2, {"tasks.intent.weight": 0})
    driver.logbook.on_trial_start(0, [], SimpleNamespace(config=config))
    document = read_document(driver.folder.run("0002") / "config.yaml")
    with pytest.raises(ConfigError, match="the weights of all tasks are 0"):
        validate(document, RunConfig)
    assert driver.history["0002"].status == "running"


def test_a_trial_without_a_number_has_failed(driver: Driver) -> None:
    driver.run(0, [0.1, float("nan"), 0.9])
    driver.run(1, [0.2])
    record = driver.history["0000"]
    assert record.status == "failed"
    where = "epoch 2: the objective is no number but nan"
    assert record.error == f"{where}: accuracy of task 'intent' is nan"
    best = driver.history.best
    assert best is not None
    assert best.id == "0001"


def test_a_trial_that_tune_gives_up_is_kept_and_ends_the_search(driver: Driver) -> None:
    driver.start(1)
    driver.report(1, 1, 0.5)
    said = driver.folder.path / "error-of-tune.txt"
    said.write_text("Failure # 1 (occurred at 2026)\nThe actor died.\n" + "The worker ended. " * 50)
    driver.trials[1].error_file = str(said)
    with pytest.raises(SearchEnded) as raised:
        driver.logbook.on_trial_error(0, [], driver.trials[1])
    said = str(raised.value.__cause__)
    assert said.startswith("the process that hears of trial 0001 died too often, or does not start")
    assert "not start: The actor died.; the trials that are not done are kept, and the same" in said
    assert driver.history["0001"].status == "running"
    assert driver.trainers.stopped == []
    assert not (driver.folder.run("0001") / "error.txt").exists()


def test_looking_at_a_study_takes_none_of_its_time(driver: Driver) -> None:
    first = StudyClock(driver.optuna_study, start=time.monotonic() - 5)
    first.note()
    assert "seconds" not in driver.optuna_study.user_attrs
    first.count()
    first.note()
    seconds = driver.optuna_study.user_attrs["seconds"]
    assert 5 <= seconds < 60
    later = StudyClock(driver.optuna_study, start=time.monotonic() - 7)
    assert seconds + 7 <= later.seconds < seconds + 60
    later.note()
    assert driver.optuna_study.user_attrs["seconds"] == seconds


def test_the_end_of_a_trial_notes_the_time(driver: Driver) -> None:
    driver.clock.count()
    driver.run(0, [0.5])
    assert driver.optuna_study.user_attrs["seconds"] > 0


@pytest.mark.parametrize("moment", ["begin", "report", "end"])
def test_a_disk_that_is_full_ends_the_search_and_fails_no_trial(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageError("cannot write x: no room")

    driver.run(0, [0.5])
    if moment != "begin":
        driver.start(1)
    monkeypatch.setattr(driver.logbook, "_recorder", SimpleNamespace(**{moment: full}))
    acts = {
        "begin": lambda: driver.start(1),
        "report": lambda: driver.report(1, 1, 0.6),
        "end": lambda: driver.end(1),
    }

    def tune() -> None:
        # As Tune does it: an error of a callback, if it is an `Exception`, would fail the trial.
        try:
            acts[moment]()
        except StorageError:
            driver.end(1, "failed")

    with pytest.raises(StorageError, match="cannot write x: no room") as raised:
        run_search(tune, driver.folder.scratch)
    assert raised.value.__context__ is None
    assert "0001" not in {record.id for record in driver.history.ended}
