"""What it saves a small study to know something beforehand: priors, and earlier studies.

The samplers are the real ones; a trial is one number. It is what the model of recorded runs
(`_surrogate.py`) says of a recipe at its end, without noise; or of a family of functions whose
optimum is drawn anew for each seed: near what is believed, or far from it; near the optimum of the
earlier studies, or anywhere, or where those do worst. Every row is the mean over seeds of the
regret, what the best trial so far is below the optimum.
"""

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from statistics import mean
from typing import Any

import numpy as np
import optuna
from _curves import TABLE, read_table, study_space
from _surrogate import Surrogate
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from tuning.search.knowledge.first_points import first_points
from tuning.search.knowledge.known import NOTHING, Earlier, Known
from tuning.search.knowledge.shipped import Setting, shipped_priors
from tuning.search.samplers.random import RandomSection
from tuning.search.samplers.tpe import TpeSection
from tuning.space.priors import NormalPrior, Prior
from tuning.space.space import Entry, Space

LOOKS = (3, 6, 12, 24)
"""Trials after which the regret is looked at, trial 0 included."""
SEARCH: dict[str, Any] = {
    "optimizer.encoder_lr": {"log_range": [1e-5, 2e-3]},
    "optimizer.head_lr": {"log_range": [1e-4, 2e-2]},
    "optimizer.layer_decay": {"range": [0.6, 1.0]},
    "tasks.slots.weight": {"log_range": [0.2, 5.0]},
    "weighting": {"choice": [{"kind": "fixed"}, {"kind": "uncertainty"}]},
}
WEIGHTS = {
    "optimizer.encoder_lr": 3.0, "optimizer.head_lr": 1.0, "optimizer.layer_decay": 0.4,
    "tasks.slots.weight": 0.4,
}  # fmt: skip
"""How much each number counts in the functions of a family."""

Point = Mapping[str, Any]
Score = Callable[[Point], float]


def space_of(search: Mapping[str, Any]) -> Space:
    """Returns a space, as a study file has it."""
    return Space(TypeAdapter(dict[str, Entry]).validate_python(search))


SPACE = space_of(SEARCH)
DOMAINS = {parameter.name: parameter.domain for parameter in SPACE.parameters}


BEGIN: Point = {name: domain.at(0.3) for name, domain in DOMAINS.items()}
"""Trial 0 of the studies of families."""
DEFAULTS: Point = {
    "optimizer.encoder_lr": 5e-5, "optimizer.head_lr": 1e-3, "optimizer.layer_decay": 1.0,
    "tasks.slots.weight": 1.0, "weighting.kind": "fixed", "freezing.kind": "none",
}  # fmt: skip
"""Trial 0 of the studies on recorded runs: the defaults of the schema."""


def member(optimum: Mapping[str, float], kind: str) -> Score:
    """Returns a function of a family: 0 at its optimum, given as positions in the ranges."""

    def score(point: Point) -> float:
        away = sum(
            weight * (DOMAINS[name].position(point[name]) - optimum[name]) ** 2
            for name, weight in WEIGHTS.items()
        )
        return math.exp(-2 * away - 0.05 * (point["weighting.kind"] != kind)) - 1

    return score


def near(centre: float, generator: np.random.Generator) -> dict[str, float]:
    """Returns an optimum near a position in every range."""
    return {name: float(np.clip(generator.normal(centre, 0.12), 0, 1)) for name in WEIGHTS}


def study(
    score: Score,
    *,
    seed: int,
    trials: int,
    section: TpeSection | RandomSection,
    known: Known = NOTHING,
    first: Sequence[Point] = (BEGIN,),
    space: Space = SPACE,
) -> tuple[list[Point], list[float]]:
    """Runs a study; returns its points and their scores."""
    sampler = section.build(seed, space, known)
    run = optuna.create_study(direction="maximize", sampler=sampler)
    for point in first:
        run.enqueue_trial(dict(point))
    values = []
    for _ in range(trials):
        trial = run.ask()
        space.sample(trial)
        values.append(score(trial.params))
        run.tell(trial, values[-1])
    return [trial.params for trial in run.trials], values


def regrets(values: Sequence[Sequence[float]], best: Sequence[float]) -> list[float]:
    """Returns the mean regret after each of `LOOKS`."""
    return [
        mean(top - max(found[:look]) for found, top in zip(values, best, strict=True))
        for look in LOOKS
    ]


