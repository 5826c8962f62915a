"""Schedulers on made-up learning curves: regret against epochs, in virtual time.

Each study draws its recipes at random, trains two at a time, and ships the best report on dev. The
curves are power laws (Domhan et al. 2015) with noise: how good a recipe becomes, how fast it gets
there, and whether it overfits differ from trial to trial, so that early ranks are only a hint.
Regret is what the shipped report lacks, noise aside, to the best of a thousand recipes.

A row compares the regret of a scheduler with that of no scheduler after as many epochs, in a
study that does not run out of trials. The raw figures also have studies of 24 trials.
"""

import argparse
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from _harness import Row, command_line, write

from mtl_core.training.report import Report
from tuning.records import DEFAULT_ID, number_of, run_id_of
from tuning.search.schedulers.asha import AshaSection
from tuning.search.schedulers.base import Scheduler, SchedulerBase
from tuning.search.schedulers.hyperband import HyperbandSection
from tuning.search.schedulers.median import MedianSection
from tuning.search.schedulers.none import NoSchedulerSection
from tuning.search.schedulers.pasha import PashaSection
from tuning.trainers.decisions import GoOn

EPOCHS, TRAINERS, PER_EPOCH, NOISE = 9, 2, 10, 0.01
FEW, MANY = 24, 200
BUDGETS = (9, 18, 27, 54, 108, 216)
"""Epochs of all trials, after which regret is taken."""

NONE = "none"
SECTIONS: dict[str, SchedulerBase] = {
    NONE: NoSchedulerSection(),
    "median": MedianSection(),
    "asha, stopping": AshaSection(),
    "asha, stopping, grace 0.3": AshaSection(grace_epochs=0.3),
    "asha, stopping, grace 0.1": AshaSection(grace_epochs=0.1),
    "asha, promoting": AshaSection(form="promoting"),
    "asha, promoting, grace 0.3": AshaSection(form="promoting", grace_epochs=0.3),
    "asha, promoting, grace 0.1": AshaSection(form="promoting", grace_epochs=0.1),
    "pasha": PashaSection(),
    "pasha, grace 0.1": PashaSection(grace_epochs=0.1),
    "hyperband, stopping": HyperbandSection(),
    "hyperband, promoting": HyperbandSection(form="promoting"),
    "hyperband, stopping, grace 0.1": HyperbandSection(grace_epochs=0.1),
}


@dataclass(frozen=True, slots=True)
class Curve:
    """What a trial would report, tenth by tenth of an epoch.

    Attributes:
        seen: Scores on dev, (reports,).
        true: The same without noise.
    """

    seen: np.ndarray
    true: np.ndarray


def drawn(rng: np.random.Generator, count: int, noise: float = NOISE) -> list[Curve]:
    """Returns made-up curves."""
    epochs = np.arange(1, EPOCHS * PER_EPOCH + 1) / PER_EPOCH
    curves = []
    for _ in range(count):
        final, speed = 0.9 - 0.5 * rng.beta(1, 3), np.exp(rng.normal(0, 0.7))
        # A power law from 0.1 on, scaled to end at `final`.
        rise = (1 - (1 + speed * epochs) ** -1.2) / (1 - (1 + speed * EPOCHS) ** -1.2)
        loss = 0.05 * rng.random() if rng.random() < 0.2 else 0.0  # by overfitting
        true = 0.1 + (final - 0.1) * rise - loss * epochs / EPOCHS
        curves.append(Curve(true + rng.normal(0, noise, len(epochs)), true))
    return curves


