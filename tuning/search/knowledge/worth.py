"""What trials are worth, in studies of one objective and of several."""

from collections.abc import Sequence

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState


def values_of(trial: FrozenTrial) -> tuple[float, ...]:
    """Returns the values of a trial, or the last one that it reported; () when it has none."""
    if trial.values is not None:
        return tuple(trial.values)
    if trial.intermediate_values:
        return (trial.intermediate_values[max(trial.intermediate_values)],)
    return ()


def reports_of(trial: FrozenTrial) -> int:
    """Returns how many reports a trial with a value has made, at least 1."""
    # Where a study has several objectives, Optuna keeps no values between.
    told = int(trial.user_attrs.get("reports", trial.user_attrs.get("epochs", 0)))
    return max(1, len(trial.intermediate_values), told)


Worth = tuple[float, bool, float]
"""Sorts from the worst to the best."""


def worths(trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection]) -> list[Worth]:
    """Returns what each trial with a value is worth.

    First by how far it breaks constraints, which good ones do not at all; then trials that did not
    run to their end are behind, where samples of dev are scored: their value may be that of few
    rows; then by its value, of several objectives by how many trials are better in some and worse
    in none (dominate it).
    """
    signs = [1.0 if one == StudyDirection.MAXIMIZE else -1.0 for one in directions]
    values = [
        tuple(sign * value for sign, value in zip(signs, values_of(trial), strict=True))
        for trial in trials
    ]
    if len(signs) == 1:
        ranks = [value for (value,) in values]
    else:
        ranks = [-float(sum(_dominates(other, own) for other in values)) for own in values]
    return [
        (-_broken(trial), _is_sure(trial), rank) for trial, rank in zip(trials, ranks, strict=True)
    ]


def _is_sure(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.COMPLETE or not trial.user_attrs.get("sampled", False)


def _broken(trial: FrozenTrial) -> float:
    """Returns how far a trial breaks its constraints, which it meets at 0 and below."""
    return float(sum(value for value in trial.constraints.values() if value > 0))


def _dominates(other: tuple[float, ...], own: tuple[float, ...]) -> bool:
    return other != own and all(a >= b for a, b in zip(other, own, strict=True))
