"""Figures of a study: what is drawn are its own numbers, and names in them are only text."""

import html
import json
import math
from dataclasses import replace

import pytest
from hostile import MARKUP
from trials import record, report

from mtl_core.printable import one_line
from tuning.goals import Goal
from tuning.records import TrialRecord
from tuning.report.figures.comparison import studies_so_far
from tuning.report.figures.curves import learning_curves
from tuning.report.figures.drawing import OBJECTIVE, Score, evenly, label, scores_of
from tuning.report.figures.front import front
from tuning.report.figures.importance import importance_bars
from tuning.report.figures.parameters import groups, pairs, varied
from tuning.report.figures.progress import best_so_far, moments, status_bars
from tuning.report.figures.slices import slice_of
from tuning.report.figures.together import contour, parallel
from tuning.report.importance import Importance, Share

RATES = (1e-5, 1e-4, 1e-3, 1e-2)


def tried(number: int, score: float, status: str = "complete", **parameters: object) -> TrialRecord:
    made = record(number, status, score / 2, score)
    return replace(made, parameters=parameters)


RECORDS = [
    tried(at, 0.5 + at / 10, rate=rate, freezing="ab"[at % 2]) for at, rate in enumerate(RATES)
]


@pytest.mark.parametrize("text", MARKUP)
def test_plotly_takes_a_name_for_text(text: str) -> None:
    spelt = label(text)
    assert "<" not in spelt
    assert ">" not in spelt
    # It knows these entities and numbers; an "&" of the text itself is no entity either.
    assert html.unescape(spelt) == one_line(text)


def test_what_was_spent_is_added_up_in_the_order_of_the_reports() -> None:
    records = [record(0, "complete", 0.2, 0.6, seconds=1800), record(1, "stopped", 0.4)]
    found = moments(records, [("0000", 1), ("0001", 1), ("0000", 2)])
    assert [one.trial for one in found] == ["0000", "0001", "0000"]
    assert [one.epochs for one in found] == [1, 2, 3]
    assert [one.hours for one in found] == pytest.approx([0.5, 0.5 + 1 / 3600, 1 + 1 / 3600])
    assert [one.best for one in found] == [0.2, 0.4, 0.6]
    assert [one.is_last for one in found] == [False, True, True]
    # Without an order they stand trial by trial.
    assert [one.trial for one in moments(records)] == ["0000", "0000", "0001"]


def test_the_best_so_far_never_falls_and_passes_over_what_does_not_count() -> None:
    sample = replace(record(1, "complete"), reports=(report(1, 0.9, is_sample=True),))
    records = [
        record(0, "complete", math.nan, 0.5, 0.4), sample, record(2, "failed", 0.8),
        record(3, "complete", 0.7),
    ]  # fmt: skip
    line = best_so_far(records).data[0]
    # Where it rises, and where it ends.
    assert [None if math.isnan(y) else y for y in line.y] == [None, 50, 70]
    assert list(line.x) == [1, 2, 6]


def test_the_best_so_far_is_one_within_the_limits_as_in_the_rest_of_the_report() -> None:
    records = [
        with_tasks(0, "complete", 0.5, 0.5), with_tasks(1, "complete", 0.2, 1.0),
        with_tasks(2, "complete", 0.55, 0.51), with_tasks(3, "complete", 0.0, 1.0),
    ]  # fmt: skip
    goal = Goal(limits={"floors.intent": 0.3})
    line = best_so_far(records, goal=goal).data[0]
    assert max(line.y) == pytest.approx(53)
    best = goal.best(records)
    assert best is not None
    assert best.best is not None
    assert line.y[-1] == pytest.approx(100 * best.best.combined)
    # Without limits another one is it.
    assert max(best_so_far(records).data[0].y) == pytest.approx(60)
    # All trials have a dot all the same.
    assert len(best_so_far(records, goal=goal).data[2].y) == 4
    none = best_so_far(records, goal=Goal(limits={"floors.intent": 0.9})).data[0]
    assert all(math.isnan(y) for y in none.y)


