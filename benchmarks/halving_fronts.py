"""Successive halving for several objectives against NSGA-II without stopping, in virtual time.

    python benchmarks/halving_fronts.py [--seeds 20] [--epochs 27]

The median of 10 seeds on "round" after 120, 360 and 1,080 epochs: NSGA-II without stopping 0.034,
0.191, 0.228; pareto_asha with random points 0.035, 0.243, 0.330, with TPE 0.035, 0.296, 0.503; by
the mean 0.087, 0.241, 0.331; by the rank alone 0.035, 0.243, 0.329. Crowding distance and spread as
the rule for ties differ by noise (0.330 and 0.346 here, 0.094 and 0.096 on "hollow"; after a third
0.243 and 0.211 where curves cross, 0.059 and 0.049), so the better known one was taken.

Made-up problems with learning curves: how much of the volume below the true front a study has found
(its trials that ran to their end) after so many epochs, the median over seeds. "pareto rank" is the
rule of OptunaHub's `multi_metric_pruner` over successive halving, by our own reading of its source:
the rank of a trial's front at a rung is its value there, and equal ranks are not told apart.
"""

import argparse
import heapq
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import optuna
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from mtl_core.training.report import Report
from tuning.fronts import crowding, front_ranks, hypervolume, spread
from tuning.records import run_id_of
from tuning.search.schedulers.asha import AshaSection
from tuning.search.schedulers.base import Scheduler
from tuning.search.schedulers.front_halving import (
    FrontsFirst,
    PromotingParetoAsha,
    StoppingParetoAsha,
)
from tuning.search.schedulers.rungs import Rungs, rung_levels
from tuning.trainers.decisions import Decision, GoOn, Pause, Stop

Point = npt.NDArray[np.float64]
WORKERS = 4
FACTOR = 3


@dataclass(frozen=True)
class Problem:
    """A made-up problem: scores in [0, 1] to be maximised, reached along a curve.

    Attributes:
        name: What is special of it.
        size: Parameters, each in [0, 1].
        final: Parameters -> scores in the end.
        rate: Parameters -> how fast they come, per epoch.
    """

    name: str
    size: int
    final: Callable[[Point], Point]
    rate: Callable[[Point], float]

    def curve(self, x: Point, epochs: int, seed: int) -> Point:
        """Returns the scores after each epoch, (epochs, objectives)."""
        steps = np.arange(1, epochs + 1)[:, None]
        learnt = 1 - np.exp(-self.rate(x) * steps)
        noise = np.random.default_rng(seed).normal(0, 0.01, (epochs, len(self.final(x))))
        return self.final(x) * learnt + noise


def _quality(x: Point) -> float:
    """How well the parameters but the first are chosen: 1 in the middle of a narrow hill."""
    return float(np.exp(-np.sum(((x[1:] - 0.6) / 0.35) ** 2)))


def _round(x: Point) -> Point:
    angle = x[0] * np.pi / 2
    return _quality(x) * np.array([np.sin(angle), np.cos(angle)])


def _hollow(x: Point) -> Point:
    share = x[0]
    return _quality(x) * np.array([share, (1 - share**0.5) ** 1.2])


def _three(x: Point) -> Point:
    first, second = x[0] * np.pi / 2, x[1] * np.pi / 2
    base = np.array([np.cos(first) * np.cos(second), np.cos(first) * np.sin(second), np.sin(first)])
    return _quality(x[1:]) * base


def _even(x: Point) -> float:
    return 0.15


def _crossing(x: Point) -> float:
    """The best recipes are slow: curves cross between the first rung and the end."""
    return 0.1 + 0.5 * (1 - _quality(x))


PROBLEMS = (
    Problem("round", 5, _round, _even),
    Problem("round, curves cross", 5, _round, _crossing),
    Problem("hollow, curves cross", 5, _hollow, _crossing),
    Problem("three tasks, curves cross", 6, _three, _crossing),
)


