"""The watchers of a study: they keep the files of its folder that others read, and log it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tuning.goals import Goal
from tuning.records import TrialRecord
from tuning.space.space import Parameter
from tuning.watch.front_board import FrontBoard, front_tags
from tuning.watch.loggers.apart import Apart
from tuning.watch.loggers.base import LoggedStudy
from tuning.watch.loggers.kinds import LoggerSection
from tuning.watch.state import StudyState
from tuning.watch.status_file import StatusFile
from tuning.watch.tensorboard import TensorBoard
from tuning.watch.trials_csv import TrialsCsv
from tuning.watch.watcher import Watcher


def file_watchers(
    folder: Path,
    state: StudyState,
    parameters: Sequence[Parameter],
    records: Iterable[TrialRecord],
    goal: Goal | None = None,
) -> list[Watcher]:
    """Returns what writes into a study folder; another one is a file here and a line below.

    Args:
        folder: The study folder, open.
        state: What the study does; is told of everything first.
        parameters: Every parameter that can occur, conditional ones included.
        records: The trials of earlier sessions.
        goal: By what trials are compared; None = by their combined scores.
    """
    goal, records = goal or Goal(), list(records)
    tags, board = front_tags(goal), folder / "tensorboard"
    # Apart from each other: one that raises is told no more, and takes no other with it.
    return [
        TrialsCsv(folder / "trials.csv", records, goal),
        TensorBoard(board, parameters, tags),
        *([FrontBoard(board, records, goal)] if tags else []),
        StatusFile(folder / "status.json", state),
    ]


def logging_watchers(
    folder: Path, loggers: Iterable[LoggerSection], records: Iterable[TrialRecord]
) -> list[Watcher]:
    """Returns what logs a study beside its folder.

    Args:
        folder: The study folder, open.
        loggers: Where.
        records: The runs of earlier sessions, of all stages.
    """
    study, records = LoggedStudy.of(folder), list(records)
    return [Apart(section, study, records) for section in loggers]
