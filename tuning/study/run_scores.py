"""Scores of runs as statistics take them: with what each scores on draws of the rows of test."""

from collections.abc import Iterable

from mtl_core.scores import ScoreTree, flatten
from tuning.statistics.draws import with_draws
from tuning.statistics.estimates import Where
from tuning.statistics.seeds import RunScores
from tuning.study.folder import StudyFolder


def run_scores(
    runs: Iterable[tuple[str, ScoreTree | None]], where: Where, folder: StudyFolder
) -> list[RunScores]:
    """Returns the scores of runs; none when one of them was not scored there.

    Args:
        runs: Run id and scores of each.
        where: The rows that they were scored on.
        folder: Of their study.
    """
    found = []
    for run_id, tree in runs:
        if tree is None:
            return []
        scores = RunScores(flatten(tree, "/"), where=where)
        # Dev has chosen, so of dev no interval holds for other rows.
        found.append(scores if where == "dev" else with_draws(scores, folder.run(run_id)))
    return found