def of_priors(seeds: int) -> dict[str, list[float]]:
    """Returns the regrets with priors that are right, half right and wrong."""
    found = {}
    for name, section in (("random", RandomSection()), ("tpe", TpeSection())):
        for belief, centre in (("nothing", None), ("right", 0.6), ("aside", 0.4), ("wrong", 0.02)):
            priors: dict[str, Prior] = (
                {} if centre is None else {key: NormalPrior(centre, 0.125) for key in WEIGHTS}
            )
            values = []
            for seed in range(seeds):
                score = member(near(0.6, np.random.default_rng(seed)), "uncertainty")
                known = Known(priors=priors)
                run = study(score, seed=seed, trials=LOOKS[-1], section=section, known=known)
                values.append(run[1])
            found[f"{name}, believing {belief}"] = regrets(values, [0.0] * seeds)
    return found


def earlier_of(score: Score, seed: int) -> Earlier:
    """Returns an earlier study of 24 trials by TPE."""
    points, values = study(score, seed=10_000 + seed, trials=24, section=TpeSection())
    order = sorted(range(len(points)), key=lambda number: -values[number])
    return Earlier("runs/earlier", tuple(points[number] for number in order))


def of_earlier(seeds: int) -> dict[str, list[float]]:
    """Returns the regrets with two earlier studies that are similar, unrelated, adversarial."""
    found: dict[str, list[float]] = {}
    for relation in ("none", "similar", "unrelated", "adversarial", "similar and adversarial"):
        values = []
        for seed in range(seeds):
            generator = np.random.default_rng(seed)
            optimum = near(0.6, generator)
            others = relations(optimum, generator)
            known = Known(
                earlier=tuple(
                    earlier_of(one, 2 * seed + number)
                    for number, one in enumerate(others[relation])
                )
            )
            score = member(optimum, "uncertainty")
            run = study(score, seed=seed, trials=LOOKS[-1], section=TpeSection(), known=known)
            values.append(run[1])
        found[f"tpe, earlier studies: {relation}"] = regrets(values, [0.0] * seeds)
    return found


def relations(
    optimum: Mapping[str, float], generator: np.random.Generator
) -> dict[str, tuple[Score, ...]]:
    """Returns the functions of two earlier studies in each relation to one with this optimum."""

    def nearby() -> dict[str, float]:
        moved = {name: at + generator.normal(0, 0.06) for name, at in optimum.items()}
        return {name: float(np.clip(at, 0, 1)) for name, at in moved.items()}

    similar = [member(nearby(), "uncertainty") for _ in range(2)]
    anywhere = [
        member({name: float(generator.random()) for name in optimum}, "fixed") for _ in range(2)
    ]
    worst = member({name: float(at < 0.5) for name, at in optimum.items()}, "fixed")
    return {
        "none": (), "similar": tuple(similar), "unrelated": tuple(anywhere),
        "adversarial": (worst, worst), "similar and adversarial": (similar[0], worst),
    }  # fmt: skip


def of_recorded(seeds: int) -> dict[str, list[float]]:
    """Returns the regrets on the model of recorded runs, with what is shipped."""
    table = read_table(TABLE)
    surrogate, space = Surrogate.of(table), study_space()
    kinds = next(one for one in space.parameters if one.name == "freezing.kind").domain.options
    steps = table.epochs * math.ceil(int(table.about["train"]) / 32)
    setting = Setting({"freezing.kind": kinds}, 22_700_000, steps)
    priors = {one.name: one.prior for one in shipped_priors(space.parameters, setting)}
    wrong: dict[str, Prior] = {name: NormalPrior(0.02, 0.125) for name in WEIGHTS}
    likely = first_points(space, priors)

    def score(point: Point) -> float:
        return float(surrogate.means([point])[0, -1].mean())

    random = RandomSection()
    points, _ = study(lambda _: 0.0, seed=0, trials=1500, section=random, first=(), space=space)
    top = float(surrogate.means(points)[:, -1].mean(-1).max())
    found = {}
    for name, section in (("random", RandomSection()), ("tpe", TpeSection())):
        for what, known, first in (
            ("", NOTHING, []),
            (", prior: shipped", Known(priors=priors), []),
            (", try: auto", NOTHING, likely),
            (", both", Known(priors=priors), likely),
            (", priors in the wrong corner", Known(priors=wrong), []),
        ):
            values = [
                study(score, seed=seed, trials=LOOKS[-1], section=section, known=known,
                      first=[DEFAULTS, *first], space=space)[1]
                for seed in range(seeds)
            ]  # fmt: skip
            found[f"{name}{what}"] = regrets(values, [top] * seeds)
    return found


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=40)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    parts = {
        "recorded runs": of_recorded,
        "families of functions, priors": of_priors,
        "families of functions, earlier studies": of_earlier,
    }
    for title, part in parts.items():
        table = Table("regret after trials", *map(str, LOOKS), title=title)
        for name, row in part(options.seeds).items():
            table.add_row(name, *(f"{value:.3f}" for value in row))
        Console().print(table)


if __name__ == "__main__":
    main()
