"""The processes without which a Ray of our own does nothing: children of this process."""

import psutil

from mtl_core.errors import TrainingError
from tuning.cluster.deaths import KEPT

_VITAL = {
    "gcs_server": "the server of Ray that knows where everything is",
    "raylet": "the process of Ray that starts all others",
}
"""Name of a process -> what it is."""


class OwnRay:
    """The vital processes of the Ray that this process started; none of a cluster of others.

    Ray waits for a minute whether its server comes back, and then ends this process as it stands.
    A parent knows at once which of its children have ended.
    """

    def __init__(self) -> None:
        """Finds them."""
        children = [(child.name(), child) for child in psutil.Process().children()]
        self._processes = [(name, child) for name, child in children if name in _VITAL]

    def check(self) -> None:
        """Looks whether all of them live; takes a fraction of a millisecond.

        Raises:
            TrainingError: One has ended.
        """
        for name, process in self._processes:
            if not _lives(process):
                raise TrainingError(f"{_VITAL[name]} ({name}) ended; {KEPT}")


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False
