"""The section of a report on what was trained, and what early stopping saved of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from mtl_core.markdown import code
from mtl_core.training.report import epochs_text
from tuning.records import TrialRecord
from tuning.report.markdown import count_of, table
from tuning.study.trained import Trained


@dataclass(frozen=True, slots=True)
class Saved:
    """What it cost that trials were trained, and what it would have cost to train all to the end.

    Attributes:
        epochs: Epochs that were trained.
        full: Epochs of all these trials to their ends.
        hours: What was trained, over all trainers.
        full_hours: The same to the end, each trial as fast as it was.
        stopped: Trials that were stopped early.
    """

    epochs: float
    full: float
    hours: float
    full_hours: float
    stopped: int


def saved(records: Sequence[TrialRecord]) -> Saved | None:
    """Returns what early stopping saved; None where no trial was stopped, or none ran to its end.

    Failed trials, and those that have not ended, count with what they ran.
    """
    complete = [record.progress for record in records if record.status == "complete"]
    stopped = [record for record in records if record.status == "stopped" and record.progress > 0]
    if not (complete and stopped):
        return None
    longest = max(complete)
    epochs = sum(record.progress for record in records)
    hours = sum(record.seconds for record in records) / 3600
    more = {record.id: _full(record, longest) - record.progress for record in stopped}
    slower = sum(more[record.id] * record.seconds / record.progress / 3600 for record in stopped)
    return Saved(epochs, epochs + sum(more.values()), hours, hours + slower, len(stopped))


def _full(record: TrialRecord, longest: float) -> float:
    """Returns the epochs that a trial would have run."""
    own = record.parameters.get("training.epochs")
    return max(record.progress, float(own) if isinstance(own, int | float) else longest)


def spent_section(records: Sequence[TrialRecord], behind: Sequence[Trained] = ()) -> list[str]:
    """Returns the parts of the section: the epochs and hours, and what was saved.

    Args:
        records: The trials.
        behind: What was trained behind the search.
    """
    epochs = sum(record.progress for record in records)
    if not epochs:
        return []
    seconds = sum(record.seconds for record in records)
    heading, count = "## What was trained", count_of(len(records), "trial")
    took = f"{epochs_text(epochs)} epochs of {count} took {_time(seconds)} of trainers, added up."
    told = f"{took} {_saved(records)}"
    if not behind:
        return [heading, told]
    every = [Trained(len(records), epochs, seconds), *behind]
    names = ["search", *("final stage" if not one.task else "" for one in behind)]
    rows = [
        [name or f"{code(str(one.task))} alone", *_cells(one)]
        for name, one in zip(names, every, strict=True)
    ]
    whole = Trained(*(sum(part) for part in zip(*map(_numbers, every), strict=True)))
    header = ["", "runs", "epochs", "time of trainers"]
    shown = table(header, [*rows, ["all", *_cells(whole)]])
    tail = "Scoring on test is not counted."
    if any(one.task for one in behind):
        tail += " What is trained alone serves every study that asks for the same."
    return [heading, told, shown, tail]


def _numbers(one: Trained) -> tuple[int, float, float]:
    return one.runs, one.epochs, one.seconds


def _cells(one: Trained) -> list[str]:
    return [str(one.runs), epochs_text(one.epochs), _time(one.seconds)]


def _saved(records: Sequence[TrialRecord]) -> str:
    """Returns a sentence or two on what early stopping saved."""
    found = saved(records)
    if found is None:
        return "No trial was stopped early."
    share = 100 * (1 - found.epochs / found.full)
    more = 3600 * (found.full_hours - found.hours)
    return (
        f"{found.stopped} of the trials {'was' if found.stopped == 1 else 'were'} stopped "
        f"early, which saved {epochs_text(found.full - found.epochs)} of "
        f"{epochs_text(found.full)} epochs ({share:.0f} %), and about {_time(more)} of trainers."
    )


def _time(seconds: float) -> str:
    """Returns a length of time as people say it: "40 s", "12 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
