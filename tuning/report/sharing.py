"""The section of a report on how tasks pull on what they share, and who should train together."""

from collections.abc import Mapping
from types import MappingProxyType

from mtl_core.markdown import code
from mtl_core.scores import show_difference
from tuning.report.markdown import points, table
from tuning.statistics.estimates import Claim, Difference, Estimate
from tuning.study.grouping import MOST_TASKS, Grouping
from tuning.study.sharing import Sharing

_ALONE: Mapping[Claim, str] = {
    "better": "gained",
    "worse": "lost",
    "cannot be told": "no difference that can be told",
}
_NO_BASELINES: Mapping[str, Difference] = MappingProxyType({})
_AFFINITIES = (
    "What a step on one task takes off the loss of another on the same rows, in percent of that "
    "loss; below 0 = the loss grows."
)
_COSINES = (
    "Cosines of the gradients of two tasks on what they share: 1 = the same way, 0 = nothing in "
    "common, below 0 = in conflict."
)
_PER_TASK = "For each task the other one that helps it most, and the one that it pays for most:"
_HINT = (
    "It is a hint from single steps. What a task reaches alone is told by `study.baselines`; what "
    "a group brings is known when it is trained."
)


def sharing_section(
    sharing: Sharing | None, against_alone: Mapping[str, Difference] = _NO_BASELINES
) -> list[str]:
    """Returns the parts of the section with its heading; [] where nothing was looked at.

    Args:
        sharing: What was seen.
        against_alone: Task -> how it does in the study against alone; of tasks with a baseline.
    """
    if sharing is None:
        return []
    parts = ["## How the tasks pull on each other"]
    if sharing.affinities:
        parts += [f"{_AFFINITIES} {_runs(sharing)}", _affinity_table(sharing)]
    parts += [_COSINES, _cosine_table(sharing)]
    if sharing.affinities:
        parts += [_PER_TASK, _task_table(sharing, against_alone)]
    if sharing.grouping is not None:
        parts.append(_hint(sharing.grouping, sharing.runs))
    elif sharing.affinities and len(sharing.tasks) > MOST_TASKS:
        parts.append(f"Of more than {MOST_TASKS} tasks no groups are suggested.")
    return parts


def _runs(sharing: Sharing) -> str:
    if sharing.runs == 1:
        return "Of one trial."
    return (
        f"Mean over {sharing.runs} trials; bold = its 95 % interval over these trials does not "
        "hold 0."
    )


def _affinity_table(sharing: Sharing) -> str:
    header = ["a step on", *(f"loss of {code(task)}" for task in sharing.tasks)]
    return table(
        header,
        [
            [
                code(first),
                *(_share(sharing.affinities.get((first, other))) for other in sharing.tasks),
            ]
            for first in sharing.tasks
        ],
    )


def _cosine_table(sharing: Sharing) -> str:
    # Each pair once: a row for all tasks but the last, a column for all but the first.
    rows = [
        [
            code(first),
            *("" if column < row else _cosine(sharing.cosines.get((first, second)))
              for column, second in enumerate(sharing.tasks[1:])),
        ]
        for row, first in enumerate(sharing.tasks[:-1])
    ]  # fmt: skip
    return table(["", *map(code, sharing.tasks[1:])], rows)


def _task_table(sharing: Sharing, against_alone: Mapping[str, Difference]) -> str:
    """Returns a row per task: who helps it, for whom it pays, and what sharing has come to."""
    header = ["task", "helped most by", "pays most for"]
    if against_alone:
        header.append("shared against alone")
    rows = []
    for task in sharing.tasks:
        by = {
            other: estimate
            for (other, loss), estimate in sharing.affinities.items()
            if loss == task and other != task
        }
        ranked = sorted(by, key=lambda other: by[other].mean)
        helping = [other for other in reversed(ranked) if by[other].mean > 0]
        hurting = [other for other in ranked if by[other].mean < 0]
        cells = [
            f"{code(found[0])}, {_share(by[found[0]])} %" if found else "none"
            for found in (helping, hurting)
        ]
        alone = [_against(against_alone.get(task))] if against_alone else []
        rows.append([code(task), *cells, *alone])
    return table(header, rows)


def _against(difference: Difference | None) -> str:
    if difference is None:
        return "-"
    shown = show_difference(difference.score, difference.estimate.mean)
    return f"{shown}, {_ALONE[difference.claim]}"


def _hint(grouping: Grouping, runs: int) -> str:
    """Returns a paragraph on the groups that should train together, where that can be told."""
    if grouping.better.claim != "better":
        return _no_hint(grouping, runs)
    if len(grouping.groups) == 1:
        said = "**Hint: train all tasks together.**"
        gains = f"a step of one takes {points(grouping.gain)} % off the loss of another"
    else:
        named = "; ".join(" + ".join(map(code, group)) for group in grouping.groups)
        said = f"**Hint: a model for each of these groups: {named}.**"
        gains = (
            f"a step within a group takes {points(grouping.gain)} % off a loss, a task alone "
            f"counted as 0; with all tasks together it is {points(grouping.together)} %"
        )
    sure = (
        ""
        if grouping.sure is None
        else f" It is the best in {100 * grouping.sure:.0f} % of 1,000 draws of the trials as well."
    )
    low, high = points(grouping.better.low), points(grouping.better.high)
    than = "each alone" if len(grouping.groups) == 1 else "all together"
    told = (
        f"Against {than} that is {points(grouping.better.mean)} % (95 % interval {low} to {high})"
    )
    return (
        f"{said} Of all ways to make at most three groups it is the best: {gains}. {told}, over "
        f"trials that did not choose the groups.{sure} {_HINT}"
    )


def _no_hint(grouping: Grouping, runs: int) -> str:
    """Returns a paragraph on why it cannot be told which tasks should train together."""
    if runs == 1:
        return "No hint which tasks should train together: of one trial nothing can be told."
    whether = (
        "training them together is better than each alone"
        if len(grouping.groups) == 1
        else "any groups are better than all tasks together"
    )
    mean, low, high = (
        points(one) for one in (grouping.better.mean, grouping.better.low, grouping.better.high)
    )
    return (
        f"No hint which tasks should train together: over {runs} trials it cannot be told whether "
        f"{whether} ({mean} % of a loss, 95 % interval {low} to {high}). More trials tell more."
    )


def _share(estimate: Estimate | None) -> str:
    return "-" if estimate is None else _sure(estimate, points(estimate.mean))


def _cosine(estimate: Estimate | None) -> str:
    return "-" if estimate is None else _sure(estimate, f"{estimate.mean:+z.2f}")


def _sure(estimate: Estimate, text: str) -> str:
    """Returns a number, in bold where its interval does not hold 0."""
    return text if estimate.claim == "cannot be told" else f"**{text}**"
