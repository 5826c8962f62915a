"""All that watch a study: its state, the files of its folder, and the display or a user's own."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tuning.records import TrialRecord
from tuning.space.space import Parameter
from tuning.watch.state import StudyState
from tuning.watch.watcher import Watcher, Watchers


class StudyWatchers(Watchers):
    """The watchers of a study that is run."""

    def __init__(self, name: str, watcher: Watcher | None) -> None:
        """Makes those of the study `name`, with a display or a user's own if there is one."""
        self._state = StudyState(name)
        self._files = Watchers()
        # Files first: who watches from outside finds in them what it is told of.
        super().__init__([self._state, self._files, *([watcher] if watcher is not None else [])])

    def open_files(
        self, folder: Path, parameters: Sequence[Parameter], records: Iterable[TrialRecord]
    ) -> None:
        """Lets the files of the study folder follow the study from now on.

        Args:
            folder: The study folder, open.
            parameters: Every parameter that can occur, conditional ones included.
            records: The trials of earlier sessions.
        """
        self._files.add(file_watchers(folder, self._state, parameters, records))


def file_watchers(
    folder: Path,
    state: StudyState,
    parameters: Sequence[Parameter],
    records: Iterable[TrialRecord],
) -> list[Watcher]:
    """Returns what writes into a study folder; another one is a file here and a line below."""
    # Imports of a second, which nobody has to wait for before the study begins.
    from tuning.watch.status_file import StatusFile
    from tuning.watch.tensorboard import TensorBoard
    from tuning.watch.trials_csv import TrialsCsv

    return [
        TrialsCsv(folder / "trials.csv", records),
        TensorBoard(folder / "tensorboard", parameters),
        StatusFile(folder / "status.json", state),
    ]
