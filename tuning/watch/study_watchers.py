"""What watches every study, besides its display: the files of its folder that others read."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tuning.records import TrialRecord
from tuning.space.space import Parameter
from tuning.watch.state import StudyState
from tuning.watch.status_file import StatusFile
from tuning.watch.tensorboard import TensorBoard
from tuning.watch.trials_csv import TrialsCsv
from tuning.watch.watcher import Watcher


def study_watchers(
    folder: Path,
    *,
    state: StudyState,
    parameters: Sequence[Parameter],
    records: Iterable[TrialRecord],
) -> list[Watcher]:
    """Returns the watchers of a study; another one is a file of this folder and a line here.

    Args:
        folder: The study folder.
        state: What the study does; is told of everything first.
        parameters: Every parameter that can occur, conditional ones included.
        records: The trials of earlier sessions, oldest first.
    """
    return [
        TrialsCsv(folder / "trials.csv", records),
        TensorBoard(folder / "tensorboard", parameters),
        StatusFile(folder / "status.json", state),
    ]
