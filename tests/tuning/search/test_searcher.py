import math
import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
from optuna.trial import TrialState
from pydantic import TypeAdapter
from ray import cloudpickle
from ray.tune.search import ConcurrencyLimiter

from mtl_core.errors import NotReadyError
from mtl_core.training.report import Report
from tuning.search.points import Points
from tuning.search.samplers.kinds import SamplerSection
from tuning.search.samplers.tpe import TpeSection
from tuning.search.schedulers.asha import AshaSection
from tuning.search.schedulers.base import Scheduler
from tuning.search.searcher import OptunaSearcher
from tuning.search.study_scheduler import StudyScheduler
from tuning.space.space import Entry, Space
from tuning.study.journal import LOCK_SECONDS, open_optuna, read_optuna
from tuning.trainers.messages import PoolAddress, TrialSpec
from tuning.trainers.tune_values import TrialConfig, TrialFailure, TrialResult

ENTRIES = {
    "optimizer.encoder_lr": {"log_range": [1e-5, 1e-3]},
    "optimizer.head_lr": {"log_range": [1e-4, 1e-2]},
    "freezing": {
        "choice": [{"kind": "none"}, {"kind": "lower_layers", "layers": {"int_range": [1, 5]}}]
    },
}
DEFAULTS = {"optimizer.encoder_lr": 1e-4, "optimizer.head_lr": 0.5, "freezing.kind": "none"}

SPACE = Space(TypeAdapter(dict[str, Entry]).validate_python(ENTRIES))

TPE = {"kind": "tpe", "startup_trials": 3}
POOL = PoolAddress("pool", "tests")


def searcher_on(
    journal: Path,
    *,
    total: int = 8,
    sampler: dict = TPE,
    scheduler: StudyScheduler | None = None,
    reports: dict | None = None,
    **settings: object,
) -> OptunaSearcher:
    section = TypeAdapter(SamplerSection).validate_python(sampler)
    study = open_optuna(journal, name="demo", sampler=section.build(7, SPACE))
    points = Points(study, SPACE, total=total, **{"default_parameters": DEFAULTS, **settings})
    points.remember(reports or {})
    scheduler = scheduler or StudyScheduler(Scheduler())
    return OptunaSearcher(points, scheduler, pool=POOL, spec_of=spec)


def spec(run_id: str, overrides: dict[str, object]) -> TrialSpec:
    return TrialSpec(run_id, overrides, Path(run_id))


def trials_of(journal: Path) -> list[optuna.trial.FrozenTrial]:
    """The journal as another process reads it."""
    sampler = optuna.samplers.RandomSampler()
    return open_optuna(journal, name="demo", sampler=sampler).get_trials()


def result(epoch: int, combined: float, *, last: int = 3) -> dict:
    report = Report(
        epoch=epoch,
        number=epoch,
        progress=float(epoch),
        step=10 * epoch,
        losses={},
        weights={},
        learning_rates={},
        dev={"intent": {"accuracy": combined}},
        joint_accuracy=combined / 2,
        combined=combined,
        best_combined=combined,
        best_number=epoch,
        seconds=1.0,
        sentences_per_second=1.0,
    )
    return TrialResult(report, is_last=epoch == last).for_tune()


def run(searcher: OptunaSearcher, values: list[float], *, error: bool = False) -> TrialSpec:
    """Runs a trial that reports `values`; Tune passes the last one only at the end."""
    spec = asked(searcher, "id").spec
    results = [result(epoch, value) for epoch, value in enumerate(values, start=1)]
    for early in results if error else results[:-1]:
        searcher.on_trial_result("id", early)
    failure = [TrialFailure("ValueError: no").for_tune()] if error else []
    searcher.on_trial_complete("id", [None, *results, *failure][-1])
    return spec


def asked(searcher: OptunaSearcher, trial_id: str) -> TrialConfig:
    """The configuration of the next trial."""
    config = searcher.suggest(trial_id)
    assert isinstance(config, dict)
    return TrialConfig.of(config)


