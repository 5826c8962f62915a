"""What is said of the final stage: what may be claimed, among which recipes, and what to do."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from summaries import BEST, DEFAULT, SUMMARY

from tuning.goals import Goal
from tuning.report.claims import KEEP_DEFAULT
from tuning.report.finals import finals_section, finals_verdict
from tuning.report.front import front_verdict
from tuning.report.render import render_report
from tuning.statistics.estimates import Difference, Estimate
from tuning.study.finals import FinalRecipe, Finals, SeedScores
from tuning.study.reached import FrontTrial, Reached


def recipe(trial: str, mean: float, *, failed: int = 0) -> FinalRecipe:
    seeds = tuple(
        SeedScores(seed, f"final/{trial}/seed-{seed}", {"combined": mean})
        for seed in range(1, 4 - failed)
    )
    lost = {f"final/{trial}/seed-{3 - one}": "RuntimeError: broken" for one in range(failed)}
    found = {"combined": Estimate(mean, 0.01, mean - 0.02, mean + 0.02, len(seeds))}
    return FinalRecipe(trial, {}, seeds, found, failed=lost)


def difference(other: str, mean: float, *, score: str = "combined") -> Difference:
    estimate = Estimate(mean, 0.01, mean - 0.02, mean + 0.02, 3, "seeds and rows")
    return Difference("0003", other, score, estimate, estimate.claim)


def finals(*recipes: FinalRecipe, differences: Sequence[Difference] = ()) -> Finals:
    return Finals(recipes, recipes[0].id, tuple(differences))


def test_a_recipe_that_stands_behind_for_a_failed_run_is_no_peer_of_the_best() -> None:
    best, default = recipe("0003", 0.62), recipe("0000", 0.5)
    higher = recipe("0004", 0.64, failed=1)
    told = finals_verdict(finals(best, default, higher))
    assert "among 2 recipes of which no run failed (of 3)." in told
    told = finals_verdict(finals(best, default, recipe("0004", 0.6)))
    assert "among 3 recipes." in told
    told = finals_verdict(finals(higher, replace(default, failed=dict.fromkeys("ab", "lost"))))
    assert "among 1 recipe of which no more than 1 run failed (of 2)." in told


def test_a_failed_run_of_the_final_stage_stands_among_the_failures_with_its_reason() -> None:
    found = finals(recipe("0003", 0.62), recipe("0004", 0.64, failed=1))
    text = render_report(replace(SUMMARY, result=replace(SUMMARY.result, finals=found)))
    failures = text.split("## Failures\n\n")[1].split("\n\n")[0].splitlines()[2:]
    assert [row.split(" | ")[0] for row in failures] == ["| 0002", "| final/0004/seed-3"]
    assert failures[1].endswith("| `RuntimeError: broken` |")


def test_the_time_of_a_study_is_that_of_its_final_stage_as_well() -> None:
    found = finals(recipe("0003", 0.62), recipe("0004", 0.64, failed=1))
    text = render_report(replace(SUMMARY, result=replace(SUMMARY.result, finals=found)))
    assert "3 trials and 6 runs of the final stage in 0:07:12 (h:mm:ss)" in text
    assert "1 trial in 0:07:12" in render_report(replace(SUMMARY, records=SUMMARY.records[:1]))


@pytest.mark.parametrize(
    ("by", "advice"),
    [(0.1, ""), (0.01, KEEP_DEFAULT["cannot be told"]), (-0.1, KEEP_DEFAULT["worse"])],
)
def test_what_to_do_is_said_where_the_default_is_not_beaten(by: float, advice: str) -> None:
    pair = recipe("0003", 0.62), recipe("0000", 0.5)
    told = finals_verdict(finals(*pair, differences=[difference("0000", by)]))
    assert told.endswith(advice)
    assert ("Keep the default" in told) == bool(advice)


def test_of_several_objectives_no_one_word_says_what_to_do() -> None:
    pair = [
        replace(one, dev={"a/f1": one.dev["combined"], "b/f1": one.dev["combined"]})
        for one in (recipe("0003", 0.62), recipe("0000", 0.5))
    ]
    both = [difference("0000", 0.1, score="a/f1"), difference("0000", -0.1, score="b/f1")]
    told = finals_verdict(finals(*pair, differences=both), ("a", "b"))
    assert "It is better than the default in a f1 on test" in told
    assert "It is worse than the default in b f1 on test" in told
    assert "Keep" not in told


def test_what_an_interval_allows_for_stands_beside_it() -> None:
    rows, seeds = (Estimate(0.6, 0.01, 0.5, 0.7, 3, over) for over in ("seeds and rows", "seeds"))
    test = {"combined": rows, "a/f1": rows, "a/recall": seeds}
    best = replace(recipe("0003", 0.6), dev={"combined": seeds, "a/f1": seeds}, test=test)
    default = replace(recipe("0000", 0.5), test={**test, "a/f1": seeds})
    text = "\n\n".join(finals_section(finals(best, default, differences=[difference("0000", 0.1)])))
    assert "On dev all intervals allow for other seeds alone." in text
    assert "| `combined` | seeds and rows | 60.00 (50.00 to 70.00; sd 1.00) | 60.00 " in text
    assert "| `a/f1` | seeds and rows / seeds | " in text
    assert "| `a/recall` | seeds | " in text
    assert "| +10.00 | +8.00 to +12.00 | seeds and rows | better |" in text
    told = "What an interval allows for: seeds = other seeds alone, on these very rows; seeds and "
    assert f"{told}rows = other seeds and other rows of test. One that allows for less is" in text
    # Where test is closed it is said as well.
    assert told.partition(";")[0] in "\n\n".join(finals_section(finals(recipe("0003", 0.6))))


def test_a_contest_of_one_is_called_none() -> None:
    told = finals_verdict(finals(recipe("0000", 0.6)))
    assert told == (
        "The default recipe, trial 0000, is the best of the search on dev: keep it. It was trained "
        "anew with 3 other seeds, and the final stage had no other recipe to compare it with."
    )
    other = finals_verdict(finals(recipe("0003", 0.6, failed=2)))
    assert other.startswith(
        "The best recipe on dev is that of trial 0003. It was trained anew with"
    )
    assert "with 1 other seed, and" in other


def test_of_several_objectives_each_is_claimed_by_its_own_interval() -> None:
    scores = {"combined": 0.5, "intent": {"accuracy": 0.9}, "slots": {"f1": 0.7}}
    best, default = (replace(one, dev=scores, test=scores) for one in (BEST, DEFAULT))
    goal = Reached("pareto", Goal(("intent", "slots")), (FrontTrial("0001", {}, {}),), "0001")
    result = replace(SUMMARY.result, best=best, default=default, goal=goal)
    told = front_verdict(result)
    assert (
        "on dev intent +0.00 points and slots +0.00 points; on test intent +0.00 points and slots "
        "+0.00 points, and how sure that is, is not known. This rests on one run of each"
    ) in told
    estimate = Estimate(0.1, math.nan, 0.05, 0.15, 1, "rows")
    sure = Difference("0001", "0000", "intent/accuracy", estimate, estimate.claim)
    other = replace(difference("0000", 0.01), score="slots/f1")
    told = front_verdict(replace(result, differences=(sure, other)))
    assert (
        "on test intent +10.00 points, 95 % interval +5.00 to +15.00 (better) and slots +1.00 "
        "points, 95 % interval -1.00 to +3.00 (cannot be told)."
    ) in told


def test_the_scores_that_count_stand_before_those_of_single_labels() -> None:
    sure = Estimate(0.5, 0.1, 0.4, 0.6, 3)
    names = ["combined", "joint_accuracy", "a/f1", "a/city/f1", "a/day/f1", "b/accuracy", "b/x/f1"]
    best = replace(recipe("0003", 0.6), dev=dict.fromkeys(names, sure))
    best = replace(best, test=dict.fromkeys(names, sure))
    text = render_report(replace(SUMMARY, result=replace(SUMMARY.result, finals=finals(best))))
    rows = text.partition("| score on test |")[2].partition("\n\n")[0]
    shown = [line.split("`")[1] for line in rows.splitlines() if "`" in line]
    assert shown == [
        "combined",
        "a/f1",
        "b/accuracy",
        "joint_accuracy",
        "a/city/f1",
        "a/day/f1",
        "b/x/f1",
    ]
