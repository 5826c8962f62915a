"""Estimates of the scores of recipes from runs with several seeds, and of their differences.

A recipe is trained with a few seeds, and every run is scored on the same rows of test. Another
study of the same would have other seeds and other rows, and the interval of a mean has to allow for
both. That is the model of Obuchowski and Rockette 1995
(https://doi.org/10.1080/03610919508813243), in which several readers judge the same cases; here
runs do. What the rows contribute is known from draws of them, a paired bootstrap: in each draw all
runs are scored on the same rows. What the seeds contribute is known from how far the runs of a
recipe lie apart. As the runs are few, Student's t takes the place of the normal distribution.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mtl_core.scores import ends_of
from tuning.statistics.estimates import Difference, Estimate, Over, Where

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Runs = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RunScores:
    """The scores of a run on some rows.

    Attributes:
        scores: Flat name, "combined" or "intent/accuracy" -> score.
        draws: The same -> its score on the rows as they are, and on each draw of them,
            (1 + draws,); of those scores for which they are known.
        where: The rows that it was scored on.
    """

    scores: Mapping[str, float]
    draws: "Mapping[str, npt.NDArray[np.float64]]" = field(default_factory=dict)
    where: Where = "test"


def estimates(runs: Sequence[RunScores], *, is_gain: bool = True) -> dict[str, Estimate]:
    """Returns flat name -> mean of a score over the runs of a recipe, with its interval.

    It allows for other rows where draws of them are known for every run, else for other seeds
    alone, and holds nothing that the score cannot be. Scores that a run lacks are left out.

    Args:
        runs: Runs that differ in their seeds; none = there are no scores.
        is_gain: Whether the combined score may lie beyond the ends of the main scores of tasks.
    """
    ends = _ends(runs, is_gain=is_gain)
    return {name: _estimate(_runs(runs, name)).within(*ends(name)) for name in _shared(runs)}


def differences(
    first: str,
    second: str,
    ours: Sequence[RunScores],
    theirs: Sequence[RunScores],
    *,
    is_gain: bool = True,
) -> tuple[Difference, ...]:
    """Returns how much better one recipe is than another, for each score that all runs have.

    Args:
        first: What the one is called, such as the id of its trial.
        second: What the other is called.
        ours: Runs of the one that differ in their seeds, at least one.
        theirs: Runs of the other, scored on the same rows.
        is_gain: As of `estimates`.
    """
    found, ends = [], _ends(ours, is_gain=is_gain)
    for name in _shared([*ours, *theirs]):
        both = _runs([*ours, *theirs], name)
        least, most = ends(name)
        estimate = _estimate(both[: len(ours)], both[len(ours) :])
        estimate = estimate.within(least - most, most - least)
        found.append(Difference(first, second, name, estimate, estimate.claim, ours[0].where))
    return tuple(found)


def _shared(runs: Sequence[RunScores]) -> list[str]:
    """Returns the scores that every run has, in the order of the first."""
    first = runs[0].scores if runs else ()
    return [name for name in first if all(name in one.scores for one in runs)]


def _ends(runs: Sequence[RunScores], *, is_gain: bool) -> Callable[[str], tuple[float, float]]:
    """Returns what tells the least and the most that a score can be."""
    main: dict[str, tuple[float, float]] = {}
    for name in runs[0].scores if runs else ():
        task, _, score = name.partition("/")
        if score:
            main.setdefault(task, ends_of(name))  # A task reports its main score first.
    # A mean of scores, or the least of them, lies where they do.
    is_known = main and not is_gain
    least = min(low for low, _ in main.values()) if is_known else -math.inf
    most = max(high for _, high in main.values()) if is_known else math.inf
    return lambda name: (least, most) if name == "combined" else ends_of(name)


def _runs(runs: Sequence[RunScores], name: str) -> "Runs":
    """Returns a score of each run, (runs, 1 + draws); no draws where not all were drawn alike."""
    import numpy as np

    drawn = [one.draws[name] for one in runs if name in one.draws]
    is_alike = len({len(found) for found in drawn}) == 1
    # Where a draw holds no row that counts, there is no score.
    if len(drawn) == len(runs) and is_alike and np.isfinite(drawn).all():
        return np.array(drawn)
    return np.array([[one.scores[name]] for one in runs])


def _estimate(ours: "Runs", theirs: "Runs | None" = None) -> Estimate:
    """Returns the mean over runs, (runs, 1 + draws), or that of the first minus the second."""
    groups = [ours] if theirs is None else [ours, theirs]
    means = [group[:, 0].mean() for group in groups]
    mean = float(means[0] - sum(means[1:]))
    counts = [len(group) for group in groups]
    fewest, is_drawn = min(counts), ours.shape[1] > 1
    if fewest > 1:
        spread = [float(group[:, 0].var(ddof=1)) for group in groups]
        over: Over = "seeds and rows" if is_drawn else "seeds"
        seeds = [one / count for one, count in zip(spread, counts, strict=True)]
        sd, margin = sum(spread) ** 0.5, _margin(seeds, counts, groups)
    elif is_drawn and max(counts) == 1:
        over, sd, margin = "rows", math.nan, _margin((), counts, groups)
    else:
        # Of one run against several it would have to be assumed that both recipes are as steady.
        over, sd, margin = "seeds", math.nan, math.nan
    return Estimate(mean, sd, mean - margin, mean + margin, fewest, over)


def _margin(seeds: Sequence[float], counts: Sequence[int], groups: "Sequence[Runs]") -> float:
    """Returns half the width of the 95 % interval.

    Args:
        seeds: Variance that seeds contribute to the mean of each recipe; () = not known.
        counts: Runs of each recipe.
        groups: Runs of each recipe, (runs, 1 + draws).
    """
    of_rows = _variance_of_rows(groups)
    variance = sum(seeds) + of_rows
    if not variance:
        return 0.0
    # Where seeds and rows both matter, the degrees of freedom of the whole variance give intervals
    # that are too narrow: with three runs they miss 7.6 %, as these are taken for many whenever the
    # runs happen to lie together. To weigh the quantiles of both parts by their variances (Cochran
    # and Cox 1957) gives too wide ones, which miss 2.8 %. Half-way between it is 3.7 to 5.6 %.
    whole = _quantile(seeds, counts, variance)
    weighted = sum(seeds) * _quantile(seeds, counts, sum(seeds)) + of_rows * _quantile((), (), 1.0)
    return float((whole + weighted / variance) / 2 * variance**0.5)


def _quantile(seeds: Sequence[float], counts: Sequence[int], variance: float) -> float:
    """Returns the quantile of Student's t by which a deviation becomes half an interval."""
    from scipy.special import stdtrit

    return float(stdtrit(_freedom(seeds, counts, variance), 0.975))


