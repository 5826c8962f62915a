"""Which of Ray's errors say that a process is gone; none is forgotten."""

import inspect

import ray
from ray import exceptions

from tuning.cluster.deaths import AWAY, GONE, LOST, death_in, how

_NO_DEATHS = {
    *("RayError", "RayActorError"),  # The families; only their kinds are raised.
    *("RayTaskError", "UserCodeException", "CrossLanguageError"),  # What the code raised itself.
    *("TaskCancelledError", "GetTimeoutError", "AsyncioActorExit", "PendingCallsLimitExceeded"),
    *("ObjectStoreFullError", "OutOfDiskError", "PlasmaObjectNotAvailable"),
    *("TaskUnschedulableError", "TaskPlacementGroupRemoved", "RuntimeEnvSetupError"),
    *("RpcError", "RaySystemError", "AuthenticationError"),
    *("ActorAlreadyExistsError", "ActorHandleNotFoundError"),
    *("UnserializableException", "OufOfBandObjectRefSerializationException"),
    # Streams, compiled graphs and tensors between actors, which are not used here.
    *("ObjectRefStreamEndOfStreamError", "StreamingGeneratorReplayInconsistentError"),
    *("RayChannelError", "RayChannelTimeoutError", "RayCgraphCapacityExceeded"),
    "RayDirectTransportError",
}


def test_each_error_of_ray_is_a_death_or_known_to_be_none() -> None:
    """As of Ray 2.60; another version may have more of them."""
    assert ray.__version__.startswith("2.60.")
    theirs = {
        name
        for name, value in inspect.getmembers(exceptions, inspect.isclass)
        if issubclass(value, exceptions.RayError)
    }
    lost = {name for name in theirs if issubclass(getattr(exceptions, name), LOST)}
    assert theirs - lost == _NO_DEATHS
    assert exceptions.OutOfMemoryError in GONE
    assert not any(issubclass(one, AWAY) for one in GONE)


def test_a_death_is_found_in_what_it_led_to() -> None:
    death = exceptions.OutOfMemoryError("Memory on the node was 30 GB / 31 GB")
    raised = RuntimeError("Caught unexpected exception")
    raised.__cause__ = death
    led_to = RuntimeError("the search failed")
    led_to.__context__ = raised
    assert [death_in(one) for one in (death, raised, led_to)] == [death] * 3
    assert "memory monitor" in how(death)
    assert death_in(RuntimeError("a bug")) is None
    assert how(exceptions.ActorDiedError()) == "ended"
