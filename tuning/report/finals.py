"""What a report says of the final stage: the sentences that may be claimed, and the tables."""

from collections.abc import Iterator, Sequence

from mtl_core.markdown import code
from mtl_core.scores import main_scores, show_difference, show_score
from tuning.records import DEFAULT_ID, called
from tuning.report.claims import (
    KEEP_DEFAULT,
    ROWS,
    allowed_for,
    allows_for,
    in_points,
    interval_of,
    over_of,
)
from tuning.report.markdown import count_of, table
from tuning.statistics.estimates import Difference, Estimate, Where
from tuning.study.finals import FinalRecipe, Finals

_OPENED = "test was opened for the best, the second and the default alone."
_CLOSED = (
    "there are no scores on test, so the differences are those on dev, where the best looks better "
    "than it is."
)


def finals_verdict(finals: Finals, tasks: Sequence[str] = ()) -> str:
    """Returns in a few sentences what may be claimed of the chosen recipe.

    Args:
        finals: What the final stage found.
        tasks: Tasks whose main scores are objectives of their own; none = there is one objective.
    """
    best, default, second = finals.best, finals.default, finals.second
    if second is None:
        return _uncontested(finals)
    if best is default:
        told = [f"The default recipe, trial {DEFAULT_ID}, is the best on dev {_stage(finals)}."]
    else:
        told = [f"The best recipe on dev is that of trial {best.trial} {_stage(finals)}."]
        if default is None:
            told.append("The default has no score to compare.")
        else:
            found = _told(finals, default, tasks)
            told += [_claim(one, "the default") for one in found]
            # Of several objectives it may win in one and lose in another.
            if len(found) == 1 and found[0].claim in KEEP_DEFAULT:
                told.append(KEEP_DEFAULT[found[0].claim])
    if second is not default:
        whom = f"the second, trial {second.trial},"
        told += [_claim(one, whom) for one in _told(finals, second, tasks)]
    return " ".join(told)


def _uncontested(finals: Finals) -> str:
    """Returns what is said where only one recipe reached the final stage."""
    best, is_default = finals.best, finals.best is finals.default
    recipe = (
        f"The default recipe, trial {best.trial}, is the best of the search on dev: keep it"
        if is_default
        else f"The best recipe on dev is that of trial {best.trial}"
    )
    return (
        f"{recipe}. It was trained anew with "
        f"{count_of(len(best.seeds), 'other seed')}, and the final stage had no other recipe to "
        "compare it with."
    )


def judged_on(finals: Finals) -> set[Where]:
    """Returns the rows on which recipes were compared."""
    return {one.where for one in finals.differences}


def finals_section(finals: Finals | None) -> list[str]:
    """Returns the parts of the section, scores in percent; [] of a study without the stage."""
    if finals is None:
        return []
    seeds = max(len(recipe.seeds) + len(recipe.failed) for recipe in finals.recipes)
    opened = [recipe for recipe in finals.recipes if recipe.test is not None]
    shown = scores_that_count(finals)
    parts = [
        "## Final stage, in percent",
        f"Each recipe was trained anew with {seeds} seeds, in {count_runs(finals)} runs. The mean "
        f"over these on dev chose; {_OPENED if opened else _CLOSED} A cell is the mean, with its "
        "95 % interval and the standard deviation of a run. On dev all intervals allow for other "
        "seeds alone.",
        table(
            [
                "recipe of trial",
                "runs",
                *(f"{code(name)} on dev" for name in scores_that_count(finals)),
            ],
            [_dev_row(recipe, finals) for recipe in finals.recipes],
        ),
    ]
    if opened:
        header = [
            "score on test",
            "interval allows for",
            *(_role(recipe, finals) for recipe in opened),
        ]
        parts.append(table(header, _test_rows(opened, shown)))
    if finals.differences:
        header = ["difference", "score", "on", "points", "95 % interval", "which allows for"]
        # Of the scores of single labels there may be hundreds.
        counted = [one for one in finals.differences if one.score in shown]
        parts.append(table([*header, "the first is"], map(_difference_row, counted)))
    return [*parts, *_notes(finals)]


def count_runs(finals: Finals) -> int:
    """Returns how many runs there were; a recipe decoded in two ways has one for both."""
    return len(
        {run for one in finals.recipes for run in (*(seed.run for seed in one.seeds), *one.failed)}
    )


