"""How important each parameter was, for the objective and for each task, and how sure that is."""

import math
import random
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from mtl_core.scores import main_scores
from tuning.records import keys_of_all
from tuning.space.simplex import entry_name

LEAST_TRIALS = 20
"""Complete trials under which the importance of parameters is anybody's guess.

Simulated with five parameters of which one matters: with 8 trials another one comes first in a
third of the studies, with 24 in one of a hundred.
"""
_MOST_RESAMPLES, _LEAST_RESAMPLES, _WORK = 40, 10, 8000
"""How often trials are drawn anew: as often as `_WORK` trials allow, and within these bounds.

A pass over 100 trials takes 0.03 s.
"""


@dataclass(frozen=True, slots=True)
class Share:
    """How much a parameter has to do with a trial being one of the best.

    Attributes:
        share: Its part of the importance of all parameters, in [0, 1].
        low: Two standard deviations less, over trials that are drawn anew; at least 0.
        high: Two more; at most 1.
    """

    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Importance:
    """The importance of the parameters for one score.

    Attributes:
        score: "combined", "front" where there are several objectives, or the task of a main score.
        shares: Parameter -> its share, the greatest first.
    """

    score: str
    shares: Mapping[str, Share]


Target = Callable[[FrozenTrial], float]


def importances(optuna_study: optuna.Study, *, seed: int = 0) -> list[Importance]:
    """Returns the importance of each parameter; [] while there are too few trials.

    By PED-ANOVA, Optuna's default (Watanabe et al. 2023, https://arxiv.org/abs/2304.10255): how
    much a parameter has to do with a trial being one of the best tenth. How sure that is comes from
    a bootstrap over the trials (Efron 1979): the spread of what as many trials say that are drawn
    from these with repetition.

    Args:
        optuna_study: The journal. Stopped trials are left out: their scores are of fewer epochs.
        seed: Of the draws.

    Returns:
        First that for the objective, or for the front of several; then that for each task, if
        there are two and more with a score in all trials.
    """
    trials = optuna_study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(trials) < LEAST_TRIALS:
        return []
    directions = optuna_study.directions
    targets = _targets(trials, "front" if len(directions) > 1 else "combined")
    draw = random.Random(seed)
    times = _WORK // (len(trials) * len(targets))
    times = max(_LEAST_RESAMPLES, min(_MOST_RESAMPLES, times))
    studies = [
        _study(draw.choices(trials, k=len(trials)), directions, optuna_study) for _ in range(times)
    ]
    found = []
    for name, target in targets.items():
        if shares := _shares(optuna_study, target):
            again = [_shares(one, target) for one in studies]
            found.append(Importance(name, _with_spread(shares, again)))
    return found


def _targets(trials: Sequence[FrozenTrial], first: str) -> dict[str, Target | None]:
    """Returns name of a score -> what is to be low of a trial; None = Optuna's own values."""
    scores = [main_scores(trial.user_attrs.get("scores", {})) for trial in trials]
    tasks = [task for task in keys_of_all(scores) if all(task in one for one in scores)]

    def low(task: str) -> Target:
        return lambda trial: -float(main_scores(trial.user_attrs["scores"])[task][1])

    others = {task: low(task) for task in tasks} if len(tasks) > 1 else {}
    return {first: None, **others}


def _study(
    trials: Sequence[FrozenTrial],
    directions: Sequence[optuna.study.StudyDirection],
    like: optuna.Study,
) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # At INFO it tells of each study.
    study = optuna.create_study(directions=list(directions), sampler=like.sampler)
    study.add_trials(trials)
    return study


def _shares(study: optuna.Study, target: Target | None) -> dict[str, float]:
    try:
        with warnings.catch_warnings():
            # PED-ANOVA warns when the few trials are all alike, of which the report then says
            # little, and that it takes low targets for good.
            warnings.simplefilter("ignore", UserWarning)
            found = optuna.importance.get_param_importances(study, target=target)
    # Optuna cannot tell. A report without this table is still a report.
    except (ValueError, RuntimeError):
        return {}
    # Numbers that are drawn together count together.
    shares: dict[str, float] = defaultdict(float)
    for name, share in found.items():
        shares[entry_name(name)] += share
    return dict(shares)


def _with_spread(
    shares: Mapping[str, float], again: Sequence[Mapping[str, float]]
) -> dict[str, Share]:
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    found = {}
    for name, share in ranked:
        # What no drawn trial has is of no importance to these.
        spread = 2 * float(np.std([one.get(name, 0.0) for one in again]))
        spread = spread if math.isfinite(spread) else 1.0
        found[name] = Share(share, max(0.0, share - spread), min(1.0, share + spread))
    return found
