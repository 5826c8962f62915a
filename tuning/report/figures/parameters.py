"""Parameters on axes: which of them vary, which two a figure can show, what their values are."""

import json
import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING

from tuning.records import TrialRecord, Value, keys_of_all
from tuning.report.figures.drawing import OBJECTIVE, Score, label

if TYPE_CHECKING:
    import optuna

Scales = Mapping[str, bool]
"""Parameter -> whether its numbers were drawn on a log scale."""
NO_SCALES: Scales = MappingProxyType({})
_LOG_FROM = 20.0
"""High end over low end from which numbers of other parameters are shown on a log scale."""
_LEAST_TOGETHER = 4
"""Trials with both of two parameters under which a contour cannot be drawn."""


def varied(records: Sequence[TrialRecord]) -> list[str]:
    """Returns the parameters with more than one value among the trials that have a score."""
    scored = with_score(records, OBJECTIVE)
    names = keys_of_all(record.parameters for record in scored)
    return [name for name in names if len(values_of(scored, name)) > 1]


def pairs(
    records: Sequence[TrialRecord], names: Sequence[str], *, least: int = _LEAST_TOGETHER
) -> list[tuple[str, str]]:
    """Returns the pairs of parameters that a contour can show: numbers that trials have together.

    Args:
        records: The trials.
        names: Parameters, the most important first; so are the pairs.
        least: Trials that ran to their end with both.
    """
    ran = to_the_end(records, OBJECTIVE)

    def is_shown(pair: tuple[str, str]) -> bool:
        both = [record for record in ran if all(name in record.parameters for name in pair)]
        values = [values_of(both, name) for name in pair]
        return len(both) >= least and all(len(one) > 1 and are_numbers(one) for one in values)

    found = [pair for pair in combinations(names, 2) if is_shown(pair)]
    return sorted(found, key=lambda pair: names.index(pair[1]))


def groups(records: Sequence[TrialRecord], parameter: str) -> dict[str, list[TrialRecord]]:
    """Returns value of a parameter, as it is shown -> the trials with it.

    Args:
        records: The trials.
        parameter: Dotted key of `run`.

    Returns:
        {} of a parameter whose values are numbers.
    """
    values = values_of(records, parameter)
    if are_numbers(values):
        return {}
    given = [record for record in records if parameter in record.parameters]
    return {
        text: [record for record in given if spelt(record.parameters[parameter]) == text]
        for text in map(spelt, values)
    }


def with_score(records: Sequence[TrialRecord], score: Score) -> list[TrialRecord]:
    """Returns the trials that have a score and did not fail."""
    return [
        record
        for record in records
        if record.status != "failed" and math.isfinite(score.of(record.best))
    ]


def to_the_end(records: Sequence[TrialRecord], score: Score) -> list[TrialRecord]:
    """Returns those of them that ran to their end."""
    return [record for record in with_score(records, score) if record.status == "complete"]


def values_of(records: Sequence[TrialRecord], name: str) -> list[Value]:
    """Returns the values of a parameter, each once; numbers by size, others in order of their text.

    True and 1 are two values, which are equal as keys.
    """
    found = {
        (isinstance(value, bool), value): value
        for record in records
        if name in record.parameters
        for value in (record.parameters[name],)
    }
    values = list(found.values())
    if are_numbers(values):
        return sorted(values, key=lambda value: float(value or 0))
    return sorted(values, key=spelt)


def are_numbers(values: Sequence[Value]) -> bool:
    """Returns whether all values are numbers, and there is one."""
    return bool(values) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )


def scales_of(study: "optuna.Study") -> Scales:
    """Returns on which scales a study drew its numbers.

    Args:
        study: Its journal.
    """
    from optuna.distributions import FloatDistribution, IntDistribution

    found: dict[str, bool] = {}
    for trial in study.get_trials(deepcopy=False):
        for name, domain in trial.distributions.items():
            # Whole numbers may be indices into the values of an `ordered`, which say nothing.
            if isinstance(domain, FloatDistribution) or (
                isinstance(domain, IntDistribution) and domain.log
            ):
                found[name] = domain.log
    return found


def is_log(name: str, values: Sequence[Value], scales: Scales) -> bool:
    """Returns whether numbers are drawn on a log scale.

    Args:
        name: Their parameter.
        values: The numbers.
        scales: What is known of the scales; without it numbers are that span much.
    """
    numbers = [float(value) for value in values if value is not None]
    if min(numbers) <= 0:
        return False
    return scales.get(name, max(numbers) / min(numbers) >= _LOG_FROM)


def spelt(value: Value) -> str:
    """Returns a value as figures show it."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return label(value if isinstance(value, str) else json.dumps(value))