def _stage(finals: Finals) -> str:
    """Returns by what the best is the best, and among which recipes."""
    runs, failed = len(finals.best.seeds), len(finals.best.failed)
    each = f"{runs} runs with other seeds" if runs > 1 else "1 run with another seed"
    # One of which more runs failed stands behind, though its mean may be higher.
    peers = sum(len(recipe.failed) <= failed for recipe in finals.recipes)
    among = f"by the mean over {each}, among {count_of(peers, 'recipe')}"
    if peers == len(finals.recipes):
        return among
    most = f"no more than {count_of(failed, 'run')} failed" if failed else "no run failed"
    return f"{among} of which {most} (of {len(finals.recipes)})"


def _told(finals: Finals, other: FinalRecipe, tasks: Sequence[str]) -> list[Difference]:
    """Returns the differences that count between the best and another recipe."""
    main = main_scores({task: _scores(finals.best, task) for task in tasks})
    names = [f"{task}/{name}" for task, (name, _) in main.items()] or ["combined"]
    found = {one.score: one for one in finals.differences if one.second == other.id}
    return [found[name] for name in names if name in found]


def _scores(recipe: FinalRecipe, task: str) -> dict[str, float]:
    found = (name.partition("/") for name in recipe.dev)
    return {name: recipe.dev[f"{of}/{name}"].mean for of, _, name in found if of == task}


def _claim(found: Difference, whom: str) -> str:
    """Returns a sentence on how the best compares with another recipe."""
    rows = ROWS[found.where]
    of = "" if found.score == "combined" else f" in {found.score.replace('/', ' ')}"
    if found.claim == "cannot be told":
        return (
            f"Whether it is better than {whom}{of} cannot be told on {rows} ({in_points(found)})."
        )
    return f"It is {found.claim} than {whom}{of} on {rows} ({in_points(found)})."


def scores_that_count(finals: Finals) -> list[str]:
    """Returns the scores of the table of recipes: the combined one, and the main one of tasks."""
    tasks = list(dict.fromkeys(name.partition("/")[0] for name in finals.best.dev if "/" in name))
    main = main_scores({task: _scores(finals.best, task) for task in tasks})
    return ["combined", *(f"{task}/{name}" for task, (name, _) in main.items())]


def _dev_row(recipe: FinalRecipe, finals: Finals) -> list[str]:
    failed = f" and {len(recipe.failed)} failed" if recipe.failed else ""
    cells = [_cell(name, recipe.dev.get(name)) for name in scores_that_count(finals)]
    return [_role(recipe, finals), f"{len(recipe.seeds)}{failed}", *cells]


def _test_rows(opened: Sequence[FinalRecipe], first: Sequence[str]) -> Iterator[list[str]]:
    """Yields a row for each score; those that count stand first, others may be hundreds."""
    names = dict.fromkeys(name for recipe in opened for name in recipe.test or {})
    for name in sorted(names, key=lambda name: name not in first):
        found = [(recipe.test or {}).get(name) for recipe in opened]
        yield [code(name), allows_for(map(over_of, found)), *(_cell(name, one) for one in found)]


def _role(recipe: FinalRecipe, finals: Finals) -> str:
    roles = [("best", finals.best), ("default", finals.default), ("second", finals.second)]
    told = ", ".join(name for name, one in roles if one is recipe)
    return f"{recipe.id} ({told})" if told else recipe.id


def _cell(name: str, found: Estimate | None) -> str:
    """Returns "98.20 (97.90 to 98.50; sd 0.24)"; "-" without a score."""
    if found is None:
        return "-"
    mean, low, high, sd = (
        show_score(name, value) for value in (found.mean, found.low, found.high, found.sd)
    )
    return mean if low == "-" else f"{mean} ({low} to {high}; sd {sd})"


def _difference_row(found: Difference) -> list[str]:
    return [
        f"{found.first} - {found.second}",
        code(found.score),
        "test, not in train" if found.where == "unseen" else found.where,
        show_difference(found.score, found.estimate.mean),
        interval_of(found) or "-",
        allows_for([over_of(found.estimate)]),
        found.claim,
    ]


def _notes(finals: Finals) -> Iterator[str]:
    """Yields what a reader has to know of the tables."""
    means = [one for recipe in finals.recipes for one in (recipe.test or recipe.dev).values()]
    every = [*means, *(one.estimate for one in finals.differences)]
    yield from allowed_for(map(over_of, every))
    failed = [
        f"{called(run)} ({code(reason)})"
        for recipe in finals.recipes
        for run, reason in recipe.failed.items()
    ]
    if failed:
        yield (
            "A recipe stands behind those of which fewer runs failed, whatever its mean. Failed: "
            f"{', '.join(failed)}."
        )
