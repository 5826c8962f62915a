"""What trials are worth, in studies of one objective and of several."""

from collections.abc import Sequence

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial


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
    told = int(trial.user_attrs.get("epochs", 0))
    return max(1, len(trial.intermediate_values), told)


def worths(trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection]) -> list[float]:
    """Returns a number for each trial with a value, higher for better ones.

    Of several objectives it is minus the number of trials that are better in all of them, or in
    some and worse in none (dominated by so many).
    """
    signs = [1.0 if one == StudyDirection.MAXIMIZE else -1.0 for one in directions]
    values = [
        tuple(sign * value for sign, value in zip(signs, values_of(trial), strict=True))
        for trial in trials
    ]
    if len(signs) == 1:
        return [value for (value,) in values]
    return [-float(sum(_dominates(other, own) for other in values)) for own in values]


def _dominates(other: tuple[float, ...], own: tuple[float, ...]) -> bool:
    return other != own and all(a >= b for a, b in zip(other, own, strict=True))
