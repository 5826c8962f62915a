"""What a search finds for the epochs that it spends, in virtual time over recorded curves.

The searchers and schedulers are the real ones: ours, Ray Tune's OptunaSearch with its ASHA, called
as Tune calls them, and Optuna's TPE with its HyperbandPruner. Only the trainings are numbers:
curves of the model in `_surrogate.py`, fitted to the table that `record_curves.py` recorded.
Several trainers work side by side, and every report takes as long as any other.

Regret is what the best trial so far has less than the best recipe of the space, both without noise.
The trial, and its best report, are chosen by what the study saw, noise and all.

No run of the table changed its recipe on the way. So what PBT finds hangs on a plain model, which
is kind to it: see `World.take_over`. It ends when its population has run; its regret may be below
0, as a run that changes its recipe may do better than any recipe.
"""

import argparse
import multiprocessing
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from _contenders import optuna_hyperband, ours, ray_tune
from _curves import TABLE, read_table, recipes, study_space
from _harness import Row, command_line, write
from _surrogate import BETWEEN, Floats, Surrogate
from _virtual import Contender, Seen, World, play
from rich.console import Console
from rich.table import Table

TRAINERS, TRIALS = 4, 50
"""Trainers side by side, and whole runs that the largest budget pays for."""
POPULATIONS = (TRAINERS, 3 * TRAINERS)
"""Trials of a population."""
SHARES = (0.06, 0.1, 0.2, 1 / 3, 0.5, 0.7, 1.0)
"""Budgets that are looked at, of the largest."""
RESAMPLES = 2000
WORST = (0.5, 0.3)
"""Scores of intent and slots from which hypervolumes are counted."""
PROMOTING = "TPE + ASHA, promoting"
OURS, THEIRS = "GP + ASHA, shipped priors", "Ray's OptunaSearch + ASHA"
RANDOM, NONE = {"kind": "random"}, {"kind": "none"}
TPE, GP = {"kind": "tpe"}, {"kind": "gp"}


def asha(**settings: Any) -> dict[str, Any]:
    """Returns the section of ASHA; its first rung is the first epoch, as by default."""
    return {"kind": "asha", **settings}


Start = Callable[[int, int], Contender]
"""Seed, epochs of a run -> a study that begins."""


