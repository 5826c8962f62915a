"""Estimates over seeds and rows, against scipy, statsmodels, sums by hand, and by simulation."""

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from tuning.statistics.estimates import Estimate, Where
from tuning.statistics.seeds import RunScores, differences, estimates

ROWS = 200
Values = npt.NDArray[np.float64]


@cache
def counts(rows: int, draws: int) -> Values:
    """How often each row stands in the rows as they are, and in each draw, (1 + draws, rows)."""
    drawn = np.random.default_rng(7).multinomial(rows, [1 / rows] * rows, size=draws)
    return np.vstack([np.ones(rows), drawn])


def runs_of(rows: Values, *, draws: int = 0, where: Where = "test") -> list[RunScores]:
    """Runs of which each row is right, 1, or wrong, 0, (runs, rows); all with the same draws."""
    scores = rows @ counts(rows.shape[1], draws).T / rows.shape[1]
    return [
        RunScores({"combined": float(run[0])}, {"combined": run} if draws else {}, where)
        for run in scores
    ]


def estimate(rows: Values, draws: int = 0) -> Estimate:
    return estimates(runs_of(rows, draws=draws))["combined"]


def difference(ours: Values, theirs: Values, draws: int = 0) -> Estimate:
    runs = runs_of(np.vstack([ours, theirs]), draws=draws)
    [found] = differences("0001", "0000", runs[: len(ours)], runs[len(ours) :])
    return found.estimate


def study(
    generator: np.random.Generator, seeds: int, *, recipes: int = 2, noise: float = 0.03
) -> tuple[Values, float]:
    """Rows of equal recipes, (recipes, seeds, rows), some rows harder than others; their score."""
    hard = generator.beta(8, 2, size=ROWS)
    shift = generator.normal(0, noise, size=(recipes, seeds, 1))
    rows = generator.random((recipes, seeds, ROWS)) < hard + shift
    return rows.astype(float), 0.8


def test_without_draws_of_rows_the_interval_is_that_of_students_t() -> None:
    values = [0.81, 0.84, 0.78, 0.83, 0.80]
    found = estimates([RunScores({"combined": one}) for one in values])["combined"]
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx(expected)
    assert (found.mean, found.sd, found.count, found.over) == pytest.approx(
        (0.812, np.std(values, ddof=1), 5, "seeds")
    )


def test_with_many_seeds_a_difference_is_that_of_welch() -> None:
    generator = np.random.default_rng(3)
    ours, theirs = generator.normal(0.8, 0.01, 200), generator.normal(0.79, 0.03, 150)
    pair = CompareMeans(DescrStatsW(ours), DescrStatsW(theirs))
    [found] = differences(
        "a", "b", *([RunScores({"combined": x}) for x in some] for some in (ours, theirs))
    )
    expected = pair.tconfint_diff(usevar="unequal")
    assert (found.estimate.low, found.estimate.high) == pytest.approx(expected, rel=1e-4)
    assert (found.claim, found.estimate.count) == ("better", 150)


def test_single_runs_are_compared_row_by_row() -> None:
    ours, theirs = study(np.random.default_rng(5), 1)[0][:, 0]
    found = difference(ours[None], theirs[None], draws=4_000)
    expected = stats.ttest_rel(ours, theirs).confidence_interval()
    assert (found.low, found.high) == pytest.approx(expected, abs=0.003)
    assert (found.over, found.count, np.isnan(found.sd)) == ("rows", 1, True)


def test_rows_and_seeds_contribute_what_the_analysis_of_variance_says() -> None:
    rows = study(np.random.default_rng(5), 6, recipes=1)[0][0]  # (seeds, rows)
    seeds, count = rows.shape
    # A crossed design with both factors random: the variance of the grand mean is
    # (MS_rows + MS_seeds - MS_rest) / (rows * seeds), as textbooks of variance components have it.
    by_row, by_seed, mean = rows.mean(axis=0), rows.mean(axis=1), rows.mean()
    of_rows = seeds * ((by_row - mean) ** 2).sum() / (count - 1)
    of_seeds = count * ((by_seed - mean) ** 2).sum() / (seeds - 1)
    rest = rows - by_row - by_seed[:, None] + mean
    of_rest = (rest**2).sum() / ((count - 1) * (seeds - 1))
    variance = (of_rows + of_seeds - of_rest) / (count * seeds)
    found = estimate(rows, draws=4_000)
    # Half-way between Satterthwaite's degrees of freedom, (seeds - 1) V^2 / v^2, and the quantiles
    # of both parts weighted by their variances.
    part = of_seeds / (count * seeds)
    whole = stats.t.ppf(0.975, (seeds - 1) * variance**2 / part**2)
    share = part / variance
    weighted = share * stats.t.ppf(0.975, seeds - 1) + (1 - share) * stats.norm.ppf(0.975)
    margin = (whole + weighted) / 2
    assert (found.high - found.low) / 2 == pytest.approx(margin * variance**0.5, rel=0.04)


