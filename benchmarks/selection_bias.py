"""How far the best trial's dev score is above what its recipe reaches, and what a final stage does.

Studies in virtual time, as in `search_quality.py`: the real searcher and scheduler over recorded
curves. A study reports the dev score of its best trial, which was the best of many by luck as well:
with its seed, and with the rows that both tasks are scored on. What the recipe reaches is the mean
of the best report over many runs with new seeds. Then the final stage (`Contest`) trains the best
three and the default with five new seeds, and reports the mean over these of the one that it
chooses.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from _contenders import ours
from _curves import TABLE, read_table
from _harness import Row, command_line, write
from _surrogate import Floats, Surrogate
from _virtual import Point, World, play, report_of
from rich.console import Console
from rich.table import Table

from mtl_core.training.report import best_report
from tuning.records import TrialRecord, run_id_of
from tuning.study.finalists import Contest, contest
from tuning.study.finals import FinalsSection
from tuning.study.history import History

TRAINERS, TRIALS = 4, 24
NEW_SEEDS = 200
"""Runs whose mean is taken for what a recipe reaches."""
FINALS = FinalsSection(recipes=3, seeds=5)
SCHEDULERS = {"ASHA": {"kind": "asha"}, "none": {"kind": "none"}}


def record_of(run_id: str, parameters: dict[str, Any], scores: Sequence[Floats]) -> TrialRecord:
    """Returns a run that reported scores of the tasks, (tasks,) each, ten times an epoch."""
    reports = tuple(report_of(n, n / 10, one) for n, one in enumerate(scores, start=1))
    return TrialRecord(run_id, "complete", parameters, parameters, reports)


def searched(world: World, seed: int, scheduler: dict[str, Any]) -> History:
    """Returns the trials of a study."""
    contender = ours(seed, world.surrogate.epochs, sampler={"kind": "tpe"}, scheduler=scheduler)
    points: dict[str, Point] = {}
    suggest = contender.suggest

    def noted() -> Point | None:
        point = suggest() if len(points) < TRIALS else None
        if point is not None:
            points.setdefault(point.run_id, point)
        return point

    contender.suggest = noted  # type: ignore[method-assign]
    seen = play(contender, world, trainers=TRAINERS, budget=float(TRIALS * world.surrogate.epochs))
    scores: dict[str, list[Floats]] = {}
    for one in seen:
        scores.setdefault(one.run_id, []).append(one.scores)
    whole = world.surrogate.reports
    return History(
        replace(
            record_of(run_id_of(number), dict(points[run_id].parameters), scores[run_id]),
            status="complete" if len(scores[run_id]) == whole else "stopped",
        )
        for number, run_id in enumerate(scores)
    )


def best_of(record: TrialRecord) -> float:
    """Returns the dev score of a run at its best report."""
    best = best_report(record.reports)
    assert best is not None
    return best.combined


def drawn(
    surrogate: Surrogate, parameters: dict[str, Any], count: int, generator: np.random.Generator
) -> list[TrialRecord]:
    """Returns runs of a recipe with new seeds."""
    mean = surrogate.means([parameters])[0]
    return [record_of("new", parameters, surrogate.draw(mean, generator)) for _ in range(count)]


def finals_of(
    found: Contest, surrogate: Surrogate, generator: np.random.Generator
) -> tuple[dict[str, Any], float]:
    """Returns the parameters of the recipe that a final stage chooses, and the mean it reports."""
    runs: dict[str, TrialRecord] = {}
    for finalist in found.finalists:
        parameters = dict(finalist.recipe[1])
        made = drawn(surrogate, parameters, len(found.seeds), generator)
        for seed, one in zip(found.seeds, made, strict=True):
            run = finalist.run(seed)
            runs[run.id] = replace(run, status="complete", reports=one.reports)
    chosen = found.ranked(runs)[0]
    scored, _ = found.outcome(chosen, runs)
    return dict(chosen.recipe[1]), float(np.mean([best_of(one) for one in scored]))


def biases(surrogate: Surrogate, seed: int, scheduler: dict[str, Any]) -> tuple[float, ...]:
    """Returns by how much two reported scores are above what their recipes reach.

    That is the score of the best trial, and the mean of the final stage. Third is how much better
    the recipe that the stage chooses is than that of the best trial.
    """
    generator = np.random.default_rng((seed, 1))
    history = searched(World(surrogate, seed), seed, scheduler)
    best = history.best
    assert best is not None

    def reaches(parameters: dict[str, Any]) -> float:
        return float(
            np.mean([best_of(one) for one in drawn(surrogate, parameters, NEW_SEEDS, generator)])
        )

    found = contest(history, FINALS, {}, is_decoded=False)
    parameters, mean = finals_of(found, surrogate, generator)
    of_best, of_chosen = reaches(dict(best.parameters)), reaches(parameters)
    return best_of(best) - of_best, mean - of_chosen, of_chosen - of_best


def interval(values: Floats) -> str:
    """Returns a mean in points with its 95 % interval."""
    margin = 1.96 * values.std(ddof=1) / len(values) ** 0.5
    return f"{100 * values.mean():+.2f} [{100 * (values.mean() - margin):+.2f}, " + (
        f"{100 * (values.mean() + margin):+.2f}]"
    )


def main() -> None:
    """Plays studies and prints what they report beside what is so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="studies with each scheduler")
    parser.add_argument("--table", type=Path, default=TABLE, help="table of curves")
    options = command_line(parser)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    surrogate = Surrogate.of(read_table(options.table))
    shown = Table("scheduler", "best trial: too high by", "final stage: too high by",
                  "its recipe is better by")  # fmt: skip
    rows, raw = [], {}
    for name, scheduler in SCHEDULERS.items():
        play_one = partial(biases, surrogate, scheduler=scheduler)
        found = np.array([play_one(seed) for seed in range(options.seeds)])
        shown.add_row(name, *(interval(column) for column in found.T))
        search, final = (float(abs(column.mean())) for column in found.T[:2])
        what = f"{name}: bias of the reported dev score, final stage against best trial"
        rows.append(Row.of(what, final, search, "score", search / max(final, 1e-5), None))
        raw[name] = found.round(5).tolist()
    Console(width=120).print(shown)
    write("selection_bias", rows, options.json, raw)


if __name__ == "__main__":
    main()
