"""Means over the runs of a recipe of the final stage, and how they compare with those of others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from mtl_core.scores import ScoreTree
from tuning.records import DECODED, DEFAULT_ID, TrialRecord, Value
from tuning.statistics.estimates import Difference, Where
from tuning.statistics.seeds import RunScores, differences, estimates
from tuning.study.final_scores import Tests, dev_scores
from tuning.study.finals import FinalRecipe, SeedScores
from tuning.study.folder import StudyFolder
from tuning.study.run_scores import run_scores


def mean_record(recipe_id: str, runs: Sequence[TrialRecord]) -> TrialRecord:
    """Returns a record of a recipe whose only report has the means over its runs.

    So recipes are compared by the rule by which trials are, see `tuning.goals`.

    Args:
        recipe_id: What the recipe is known by.
        runs: Its runs, at least one, each with a score.
    """
    reports = [run.best for run in runs if run.best is not None]
    first = reports[0]
    dev = {
        task: {name: fmean(one.dev[task][name] for one in reports) for name in scores}
        for task, scores in first.dev.items()
    }
    times = [one.ms_per_sentence for one in reports if one.ms_per_sentence is not None]
    report = replace(
        first,
        dev=dev,
        joint_accuracy=fmean(one.joint_accuracy for one in reports),
        combined=fmean(one.combined for one in reports),
        ms_per_sentence=fmean(times) if times else None,
        parameters=max(one.parameters for run in runs for one in run.reports),
    )
    return TrialRecord(recipe_id, "complete", {}, {}, (report,))


def final_recipe(
    trial: str,
    parameters: Mapping[str, Value],
    scored: Sequence[TrialRecord],
    failed: Sequence[TrialRecord],
    *,
    tests: Tests,
    folder: StudyFolder,
    is_gain: bool = False,
) -> FinalRecipe:
    """Returns what the runs of a recipe reached.

    Args:
        trial: Id of the trial that found it.
        parameters: As people are shown them.
        scored: Its runs with a score, as they are decoded.
        failed: Its runs without one.
        tests: What a run is known by -> its scores on test.
        folder: Of the study.
        is_gain: Whether the combined score may lie beyond the ends of the main scores of tasks.
    """
    seeds = tuple(
        SeedScores(
            int(str(one.overrides["seed"])), one.id, dev_scores(one), tests.get(one.scored_as)
        )
        for one in scored
    )
    dev = run_scores([(one.run, one.dev) for one in seeds], "dev", folder)
    test = run_scores([(one.run, one.test) for one in seeds], "test", folder)
    return FinalRecipe(
        trial,
        parameters,
        seeds,
        estimates(dev, is_gain=is_gain),
        estimates(test, is_gain=is_gain) or None,
        failed={one.id: one.error or "it has no score" for one in failed},
    )


def compared(
    recipes: Sequence[FinalRecipe], folder: StudyFolder, unseen: Tests, *, is_gain: bool = False
) -> tuple[Difference, ...]:
    """Returns the best against the second and the default, on test; on dev where that is closed.

    Where rows of test stand in train, on the others: known rows tell nothing of new ones.

    Args:
        recipes: The best first.
        folder: Of the study.
        unseen: What a run is known by -> its scores on the rows of test that do not stand in train.
        is_gain: Whether the combined score may lie beyond the ends of the main scores of tasks.
    """
    best, *others = recipes
    # The second is the first that has runs at all; the default comes on top where it is another.
    against = [one for one in others if one.seeds][:1]
    against += [one for one in others if one.id == DEFAULT_ID and one.seeds and one not in against]
    found: list[Difference] = []
    for other in against:
        ours, theirs = _both(best, other, folder, unseen)
        found += differences(best.id, other.id, ours, theirs, is_gain=is_gain)
    return tuple(found)


def _both(
    ours: FinalRecipe, theirs: FinalRecipe, folder: StudyFolder, unseen: Tests
) -> list[list[RunScores]]:
    """Returns the runs of two recipes on the rows by which they are compared."""
    # The best witness first: new rows, then all of test, then dev, where the choice was made. One
    # that some run lacks is passed over, so that both recipes are judged on the same rows.
    places: tuple[Where, ...] = ("unseen", "test", "dev")
    found: list[list[RunScores]] = []
    for where in places:
        found = [
            run_scores(scored_runs(one, where, unseen), where, folder) for one in (ours, theirs)
        ]
        if all(found) and all("combined" in run.scores for one in found for run in one):
            break
    return found


def scored_runs(
    recipe: FinalRecipe, where: Where, unseen: Tests
) -> Iterator[tuple[str, ScoreTree | None]]:
    """Yields run id and scores of each run of a recipe.

    Args:
        recipe: The recipe.
        where: The rows that were scored.
        unseen: What a run is known by -> its scores on the rows of test that do not stand in train.
    """
    for run in recipe.seeds:
        scored_as = f"{run.run}{DECODED}" if recipe.is_decoded else run.run
        match where:
            case "dev":
                yield run.run, run.dev
            case "test":
                yield run.run, run.test
            case "unseen":
                yield run.run, unseen.get(scored_as)