def test_time_is_drawn_in_a_unit_that_can_be_read() -> None:
    figure = best_so_far([record(0, "complete", 0.5, seconds=90)], cost="time")
    assert list(figure.data[0].x) == [1.5]
    assert figure.layout.xaxis.title.text.startswith("minutes")
    figure = best_so_far([record(0, "complete", 0.5, seconds=3 * 3600)], cost="time")
    assert list(figure.data[0].x) == [3]
    assert figure.layout.xaxis.title.text.startswith("hours")


def test_all_trials_are_in_the_bars() -> None:
    figure = status_bars([*RECORDS, record(9, "stopped", 0.1), record(10, "failed")])
    assert {bar.name: sum(bar.y) for bar in figure.data} == {
        "complete": 4, "stopped": 1, "failed": 1
    }  # fmt: skip


def test_curves_have_each_score_of_each_trial() -> None:
    figure = learning_curves(RECORDS, best="0003")
    drawn = {trace.name: list(trace.y) for trace in figure.data}
    assert drawn["best, 0003"] == pytest.approx([40, 80])
    assert drawn["default, 0000"] == pytest.approx([25, 50])
    assert drawn["others"] == [pytest.approx(30), pytest.approx(60), None, 35, 70, None]


def test_curves_of_many_trials_stay_few() -> None:
    figure = learning_curves([tried(at, 0.5) for at in range(1000)], best="0001")
    (others,) = [trace for trace in figure.data if trace.name == "others"]
    assert list(others.y).count(None) == 150
    assert evenly(RECORDS, 2) == [RECORDS[0], RECORDS[2]]


def test_a_slice_has_a_dot_per_trial_with_the_parameter() -> None:
    stopped = tried(7, 0.1, "stopped", rate=1e-3)
    figure = slice_of([*RECORDS, stopped, tried(8, 0.2, freezing="a")], "rate")
    others, ran = figure.data
    assert list(ran.x) == list(RATES)
    assert list(ran.y) == pytest.approx([50, 60, 70, 80])
    assert (list(others.x), list(others.y)) == ([1e-3], [pytest.approx(10)])
    # Over three orders of magnitude the axis is one of them, too.
    assert figure.layout.xaxis.type == "log"
    assert slice_of(RECORDS, "freezing").layout.xaxis.categoryarray == ("a", "b")


def test_what_is_no_number_everywhere_has_marks_of_its_own() -> None:
    records = [tried(at, 0.5, size=one) for at, one in enumerate([True, 1, None, "x", 0.5])]
    figure = slice_of(records, "size")
    assert figure.layout.xaxis.categoryarray == ("0.5", "1", "null", "true", "x")
    assert list(figure.data[1].x) == ["true", "1", "null", "x", "0.5"]


def test_what_varies_is_drawn() -> None:
    records = [
        replace(one, parameters={**one.parameters, "same": 1, "x": at, "y": -at})
        for at, one in enumerate(RECORDS)
    ]
    assert varied(records) == ["rate", "freezing", "x", "y"]
    # Of numbers alone: between two choices there is nothing.
    assert pairs(records, varied(records)) == [("rate", "x"), ("rate", "y"), ("x", "y")]
    assert pairs(records[:3], varied(records)) == []
    assert groups(records, "rate") == {}
    assert groups(records, "freezing") == {"a": records[::2], "b": records[1::2]}


def test_a_contour_has_the_scores_at_its_points() -> None:
    records = [
        replace(one, parameters={**one.parameters, "x": at}) for at, one in enumerate(RECORDS)
    ]
    heights = contour(records, "x", "rate").data[0]
    across, up = list(heights.x), list(heights.y)
    # Optuna sorts the names, and adds an empty edge.
    for one in records:
        at = heights.z[up.index(one.parameters["x"]), across.index(one.parameters["rate"])]
        assert at == pytest.approx(100 * one.best.combined)
    assert (heights.zmin, heights.zmax) == (50, 80)
    part = contour([*records[1:], tried(9, 0.65, x=9, rate=1.0)], "x", "rate", among=records)
    assert (part.data[0].zmin, part.data[0].zmax) == (50, 80)