def _variance_of_rows(groups: "Sequence[Runs]") -> float:
    """Returns the variance that rows contribute to a mean, or to the difference of two.

    Two runs of a recipe err on rows of their own, and on those that are hard for both. The first
    makes runs differ, so it is in the variance of the seeds already; the second is counted here,
    less what the rows contribute to both recipes alike.
    """
    import numpy as np

    if groups[0].shape[1] == 1:
        return 0.0
    signs = (1, -1)
    drawn = sum(
        sign * group[:, 1:].mean(axis=0) for sign, group in zip(signs, groups, strict=False)
    )
    whole = float(np.var(drawn, ddof=1))
    return max(0.0, whole - sum(_own_variance(group[:, 1:]) for group in groups))


def _own_variance(drawn: "Runs") -> float:
    """Returns the variance of a mean over runs by the rows on which each of them errs alone.

    Args:
        drawn: (runs, draws).
    """
    import numpy as np

    count = len(drawn)
    if count == 1:
        return 0.0
    shared = np.cov(drawn)  # (runs, runs)
    own = np.trace(shared) / count
    common = (shared.sum() - np.trace(shared)) / (count * (count - 1))
    return float(own - common) / count


def _freedom(seeds: Sequence[float], counts: Sequence[int], variance: float) -> float:
    """Returns the degrees of freedom of a variance that is partly known from few runs.

    As Satterthwaite 1946 (https://doi.org/10.2307/3002019) has them, V^2 / sum(v^2 / n) with v the
    contribution of a recipe and n its runs less one; what rows contribute counts as known, as with
    Hillis 2007 (https://doi.org/10.1002/sim.2532). Both squares are estimated without bias, since
    E[v^2] is larger than (E v)^2 by 2 / n: with three runs the plain formula gives intervals that
    are too wide.
    """
    import numpy as np

    if not sum(seeds):
        return float(np.inf)
    free = [count - 1 for count in counts]
    squares = sum(v**2 / (n + 2) for v, n in zip(seeds, free, strict=True))
    # Never more than if all recipes were equally steady, nor less than the fewest runs give.
    most = variance**2 * sum(free) / sum(seeds) ** 2
    return float(max(min(free), min(variance**2 / squares - 2, most)))
