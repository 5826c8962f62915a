"""How often a difference is claimed between equal recipes, and how often intervals hold the truth.

Studies are simulated, with the statistics of the package: two recipes of the same worth, with a few
seeds each, are scored on the same rows of test and compared as the final stage does it
(`tuning.statistics.seeds`), by as many draws of rows as trainers make (`mtl_core.training.drawn`).
Some rows are harder than others for every run, some runs are better than others on every row, and
each run errs on rows of its own. Differences are to be claimed in 5 % of the studies, and intervals
to miss the true mean in 5 %; of 2,000 studies either is known to half a percent (one deviation).
"""

import argparse
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from _harness import Row, command_line, write
from scipy.stats import norm

from mtl_core.training.drawn import COUNT
from tuning.statistics.seeds import RunScores, differences, estimates

Floats = npt.NDArray[np.float64]
TOLERANCE = 0.015


@dataclass(frozen=True, slots=True)
class Part:
    """A task on a data set of its own.

    Attributes:
        rows: Rows of test.
        mean: Log-odds that an average run is right on an average row.
        hard: Their deviation from row to row, alike for all runs.
        lucky: Their deviation from run to run, alike for all rows.
        spans: Spans of a row, on average, of which each may be missed, and others found besides;
            None = each row has one label, which is right or wrong.
    """

    rows: int
    mean: float
    hard: float
    lucky: float
    spans: float | None = None

    def odds(self, hard: Floats, lucky: Floats) -> Floats:
        """Returns the probability to be right, by deviations of rows and of runs."""
        return np.asarray(1 / (1 + np.exp(-(self.mean + self.hard * hard + self.lucky * lucky))))

    def scores(self, generator: np.random.Generator, seeds: int) -> Floats:
        """Returns what runs score on the rows, and on draws of them: (2, seeds, 1 + draws)."""
        lucky = generator.normal(size=(2, seeds, 1))
        odds = self.odds(generator.normal(size=self.rows), lucky)  # (2, seeds, rows)
        there = np.ones(odds.shape, dtype=int)
        if self.spans is not None:
            there = np.broadcast_to(generator.poisson(self.spans, self.rows), odds.shape)
        right = generator.binomial(there, odds)
        found = there if self.spans is None else right + generator.binomial(1 + there, 1 - odds)
        # Accuracy is the F1 of rows with a label each, of which one was found. 2 right / (found +
        # there), each summed over rows: (2, seeds, rows) -> (1 + draws, 2, seeds)
        over, under = (
            np.tensordot(draws(self.rows), one, (1, 2))
            for one in (2.0 * right, 1.0 * (found + there))
        )
        return np.asarray(np.moveaxis(over / under, 0, 2))

    def truth(self) -> float:
        """Returns the mean over all runs of the score on all rows that there may be."""
        # Evenly over the distributions, as drawn ones would themselves be off.
        even = norm.ppf((np.arange(1000) + 0.5) / 1000)
        odds = self.odds(even, even[:, None]).mean(axis=-1)  # (runs,)
        if self.spans is None:
            return float(odds.mean())
        # F1 of what is expected: right of all that are there, and found besides.
        found = self.spans * odds + (1 + self.spans) * (1 - odds)
        return float(np.mean(2 * self.spans * odds / (found + self.spans)))


CASES: dict[str, tuple[Part, ...]] = {
    "accuracy of 700 rows, seeds matter little": (Part(700, 4.0, 1.5, 0.05),),
    "accuracy of 700 rows, seeds matter": (Part(700, 3.0, 1.5, 0.3),),
    "F1 of the spans of 700 rows": (Part(700, 3.0, 1.5, 0.15, spans=2.5),),
    "mean over 1,500 rows and 150": (Part(1500, 2.0, 1.5, 0.1), Part(150, 2.0, 1.5, 0.3)),
    "mean of F1 and accuracy, 700 rows and 100": (
        Part(700, 3.0, 1.5, 0.15, spans=2.5),
        Part(100, 1.0, 1.0, 0.05),
    ),
}
"""What is scored; a study's objective is the mean over its tasks."""


@cache
def draws(rows: int) -> Floats:
    """Returns how often rows stand in what there is, and in each draw of it: (1 + draws, rows)."""
    generator = np.random.default_rng(rows)
    drawn = (generator.integers(rows, size=rows) for _ in range(COUNT))
    return np.vstack([np.ones(rows), *(np.bincount(one, minlength=rows) for one in drawn)])


def simulate(parts: tuple[Part, ...], seeds: int, studies: int) -> tuple[float, float]:
    """Returns in which share of studies a difference is claimed, and the interval misses the truth.

    Args:
        parts: What is scored.
        seeds: Runs of each of the two equal recipes.
        studies: How many studies.
    """
    generator = np.random.default_rng(seeds)
    truth = np.mean([part.truth() for part in parts])
    claimed = missed = 0
    for _ in range(studies):
        scores = np.mean([part.scores(generator, seeds) for part in parts], axis=0)
        ours, theirs = (
            [RunScores({"combined": float(run[0])}, {"combined": run}) for run in one]
            for one in scores
        )
        [difference] = differences("one", "other", ours, theirs)
        found = estimates(ours)["combined"]
        claimed += difference.claim != "cannot be told"
        missed += not found.low <= truth <= found.high
    return claimed / studies, missed / studies


def main() -> None:
    """Simulates all cases and prints how far they are from 5 %."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000, help="of each case")
    options = command_line(parser)
    rows = []
    for name, parts in CASES.items():
        for seeds in (3, 5):
            shares = simulate(parts, seeds, options.studies)
            # At once: all of them take minutes.
            print(f"{name}, {seeds} seeds: claimed, missed: {shares}", flush=True)
            for what, share in zip(("claimed", "missed"), shares, strict=True):
                text = f"{name}, {seeds} seeds: {what}"
                met = abs(share - 0.05) <= TOLERANCE
                rows.append(Row(text, share, 0.05, "share", share / 0.05, None, met))
    write("simulated_claims", rows, options.json)


if __name__ == "__main__":
    main()