def test_trial_0_is_the_recipe_and_optuna_learns_what_lies_in_the_space(tmp_path: Path) -> None:
    config = asked(searcher_on(tmp_path / "j"), "id")
    # head_lr 0.5 is outside its range
    expected = {"optimizer.encoder_lr": 1e-4, "freezing.kind": "none"}
    spec = TrialSpec("0000", {}, Path("0000"))
    assert config == TrialConfig(spec, expected, delivered=0, pool=POOL)
    assert trials_of(tmp_path / "j")[0].params == expected


def reported(
    searcher: OptunaSearcher, scheduler: StudyScheduler, config: TrialConfig, told: dict
) -> str:
    """What Tune does with a report, given the configuration that it has from `suggest("id")`."""
    trial = SimpleNamespace(config=config.for_tune())
    decision = "STOP" if told["done"] else scheduler.on_trial_result(None, trial, told)
    if decision == "STOP":
        scheduler.on_trial_complete(None, trial, told)
        searcher.on_trial_complete("id", told)
    else:
        searcher.on_trial_result("id", told)
    return decision


def test_at_the_end_the_best_paused_trial_goes_on_to_its_end(tmp_path: Path) -> None:
    scheduler = StudyScheduler(AshaSection(form="promoting", reduction_factor=4).build(3))
    searcher = searcher_on(tmp_path / "j", total=3, scheduler=scheduler)
    default = asked(searcher, "id")
    for epoch in (1, 2, 3):
        reported(searcher, scheduler, default, result(epoch, 0.1))
    for score in (0.3, 0.2):
        # One of four would be promoted.
        told = result(1, score)
        assert reported(searcher, scheduler, asked(searcher, "id"), told) == "STOP"
    best = asked(searcher, "id")
    assert best.spec.id == "0001"
    for epoch in (2, 3):
        reported(searcher, scheduler, best, result(epoch, 0.3))
    # The other one is not the best of its rung.
    assert searcher.suggest("id") == "FINISHED"
    assert searcher.end_left() == ["0002"]


def test_as_many_trials_as_asked_for(tmp_path: Path) -> None:
    searcher = searcher_on(tmp_path / "j", total=3)
    configs = [asked(searcher, name) for name in "abc"]
    assert [config.spec.id for config in configs] == ["0000", "0001", "0002"]
    # The others still run: one of them may pause, and is to go on then.
    assert searcher.suggest("d") is None
    for name in "abc":
        searcher.on_trial_complete(name, result(3, 0.5))
    assert searcher.suggest("d") == OptunaSearcher.FINISHED
    assert asked(searcher_on(tmp_path / "other", total=3), "a") == configs[0]


def test_overrides_are_what_optuna_drew(tmp_path: Path) -> None:
    searcher = searcher_on(tmp_path / "j")
    overrides = [asked(searcher, str(number)).spec.overrides for number in range(8)]
    stored = trials_of(tmp_path / "j")
    assert [trial.user_attrs["overrides"] for trial in stored] == overrides
    for drawn, trial in zip(overrides[1:], stored[1:], strict=True):
        assert drawn["optimizer.encoder_lr"] == trial.params["optimizer.encoder_lr"]
        assert drawn["freezing"].get("layers") == trial.params.get("freezing.lower_layers.layers")
    assert {drawn["freezing"]["kind"] for drawn in overrides[1:]} == {"none", "lower_layers"}


def test_finished_trial_is_complete_with_its_best_value(tmp_path: Path) -> None:
    run(searcher_on(tmp_path / "j"), [0.4, 0.8, 0.6])
    trial = trials_of(tmp_path / "j")[0]
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.8)
    assert trial.intermediate_values == {1: 0.4, 2: 0.8, 3: 0.8}
    assert trial.user_attrs["scores"] == {"intent": {"accuracy": 0.8}}
    assert (trial.user_attrs["joint_accuracy"], trial.user_attrs["epochs"]) == (0.4, 3)


def test_stopped_trial_is_pruned_with_its_best_value(tmp_path: Path) -> None:
    run(searcher_on(tmp_path / "j"), [0.5, 0.3])
    trial = trials_of(tmp_path / "j")[0]
    assert (trial.state, trial.value) == (TrialState.PRUNED, 0.5)
    assert trial.intermediate_values == {1: 0.5, 2: 0.5}


