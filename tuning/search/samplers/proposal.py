"""The next point of a study, by what a Gaussian process over its trials expects of it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tuning.records import Value
from tuning.search.samplers.evidence import Evidence, Floats, Point, at_end, inputs, key_of
from tuning.search.samplers.process import Process
from tuning.space.priors import Prior
from tuning.space.space import Space

_EVEN = 1000
"""Candidates that are drawn evenly from the space."""
_NEAR, _DISTANCES = 500, (0.05, 0.15)
"""Candidates near the best points at each distance, a standard deviation in positions."""
_BEST = 5
"""Points near which candidates are drawn."""
_MOVED, _JUMPS = 0.5, 0.1
"""Share of the positions that move a little, and of those that are drawn anew."""
_PRIOR_WEIGHT = 2.0
"""How much priors count after the first trial; after n of them it is an n-th of that."""
_LIMITS_KNOWN = 3
"""Trials with a value of a limit before anything is made of it."""


def propose(
    space: Space,
    evidence: Evidence,
    priors: Mapping[str, Prior],
    rng: np.random.Generator,
) -> Point | None:
    """Returns the candidate with the most expected improvement at the end of a run.

    The process stands over recipes and how far a run has come, so that it knows from trials that
    ran to their end what may become of those that were stopped (multi-fidelity Bayesian
    optimisation; Kandasamy et al. 2017, https://arxiv.org/abs/1703.06240). Trials that run or pause
    count with what is expected of them (kriging believer; Ginsbourger et al. 2010), so that trials
    side by side do not try the same. Priors are a factor that fades as trials come in (Hvarfner et
    al. 2022, https://arxiv.org/abs/2204.11051), limits the probability that they hold (Gardner et
    al. 2014, https://proceedings.mlr.press/v32/gardner14.html), and of several objectives the worst
    one counts, by weights that are drawn anew for every trial (ParEGO; Knowles 2006).

    Args:
        space: What is sampled.
        evidence: What is known of the trials, with at least one value.
        priors: Name of a parameter -> its prior, of some of them.
        rng: Random numbers.

    Returns:
        The point; None if all candidates were tried.
    """
    values = _as_one(evidence.values, rng)
    points = _candidates(space, evidence.points, values, rng)
    columns = at_end(inputs(space, points))
    process = _process(space, evidence, values, rng)
    worth = _log_limits(space, evidence, columns, rng)
    broken = evidence.broken
    if held := [point for point in evidence.points if key_of(point) not in broken]:
        # What the best trial is expected to have, rather than what it had: that may be luck.
        expected, _ = process.predict(at_end(inputs(space, held)))
        worth += _log_improvement(process, columns, float(expected.max()))
    worth += _PRIOR_WEIGHT / evidence.trials * _log_density(space, points, priors)
    tried = {key_of(point) for point in (*evidence.points, *evidence.unfinished)}
    order = np.argsort(-worth, kind="stable")
    return next((points[index] for index in order if key_of(points[index]) not in tried), None)


def _process(space: Space, evidence: Evidence, values: Floats, rng: np.random.Generator) -> Process:
    """Returns the process; whoever runs or pauses has what is expected of it at the end."""
    known = np.column_stack([inputs(space, evidence.points), evidence.progress])
    process = Process.fit(known, values, rng)
    if not evidence.unfinished:
        return process
    running = at_end(inputs(space, evidence.unfinished))
    expected, _ = process.predict(running)
    return process.given(np.vstack([known, running]), np.concatenate([values, expected]))


def _as_one(values: Floats, rng: np.random.Generator) -> Floats:
    """Returns one value of several objectives, as ParEGO does: (n, objectives) -> (n,)."""
    if values.shape[1] == 1:
        return values[:, 0]
    low, high = values.min(axis=0), values.max(axis=0)
    shares = rng.dirichlet(np.ones(values.shape[1])) * (values - low) / np.maximum(high - low, 1e-9)
    return np.asarray(shares.min(axis=1) + 0.05 * shares.sum(axis=1))


def _log_improvement(process: Process, columns: Floats, best: float) -> Floats:
    """Returns the logarithm of the expected improvement over `best`: (n,)."""
    from scipy.stats import norm

    mean, deviation = process.predict(columns)
    above = (mean - best) / deviation
    improvement = deviation * (above * norm.cdf(above) + norm.pdf(above))
    return np.asarray(np.log(np.maximum(improvement, 1e-300)))


def _log_limits(
    space: Space, evidence: Evidence, columns: Floats, rng: np.random.Generator
) -> Floats:
    """Returns the logarithm of the probability that all limits hold: (n,)."""
    from scipy.stats import norm

    total = np.zeros(len(columns))
    names = dict.fromkeys(name for _, limits in evidence.limited for name in limits)
    for name in names:
        told = [(point, limits[name]) for point, limits in evidence.limited if name in limits]
        if len(told) < _LIMITS_KNOWN:
            continue
        points, amounts = zip(*told, strict=True)
        process = Process.fit(at_end(inputs(space, points)), np.array(amounts), rng)
        mean, deviation = process.predict(columns)
        total += norm.logcdf(-mean / deviation)  # A limit holds at 0 and below.
    return total


def _log_density(space: Space, points: Sequence[Point], priors: Mapping[str, Prior]) -> Floats:
    """Returns the logarithm of how likely priors make points: (n,)."""
    domains = {one.name: one.domain for one in space.parameters if one.name in priors}
    return np.array(
        [
            sum(
                math.log(priors[name].density(domain.position(point[name])))
                for name, domain in domains.items()
                if name in point
            )
            for point in points
        ]
    )


def _candidates(
    space: Space, tried: Sequence[Point], values: Floats, rng: np.random.Generator
) -> list[Point]:
    """Returns points that may be next: evenly drawn ones, and some near the best ones."""
    best: dict[Any, Point] = {}
    for index in np.argsort(-values, kind="stable"):
        if len(best) < _BEST:
            best.setdefault(key_of(tried[index]), tried[index])
    width = len(space.parameters)
    # What a point lacks is drawn: near to it lie all values of a section that it did not choose.
    centres = np.array(
        [
            [
                one.domain.position(point[one.name]) if one.name in point else rng.random()
                for one in space.parameters
            ]
            for point in best.values()
        ]
    )
    positions = [rng.random((_EVEN, width))]
    for distance in _DISTANCES:
        near = centres[rng.integers(len(centres), size=_NEAR)]
        moves = distance * rng.normal(size=near.shape) * (rng.random(near.shape) < _MOVED)
        jumps = rng.random(near.shape) < _JUMPS
        positions.append(np.where(jumps, rng.random(near.shape), np.clip(near + moves, 0, 1)))
    return [_at(space, row) for row in np.vstack(positions)]


def _at(space: Space, positions: NDArray[np.float64]) -> Point:
    """Returns the point at a position per parameter, without what hangs on other sections."""
    trial = _AtPositions(space, positions)
    space.sample(cast(Any, trial))
    return trial.point


class _AtPositions:
    """A trial, as far as `Space.sample` needs one, whose values lie at given positions."""

    def __init__(self, space: Space, positions: NDArray[np.float64]) -> None:
        self.point: dict[str, Value] = {}
        self._left = {
            one.name: one.domain.at(float(position))
            for one, position in zip(space.parameters, positions, strict=True)
        }

    def _of(self, name: str, *args: object, **settings: object) -> Value:
        self.point[name] = self._left[name]
        return self.point[name]

    suggest_float = suggest_int = suggest_categorical = _of
