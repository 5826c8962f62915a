"""A clock that calls a function every so often, whatever the main thread waits for."""

import threading
from collections.abc import Callable
from types import TracebackType


class Ticker:
    """Calls a function at an interval from a thread of its own, between enter and exit.

    It can be started once. What the function raises ends the ticking, and nothing else.
    """

    def __init__(self, interval_s: float, function: Callable[[], object]) -> None:
        """Makes a ticker that does not tick until `start`; `interval_s` is in seconds."""
        self._interval_s = interval_s
        self._function = function
        self._is_over = threading.Event()
        # A daemon: an interpreter that ends for any reason must not wait for it.
        self._thread = threading.Thread(target=self._run, name="mtl-ticker", daemon=True)

    def start(self) -> None:
        """Starts ticking."""
        self._thread.start()

    def stop(self) -> None:
        """Stops; a call that is on its way ends first, so that nothing is written later."""
        self._is_over.set()
        self._thread.join()

    def __enter__(self) -> "Ticker":
        """Starts ticking."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops."""
        self.stop()

    def _run(self) -> None:
        # Waits on the event and does not sleep, so that `stop` need not wait for an interval.
        while not self._is_over.wait(self._interval_s):
            self._function()
