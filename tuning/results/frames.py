"""Tables of a study for notebooks: its curves, its final runs, its baselines, as DataFrames."""

from collections.abc import Iterable, Mapping

import pandas

from mtl_core.scores import ScoreTree, flatten
from mtl_core.training.report import Report
from tuning.records import keys_of_all
from tuning.statistics.estimates import Estimate
from tuning.study.finals import Finals
from tuning.study.gains import Baseline, Baselines


def curves_frame(runs: Mapping[str, Iterable[Report]]) -> pandas.DataFrame:
    """Returns one row per report of every run, in the order of the runs.

    The columns are "run" (run id), "number" (of the report, from 1), "epoch" (epochs done, a
    fraction within one), "step", "seconds" (since the run began, training and scoring alone),
    "is_sample" (whether dev was scored on a sample of it), "combined", "joint_accuracy",
    "<task>.<score>" on dev, "loss.<task>" (mean training loss of the epoch so far, unweighted),
    "weight.<task>" and "rate.<group>" (learning rate). What a run lacks is missing.

    Args:
        runs: Run id -> its reports, the oldest first.
    """
    rows = [row for run_id, reports in runs.items() for row in _rows(run_id, reports)]
    # These stand first, and stand there also before any run has reported.
    first = dict.fromkeys(("run", *_COUNTS, "is_sample", "combined", "joint_accuracy"))
    return pandas.DataFrame(rows, columns=keys_of_all([first, *rows]))


def finals_frame(finals: Finals | None) -> pandas.DataFrame:
    """Returns the means of the final stage: one row per recipe, split and score, the best first.

    The columns are "recipe" (id of its trial), "is_chosen", "split" ("dev" or "test"), "score"
    ("combined", "intent.accuracy"), "mean" over the runs, "sd" of a single run, "low" and "high"
    (ends of the 95 % interval of the mean), "over" (what the interval allows for: other "seeds"
    alone, or other "seeds and rows" of test), and "runs". Empty without a final stage.
    """
    recipes, chosen = (finals.recipes, finals.chosen) if finals is not None else ((), "")
    rows = [
        {
            "recipe": recipe.id,
            "is_chosen": recipe.id == chosen,
            "split": split,
            "score": score.replace("/", "."),
            **_estimate(estimate),
            "runs": estimate.count,
        }
        for recipe in recipes
        for split, means in (("dev", recipe.dev), ("test", recipe.test or {}))
        for score, estimate in means.items()
    ]
    columns = ("recipe", "is_chosen", "split", "score", *_ESTIMATE, "runs")
    return pandas.DataFrame(rows, columns=columns)


def seeds_frame(finals: Finals | None) -> pandas.DataFrame:
    """Returns the runs of the final stage: one row per run, those of the best recipe first.

    The columns are "recipe", "seed", "run" (run id), "dev.combined", "dev.<task>.<score>", and the
    same with "test" where the run was scored on it. Empty without a final stage.
    """
    rows = [
        {
            "recipe": recipe.id,
            "seed": run.seed,
            "run": run.run,
            **{f"dev.{name}": value for name, value in flatten(run.dev, ".").items()},
            **{f"test.{name}": value for name, value in flatten(run.test, ".").items()},
        }
        for recipe in (finals.recipes if finals is not None else ())
        for run in recipe.seeds
    ]
    first = dict.fromkeys(("recipe", "seed", "run"))
    return pandas.DataFrame(rows, columns=keys_of_all([first, *rows]))


def differences_frame(finals: Finals | None) -> pandas.DataFrame:
    """Returns what the best recipe is compared with: one row per other recipe and score.

    The columns are "first" and "second" (recipes), "split", "score", "mean" (first minus second),
    "sd" of one run of each, "low" and "high" (ends of its 95 % interval), "over" (what that allows
    for, see `finals_frame`), and "claim": whether the first is "better", "worse", or it "cannot be
    told". Empty without a final stage.
    """
    rows = [
        {
            "first": one.first,
            "second": one.second,
            "split": one.where,
            "score": one.score.replace("/", "."),
            **_estimate(one.estimate),
            "claim": one.claim,
        }
        for one in (finals.differences if finals is not None else ())
    ]
    columns = ("first", "second", "split", "score", *_ESTIMATE, "claim")
    return pandas.DataFrame(rows, columns=columns)


def baselines_frame(baselines: Baselines | None) -> pandas.DataFrame:
    """Returns each task beside the same task alone, by its main score: one row per task.

    The columns are "task", "score" ("intent.accuracy"), "split" (on what they are compared: "test",
    "unseen" for the rows of test that do not stand in train; "dev" where they could not be
    compared), "alone" and "together" (means over runs), "difference" (together minus alone) with
    "low" and "high" (ends of its 95 % interval), and "verdict": whether the task has "gained",
    "lost", or it "cannot be told". Empty without baselines.
    """
    rows = [_beside(task, one) for task, one in (baselines or {}).items()]
    numbers = ("alone", "together", "difference", "low", "high")
    return pandas.DataFrame(rows, columns=("task", "score", "split", *numbers, "verdict"))


def _beside(task: str, one: Baseline) -> dict[str, object]:
    sides, found = one.test or one.dev, one.difference
    where = found.where if found is not None else "test" if one.test is not None else "dev"
    return {
        "task": task,
        "score": one.score.replace("/", ".") if one.score is not None else None,
        "split": where if sides is not None else None,
        "alone": sides.alone.mean if sides is not None else None,
        "together": sides.together.mean if sides is not None else None,
        "difference": found.estimate.mean if found is not None else None,
        "low": found.estimate.low if found is not None else None,
        "high": found.estimate.high if found is not None else None,
        "verdict": one.verdict,
    }


_ESTIMATE = ("mean", "sd", "low", "high", "over")


def _estimate(one: Estimate) -> dict[str, float | str]:
    return {name: getattr(one, name) for name in _ESTIMATE}


_COUNTS = ("number", "epoch", "step", "seconds")


def _rows(run_id: str, reports: Iterable[Report]) -> Iterable[dict[str, object]]:
    seconds = 0.0
    for report in reports:
        seconds += report.seconds
        scores: ScoreTree = {"joint_accuracy": report.joint_accuracy, **report.dev}
        yield {
            "run": run_id,
            "number": report.number,
            "epoch": report.progress,
            "step": report.step,
            "seconds": seconds,
            "is_sample": report.is_sample,
            "combined": report.combined,
            **flatten(scores, "."),
            **{f"loss.{task}": value for task, value in report.losses.items()},
            **{f"weight.{task}": value for task, value in report.weights.items()},
            **{f"rate.{group}": value for group, value in report.learning_rates.items()},
        }
