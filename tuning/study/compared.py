"""Compares on test, by all runs: the best with the default, and tasks with the same alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mtl_core.errors import ConfigError
from mtl_core.printable import one_line
from mtl_core.scores import ScoreTree, main_scores
from tuning.statistics.estimates import Difference, Estimate, Where
from tuning.statistics.newcombe import difference_interval
from tuning.statistics.seeds import RunScores, differences, estimates
from tuning.study.final_means import scored_runs
from tuning.study.folder import StudyFolder
from tuning.study.gains import Baseline, Sides, verdict_of
from tuning.study.result import Result
from tuning.study.run_scores import run_scores
from tuning.study.scored import read_scoring

_PLACES: tuple[Where, ...] = ("unseen", "test", "dev")


@dataclass(frozen=True, slots=True)
class Side:
    """A recipe and the scores of its runs, one or several with other seeds.

    Attributes:
        id: What the recipe is known by.
        dev: Its runs on dev.
        test: The same on test; () = they were not scored on it.
        unseen: The same on the rows of test that do not stand in train; () = there are no others.
        rows: What the rows of test are worth, see `Objective.worth_in_rows`; 0 = nobody knows.
    """

    id: str
    dev: Sequence[RunScores]
    test: Sequence[RunScores] = ()
    unseen: Sequence[RunScores] = ()
    rows: int = 0

    def runs(self, where: Where) -> Sequence[RunScores]:
        """Returns its runs as they score on some rows."""
        return {"dev": self.dev, "test": self.test, "unseen": self.unseen}[where]

    def main_score(self, task: str) -> str:
        """Returns the flat name of the main score of a task, the first that it reports.

        Raises:
            ConfigError: The result holds no score of the task; it was changed by hand.
        """
        found = [name for name in self.dev[0].scores if name.startswith(f"{task}/")]
        if not found:
            raise ConfigError(
                f"result.json: recipe {self.id} has no score of '{one_line(task)}' on dev; put it "
                "back from a copy"
            )
        return found[0]

    def mean_on_dev(self, task: str) -> float:
        """Returns the mean of the main score of a task over the runs."""
        return estimates(self.dev)[self.main_score(task)].mean


def side_of(folder: StudyFolder, result: Result, *, is_default: bool) -> Side | None:
    """Returns a recipe of a study with its scores; None when no run of it reached one.

    Args:
        folder: Of the study, where its runs lie.
        result: What it has come to.
        is_default: Whether it is the study file's own recipe; else the best.
    """
    finals, unseen = result.finals, read_scoring(folder, result).unseen
    if finals is None:
        one = result.default if is_default else result.best
        if one is None:
            return None
        known: Mapping[Where, ScoreTree | None]
        known = {"dev": one.dev, "test": one.test, "unseen": unseen.get(one.scored_as)}
        runs = {where: [(one.trial, tree)] for where, tree in known.items()}
        return _side(one.scored_as, runs, folder, result.test_rows or 0)
    recipe = finals.default if is_default else finals.best
    if recipe is None or not recipe.seeds:
        return None
    runs = {where: list(scored_runs(recipe, where, unseen)) for where in _PLACES}
    return _side(recipe.id, runs, folder, result.test_rows or 0)


def over_default(folder: StudyFolder, result: Result) -> tuple[Difference, ...]:
    """Returns the best recipe of a search minus the default: combined, and main scores of tasks.

    Of one run each, so that no interval allows for other seeds. Where rows of test stand in train,
    on the others. What has no interval is left out; all is, where the two are one, behind a final
    stage, which compares its own runs, and where one of the two was not scored.

    Args:
        folder: Of the study, where its runs lie.
        result: What it has come to.
    """
    best, default = result.best, result.default
    if result.finals is not None or best is None or default is None:
        return ()
    if best.scored_as == default.scored_as:
        return ()
    for where in _PLACES[:-1]:
        trees = [one.unseen if where == "unseen" else one.test for one in (best, default)]
        pairs = zip((best.trial, default.trial), trees, strict=True)
        runs = [run for pair in pairs for run in run_scores([pair], where, folder)]
        if len(runs) == 2 and all("combined" in run.scores for run in runs):
            found = differences(best.scored_as, default.scored_as, runs[:1], runs[1:])
            # What the rows of test are worth is known of the combined score alone.
            worth = {"combined": result.test_rows or 0, **dict.fromkeys(_main_names(trees[0]), 0)}
            judged = [
                _judged(one, *runs, rows=worth[one.score], where=where)
                for one in found
                if one.score in worth
            ]
            return tuple(one for one in judged if one is not None)
    return ()


def _main_names(tree: ScoreTree | None) -> list[str]:
    """Returns the flat names of the main scores of tasks."""
    of_tasks = {task: one for task, one in (tree or {}).items() if isinstance(one, Mapping)}
    return [f"{task}/{name}" for task, (name, _) in main_scores(of_tasks).items()]


def _side(
    recipe: str,
    runs: Mapping[Where, Sequence[tuple[str, ScoreTree | None]]],
    folder: StudyFolder,
    rows: int,
) -> Side:
    found = {where: run_scores(some, where, folder) for where, some in runs.items()}
    return Side(recipe, found["dev"], found["test"], found["unseen"], rows)


def compared(folder: str, task: str, alone: Side | None, together: Side | None) -> Baseline:
    """Returns a task of a study beside the same task alone.

    Args:
        folder: Where the study of the task alone lies, below the storage.
        task: The task.
        alone: What that study has come to; None = nothing.
        together: The recipe of the study with all tasks; None = it has none.
    """
    if alone is None or together is None:
        return Baseline(folder)
    score = alone.main_score(task)
    dev = Sides(*(estimates(side.dev)[score] for side in (alone, together)))
    baseline = Baseline(folder, alone.id, together.id, score, dev)
    for where in _PLACES[:-1]:
        theirs, ours = alone.runs(where), together.runs(where)
        # Rows that stand in train tell nothing: those that do not, where both know them.
        if ours and theirs and all(score in one.scores for one in (*ours, *theirs)):
            every = differences(together.id, alone.id, ours, theirs)
            found = next(one for one in every if one.score == score)
            judged = _judged(found, ours[0], theirs[0], rows=alone.rows, where=where)
            test = Sides(estimates(theirs)[score], estimates(ours)[score])
            return replace(baseline, test=test, difference=judged, verdict=verdict_of(judged))
    return baseline


def _judged(
    found: Difference, ours: RunScores, theirs: RunScores, *, rows: int, where: Where
) -> Difference | None:
    """Returns a difference with an interval; None where none is known."""
    if not math.isnan(found.estimate.low):
        return found
    first, second = ours.scores[found.score], theirs.scores[found.score]
    # Of one run each it is that of shares of rows, which an error or a correlation is none of.
    if found.estimate.count != 1 or not rows or not (0 <= first <= 1 and 0 <= second <= 1):
        return None
    low, high = difference_interval(first, second, rows)
    estimate = Estimate(first - second, math.nan, low, high, 1, "rows")
    return replace(found, estimate=estimate, claim=estimate.claim, where=where)
