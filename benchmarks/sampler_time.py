"""What a point costs: seconds that each sampler takes for the next one, after so many trials.

A driver draws one point at a time, and its trainers wait for it only when one of them is free.
"""

import argparse
import statistics
import time
from collections.abc import Mapping
from datetime import datetime

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial
from pydantic import TypeAdapter

from tuning.search.samplers.base import SamplerBase
from tuning.search.samplers.kinds import SamplerSection
from tuning.space.space import Entry, Space

SETTINGS: Mapping[str, Mapping[str, object]] = {
    "tpe": {},
    "random": {},
    "gp": {},
    "cma_es": {},
    "qmc": {},
    "grid": {"points": 4},
    "nsga2": {},
    "nsga3": {},
}
"""Kind -> what it has to be told."""

SEARCH = {
    "encoder_lr": {"log_range": [1e-5, 1e-3]},
    "head_lr": {"log_range": [1e-4, 1e-2]},
    "weight_decay": {"range": [0.0, 0.1]},
    "warmup": {"range": [0.0, 0.3]},
    "layers": {"int_range": [0, 6]},
    "pooling": {"choice": ["cls", "mean", "max"]},
}
"""A space such as studies have."""


def past(space: Space, count: int) -> list[FrozenTrial]:
    """Returns so many trials of random points, of which two in three were stopped."""
    points = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    rng = np.random.default_rng(0)
    trials = []
    for number in range(count):
        trial = points.ask()
        space.sample(trial)
        value = float(rng.normal(0.8, 0.05))
        trials.append(
            create_trial(
                state=TrialState.PRUNED if number % 3 else TrialState.COMPLETE,
                value=value,
                params=trial.params,
                distributions=trial.distributions,
                intermediate_values=dict.fromkeys(range(1, 2 if number % 3 else 4), value),
                system_attrs={"NSGAIISampler:generation": number // 20}
                | {"NSGAIIISampler:generation": number // 20},
            )
        )
    return trials


def seconds_of(section: SamplerBase, space: Space, count: int, tries: int) -> float:
    """Returns the median CPU time of a draw after so many trials."""
    study = optuna.create_study(direction="maximize", sampler=section.build(0, space))
    study.add_trials(past(space, count))
    # Two others run meanwhile.
    for _ in range(2):
        space.sample(study.ask())
    times = []
    for _ in range(tries):
        start = time.process_time()
        space.sample(study.ask())
        times.append(time.process_time() - start)
    return statistics.median(times)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", default=list(SETTINGS))
    parser.add_argument("--trials", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--tries", type=int, default=3, help="draws of which the median is taken")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = Space(TypeAdapter(dict[str, Entry]).validate_python(SEARCH))
    print(f"{datetime.now():%Y-%m-%d %H:%M}, {len(space.parameters)} keys; seconds of a core after")
    print("kind    " + "".join(f"{count:>10} trials" for count in options.trials))
    for kind in options.kinds:
        section = TypeAdapter(SamplerSection).validate_python({"kind": kind, **SETTINGS[kind]})
        row = [seconds_of(section, space, count, options.tries) for count in options.trials]
        print(f"{kind:8}" + "".join(f"{one:>17.4f}" for one in row), flush=True)


if __name__ == "__main__":
    main()