def test_parallel_coordinates_have_a_line_per_trial_that_ran_to_its_end() -> None:
    figure = parallel([*RECORDS, tried(9, 0.1, "stopped", rate=1.0)], ["rate", "freezing"])
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    assert len(lines) == len(RECORDS)


def with_tasks(number: int, status: str, intent: float, slots: float) -> TrialRecord:
    made = record(number, status, (intent + slots) / 2)
    dev = {"intent": {"accuracy": intent}, "slots": {"f1": slots}}
    return replace(made, reports=(replace(made.reports[0], dev=dev),))


def test_the_front_is_that_of_the_goal() -> None:
    records = [
        with_tasks(0, "complete", 0.9, 0.1), with_tasks(1, "complete", 0.5, 0.5),
        with_tasks(2, "complete", 0.1, 0.9), with_tasks(3, "complete", 0.4, 0.4),
        with_tasks(4, "stopped", 0.99, 0.99), with_tasks(5, "failed", 0.99, 0.99),
    ]  # fmt: skip
    goal = Goal(tasks=("intent", "slots"))
    figure = front(records, goal, chosen="0001")
    drawn = {trace.name: list(zip(trace.x, trace.y, strict=True)) for trace in figure.data}
    assert drawn == {
        "not to the end": [(99, 99)], "misses a limit": [], "beaten": [(40, 40)],
        "front": [(90, 10), (10, 90)], "chosen": [(50, 50)],
    }  # fmt: skip
    limited = front(records, replace(goal, limits={"floors.intent": 0.3}), chosen="0001")
    assert len(next(trace for trace in limited.data if trace.name == "misses a limit").x) == 1


def test_a_score_knows_its_unit() -> None:
    records = [with_tasks(0, "complete", 0.9, 0.1)]
    assert scores_of(records) == [OBJECTIVE, Score("intent", "accuracy"), Score("slots", "f1")]
    assert scores_of(RECORDS) == [OBJECTIVE]
    assert Score("intent", "accuracy").of(records[0].best) == 90
    assert Score("words", "perplexity").shown(12.5) == 12.5
    assert Score("words", "perplexity").title == "words perplexity"
    assert math.isnan(Score("words", "perplexity").of(records[0].best))


def test_importances_stand_from_the_top_with_whiskers() -> None:
    shares = {"rate": Share(0.7, 0.5, 0.8), "freezing": Share(0.3, 0.0, 0.6)}
    (bars,) = importance_bars(Importance("combined", shares)).data
    assert list(bars.y) == ["freezing", "rate"]
    assert list(bars.error_x.array) == pytest.approx([30, 10])
    assert list(bars.error_x.arrayminus) == pytest.approx([30, 20])


def test_studies_are_drawn_together() -> None:
    figure = studies_so_far({"one": moments(RECORDS), "<b>": moments(RECORDS[:1])})
    assert [line.name for line in figure.data] == ["one", "&lt;b&gt;"]
    assert list(figure.data[0].y) == pytest.approx([25, 50, 60, 70, 80])


def test_no_name_is_markup_in_a_figure() -> None:
    records = [
        replace(one, parameters={name: f"{name}{at}" for name in MARKUP} | {"<b>": at, "<i>": at})
        for at, one in enumerate(RECORDS)
    ]
    figures = [slice_of(records, name) for name in MARKUP]
    figures += [contour(records, "<i>", "<b>"), parallel(records, MARKUP)]
    for figure in figures:
        content = json.loads(figure.to_json())
        content["layout"].pop("template")
        told = json.dumps(content).replace("<br>", "").replace("<extra></extra>", "")
        assert "<" not in told