@pytest.mark.parametrize(
    ("values", "error"),
    [([], False), ([], True), ([0.5, 0.6, 0.7], True), ([0.5, math.nan, 0.7], False)],
    ids=["no report", "crash at once", "crash at the end", "not a number"],
)
def test_trial_without_a_trustworthy_value_has_failed(
    tmp_path: Path, values: list[float], error: bool
) -> None:
    run(searcher_on(tmp_path / "j"), values, error=error)
    trial = trials_of(tmp_path / "j")[0]
    assert (trial.state, trial.value) == (TrialState.FAIL, None)
    assert not any(map(math.isnan, trial.intermediate_values.values()))


def test_a_trial_that_tune_gives_up_is_left_open(tmp_path: Path) -> None:
    searcher = searcher_on(tmp_path / "j")
    config = asked(searcher, "id")
    searcher.on_trial_result("id", result(1, 0.5))
    searcher.on_trial_complete("id", error=True)
    [trial] = trials_of(tmp_path / "j")
    assert (trial.state, trial.intermediate_values) == (TrialState.RUNNING, {1: 0.5})
    assert asked(searcher_on(tmp_path / "j"), "again").spec == config.spec


def test_killed_driver_leaves_its_trials_to_the_next(tmp_path: Path) -> None:
    first = searcher_on(tmp_path / "j", total=3)
    run(first, [0.5, 0.6, 0.7])
    config = asked(first, "killed")
    first.on_trial_result("killed", result(1, 0.9))
    told = TrialResult.of(result(1, 0.9))
    assert told is not None
    second = searcher_on(tmp_path / "j", total=3, reports={"0001": [told.report]})
    assert asked(second, "resumed") == replace(config, delivered=1)
    second.on_trial_complete("resumed", result(2, 0.8))
    assert asked(second, "next").spec.id == "0002"
    second.on_trial_complete("next", result(3, 0.8))
    assert second.suggest("none left") == OptunaSearcher.FINISHED
    trial = trials_of(tmp_path / "j")[1]
    assert (trial.state, trial.intermediate_values) == (TrialState.PRUNED, {1: 0.9, 2: 0.9})


def test_trial_that_was_killed_while_it_was_drawn_keeps_what_it_has(tmp_path: Path) -> None:
    first = searcher_on(tmp_path / "j")
    run(first, [0.5, 0.6, 0.7])
    study = open_optuna(tmp_path / "j", name="demo", sampler=TpeSection().build(7, SPACE))
    drawn = study.ask().suggest_float("optimizer.encoder_lr", 1e-5, 1e-3, log=True)
    spec = asked(searcher_on(tmp_path / "j"), "id").spec
    assert spec.id == "0001"
    assert spec.overrides["optimizer.encoder_lr"] == drawn
    assert spec.overrides.keys() == ENTRIES.keys()


@pytest.mark.parametrize("sampler", [TPE, {"kind": "random"}], ids=lambda sampler: sampler["kind"])
def test_interrupted_study_tries_the_same_points_as_one_in_a_single_run(
    tmp_path: Path, sampler: dict
) -> None:
    values = [0.3, 0.9, 0.1, 0.5, 0.7, 0.2, 0.8, 0.4]
    whole = searcher_on(tmp_path / "whole", sampler=sampler)
    expected = [run(whole, [value] * 3).overrides for value in values]
    pieces = [
        run(searcher_on(tmp_path / "j", sampler=sampler), [value] * 3).overrides for value in values
    ]
    assert pieces == expected
    assert len({point["optimizer.encoder_lr"] for point in pieces[1:]}) == 7


def test_half_a_line_at_the_end_of_the_journal_is_dropped(tmp_path: Path) -> None:
    run(searcher_on(tmp_path / "j"), [0.4, 0.8, 0.6])
    with (tmp_path / "j").open("a") as journal:
        journal.write('{"op_code": 4, "wor')
    assert run(searcher_on(tmp_path / "j"), [0.4]).id == "0001"
    assert [trial.value for trial in trials_of(tmp_path / "j")] == [0.8, 0.4]


