"""The machinery at scale: many trials, a long study's searcher, and 256 trainers at once.

- 1,000 trials of the smallest training there is through the whole of `mtl tune` (Tune, searcher,
  pool, study folder, TensorBoard): seconds per trial against a study of 55, and memory of the
  driver.
- What a suggestion costs after 100, 1,000 and 10,000 trials, with TPE and the journal on disk.
- Reports a second that searcher and scheduler of a study with 256 trainers get through, in virtual
  time: the code is the real one, the trainings are numbers from a curve.
"""

import heapq
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
from _harness import Row, output_path, write
from trial_overhead import make_inputs, seconds_of_ours

FEW, SOME, MANY = 5, 55, 1000
TRAINERS, SIMULATED, EPOCHS = 256, 2000, 9
TRIALS_BEFORE = (100, 1000, 10_000)
SUGGESTIONS = 10
SPACE = {
    "optimizer.encoder_lr": {"log_range": [1e-5, 1e-3]},
    "optimizer.head_lr": {"log_range": [1e-4, 1e-2]},
    "tasks.slots.weight": {"log_range": [0.1, 10]},
    "freezing": {
        "choice": [{"kind": "none"}, {"kind": "lower_layers", "layers": {"int_range": [1, 5]}}]
    },
}


def memory() -> float:
    """Returns the resident memory of this process, MiB."""
    return float(psutil.Process().memory_info().rss / 2**20)


