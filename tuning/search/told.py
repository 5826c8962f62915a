"""What Optuna is told of the reports of a trial, also in a study of several objectives.

Optuna takes intermediate values in studies of one objective alone. In others the newest is kept as
an attribute of the trial: how many reports there were, the best combined score so far, and in the
lines of the journal the order in which trials reported.
"""

import json
import math
from collections.abc import Mapping, Sequence

import optuna
from optuna.trial import FrozenTrial

TOLD = "told"
"""The attribute: [number of the report, best combined score so far, its objectives ...]."""
_VALUE, _ATTRIBUTE = b'{"op_code":7,', b'"user_attr":{"told":['
"""What stands in lines of the journal that tell of a report; in a text quotes are escaped."""


def tell_report(trial: optuna.Trial, number: int, best: float, values: Sequence[float]) -> None:
    """Tells of a report.

    Args:
        trial: The trial, which runs.
        number: The report, from 1; later than those before.
        best: The best combined score so far.
        values: The objectives of the report that reached it.
    """
    if len(trial.study.directions) == 1:
        trial.report(best, number)
    else:
        known = values if all(map(math.isfinite, values)) else ()
        trial.set_user_attr(TOLD, [number, best, *known])


def told_reports(trial: FrozenTrial) -> Mapping[int, float]:
    """Returns number of a report -> best combined score so far.

    Of several objectives that of the last report alone.
    """
    if TOLD not in trial.user_attrs:
        return trial.intermediate_values
    number, best = trial.user_attrs[TOLD][:2]
    return {number: best}


def told_values(trial: FrozenTrial) -> list[float]:
    """Returns the objectives of the best report that Optuna was told of; [] of one objective."""
    return list(trial.user_attrs.get(TOLD, ())[2:])


def told_in(line: bytes) -> tuple[int, int] | None:
    """Returns (Optuna's id of a trial, number of its report) of a whole line of the journal.

    None of a line that tells of no report.
    """
    if line.startswith(_VALUE):
        found = json.loads(line)
        return found["trial_id"], found["step"]
    if _ATTRIBUTE in line:
        found = json.loads(line)
        return found["trial_id"], found["user_attr"][TOLD][0]
    return None
