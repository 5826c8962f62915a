"""What a study does before and after its search, with no Ray."""

import itertools
import json
from contextlib import closing, nullcontext
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import optuna
import pytest
from baseline_sessions import MadeUpTrainers, session_of, study_of
from conftest import RunConfigFactory
from trials import record, report

import tuning
from mtl_core.errors import ConfigError, TrainingError
from mtl_core.study_file import dump
from tuning.report.write import write_report
from tuning.run import session as session_module
from tuning.run.company import Company
from tuning.run.session import Session
from tuning.run.stages.finals import Ending
from tuning.run.tune import is_local, tune_study
from tuning.space.priors import NormalPrior
from tuning.study.config import Study, StudyFile
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.journal import open_optuna, read_optuna
from tuning.study.known import KnownFacts, KnownPrior, read_known
from tuning.study.result import read_result
from tuning.watch.watcher import Watcher


def study_file(run: object, search: dict[str, object], **study: object) -> StudyFile:
    raw = {"run": run, "search": search, "study": {"name": "tiny", "trials": 1, **study}}
    return StudyFile.model_validate(raw)


def test_a_study_runs_here_unless_a_cluster_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert is_local(None)
    assert not is_local("auto")
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert not is_local(None)


def test_what_cannot_run_here_writes_nothing(tmp_path: Path, run_config: RunConfigFactory) -> None:
    run = run_config().model_dump(mode="json")
    study = study_file(run, {}, storage=str(tmp_path), resources={"workers": 100_000})
    with pytest.raises(ConfigError, match=r"^study\.resources: .* cannot run here"):
        tune_study(study)
    assert not study.folder.exists()


@pytest.mark.parametrize(("left", "count"), [(5, 3), (2, 2), (0, 1)])
def test_no_more_trainers_start_than_trials_are_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, left: int, count: int
) -> None:
    started = MagicMock(side_effect=KeyboardInterrupt)
    monkeypatch.setattr(session_module, "start_for", started)
    session = object.__new__(Session)
    session.study = MagicMock(trials=10, study=Study(name="tiny"), final_runs=0)
    session.folder, session.company = StudyFolder(tmp_path), Company()
    session.clock = MagicMock()
    session.history = History(record(n, "complete", 0.5) for n in range(10 - left))
    with pytest.raises(KeyboardInterrupt):
        session.run(3, Watcher(), verbose=False)
    assert started.call_args.args[2] == count


def test_a_report_written_anew_says_the_same_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run_config: RunConfigFactory
) -> None:
    study = study_file(run_config().model_dump(mode="json"), {}, storage=str(tmp_path))
    folder = StudyFolder(study.folder)
    folder.begin_run("0000", study.run)
    folder.add_report("0000", report(1, 0.5))
    folder.study.write_text(dump(study))
    trials = open_optuna(folder.journal, name="tiny", sampler=optuna.samplers.RandomSampler(seed=0))
    trials.tell(trials.ask(), 0.5)
    monkeypatch.setattr(session_module, "start_for", lambda *_: nullcontext())
    monkeypatch.setattr(Ending, "run", lambda *_: None)
    # Each look at the clock is 0.3 s later: one of two looks is past the half second.
    now = (36.321 + 0.3 * look for look in itertools.count())
    monkeypatch.setattr("tuning.study.clock.time", SimpleNamespace(monotonic=lambda: next(now)))
    with closing(Session(study, folder, None, known=KnownFacts(), start=0.0)) as session:
        session.run(1, Watcher(), verbose=False)
    first = folder.report.read_text()
    assert "1 trial in 0:00:36 (h:mm:ss)" in first
    assert write_report(folder.path) == first
    assert read_result(folder).seconds == read_optuna(folder.journal).user_attrs["seconds"]


def test_a_study_without_any_score_says_why(tmp_path: Path) -> None:
    study, trainers = study_of(tmp_path, trials=2, baselines="none"), MadeUpTrainers()
    trainers.failing = {""}
    why = r"no trial .* reached a score; .*report\.md.* TrainingError: it failed$"
    with pytest.raises(TrainingError, match=why):
        session_of(study, trainers, has_reports=True)
    assert "TrainingError: it failed" in (study.folder / "report.md").read_text(encoding="utf-8")
    found = json.loads((study.folder / "result.json").read_text(encoding="utf-8"))
    assert found["status"] == "failed"
    assert found["trials"] == {"complete": 0, "stopped": 0, "failed": 2}
    assert found["best"] is None


def test_values_from_python_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    found = MagicMock()
    monkeypatch.setattr("tuning.run.tune.tune_study", found)
    tuning.tune("demo", {"study.storage": Path("/runs/a: 😀"), "run.seed": 3})
    study = found.call_args.args[0]
    assert (study.study.storage, study.run.seed) == (Path("/runs/a: 😀"), 3)


def test_what_is_known_is_kept_and_drawn_from(tmp_path: Path, run_config: RunConfigFactory) -> None:
    study = study_file(
        run_config().model_dump(mode="json"),
        {"optimizer.encoder_lr": {"log_range": [1e-5, 1e-3]}},
        storage=str(tmp_path), trials=9, sampler={"kind": "random"},
    )  # fmt: skip
    folder = StudyFolder(study.folder)
    folder.trials.mkdir(parents=True)
    known = KnownFacts((KnownPrior("optimizer.encoder_lr", NormalPrior(1.0, 0.001), "high"),))
    with closing(Session(study, folder, None, known=known, start=0.0)) as session:
        assert read_known(folder) == known
        rates = []
        for _ in range(40):
            trial = session.optuna_study.ask()
            study.space.sample(trial)
            rates.append(trial.params["optimizer.encoder_lr"])
    # Half of them; drawn evenly, one in a hundred is as high.
    assert 10 < sum(rate > 0.95e-3 for rate in rates) < 30
