"""What a report says of several objectives, and of limits: the verdict and the tables."""

from collections.abc import Iterator, Mapping, Sequence

from mtl_core.data.notes import leaks
from mtl_core.markdown import code
from mtl_core.scores import ScoreTree
from tuning.records import keys_of_all
from tuning.report.claims import NOT_SURE, ONE_RUN, UNSEEN, in_points
from tuning.report.markdown import parameter_cell, percent, points, table
from tuning.study.reached import Reached
from tuning.study.result import Result

_NAMED = 20
"""Trials that miss a limit, which are named."""


def front_verdict(result: Result) -> str:
    """Returns which trial is chosen from the front, and how it compares with the default.

    Args:
        result: Of a study with several objectives, some trial of which has a score in each.
    """
    best, default = result.best, result.default
    assert best is not None
    told = _choice(result.goal)
    if default is None:
        return f"{told} The default has no score to compare."
    if best.trial == default.trial:
        return f"{told} That is the default recipe: keep it."
    compared = [
        f"on {where} {differences}"
        for where, ours, theirs in (
            ("dev", best.dev, default.dev),
            ("test", best.test, default.test),
            (UNSEEN, best.unseen, default.unseen),
        )
        if (differences := _differences(result, where, ours, theirs))
    ]
    tail = f" {ONE_RUN}" if best.test is not None else ""
    return f"{told} Against the default it is {'; '.join(compared)}.{tail}"


def _choice(goal: Reached) -> str:
    tasks = " and ".join(goal.aim.tasks)
    if not goal.front:
        return (
            f"No trial holds all limits, so there is no front of {tasks}; trial {goal.chosen} "
            "misses least."
        )
    count = len(goal.front)
    front = f"{count} trial{'s are' if count > 1 else ' is'} on the front of {tasks}"
    if not goal.aim.floors:
        return f"{front}; trial {goal.chosen}, its knee, is chosen."
    floors = " and ".join(f"{task} {percent(floor)}" for task, floor in goal.aim.floors.items())
    if goal.lacks > 0:
        return (
            f"{front}, and none reaches {floors}; trial {goal.chosen} is chosen, which lacks "
            f"least: {100 * goal.lacks:.2f} points."
        )
    named = goal.aim.tasks
    others = [task for task in named if task not in goal.aim.floors] or list(named)
    return (
        f"{front}; of those that reach {floors}, trial {goal.chosen} is the best in "
        f"{' and '.join(others)}, and is chosen."
    )


def _differences(
    result: Result, where: str, ours: ScoreTree | None, theirs: ScoreTree | None
) -> str:
    """Returns the differences in the main scores, such as "intent +1.20 points", or "".

    Where they are judged, with what may be claimed; of dev they never are, as that has chosen.
    """
    # Where most of test is known from train, an interval would say that it holds for new rows.
    is_known = where == "test" and bool(leaks(result.notes, "test"))
    judged = {
        one.score.partition("/")[0]: one
        for one in result.differences
        if (UNSEEN if one.where == "unseen" else one.where) == where and not is_known
    }
    told, goal = [], result.goal.aim.tasks
    for task in goal:
        our, their = _main(ours, task), _main(theirs, task)
        if our is None or their is None:
            return ""
        found = judged.get(task)
        told.append(
            f"{task} {points(our - their)} points"
            if found is None
            else f"{task} {in_points(found)} ({found.claim})"
        )
    sure = f", and {NOT_SURE}" if where != "dev" and judged.keys().isdisjoint(goal) else ""
    return f"{' and '.join(told)}{sure}"


def _main(scores: ScoreTree | None, task: str) -> float | None:
    """Returns the main score of a task: the first that it reports."""
    found = (scores or {}).get(task)
    return next(iter(found.values()), None) if isinstance(found, Mapping) else None


def limit_cautions(result: Result) -> Iterator[str]:
    """Yields a sentence when the best trial misses limits, which then all trials do."""
    best, missed = result.best, result.goal.missed
    if best is not None and best.trial in missed:
        told = ", ".join(f"{name} by {100 * by:.2g} %" for name, by in missed[best.trial].items())
        yield f"Caution: no trial holds all limits of the study; the best misses {told}."


def front_section(goal: Reached) -> list[str]:
    """Returns the parts of the section "Front": a row per trial, scores in percent."""
    if not goal.aim.tasks:
        return []
    names = keys_of_all(one.parameters for one in goal.front)
    header = ["trial", "", *map(code, goal.aim.tasks), *map(code, names)]
    rows = [
        [
            one.trial,
            "chosen" if one.trial == goal.chosen else "",
            *(percent(one.scores[task]) for task in goal.aim.tasks),
            *(parameter_cell(one.parameters, name) for name in names),
        ]
        for one in goal.front
    ]
    # What was stopped early was compared with less, see `Goal.front`.
    among = "that were not stopped early" + (" and hold all limits" if goal.aim.limits else "")
    told = (
        f"Of the trials {among}, none is at least as good as one of these in all tasks and better "
        "in one; scores on dev."
    )
    return ["## Front", told, table(header, rows)] if rows else ["## Front", "Empty."]


def limit_section(result: Result) -> list[str]:
    """Returns the parts of the section "Limits": a row for each."""
    goal = result.goal
    if not goal.aim.limits:
        return []
    trials = [one.trial if one is not None else "" for one in (result.best, result.default)]
    rows = [
        [
            code(name),
            _number(limit),
            *(_measured(goal, trial, name) for trial in trials),
            _named([trial for trial, found in goal.missed.items() if name in found]),
        ]
        for name, limit in goal.aim.limits.items()
    ]
    header = ["limit", "value", "best", "default", "trials that miss it"]
    return ["## Limits", table(header, rows)]


def _named(trials: Sequence[str]) -> str:
    """Returns "0004, 0007" of trials, the first of many; "none"."""
    first, rest = trials[:_NAMED], len(trials) - _NAMED
    return ", ".join(first) + (f" and {rest} more" if rest > 0 else "") or "none"


def _measured(goal: Reached, trial: str, name: str) -> str:
    value = goal.measured.get(trial, {}).get(name)
    return "-" if value is None else _number(value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
