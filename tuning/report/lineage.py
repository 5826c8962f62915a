"""Trials that went on from the checkpoints of others, and what that means for their replay."""

import json
from collections.abc import Mapping, Sequence

from mtl_core.markdown import code
from tuning.records import TrialRecord, Value
from tuning.report.markdown import table


def lineage_section(records: Sequence[TrialRecord]) -> list[str]:
    """Returns a table with a row for each time that a trial took over; nothing without any."""
    rows = []
    for record in records:
        # What held from each time on is what held before the next one, or holds now.
        recipes = [one.before for one in record.taken_over[1:]] + [record.recipe]
        for one, (_, parameters) in zip(record.taken_over, recipes, strict=False):
            changed = _changed(one.before[1], parameters)
            rows.append([record.id, str(one.number), one.donor, changed])
    if not rows:
        return []
    header = ["trial", "after its report", "took over from", "and went on with"]
    return ["## Trials that took over the weights of others", table(header, rows)]


def replay_note(record: TrialRecord | None) -> list[str]:
    """Returns what a replay of a trial is not, where its best weights began in another trial."""
    if record is None or record.best is None:
        return []
    earlier = [one for one in record.taken_over if one.number < record.best.number]
    if not earlier:
        return []
    donors = ", ".join(f"{one.donor} (after report {one.number})" for one in earlier)
    return [
        f"Trial {record.id} took over weights from {donors}. The command trains its last recipe "
        "from the start, which is another model; the model of the study itself is in `best/`."
    ]


def _changed(before: Mapping[str, Value], now: Mapping[str, Value]) -> str:
    found = {name: value for name, value in now.items() if before.get(name) != value}
    return ", ".join(f"{code(name)} {code(_spelled(value))}" for name, value in found.items())


def _spelled(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else json.dumps(value)
