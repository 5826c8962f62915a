"""Which tasks should train together, by how a step of each changes the loss of each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from tuning.statistics.estimates import Estimate
from tuning.statistics.seeds import RunScores, estimates

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]
    Numbers = npt.NDArray[np.int64]

MOST_TASKS = 10
"""Of more tasks there are too many groupings to look at each."""
_GROUPS = 3
_LEAST_RUNS = 5
"""Runs under which draws of them tell nothing."""
_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Grouping:
    """The best of all ways to put tasks into at most three groups, each with a model of its own.

    Attributes:
        groups: The tasks of each.
        gain: What a step of one of its group takes off the loss of a task, as a share of the loss:
            the mean over the tasks. A task alone counts as 0.
        together: The same with all tasks in one group.
        sure: Share of 1,000 draws of the runs, with replacement, in which these groups are the best
            as well, in [0, 1]; None of fewer than five runs.
        better: By how much groups are better that are chosen so than all tasks in one group; where
            all are in one, than each task alone. Of each run by the groups that the other runs
            choose, since those that it chooses itself look better on it than they are.
    """

    groups: tuple[tuple[str, ...], ...]
    gain: float
    together: float
    sure: float | None
    better: Estimate


def best_grouping(
    tasks: Sequence[str], runs: Sequence[Mapping[tuple[str, str], float]]
) -> Grouping | None:
    """Returns the best grouping, as TAG chooses it, other than there without a task in two groups.

    Fifty et al. 2021 (https://arxiv.org/abs/2109.04617): a task gets from its group the
    mean of the affinities of the others to it, and the best grouping is the one with the highest
    sum. It is a hint: what a group brings in the end is only known when it is trained.

    Args:
        tasks: At least one.
        runs: Of each run (task whose step it is, task whose loss it is) -> affinity.

    Returns:
        None where a pair was not seen in any run, or there are more than ten tasks.
    """
    import numpy as np

    pairs = list(product(tasks, tasks))
    whole = [run for run in runs if all(pair in run for pair in pairs)]
    if not whole or not 1 < len(tasks) <= MOST_TASKS:
        return None
    values = np.array([[run[pair] for pair in pairs] for run in whole])
    affinities = values.reshape(len(whole), len(tasks), len(tasks))
    groupings = _groupings(len(tasks))
    # (runs, groupings). A mean over tasks, not a sum, so that it reads as a share of a loss.
    gains = _worth(affinities)[:, groupings].sum(axis=-1) / len(tasks)
    mean = gains.mean(axis=0)
    best = int(mean.argmax())
    groups = [
        tuple(task for number, task in enumerate(tasks) if mask >> number & 1)
        for mask in groupings[best].tolist()
        if mask
    ]
    found = float(mean[best]), float(mean[0])
    return Grouping(tuple(groups), *found, _sure(gains, best), _better(gains, best))


def _better(gains: "Values", best: int) -> Estimate:
    """Returns how much better chosen groups are than all together, or alone, of (runs, groupings).

    The interval is over the runs, which differ in their recipes; NaN of a single run.
    """
    halves = gains[::2], gains[1::2]
    chosen = [int(one.sum(axis=0).argmax()) for one in reversed(halves)]
    # A task alone counts as 0.
    by = [
        run[at] - (run[0] if best else 0.0)
        for half, at in zip(halves, chosen, strict=True)
        for run in half
    ]
    return estimates([RunScores({"by": float(one)}) for one in by])["by"]


def _sure(gains: "Values", best: int) -> float | None:
    """Returns the share of draws of the runs, (runs, groupings), in which the best is the best."""
    import numpy as np

    if len(gains) < _LEAST_RUNS:
        return None
    # Seeded, so that a report that is written anew says the same.
    generator = np.random.default_rng(0)
    often = generator.multinomial(len(gains), [1 / len(gains)] * len(gains), size=_DRAWS)
    return float(((often @ gains).argmax(axis=1) == best).mean())


def _worth(affinities: "Values") -> "Values":
    """Returns what each set of tasks is worth to its tasks, summed, (runs, sets).

    A set is a number: task n is in it when bit n is set.

    Args:
        affinities: (runs, tasks whose step it is, tasks whose loss it is).
    """
    import numpy as np

    tasks = affinities.shape[1]
    sets = np.arange(2**tasks)[:, np.newaxis] >> np.arange(tasks) & 1  # (sets, tasks)
    others = affinities * (1 - np.eye(tasks))
    summed: Values = np.einsum("si,rij,sj->rs", sets, others, sets, optimize=True)
    worth: Values = summed / np.maximum(sets.sum(axis=1) - 1, 1)
    return worth


def _groupings(tasks: int) -> "Numbers":
    """Returns all ways to make at most three groups, (groupings, groups) of sets; 0 = no group.

    The first is that of all tasks in one group, so that among equals nothing is split.
    """
    import numpy as np

    # The group of each task. The first task is in group 0, and each group is named by the first
    # task in it: so every grouping comes once.
    labels = np.array(list(product(range(_GROUPS), repeat=tasks)))
    before = np.maximum.accumulate(labels, axis=1)
    is_named = (labels[:, 0] == 0) & (labels[:, 1:] <= before[:, :-1] + 1).all(axis=1)
    labels = labels[is_named]
    bits = 2 ** np.arange(tasks)
    return np.stack([((labels == group) * bits).sum(axis=1) for group in range(_GROUPS)], axis=1)