class Study:
    """A study in virtual time: every report takes as long as any other."""

    def __init__(self, scheduler: Scheduler, curves: Sequence[Curve]) -> None:
        """Has not begun."""
        self.shipped = (-np.inf, -np.inf)
        """The best score seen on dev, and what it is without noise."""
        self._scheduler = scheduler
        self._curves = curves
        self._done = [0] * len(curves)
        self._begun = 0
        self._running: list[int] = []

    def run(self) -> Iterator[float]:
        """Yields the epochs of all trials so far, after every report, until nothing is left."""
        reports = 0
        while self._fill():
            for number in list(self._running):
                if not self._goes_on(number):
                    self._running.remove(number)
                reports += 1
                yield reports / PER_EPOCH

    def _fill(self) -> bool:
        """Hands runs to the trainers that are free; returns whether any runs."""
        while len(self._running) < TRAINERS and (number := self._next()) is not None:
            self._running.append(number)
        return bool(self._running)

    def _next(self) -> int | None:
        paused = self._scheduler.next_paused()
        if paused is None and self._begun < len(self._curves):
            self._scheduler.begin(run_id_of(self._begun))
            self._begun += 1
            return self._begun - 1
        if paused is None and not self._running:
            paused = self._scheduler.last_paused()
        return None if paused is None else number_of(paused)

    def _goes_on(self, number: int) -> bool:
        curve, run_id, done = self._curves[number], run_id_of(number), self._done[number] + 1
        self._done[number] = done
        seen = float(curve.seen[done - 1])
        self.shipped = max(self.shipped, (seen, float(curve.true[done - 1])))
        decision = self._scheduler.decide(run_id, _report(done, seen))
        is_over, is_default = done == len(curve.seen), run_id == DEFAULT_ID
        # The default recipe runs to its end: nobody is to have it go on.
        if is_over or is_default:
            self._scheduler.forget(run_id)
        return not is_over and (is_default or decision == GoOn())


def _report(number: int, seen: float) -> Report:
    return Report(
        epoch=-(-number // PER_EPOCH), number=number, progress=number / PER_EPOCH, step=number,
        losses={}, weights={}, learning_rates={}, dev={}, joint_accuracy=0.0, combined=seen,
        best_combined=seen, best_number=number, seconds=1.0, sentences_per_second=1.0,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Regret:
    """What studies with a scheduler came to.

    Attributes:
        means: Mean regret at each of `BUDGETS`; a study that is over keeps its last one.
        errors: Standard errors of these means.
        epochs: Mean epochs of all trials of a study.
    """

    means: list[float]
    errors: list[float]
    epochs: float


def regret(section: SchedulerBase, *, trials: int, seeds: int) -> Regret:
    """Plays studies that differ in their curves, which are the same for each scheduler."""
    best = max(float(curve.true.max()) for curve in drawn(np.random.default_rng(0), 1000))
    found, epochs = np.empty((seeds, len(BUDGETS))), []
    for seed in range(seeds):
        curves = drawn(np.random.default_rng(seed + 1), trials)
        study = Study(section.build(EPOCHS), curves)
        for spent in study.run():
            # Overwritten until the budget is reached.
            found[seed, np.array(BUDGETS) >= spent] = best - study.shipped[1]
        epochs.append(spent)
    errors = found.std(axis=0, ddof=1) / seeds**0.5
    return Regret(found.mean(axis=0).tolist(), errors.tolist(), statistics.fmean(epochs))


def row(name: str, found: Regret, without: Regret, budget: int) -> Row:
    """Compares a scheduler with none, after as many epochs."""
    at = BUDGETS.index(budget)
    ours, theirs = found.means[at], without.means[at]
    what = f"{name}: regret after {budget} epochs (+-{found.errors[at]:.4f})"
    return Row.of(what, ours, theirs, "score", theirs / ours, None)


def main() -> None:
    """Plays all studies, and writes a row for each scheduler and budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=60)
    options = command_line(parser)
    raw = {
        trials: {
            name: regret(section, trials=trials, seeds=options.seeds)
            for name, section in SECTIONS.items()
        }
        for trials in (FEW, MANY)
    }
    rows = [
        row(name, one, raw[MANY][NONE], budget)
        for name, one in raw[MANY].items()
        for budget in (27, 108)
        if name != NONE
    ]
    plain = {
        str(trials): {name: asdict(one) for name, one in found.items()}
        for trials, found in raw.items()
    }
    write("schedulers", rows, options.json, plain)


if __name__ == "__main__":
    main()
