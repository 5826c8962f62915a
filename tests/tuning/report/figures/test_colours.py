"""Colours of figures: seen on white and on black, and each of them with one meaning on a page."""

import re
from dataclasses import replace
from importlib.resources import files

import pytest
from trials import record

from tuning.goals import Goal
from tuning.records import TrialRecord
from tuning.report.figures.comparison import scores_side_by_side, studies_so_far
from tuning.report.figures.curves import learning_curves
from tuning.report.figures.drawing import COLOURS, PALE, mixed
from tuning.report.figures.finals import final_means
from tuning.report.figures.front import front
from tuning.report.figures.progress import best_so_far, moments, status_bars
from tuning.report.figures.sharing import affinity_map
from tuning.report.figures.slices import slice_of
from tuning.report.figures.together import contour, parallel
from tuning.statistics.estimates import Estimate
from tuning.study.finals import FinalRecipe, Finals, SeedScores
from tuning.study.sharing import Sharing

STYLE = (files("tuning.report.html") / "page.css").read_text(encoding="utf-8")
GROUNDS = re.findall(r"--paper: (#[0-9a-f]{6})", STYLE)


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2.1."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def tried(number: int, score: float, **parameters: object) -> TrialRecord:
    made = record(number, "complete", score / 2, score)
    return replace(made, parameters={"x": number, "y": number**2 % 7, **parameters})


RECORDS = [tried(at, 0.5 + at / 20) for at in range(6)]


def test_a_page_is_white_or_black() -> None:
    assert contrast(*GROUNDS) > 15


@pytest.mark.parametrize("colour", COLOURS)
def test_what_is_drawn_stands_out_on_white_and_on_black(colour: str) -> None:
    # 3:1 is what WCAG 2.1 asks of graphics, criterion 1.4.11.
    assert min(contrast(colour, ground) for ground in GROUNDS) >= 3


def test_lines_of_all_trials_stand_out_and_those_of_the_best_the_most() -> None:
    # Given the best first, as a report has them.
    figure = parallel(RECORDS[::-1], ["x", "y"])
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    for line in lines:
        assert min(contrast(line.line.color, ground) for ground in GROUNDS) >= 3
        assert line.opacity in (None, 1)
    # Later ones lie on top. The score is the first axis.
    assert [line.y[0] for line in lines] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert [line.line.width for line in lines] == sorted(line.line.width for line in lines)
    blue = [int(line.line.color[5:], 16) - int(line.line.color[1:3], 16) for line in lines]
    assert blue == sorted(blue)
    # The bar says what the lines are coloured by.
    (bar,) = [trace for trace in figure.data if trace.mode == "markers"]
    ends = [colour for _, colour in bar.marker.colorscale]
    assert ends == [lines[0].line.color, lines[-1].line.color]


def test_texts_have_the_colour_of_the_page() -> None:
    assert {one.font.color for one in parallel(RECORDS, ["x", "y"]).layout.annotations} == {None}


def test_a_mixed_colour_lies_between_two() -> None:
    assert mixed("#000000", "#ff8000", 0.5) == "#804000"
    assert mixed("#123456", "#ff8000", 0) == "#123456"
    assert mixed("#123456", "#ff8000", 1) == "#ff8000"


def test_fields_with_little_in_them_are_near_the_ground_of_the_page() -> None:
    shades = re.findall(r"--pale: (#[0-9a-f]{6})", STYLE)
    assert len(shades) == len(GROUNDS) == 2
    assert max(map(contrast, shades, GROUNDS)) < 2
    # The script knows the colour that it puts another one in the place of.
    script = (files("tuning.report.html") / "page.js").read_text(encoding="utf-8")
    assert re.findall('PALE = "(.*)"', script) == [PALE] == shades[:1]
    cosine = Estimate(-0.1, 0.1, -0.3, 0.1, 2)
    sharing = Sharing(("a", "b"), 1, {}, {("a", "b"): cosine}, None)
    heights, field = contour(RECORDS, "x", "y").data[0], affinity_map(sharing).data[0]
    assert heights.colorscale[0] == (0, PALE)
    assert field.colorscale[1] == (0.5, PALE)


def estimate(mean: float) -> Estimate:
    return Estimate(mean=mean, sd=0.01, low=mean - 0.1, high=mean + 0.1, count=2)


def finals(chosen: str) -> Finals:
    recipes = [
        FinalRecipe(one.id, {}, (SeedScores(1, "", {"combined": 0.5}),), {"combined": estimate(1)})
        for one in RECORDS
    ]
    return Finals(tuple(recipes), chosen)


def best_and_default(chosen: str) -> list[tuple[str, str]]:
    """The colours of the best and of the default on each figure that shows both."""
    means = final_means(finals(chosen)).data[1]
    of = dict(zip(means.y, means.marker.color, strict=True))
    curves = {trace.name: trace.line.color for trace in learning_curves(RECORDS, best=chosen).data}
    return [
        (of[chosen], of["0000"]),
        (curves[f"best, {chosen}"], curves["default, 0000"]),
    ]


def test_the_best_has_one_colour_on_all_figures_and_the_default_another() -> None:
    ((best, default),) = set(best_and_default("0003"))
    assert best != default
    so_far = best_so_far(RECORDS).data[0]
    assert (so_far.name, so_far.line.color) == ("best so far", best)
    goal = Goal(tasks=("intent", "slots"))
    (chosen,) = [trace for trace in front(RECORDS, goal).data if trace.name == "chosen"]
    assert chosen.marker.color == best
    # Where the default is the best it is drawn as the best.
    means = final_means(finals("0000")).data[1]
    assert means.marker.color[list(means.y).index("0000")] == best
    assert [one.line.color for one in learning_curves(RECORDS, best="0000").data if
            one.name == "default, the best, 0000"] == [best]  # fmt: skip


def test_nothing_else_has_their_colours() -> None:
    ((best, default),) = set(best_and_default("0003"))
    statuses = status_bars([*RECORDS, record(8, "stopped", 0.1), record(9, "failed", 0.1)])
    others = [
        *(bar.marker.color for bar in statuses.data),
        *(dots.marker.color for dots in slice_of(RECORDS, "x").data),
        *(dots.marker.color for dots in best_so_far(RECORDS).data[1:]),
        *(
            dots.marker.color
            for dots in front(RECORDS, Goal(tasks=("intent", "slots"))).data
            if dots.name != "chosen"
        ),
    ]
    means = final_means(finals("0003")).data[1]
    others += [
        colour
        for trial, colour in zip(means.y, means.marker.color, strict=True)
        if trial not in ("0000", "0003")
    ]
    assert len(others) > 10
    assert not {best, default} & set(others)


def test_a_study_has_one_colour_on_all_figures_that_compare() -> None:
    lines = studies_so_far(dict.fromkeys("abc", moments(RECORDS))).data
    of = {line.name: line.line.color for line in lines}
    assert len(set(of.values())) == 3
    # The second one has no such score.
    dots = scores_side_by_side(
        {"a": (0.5, None, None), "c": (0.6, None, None)}, "combined", among="abc"
    ).data[0]
    assert dict(zip(dots.text, dots.marker.color, strict=True)) == {"a": of["a"], "c": of["c"]}
