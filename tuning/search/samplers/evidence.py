"""What trials say of recipes and of how far they came, as numbers."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from tuning.records import Value
from tuning.search.told import told_reports, told_values
from tuning.space.space import Space

Floats = NDArray[np.float64]
Point = Mapping[str, Value]
"""Parameter -> value as Optuna draws it; what hangs on another section is left out."""
Key = tuple[tuple[str, Value], ...]

_HALVINGS = 5
"""A run is looked at after 1/32, 1/16, ... 1/2 and all of its reports, and after its last one."""
_KNOWN = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
_MOST = 400
"""Observations that are kept: a process takes their third power in time."""


def inputs(space: Space, points: Sequence[Point]) -> Floats:
    """Returns points as numbers from 0 to 1: (points, columns).

    What has an order has a column, and options have one each (two options one for both). What a
    point lacks, as it hangs on a section that was not chosen, is in the middle, or no option.
    """
    columns: list[list[float]] = []
    for one in space.parameters:
        name, domain = one.name, one.domain
        if domain.has_order:
            columns.append(
                [domain.position(point[name]) if name in point else 0.5 for point in points]
            )
            continue
        options = domain.options
        # So that any two options are 1 apart.
        far = math.sqrt(0.5) if len(options) > 2 else 1.0
        columns.extend(
            [far * (name in point and point[name] == option) for point in points]
            for option in (options if len(options) > 2 else options[:1])
        )
    return np.array(columns, dtype=np.float64).reshape(-1, len(points)).T


def key_of(point: Point) -> Key:
    """Returns what tells a point from others."""
    return tuple(sorted(point.items()))


def at_end(columns: Floats) -> Floats:
    """Returns inputs with the column of progress, for whole runs: (points, columns + 1)."""
    return np.column_stack([columns, np.ones(len(columns))])


_Observed = tuple[Point, float, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the trials of a study.

    Attributes:
        points: Those with a value, one for each observation.
        progress: How far each had come: 1 = to its end, 0.8 = half the way, 0.6 = a quarter, 0 =
            up to 1/32. (observations,)
        values: The best of each objective so far: (observations, objectives).
        trials: How many have begun, without those that failed.
        unfinished: The points of those that run or pause.
        limited: Those of which it is known what they have of each limit, with that.
    """

    points: tuple[Point, ...]
    progress: Floats
    values: Floats
    trials: int
    unfinished: tuple[Point, ...]
    limited: tuple[tuple[Point, Mapping[str, float]], ...]

    @property
    def broken(self) -> frozenset[Key]:
        """The points that break a limit, which holds at 0 and below."""
        return frozenset(
            key_of(point) for point, limits in self.limited if max(limits.values()) > 0
        )

    @classmethod
    def of(cls, trials: Sequence[FrozenTrial], rng: np.random.Generator) -> "Evidence":
        """Collects it; failed trials say nothing.

        Args:
            trials: All of a study that have a value for every common parameter.
            rng: Chooses among observations where there are too many.
        """
        trials = [one for one in trials if one.state in _KNOWN]
        whole = max((max(told_reports(one), default=0) for one in trials), default=0)
        found: list[_Observed] = [
            (trial.params, progress, values)
            for trial in trials
            for progress, values in _observed(trial, whole)
        ]
        if len(found) > _MOST:
            found = _fewer(found, rng)
        points, shares, values = zip(*found, strict=True) if found else ((), (), ())
        return cls(
            tuple(points), np.array(shares), np.array(values), len(trials),
            tuple(one.params for one in trials if one.state == TrialState.RUNNING),
            tuple((one.params, one.constraints) for one in trials if one.constraints),
        )  # fmt: skip


def _observed(trial: FrozenTrial, whole: int) -> Iterator[tuple[float, Sequence[float]]]:
    """Yields (progress, values) of the reports of a trial that are looked at."""
    told = dict(told_reports(trial))
    last = max(told, default=0)
    if trial.state == TrialState.COMPLETE:
        # Also of one that ended before others do, as nothing was gained any more.
        yield 1.0, trial.values
        told.pop(last, None)
    wanted = {last, *(max(1, round(whole / 2**halving)) for halving in range(_HALVINGS + 1))}
    for number in sorted(told.keys() & wanted):
        progress = max(0.0, 1 + math.log2(number / whole) / _HALVINGS)
        yield progress, told_values(trial) or [told[number]]


def _fewer(found: list[_Observed], rng: np.random.Generator) -> list[_Observed]:
    """Returns the better half of what may be kept, and as many of the others by chance."""
    order = sorted(range(len(found)), key=lambda index: -float(np.mean(found[index][2])))
    best, others = order[: _MOST // 2], order[_MOST // 2 :]
    kept = {*best, *(others[at] for at in rng.permutation(len(others))[: _MOST - len(best)])}
    return [one for index, one in enumerate(found) if index in kept]
