"""The section of a report on what sharing brings: each task beside the same task alone."""

from collections.abc import Callable, Iterator

from mtl_core.markdown import code
from mtl_core.scores import show_difference, show_score
from tuning.records import DEFAULT_ID
from tuning.report.markdown import table
from tuning.statistics.estimates import Difference, Estimate
from tuning.study.gains import Baseline, Baselines

_HEADER = (
    "task", "score", "dev alone", "dev together", "test alone", "test together", "difference",
    "95 % interval", "verdict",
)  # fmt: skip


def gains_section(baselines: Baselines | None) -> list[str]:
    """Returns the parts of the section, scores in percent; [] of a study without baselines."""
    if not baselines:
        return []
    rows = [_row(task, one) for task, one in baselines.items()]
    shown = table(_HEADER, rows)
    return ["## Does sharing pay?", shown, *_notes(baselines)]


def gains_sentence(baselines: Baselines, *, shown: Callable[[str], str] = code) -> str:
    """Returns in a sentence which tasks gained, which lost, and of which it cannot be told.

    Args:
        baselines: Each task beside the same alone, at least one.
        shown: Makes of the name of a task what stands in the sentence.
    """
    found: dict[str, list[str]] = {}
    for task, one in baselines.items():
        found.setdefault(one.verdict, []).append(shown(task))
    told = {
        "gained": "gained by being trained together",
        "lost": "lost by being trained together",
        "cannot be told": "shows no difference that can be told",
    }
    several = {"cannot be told": "show no difference that can be told"}
    parts = [
        f"{_listed(tasks)} {several.get(verdict, text) if len(tasks) > 1 else text}"
        for verdict, text in told.items()
        if (tasks := found.get(verdict, []))
    ]
    # With `baselines: default` it is not the best recipe, for which a reader would take it.
    together = {one.together for one in baselines.values()} - {None, DEFAULT_ID}
    whom = f"Recipe {together.pop()}" if together else "The default recipe"
    return f"{whom} against the same tasks alone: {'; '.join(parts)}."


def _listed(tasks: list[str]) -> str:
    *first, last = tasks
    return f"{', '.join(first)} and {last}" if first else last


def _row(task: str, one: Baseline) -> list[str]:
    score = one.score or ""
    sides = [
        show_score(score, _mean(estimate))
        for sides in (one.dev, one.test)
        for estimate in ((sides.alone, sides.together) if sides else (None, None))
    ]
    return [
        code(task),
        code(score.partition("/")[2]) if score else "-",
        *sides,
        *_cells(score, one.difference),
        one.verdict,
    ]


def _mean(estimate: Estimate | None) -> float | None:
    return None if estimate is None else estimate.mean


def _cells(score: str, difference: Difference | None) -> list[str]:
    if difference is None:
        return ["-", "-"]
    found = difference.estimate
    ends = " to ".join(show_difference(score, end) for end in (found.low, found.high))
    return [show_difference(score, found.mean), ends]


def _notes(baselines: Baselines) -> Iterator[str]:
    """Yields what a reader has to know of the table."""
    if known := {task: one for task, one in baselines.items() if one.trial is not None}:
        folders = ", ".join(code(one.folder) for one in known.values())
        yield f"{_sides(known)} The reports of the tasks alone lie below the storage: {folders}."
    overs = {one.difference.estimate.over for one in baselines.values() if one.difference}
    if overs == {"rows"}:
        yield (
            "One run of each: the intervals allow for other rows of test and not for other seeds, "
            "which often matter more. `study.finals` trains with several."
        )
    if failed := [code(task) for task, one in baselines.items() if one.trial is None]:
        yield f"Nothing to compare with, as no trial alone reached a score: {', '.join(failed)}."


def _sides(known: Baselines) -> str:
    """Returns a sentence on which recipes are compared."""
    together = next(one.together for one in known.values())
    # Also where all were searched, and none was better than this one.
    if {together, *(one.trial for one in known.values())} == {DEFAULT_ID}:
        return "Both together and alone it is the study file's own recipe."
    alone = ", ".join(f"{one.trial} of {code(task)}" for task, one in known.items())
    return (
        f"Together = recipe {together} of this study; alone = what the study of the task alone "
        f"found best: {alone}."
    )
