"""What Ray raises where a process that was asked is gone: one list, which all other files use."""

from ray import exceptions

GONE: tuple[type[Exception], ...] = (
    exceptions.ActorDiedError,
    exceptions.ActorPlacementGroupRemoved,
    exceptions.ActorUnschedulableError,
    exceptions.LocalRayletDiedError,
    exceptions.NodeDiedError,
    exceptions.ObjectLostError,  # An answer that went with its node; several kinds of it.
    exceptions.OutOfMemoryError,  # Ray's memory monitor ended it; this is no `RayActorError`.
    exceptions.WorkerCrashedError,
)
"""The actor, its node or its answer is gone for good; to ask again is of no use."""

AWAY: tuple[type[Exception], ...] = (exceptions.ActorUnavailableError,)
"""The network was away for a moment: the same may be asked again."""

LOST = (*GONE, *AWAY)
"""An answer did not come, and what was asked is not to blame."""

KEPT = "the trials that are not done are kept, and the same command goes on"
"""The end of a line that tells why a study had to end."""


def death_in(error: BaseException) -> BaseException | None:
    """Returns the error of `GONE` that an error, or one that led to it, is; None without one."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, GONE):
        seen = seen.__cause__ or seen.__context__
    return seen


def how(error: BaseException) -> str:
    """Returns how the process ended that an error of `GONE` tells of, after the words "it"."""
    if isinstance(error, exceptions.OutOfMemoryError):
        return "was ended by Ray's memory monitor, as memory ran out"
    return "ended"