def test_tune_can_save_limit_and_complete_twice(tmp_path: Path) -> None:
    searcher = searcher_on(tmp_path / "j")
    limited = ConcurrencyLimiter(searcher, max_concurrent=1)
    assert TrialConfig.of(limited.suggest("a")).spec.id == "0000"
    assert limited.suggest("b") is None
    searcher.save_to_dir(str(tmp_path))
    for _ in range(2):
        searcher.on_trial_complete("a", TrialFailure("ValueError: no").for_tune())
    assert [trial.state for trial in trials_of(tmp_path / "j")] == [TrialState.FAIL]
    assert asked(cloudpickle.loads(cloudpickle.dumps(searcher)), "c").spec.id == "0001"


def test_tpe_finds_what_random_search_does_not(tmp_path: Path) -> None:
    searcher = searcher_on(tmp_path / "j", total=40)
    errors = []
    for _ in range(40):
        overrides = asked(searcher, "id").spec.overrides
        rate = overrides.get("optimizer.encoder_lr", 1e-5)
        errors.append(abs(math.log10(rate) + 3.5))
        searcher.on_trial_complete("id", result(3, -errors[-1]))
    # Drawn evenly from [1e-5, 1e-3], the mean distance to 10 ** -3.5 is 0.625.
    assert sum(errors[-15:]) / 15 < 0.4


def test_reports_do_not_wait_for_the_disk_and_outcomes_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "optuna.journal"
    searcher = searcher_on(journal)
    searcher.suggest("id")
    waits = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (waits.append(file), fsync(file)))
    searcher.on_trial_result("id", result(1, 0.4))
    searcher.on_trial_result("id", result(2, 0.5))
    assert not waits
    # What was not waited for is in the file all the same, for whoever reads it.
    assert trials_of(journal)[0].intermediate_values == {1: 0.4, 2: 0.5}
    searcher.on_trial_complete("id", result(3, 0.6))
    assert waits
    [trial] = trials_of(journal)
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.6)
    assert trial.user_attrs["scores"] == {"intent": {"accuracy": 0.6}}


def test_a_renamed_study_is_still_the_same(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    run(searcher_on(journal), [0.5])
    sampler = optuna.samplers.RandomSampler()
    assert len(open_optuna(journal, name="renamed", sampler=sampler).trials) == 1


@pytest.mark.parametrize("defaults", [DEFAULTS, {}])
def test_tpe_models_parameters_together_that_the_default_recipe_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defaults: dict
) -> None:
    alone: list[str] = []
    draw = optuna.samplers.TPESampler.sample_independent

    def independent(self: object, study: object, trial: object, name: str, *rest: object) -> object:
        alone.append(name)
        return draw(self, study, trial, name, *rest)

    searcher = searcher_on(tmp_path / "journal", total=12, default_parameters=defaults)
    for number in range(8):
        run(searcher, [0.1 * number])
    monkeypatch.setattr(optuna.samplers.TPESampler, "sample_independent", independent)
    for number in range(4):
        run(searcher, [0.1 * number])
    assert alone == []


def test_a_journal_is_read_without_a_trace(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match=r"no trial was begun in this study folder$"):
        read_optuna(tmp_path / "journal")
    run(searcher_on(tmp_path / "journal"), [0.5])
    with (tmp_path / "journal").open("a") as journal:
        journal.write('{"op_code": 4, "wor')
    (tmp_path / "journal.lock").symlink_to("another process")
    before = (tmp_path / "journal").read_bytes()
    assert [trial.value for trial in read_optuna(tmp_path / "journal").trials] == [0.5]
    assert (tmp_path / "journal").read_bytes() == before


def test_locks_that_a_killed_driver_left_are_gone(tmp_path: Path) -> None:
    run(searcher_on(tmp_path / "journal"), [0.5])
    left = [tmp_path / "journal.lock", tmp_path / "journal.lock-1234.rename"]
    for lock in left:
        lock.symlink_to(tmp_path / "journal")
        os.utime(lock, (0, 0), follow_symlinks=False)
    young = tmp_path / "journal.lock-5678.rename"
    young.symlink_to(tmp_path / "journal")
    start = time.monotonic()
    run(searcher_on(tmp_path / "journal"), [0.6])
    assert time.monotonic() - start < LOCK_SECONDS
    assert [lock for lock in (*left, young) if lock.is_symlink()] == [young]
    assert len(read_optuna(tmp_path / "journal").trials) == 2