def real_trials() -> Iterator[Row]:
    """Runs studies of few, some and many trials through the whole stack."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ["MTL_CACHE"] = str(folder / "cache")
        run = make_inputs(folder)
        seconds_of_ours(run, folder / "cold", FEW)  # with cold caches
        few = seconds_of_ours(run, folder / "runs", FEW)
        some = seconds_of_ours(run, folder / "runs", SOME)
        before = memory()
        many = seconds_of_ours(run, folder / "runs", MANY)
        grown = memory() - before
    # Marginal costs, so that start-up drops out: of the first trials, and of those after them.
    early, late = (some - few) / (SOME - FEW), (many - some) / (MANY - SOME)
    yield Row.of(
        f"a trial of {MANY}, a trial of {SOME}", late, early, "seconds", early / late, None
    )
    yield Row.of(
        f"driver's memory over {MANY} trials, 200 allowed", grown, 200, "MiB", 200 / grown, 1.0
    )


def searcher_of(folder: Path, total: int) -> tuple[Any, Any, Any]:
    """Returns an Optuna study in a journal on disk, our searcher on it, and its scheduler."""
    from tuning.search.points import Points
    from tuning.search.samplers.tpe import TpeSection
    from tuning.search.schedulers.asha import AshaSection
    from tuning.search.searcher import OptunaSearcher
    from tuning.search.study_scheduler import StudyScheduler
    from tuning.study.config import StudyFile
    from tuning.study.journal import open_optuna
    from tuning.trainers.messages import PoolAddress, TrialSpec

    run = {
        "datasets": {"data": {"kind": "sample"}},
        "tasks": {
            "intent": {"kind": "classification", "dataset": "data", "column": "intent"},
            "slots": {"kind": "tagging", "dataset": "data", "column": "slots"},
        },
    }
    raw = {"run": run, "search": SPACE, "study": {"name": "scale", "trials": total}}
    space = StudyFile.model_validate(raw).space
    sampler = TpeSection().build(0)
    study = open_optuna(folder / "optuna.journal", name="scale", sampler=sampler)
    points = Points(study, space, total=total, default_parameters={})
    pool = PoolAddress("pool", "scale")
    scheduler = StudyScheduler(AshaSection().build(EPOCHS))
    searcher = OptunaSearcher(
        points,
        scheduler,
        pool=pool,
        spec_of=lambda run_id, overrides: TrialSpec(run_id, overrides, folder / run_id),
    )
    return study, searcher, scheduler


def finished_trials(study: Any, count: int) -> None:
    """Adds finished trials with drawn parameters."""
    import optuna

    drawn = random.Random(0)
    rate = optuna.distributions.FloatDistribution(1e-5, 1e-3, log=True)
    heads = optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True)
    weight = optuna.distributions.FloatDistribution(0.1, 10, log=True)
    # At once, since the journal waits for the disk at every call.
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={
                    "optimizer.encoder_lr": 10 ** drawn.uniform(-5, -3),
                    "optimizer.head_lr": 10 ** drawn.uniform(-4, -2),
                    "tasks.slots.weight": 10 ** drawn.uniform(-1, 1),
                },
                distributions={
                    "optimizer.encoder_lr": rate,
                    "optimizer.head_lr": heads,
                    "tasks.slots.weight": weight,
                },
                value=drawn.random(),
            )
            for _ in range(count)
        ]
    )


def suggestions() -> Iterator[Row]:
    """Times suggestions of studies of several lengths."""
    costs = []
    for count in TRIALS_BEFORE:
        with tempfile.TemporaryDirectory() as folder:
            study, searcher, _ = searcher_of(Path(folder), count + SUGGESTIONS + 1)
            finished_trials(study, count)
            times = []
            for number in range(SUGGESTIONS):
                start = time.perf_counter()
                searcher.suggest(str(number))
                times.append(time.perf_counter() - start)
                # Outside of the time, and told complete: TPE models each suggestion anew.
                searcher.on_trial_complete(str(number), report(1, 0.5, is_last=True))
            costs.append(statistics.median(times))
    for count, cost in zip(TRIALS_BEFORE, costs, strict=True):
        what = f"a suggestion after {count} trials, after {TRIALS_BEFORE[0]}"
        yield Row.of(what, cost, costs[0], "seconds", costs[0] / cost, None)


def report(epoch: int, score: float, *, is_last: bool) -> dict[str, Any]:
    """Returns the result of an epoch as a trainer reports it."""
    from mtl_core.training.report import Report
    from tuning.trainers.tune_values import TrialResult

    dev = {"intent": {"accuracy": score}, "slots": {"f1": score}}
    found = Report(
        epoch=epoch, number=epoch, progress=float(epoch), step=epoch, losses={}, weights={},
        learning_rates={}, dev=dev, joint_accuracy=score, combined=score, best_combined=score,
        best_number=epoch, seconds=1.0, sentences_per_second=1.0, gradients={}, trained={},
    )  # fmt: skip
    return TrialResult(found, is_last).for_tune()


def simulation() -> Iterator[Row]:
    """Plays a study with many trainers through searcher and scheduler."""
    drawn = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        _, searcher, scheduler = searcher_of(Path(folder), SIMULATED)
        before, start = memory(), time.perf_counter()
        # (virtual time of the next report, trainer, trial, epoch, quality of the trial)
        events: list[tuple[float, int, Any, int, float]] = []
        asking = 0.0  # Seconds in `suggest`, which have a row of their own.

        def begin(now: float, trainer: int) -> None:
            nonlocal asking
            asked = time.perf_counter()
            name = f"{trainer}-{now}"
            config = searcher.suggest(name)
            asking += time.perf_counter() - asked
            if isinstance(config, dict):  # Else a text: there are no more trials.
                trial = SimpleNamespace(trial_id=name, config=config)
                scheduler.on_trial_add(None, trial)
                quality = drawn.random()
                heapq.heappush(events, (now + drawn.uniform(5, 15), trainer, trial, 1, quality))

        for trainer in range(TRAINERS):
            begin(0.0, trainer)
        reports = 0
        while events:
            now, trainer, trial, epoch, quality = heapq.heappop(events)
            is_last = epoch == EPOCHS
            # A curve that nears the trial's quality, half of the rest with each epoch.
            result = report(epoch, quality * (1 - 0.5**epoch), is_last=is_last)
            reports += 1
            # In the order of Tune: a stopped trial's last report reaches the searcher with its end.
            decision = scheduler.on_trial_result(None, trial, result)
            if is_last or decision == "STOP":
                scheduler.on_trial_complete(None, trial, result)
                searcher.on_trial_complete(trial.trial_id, result)
                begin(now, trainer)
            else:
                searcher.on_trial_result(trial.trial_id, result)
                later = (now + drawn.uniform(5, 15), trainer, trial, epoch + 1, quality)
                heapq.heappush(events, later)
        seconds = time.perf_counter() - start
    handled = reports / (seconds - asking)
    what = f"{TRAINERS} trainers: reports handled, 1,000 wanted"
    yield Row.of(what, handled, 1000, "reports/s", handled / 1000, 1.0)
    asked = SIMULATED / asking
    yield Row.of(f"{TRAINERS} trainers: suggestions made", asked, 1, "trials/s", asked, None)
    yield Row.of(
        f"{TRAINERS} trainers: memory over {SIMULATED} trials, 200 allowed",
        memory() - before, 200, "MiB", 200 / (memory() - before), 1.0,
    )  # fmt: skip


def main() -> None:
    """Measures and writes the rows."""
    rows = [*simulation(), *suggestions(), *real_trials()]
    write("scale", rows, output_path())


if __name__ == "__main__":
    main()
