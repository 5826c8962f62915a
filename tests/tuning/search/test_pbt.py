"""Population based training: who takes over from whom, and that a study is better for it."""

import random
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from optuna.trial import TrialState
from ray.tune.experiment import Trial
from ray.tune.schedulers import PopulationBasedTraining
from simulated_study import SimulatedStudy
from trials import report

from mtl_core.errors import ConfigError
from mtl_core.training.donors import DONOR
from tuning.records import run_id_of
from tuning.search.schedulers.pbt import PbtSection
from tuning.study.load import load_study
from tuning.trainers.decisions import GoOn, Pause

PBT = {"kind": "pbt"}


def simulated(storage: Path, **settings: object) -> SimulatedStudy:
    return SimulatedStudy(storage, **{"scheduler": PBT, **settings})


def generation(scores: Mapping[str, float], *, quantile: float = 0.25) -> dict[str, set[str]]:
    """Who takes over from whom after one epoch with these scores."""
    scheduler = PbtSection(quantile=quantile).build(9)
    for run_id in scores:
        scheduler.begin(run_id)
    for run_id, score in scores.items():
        assert scheduler.next_paused() is None
        assert scheduler.decide(run_id, report(1, score)) == Pause()
    found = {}
    while (run_id := scheduler.next_paused()) is not None:
        wanted = scheduler.take_over(run_id)
        found[run_id] = set(wanted.donors) if wanted is not None else set()
    assert found.keys() == scores.keys()
    return found


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize("quantile", [0.1, 0.25, 0.4, 0.5])
def test_worst_and_best_are_those_of_ray(count: int, quantile: float) -> None:
    draw = random.Random(count)
    scores = {run_id_of(number): draw.random() for number in range(1, count + 1)}
    ray = PopulationBasedTraining(
        time_attr="progress", metric="combined", mode="max", quantile_fraction=quantile,
        hyperparam_mutations={"rate": [1, 2]},
    )  # fmt: skip
    for run_id, score in scores.items():
        trial = Trial("stub", trial_id=run_id, stub=True)
        ray._trial_state[trial] = SimpleNamespace(last_score=score)
    worst, best = ray._quantiles()
    expected = {trial.trial_id: {other.trial_id for other in best} for trial in worst}
    found = {run_id: donors for run_id, donors in generation(scores, quantile=quantile).items()
             if donors}  # fmt: skip
    assert found == expected


def test_who_takes_over_comes_first_and_the_default_never_does() -> None:
    found = generation({"0000": 0.1, "0001": 0.9, "0002": 0.2, "0003": 0.8}, quantile=0.5)
    assert list(found) == ["0002", "0000", "0001", "0003"]
    assert found["0002"] == {"0001", "0003"}
    assert found["0000"] == set()


def test_a_generation_waits_for_those_that_run_and_not_for_those_that_are_gone() -> None:
    scheduler = PbtSection(interval=0.5).build(3)
    for run_id in ("0001", "0002", "0003"):
        scheduler.begin(run_id)
    assert scheduler.decide("0001", report(1, 0.5, per_epoch=4)) == GoOn()
    assert scheduler.decide("0001", report(2, 0.5, per_epoch=4)) == Pause()
    assert scheduler.decide("0002", report(2, 0.6, per_epoch=4)) == Pause()
    assert scheduler.next_paused() is None
    scheduler.forget("0003")
    assert [scheduler.next_paused() for _ in range(3)] == ["0001", "0002", None]
    # At its end a run is not paused.
    assert scheduler.decide("0001", report(12, 0.5, per_epoch=4)) == GoOn()


def test_a_study_is_better_for_it(tmp_path: Path) -> None:
    """Rates that are good at first and bad at last: no recipe that stays as it is gets far."""

    def learn(score: float, overrides: Mapping[str, object]) -> float:
        rate = float(str(overrides.get("optimizer.head_lr", 1e-3)))
        # The best rate is 1e-2 at first and falls as the score rises.
        return score + 0.3 * (1 - score) * (1 - min(1, abs(rate / (1e-2 * (1 - score)) - 1)))

    best = {}
    for kind in ("pbt", "none"):
        study = simulated(
            tmp_path / kind, scheduler={"kind": kind}, trials=8, epochs=20, learn=learn
        )
        assert study.run()
        best[kind] = study.history.best
        assert study.trained == 8 * 20
    assert 1 - best["pbt"].best.combined < 0.5 * (1 - best["none"].best.combined)
    assert best["pbt"].taken_over


def test_what_is_told_of_a_trial_that_took_over(tmp_path: Path) -> None:
    study = simulated(tmp_path)
    assert study.run()
    told = {trial.number: trial.user_attrs.get("taken_over", []) for trial in study.journal}
    assert told[0] == []
    assert sum(map(len, told.values())) >= 8
    for record in study.history:
        assert [one.number for one in record.taken_over] == [
            one["number"] for one in told[int(record.id)]
        ]
        overrides = record.taken_over[0].before[0] if record.taken_over else record.overrides
        assert study.journal[int(record.id)].user_attrs["overrides"] == overrides
        if record.taken_over:
            assert record.overrides == told[int(record.id)][-1]["overrides"] != overrides
            assert record.parameters["optimizer.head_lr"] == record.overrides["optimizer.head_lr"]
            assert 1e-4 <= record.parameters["optimizer.head_lr"] <= 1e-2
    assert {trial.state for trial in study.journal} == {TrialState.COMPLETE}


def test_losers_leave_nothing_on_the_disk(tmp_path: Path) -> None:
    study = simulated(tmp_path, trials=8)
    assert not study.run(kill_at=700)
    states = list(study.folder.trials.glob("*/checkpoint/state.pt"))
    donors = list(study.folder.trials.glob(f"*/checkpoint/{DONOR}"))
    open_ones = [record for record in study.history if not record.has_ended]
    assert len(states) <= len(open_ones) == 8
    # What was handed over is the donor's own file, under a second name, until it is taken over.
    assert all(donor.stat().st_nlink > 1 for donor in donors)
    assert study.run()
    assert not list(study.folder.trials.glob("*/checkpoint/*.pt"))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("trainers", [1, 3])
def test_killed_populations_end_as_undisturbed_ones(
    tmp_path: Path, seed: int, trainers: int
) -> None:
    draw = random.Random(seed)
    undisturbed = simulated(tmp_path / "whole", trials=6, epochs=5)
    assert undisturbed.run()
    killed = simulated(tmp_path / "killed", trials=6, epochs=5, trainers=trainers)
    drivers = 1
    while not killed.run(kill_at=draw.randrange(1, 250)):
        drivers += 1
    assert drivers > 1
    # Whoever came first: what a population comes to does not hang on the number of trainers.
    assert killed.told() == undisturbed.told()


def test_a_study_in_which_nothing_can_change_is_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(
        "run:\n  datasets: {sample: {kind: sample}}\n"
        "  tasks: {intent: {kind: classification, dataset: sample, column: intent}}\n"
        "search:\n  training.batch_size: {choice: [16, 32]}\n"
        "study:\n  scheduler: {kind: pbt}\n"
    )
    with pytest.raises(ConfigError) as raised:
        load_study(path)
    [line] = str(raised.value).splitlines()
    assert line.startswith(f"{path}:7: study.scheduler: 'pbt' changes rates and weights of tasks")
    assert "search one of optimizer.encoder_lr, " in line
    load_study(path, ["search.optimizer.head_lr={log_range: [1e-4, 1e-2]}"])