def methods(reports: int) -> dict[str, Start]:
    """Returns name -> what begins a study."""
    tpe, early = partial(ours, sampler=TPE), {"grace_epochs": 0.1}
    few = {"kind": "tpe", "startup_trials": 5}
    return {
        "random": partial(ours, sampler=RANDOM, scheduler=NONE),
        "TPE": partial(tpe, scheduler=NONE),
        "random + ASHA": partial(ours, sampler=RANDOM, scheduler=asha()),
        "TPE + ASHA": partial(tpe, scheduler=asha()),
        "TPE + ASHA from 0.1 epochs on": partial(tpe, scheduler=asha(**early)),
        PROMOTING: partial(tpe, scheduler=asha(form="promoting")),
        "the same from 0.1 epochs on": partial(tpe, scheduler=asha(form="promoting", **early)),
        "promoting, factor 2 from 0.5 epochs on": partial(
            tpe, scheduler=asha(form="promoting", grace_epochs=0.5, reduction_factor=2)
        ),
        "promoting, 5 random trials first": partial(
            ours, sampler=few, scheduler=asha(form="promoting")
        ),
        "promoting, shipped priors": partial(tpe, scheduler=asha(form="promoting"), known=True),
        "GP": partial(ours, sampler=GP, scheduler=NONE),
        "GP + ASHA": partial(ours, sampler=GP, scheduler=asha()),
        "GP + ASHA, promoting": partial(ours, sampler=GP, scheduler=asha(form="promoting")),
        OURS: partial(ours, sampler=GP, scheduler=asha(), known=True),
        THEIRS: partial(ray_tune, grace=1),
        "the same from 0.1 epochs on (Ray)": partial(ray_tune, grace=0.1),
        "Optuna's TPE + HyperbandPruner": partial(optuna_hyperband, least=reports // 4),
        "the same from 0.1 epochs on (Optuna)": partial(optuna_hyperband, least=1),
    }


def populations() -> dict[str, Start]:
    """Returns name -> what begins a study in which runs take over from others."""
    halves = {"kind": "pbt", "interval": 0.5}
    return {
        f"PBT of {trials} trials": partial(ours, sampler=RANDOM, scheduler=halves, trials=trials)
        for trials in POPULATIONS
    }


def front_methods() -> dict[str, Start]:
    """Returns name -> what begins a study of two objectives, the scores of the tasks."""
    both = partial(ours, objective={"kind": "pareto"})
    nsga2, halving = {"kind": "nsga2"}, {"kind": "pareto_asha"}
    return {
        "NSGA-II": partial(both, sampler=nsga2, scheduler=NONE),
        "NSGA-II + pareto_asha": partial(both, sampler=nsga2, scheduler=halving),
        "TPE + pareto_asha": partial(both, sampler=TPE, scheduler=halving),
        "GP + pareto_asha": partial(both, sampler=GP, scheduler=halving),
    }


def hypervolumes(seen: Sequence[Seen], budgets: Sequence[float]) -> Floats:
    """Returns the share of what lies above `WORST` that trials cover when budgets are spent.

    Of each trial its best report counts, by the mean of the tasks as the study saw it, with what it
    is worth without noise: (budgets,).
    """
    found = []
    for budget in budgets:
        best: dict[str, Seen] = {}
        for one in seen[: round(budget / seen[0].epochs)]:
            kept = best.setdefault(one.run_id, one)
            if one.scores.mean() > kept.scores.mean():
                best[one.run_id] = one
        found.append(covered([one.truth for one in best.values()]))
    return np.array(found)


def covered(points: Sequence[Floats]) -> float:
    """Returns the share of the rectangle from `WORST` to (1, 1) that points of two values cover."""
    area, top = 0.0, WORST[1]
    # From right to left: what stands higher than all to its right adds a slice.
    for right, height in sorted(map(tuple, points), reverse=True):
        if right > WORST[0] and height > top:
            area, top = area + (right - WORST[0]) * (height - top), height
    return float(area / ((1 - WORST[0]) * (1 - WORST[1])))


def regrets(seen: Sequence[Seen], best: float, budgets: Sequence[float]) -> Floats:
    """Returns the regret when each budget, in epochs, is spent: (budgets,)."""
    observed = np.array([one.scores.mean() for one in seen])
    # The first of equals stays, as everywhere.
    leader = np.maximum.accumulate(observed)
    chosen = np.searchsorted(leader, leader)
    truths = np.array([one.truth.mean() for one in seen])[chosen]
    ends = [min(len(seen), round(budget / seen[0].epochs)) - 1 for budget in budgets]
    return np.asarray(best - truths[ends])


def optimum(surrogate: Surrogate) -> float:
    """Returns the highest mean of the tasks that any recipe has at any report, without noise."""
    drawn = recipes(study_space(), seed=1)
    best = [next(drawn).parameters for _ in range(2**14)]
    values = surrogate.means(best).mean(-1).max(-1)
    return float(values.max())


_of_process: dict[str, Any] = {}


def begin_process(surrogate: Surrogate, budget: float) -> None:
    """Makes a process ready."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    _of_process.update(surrogate=surrogate, budget=budget)


def play_seed(job: tuple[Start, int]) -> list[Seen]:
    """Plays a study of a method with a seed."""
    start, seed = job
    surrogate = _of_process["surrogate"]
    contender = start(seed, surrogate.epochs)
    world = World(surrogate, seed)
    return play(contender, world, trainers=TRAINERS, budget=_of_process["budget"])


def summary(values: Floats) -> tuple[float, float, float]:
    """Returns the median over seeds and its 95 % bootstrap interval; values: (seeds,)."""
    generator = np.random.default_rng(0)
    drawn = generator.choice(values, (RESAMPLES, len(values)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return float(np.median(values)), float(low), float(high)


def show(title: str, found: Mapping[str, Floats], budgets: Sequence[float]) -> None:
    """Prints medians of every method at every budget, in hundredths: (seeds, budgets) each."""
    table = Table(f"{title}, in hundredths", *(f"{budget:g} epochs" for budget in budgets))
    for name, values in found.items():
        cells = (summary(column) for column in values.T)
        table.add_row(name, *(f"{100 * m:.2f} [{100 * a:.2f}, {100 * b:.2f}]" for m, a, b in cells))
    Console(width=170).print(table)


def rows(found: Mapping[str, Floats], budgets: Sequence[float]) -> list[Row]:
    """Returns what is to be reached: regrets of ours at each budget against those of others."""
    ours, theirs, start = (found[name] for name in (OURS, THEIRS, "random"))
    tenth, whole = SHARES.index(0.1), len(SHARES) - 1
    first = f"{OURS} after a tenth of the epochs, random search after all of them"
    compared = {first: (ours[:, tenth], start[:, whole])}
    for place, budget in enumerate(budgets):
        what = f"{OURS} against {THEIRS} after {budget:g} epochs"
        compared[what] = ours[:, place], theirs[:, place]
    medians = {what: tuple(map(np.median, pair)) for what, pair in compared.items()}
    return [
        Row.of(what, float(mine), float(other), "regret", float(other / max(mine, 1e-4)), 1.0)
        for what, (mine, other) in medians.items()
    ]


def front_rows(covers: Mapping[str, Floats]) -> list[Row]:
    """Returns what is to be reached with two objectives."""
    third, whole = SHARES.index(1 / 3), len(SHARES) - 1
    ours, theirs = covers["GP + pareto_asha"][:, third], covers["NSGA-II"][:, whole]
    what = "hypervolume: GP + pareto_asha after a third of the epochs, NSGA-II after all of them"
    mine, other = float(np.median(ours)), float(np.median(theirs))
    return [Row.of(what, mine, other, "share", mine / max(other, 1e-4), 1.0)]


def main() -> None:
    """Plays all methods and prints what they found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="studies of each method")
    parser.add_argument("--table", type=Path, default=TABLE, help="table of curves")
    parser.add_argument("--methods", nargs="+", help="of each kind; default: all")
    parser.add_argument("--between", choices=BETWEEN, default="process", help="recorded recipes")
    options = command_line(parser)
    surrogate = Surrogate.of(read_table(options.table), options.between)
    whole = float(TRIALS * surrogate.epochs)
    budgets = [round(share * whole, 1) for share in SHARES]
    chosen = methods(surrogate.reports) | populations() | front_methods()
    if options.methods:
        # `rows` looks at these.
        needed = {*options.methods, "random", OURS, THEIRS, *front_methods()}
        chosen = {name: start for name, start in chosen.items() if name in needed}
    jobs = [(start, seed) for start in chosen.values() for seed in range(options.seeds)]
    context = multiprocessing.get_context("spawn")
    with context.Pool(os.cpu_count(), begin_process, (surrogate, whole)) as pool:
        played = iter(pool.map(play_seed, jobs, chunksize=1))
    studies = {name: [next(played) for _ in range(options.seeds)] for name in chosen}
    fronts = {name: studies.pop(name) for name in front_methods()}
    recipes_alone = (every for name, every in studies.items() if name not in populations())
    reached = (float(one.truth.mean()) for every in recipes_alone for one in chain(*every))
    best = max(optimum(surrogate), *reached)
    found = {
        name: np.array([regrets(seen, best, budgets) for seen in every])
        for name, every in studies.items()
    }
    covers = {
        name: np.array([hypervolumes(seen, budgets) for seen in every])
        for name, every in fronts.items()
    }
    show("regret", found, budgets)
    show("hypervolume of two objectives", covers, budgets)
    raw = {name: one.round(5).tolist() for name, one in (found | covers).items()}
    write("search_quality", [*rows(found, budgets), *front_rows(covers)], options.json, raw)


if __name__ == "__main__":
    main()
