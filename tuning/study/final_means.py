"""Means over the runs of a recipe of the final stage, and how they compare with those of others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from mtl_core.scores import flatten
from tuning.records import DEFAULT_ID, TrialRecord, Value
from tuning.statistics.estimates import Difference
from tuning.statistics.seeds import RunScores, differences, estimates
from tuning.study.final_scores import Tests, dev_scores
from tuning.study.finals import FinalRecipe, SeedScores


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
    tests: Tests,
) -> FinalRecipe:
    """Returns what the runs of a recipe reached.

    Args:
        trial: Id of the trial that found it.
        parameters: As people are shown them.
        scored: Its runs with a score, as they are decoded.
        failed: Its runs without one.
        tests: What a run is known by -> its scores on test.
    """
    seeds = tuple(
        SeedScores(
            int(str(one.overrides["seed"])), one.id, dev_scores(one), tests.get(one.scored_as)
        )
        for one in scored
    )
    return FinalRecipe(
        trial,
        parameters,
        seeds,
        estimates(run_scores(seeds, "dev")),
        estimates(run_scores(seeds, "test")) or None,
        failed={one.id: one.error or "it has no score" for one in failed},
    )


def run_scores(seeds: Sequence[SeedScores], split: str) -> list[RunScores]:
    """Returns the scores of runs on a split; none when one of them was not scored on it.

    Args:
        seeds: The runs.
        split: "dev" or "test".
    """
    trees = [one.dev if split == "dev" else one.test for one in seeds]
    if any(tree is None for tree in trees):
        return []
    return [RunScores(flatten(tree, "/")) for tree in trees]


def compared(recipes: Sequence[FinalRecipe]) -> tuple[Difference, ...]:
    """Returns the best against the second and the default, on test; on dev where that is closed.

    Args:
        recipes: The best first.
    """
    best, *others = recipes
    against = [one for one in others if one.seeds][:1]
    against += [one for one in others if one.id == DEFAULT_ID and one.seeds and one not in against]
    found: list[Difference] = []
    for other in against:
        split = "test" if best.test is not None and other.test is not None else "dev"
        ours, theirs = (run_scores(one.seeds, split) for one in (best, other))
        found += differences(best.id, other.id, ours, theirs)
    return tuple(found)