class ParetoRank(Scheduler):
    """The rank of the front as the one value, for successive halving: stops above a percentile."""

    def __init__(self, levels: tuple[float, ...]) -> None:
        self._rungs = Rungs(levels)

    def decide(self, run_id: str, report: Report) -> Decision:
        """Returns `Stop` for a run whose front is behind that of the last one that may go on."""
        rung = self._rungs.place(run_id, report)
        if rung is None:
            return GoOn()
        ids = list(self._rungs[rung])
        ranks = front_ranks(np.array([_values(self._rungs[rung][one]) for one in ids]))
        # As Optuna's SuccessiveHalvingPruner: the cutoff is the value of the last that may go on.
        cutoff = np.sort(ranks)[max(0, len(ids) // FACTOR - 1)]
        return GoOn() if ranks[ids.index(run_id)] <= cutoff else Stop()


def _values(report: Report) -> list[float]:
    return [next(iter(scores.values())) for scores in report.dev.values()]


def _report(epoch: int, scores: Point) -> Report:
    dev = {str(task): {"score": float(score)} for task, score in enumerate(scores)}
    mean = float(scores.mean())
    return Report(
        epoch=epoch, number=epoch, progress=float(epoch), step=epoch, losses={}, weights={},
        learning_rates={}, dev=dev, joint_accuracy=0.0, combined=mean, best_combined=mean,
        best_number=epoch, seconds=1.0, sentences_per_second=1.0,
    )  # fmt: skip


@dataclass
class Study:
    """A study in virtual time: all epochs take as long, and so many trials run at a time."""

    problem: Problem
    sampler: BaseSampler
    scheduler: Scheduler
    epochs: int
    seed: int
    study: optuna.Study = field(init=False)
    ended: list[tuple[int, Point]] = field(default_factory=list)
    """Epochs spent by all trials when one had run to its end, and its true scores there."""

    def run(self, budget: int) -> list[tuple[int, Point]]:
        """Runs until so many epochs are spent; returns `ended`."""
        objectives = len(self.problem.final(np.zeros(self.problem.size)))
        self.study = optuna.create_study(sampler=self.sampler, directions=["maximize"] * objectives)
        trials: dict[str, optuna.Trial] = {}
        curves: dict[str, Point] = {}
        done: dict[str, int] = {}
        queue: list[tuple[int, int, str]] = []
        spent = tick = 0

        def start(now: int) -> None:
            nonlocal tick
            run_id = self.scheduler.next_paused()
            if run_id is None:
                trial = self.study.ask()
                run_id = run_id_of(trial.number)
                x = np.array([trial.suggest_float(str(n), 0, 1) for n in range(self.problem.size)])
                trials[run_id], done[run_id] = trial, 0
                seed = self.seed * 100_003 + trial.number
                curves[run_id] = self.problem.curve(x, self.epochs, seed)
                self.scheduler.begin(run_id)
            tick += 1
            heapq.heappush(queue, (now + 1, tick, run_id))

        for _ in range(WORKERS):
            start(0)
        while spent < budget:
            now, _, run_id = heapq.heappop(queue)
            spent += 1
            done[run_id] += 1
            epoch = done[run_id]
            report = _report(epoch, curves[run_id][epoch - 1])
            decision = self.scheduler.decide(run_id, report)
            if epoch == self.epochs:
                self.study.tell(trials[run_id], _values(report))
                x = np.array(list(trials[run_id].params.values()))
                self.ended.append((spent, self.problem.final(x)))
                start(now)
            elif isinstance(decision, Stop):
                self.study.tell(trials[run_id], state=TrialState.PRUNED)
                start(now)
            elif isinstance(decision, Pause):
                start(now)
            else:
                tick += 1
                heapq.heappush(queue, (now + 1, tick, run_id))
        return self.ended


Method = tuple[Callable[[int], BaseSampler], Callable[[], Scheduler]]


def _methods(epochs: int) -> Mapping[str, Method]:
    levels = rung_levels(1, FACTOR, epochs)

    def tpe(seed: int) -> BaseSampler:
        return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)

    def nsga2(seed: int) -> BaseSampler:
        return NSGAIISampler(seed=seed, population_size=20)

    def random(seed: int) -> BaseSampler:
        return RandomSampler(seed=seed)

    def stopping(spacing: Callable[[Point], Point]) -> Callable[[], Scheduler]:
        return lambda: StoppingParetoAsha(levels, FACTOR, FrontsFirst(_values, spacing))

    def promoting(spacing: Callable[[Point], Point]) -> Callable[[], Scheduler]:
        return lambda: PromotingParetoAsha(levels, FACTOR, FrontsFirst(_values, spacing))

    return {
        "nsga2, none": (nsga2, Scheduler),
        "random, none": (random, Scheduler),
        "random, asha by the mean": (random, lambda: AshaSection().build(epochs)),
        "random, pareto rank": (random, lambda: ParetoRank(levels)),
        "random, crowding": (random, stopping(crowding)),
        "random, spread": (random, stopping(spread)),
        "random, crowding, promoting": (random, promoting(crowding)),
        "random, spread, promoting": (random, promoting(spread)),
        "nsga2, crowding": (nsga2, stopping(crowding)),
        "tpe, none": (tpe, Scheduler),
        "tpe, crowding": (tpe, stopping(crowding)),
    }


def volume_at(ended: list[tuple[int, Point]], spent: int) -> float:
    """Returns the volume below the true scores of the trials that ended within so many epochs."""
    found = [scores for when, scores in ended if when <= spent]
    return hypervolume(np.array(found), np.zeros(len(found[0]))) if found else 0.0


def main() -> None:
    """Prints a table per problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    budget = given.trials * given.epochs
    marks = [budget // 9, budget // 3, budget]
    for problem in PROBLEMS:
        print(f"{problem.name}: hypervolume after {', '.join(map(str, marks))} epochs")
        for name, (sampler, scheduler) in _methods(given.epochs).items():
            if given.only and given.only not in name:
                continue
            found = []
            for seed in range(given.seeds):
                study = Study(problem, sampler(seed), scheduler(), given.epochs, seed)
                ended = study.run(budget)
                found.append([volume_at(ended, mark) for mark in marks])
            print(f"  {name:30}", *(f"{value:.3f}" for value in np.median(found, axis=0)))


if __name__ == "__main__":
    main()