@pytest.mark.parametrize(("seeds", "noise"), [(3, 0.03), (5, 0.0)])
def test_of_equal_recipes_a_difference_is_claimed_once_in_twenty(seeds: int, noise: float) -> None:
    generator = np.random.default_rng(11)
    claims, covered = [], []
    for _ in range(500):
        rows, truth = study(generator, seeds, noise=noise)
        claims.append(difference(*rows, draws=100).claim != "cannot be told")
        found = estimate(rows[0], draws=100)
        covered.append(found.low <= truth <= found.high)
    # 500 studies tell 5 % to +- 2.9 (three deviations); benchmarks/simulated_claims.py tells more.
    assert 0.021 < np.mean(claims) < 0.079
    assert 0.921 < np.mean(covered) < 0.979


def test_what_is_really_better_is_claimed() -> None:
    rows, _ = study(np.random.default_rng(1), 5, noise=0.01)
    worse = rows[1] * (np.random.default_rng(2).random(rows[1].shape) < 0.9)
    assert difference(rows[0], worse, draws=200).claim == "better"
    assert difference(worse, rows[0], draws=200).claim == "worse"


def test_without_any_spread_nothing_is_claimed_of_equals() -> None:
    ones = np.ones((3, 10))
    assert difference(ones, ones, draws=50).claim == "cannot be told"
    assert estimate(ones, draws=50).low == 1.0


def test_one_run_against_several_tells_nothing_of_the_recipe() -> None:
    rows, _ = study(np.random.default_rng(1), 4)
    found = difference(rows[0], rows[1][:1], draws=50)
    assert (found.over, found.claim, np.isnan(found.low)) == ("seeds", "cannot be told", True)


def test_draws_count_only_where_all_runs_have_the_same() -> None:
    rows, _ = study(np.random.default_rng(1), 3)
    drawn, other = runs_of(rows[0], draws=50), runs_of(rows[1], draws=60)
    for theirs in (other, runs_of(rows[1])):
        [found] = differences("a", "b", drawn, theirs)
        assert found.estimate.over == "seeds"


def test_a_difference_says_which_rows_it_is_of() -> None:
    rows, _ = study(np.random.default_rng(1), 3)
    ours, theirs = (runs_of(one, draws=50, where="unseen") for one in rows)
    [found] = differences("a", "b", ours, theirs)
    assert (found.where, found.estimate.over) == ("unseen", "seeds and rows")


def test_scores_that_a_run_lacks_are_left_out() -> None:
    runs = [RunScores({"combined": 0.5, "a/f1": 0.5}), RunScores({"a/f1": 0.6})]
    assert list(estimates(runs)) == ["a/f1"]
    assert estimates([]) == {}


def spread(*names: str, scores: tuple[float, ...] = (0.02, 0.3, 0.99)) -> list[RunScores]:
    return [RunScores(dict.fromkeys(names, score)) for score in scores]


def test_intervals_hold_nothing_that_a_score_cannot_be() -> None:
    names = ("intent/accuracy", "intent/matthews", "words/entropy", "a/own")
    runs = spread(*names)
    plain = stats.ttest_1samp([0.02, 0.3, 0.99], 0).confidence_interval()
    assert plain.low < 0
    assert 1 < plain.high < 2
    ends = {name: (one.low, one.high) for name, one in estimates(runs).items()}
    assert ends["intent/accuracy"] == (0, 1)
    assert ends["intent/matthews"] == pytest.approx((plain.low, 1))
    assert ends["words/entropy"] == pytest.approx((0, plain.high))
    # Of a task's own score nobody knows what it can be.
    assert ends["a/own"] == pytest.approx(plain)


def test_a_combined_score_lies_where_main_scores_do_unless_it_is_a_gain() -> None:
    def ends(*tasks: str, is_gain: bool = False) -> tuple[float, float]:
        found = estimates(spread("combined", *tasks), is_gain=is_gain)["combined"]
        return found.low, found.high

    plain = stats.ttest_1samp([0.02, 0.3, 0.99], 0).confidence_interval()
    # What a task reports behind its main score does not count.
    assert ends("intent/accuracy", "intent/matthews", "slots/f1") == (0, 1)
    assert ends("intent/matthews", "slots/f1") == pytest.approx((plain.low, 1))
    assert ends("intent/accuracy", "a/own") == pytest.approx(plain)
    assert ends("intent/accuracy", is_gain=True) == pytest.approx(plain)
    assert ends() == pytest.approx(plain)


def test_a_difference_is_no_larger_than_its_scores_allow() -> None:
    ours, theirs = (
        spread("combined", "a/f1", "b/pearson", scores=pair) for pair in ((0.9, 0.1), (0.5, 0.4))
    )
    plain = stats.ttest_ind([0.9, 0.1], [0.5, 0.4], equal_var=False).confidence_interval()
    assert plain.high > 2
    found = {one.score: one.estimate for one in differences("1", "0", ours, theirs, is_gain=False)}
    ends = {name: (one.low, one.high) for name, one in found.items()}
    assert ends == {"a/f1": (-1, 1), "b/pearson": (-2, 2), "combined": (-2, 2)}
    [gain, *_] = differences("1", "0", ours, theirs)
    assert gain.estimate.high > 2


def test_what_rounding_puts_beyond_the_end_stays_in_its_own_interval() -> None:
    over = 1 + 2e-16
    assert over > 1
    found = estimates(spread("a/f1", scores=(over, over, over)))["a/f1"]
    assert found.low <= found.mean <= found.high
    one = estimates(spread("a/f1", scores=(0.5,)))["a/f1"]
    assert np.isnan(one.low)
    assert np.isnan(one.high)
