"""All that watch a study: its state, the files of its folder, and the display or a user's own."""

from collections.abc import Iterable

from tuning.watch.log_lines import LogLines
from tuning.watch.state import StudyState
from tuning.watch.watcher import Watcher, Watchers


class StudyWatchers(Watchers):
    """The watchers of a study that is run; made before its folder is open, see `add_files`."""

    def __init__(self, name: str, watcher: Watcher | None) -> None:
        """Makes those of the study `name`, with a display or a user's own if there is one."""
        self.state = StudyState(name)
        # A place for them in the order, empty until the folder is open.
        self._files = Watchers()
        # Files first: who watches from outside finds in them what it is told of.
        shown = [watcher] if watcher is not None else []
        super().__init__([self.state, self._files, *shown, LogLines()])

    def add_files(self, watchers: Iterable[Watcher]) -> None:
        """Adds those that write into the study folder, which is opened after the first stages."""
        self._files.add(watchers)
