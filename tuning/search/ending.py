"""What ends a search from within Tune's callbacks, and fails no trial."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mtl_core.errors import TrainingError
from mtl_core.full_disk import telling_full_disks
from tuning.cluster.deaths import KEPT, death_in, how


class SearchEnded(BaseException):
    """The search cannot go on; the error that says why is its cause.

    Tune fails the trial over which a callback raised an `Exception`, for good. Like
    `KeyboardInterrupt`, this is none: it leaves Tune's loop, and the trials stay as they are.
    """


@contextmanager
def ending_the_search() -> Iterator[None]:
    """Ends the search when the block raises; also a decorator for what Tune calls.

    Raises:
        SearchEnded: The block raised an error, a full disk for instance.
    """
    try:
        yield
    except Exception as error:
        raise SearchEnded from error


def run_search(fit: Callable[[], object], scratch: Path) -> None:
    """Runs Tune's loop; raises what ended the search as the error that it is.

    Raises:
        StorageError: What happened cannot be written down, or Tune itself cannot write `scratch`.
        TrainingError: An actor of Tune's is gone.
    """
    error = None
    try:
        with telling_full_disks(scratch):
            fit()
    except SearchEnded as ended:
        error = ended.__cause__
    except RuntimeError as raised:
        # Tune knows only some of the ways in which an actor dies; of others it makes this.
        if (death := death_in(raised)) is None:
            raise
        raise TrainingError(f"a process that hears of trials {how(death)}; {KEPT}") from raised
    # Not in the block above: `SearchEnded` would become the context of its own cause.
    if error is not None:
        raise error
