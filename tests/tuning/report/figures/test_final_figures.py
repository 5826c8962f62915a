"""Figures of a final stage and of what sharing brings: means, runs and intervals as they are."""

import math
from dataclasses import replace

import pytest
from summaries import SUMMARY

from tuning.report.figures.finals import differences, final_means
from tuning.report.html.study import study_page
from tuning.report.render import report_sections
from tuning.statistics.estimates import Difference, Estimate
from tuning.study.finals import FinalRecipe, Finals, SeedScores
from tuning.study.gains import Baseline


def estimate(mean: float, low: float, high: float) -> Estimate:
    return Estimate(mean=mean, sd=0.01, low=low, high=high, count=2)


def recipe(trial: str, *scores: float) -> FinalRecipe:
    mean = sum(scores) / len(scores)
    seeds = tuple(
        SeedScores(seed, f"final/{trial}/seed-{seed}", {"combined": one, "words": {"mse": 9.0}})
        for seed, one in enumerate(scores, 1)
    )
    means = {"combined": estimate(mean, mean - 0.1, mean + 0.05)}
    means["words/mse"] = estimate(9.0, 8.0, 11.0)
    return FinalRecipe(trial, {}, seeds, means)


FINALS = Finals((recipe("0003", 0.8, 0.9), recipe("0000", 0.5, 0.7)), "0003")
GAIN = Difference("0003", "0000", "combined", estimate(0.25, 0.1, 0.4), "better")
LOSS = Difference("0003", "0001", "words/mse", estimate(-0.5, -1, 0.2), "cannot be told", "unseen")


def test_a_recipe_has_its_mean_its_interval_and_its_runs() -> None:
    runs, means = final_means(FINALS).data
    # The best stands on top, which is the last.
    assert list(means.y) == ["0000", "0003"]
    assert list(means.x) == pytest.approx([60, 85])
    assert list(means.error_x.arrayminus) == pytest.approx([10, 10])
    assert list(means.error_x.array) == pytest.approx([5, 5])
    drawn = list(zip(runs.y, runs.x, runs.text, strict=True))
    assert drawn == [
        ("0000", 50, "seed 1"), ("0000", 70, "seed 2"),
        ("0003", 80, "seed 1"), ("0003", 90, "seed 2"),
    ]  # fmt: skip


def test_what_is_no_share_is_drawn_as_it_is() -> None:
    figure = final_means(FINALS, "words/mse")
    assert list(figure.data[1].x) == [9, 9]
    assert list(figure.data[1].error_x.array) == [2, 2]
    assert figure.layout.xaxis.title.text == "words mse on dev"


def test_recipes_that_were_not_scored_on_test_are_left_out() -> None:
    tested = replace(FINALS.recipes[0], test={"combined": estimate(0.8, math.nan, math.nan)})
    finals = replace(FINALS, recipes=(tested, FINALS.recipes[1]))
    assert list(final_means(finals, split="test").data[1].y) == ["0003"]


def test_differences_stand_around_zero_in_units_of_their_scores() -> None:
    figure = differences([GAIN, LOSS])
    (whiskers,) = figure.data
    axis = figure.layout.yaxis
    # From the top, as in a table.
    assert dict(zip(axis.tickvals, axis.ticktext, strict=True)) == {
        0: "0003 - 0000<br>combined on test", 1: "0003 - 0001<br>words/mse on unseen"
    }  # fmt: skip
    assert axis.autorange == "reversed"
    assert list(whiskers.y) == [0, 1]
    assert list(whiskers.x) == pytest.approx([25, -0.5])
    assert list(whiskers.error_x.array) == pytest.approx([15, 0.7])
    # What cannot be told has no colour.
    assert len(set(whiskers.marker.color)) == 2
    assert figure.layout.shapes[0].x0 == 0


def test_differences_of_tasks_are_called_by_their_tasks() -> None:
    # Names that are cut alike stay two rows.
    tasks = [f"{'a' * 40}{end}{'b' * 10}" for end in "12"]
    figure = differences([GAIN, LOSS], tasks)
    assert list(figure.data[0].y) == [0, 1]
    assert list(figure.data[0].text) == tasks
    assert all(len(text) <= 28 for text in figure.layout.yaxis.ticktext)


def test_the_page_shows_them() -> None:
    baselines = {"intent": Baseline("alone/intent-01", "0000", "0003", difference=GAIN)}
    finals = replace(FINALS, differences=(GAIN,))
    result = replace(SUMMARY.result, finals=finals, baselines=baselines)
    summary = replace(SUMMARY, result=result)
    page = study_page(summary, report_sections(summary))
    titles = ("Differences", "combined on dev", "words/mse on dev")
    for title in (*titles, "Each task together, minus the task alone"):
        assert f">{title}</h3>" in page
    gains = page.partition("Each task together, minus the task alone</h3>")[2]
    assert '"ticktext":["intent"]' in gains.partition("</figure>")[0]
    # On a narrow page both sides of the zero are in view.
    assert "min-width:0px" in gains.partition("</figure>")[0]
