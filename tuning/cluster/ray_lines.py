"""What Ray prints and logs in the driver, as lines of this project's log and of no console."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tuning.cluster._ray import printing_by, without_steering

logger = logging.getLogger(__name__)

_RAYS = ("ray", "ray.tune", "ray.train", "ray.data")
"""Loggers of Ray that have handlers or levels of their own."""


@contextmanager
def ray_lines_logged() -> Iterator[None]:
    """Logs what Ray says in this process, for as long as the context lasts, at INFO.

    It is what its processes print, news of its raylet and autoscaler, and its own warnings. All of
    it is about Ray: what a study has to say of it this project says itself.
    """
    rays = [logging.getLogger(name) for name in _RAYS]
    before = [(one, one.handlers, one.level, one.propagate) for one in rays]
    for one in rays:
        one.handlers, one.propagate = [_Relay()], False
        one.setLevel(logging.WARNING)
    try:
        with printing_by(_log):
            yield
    finally:
        for one, handlers, level, propagate in before:
            one.handlers, one.propagate = handlers, propagate
            one.setLevel(level)


def _log(data: Mapping[str, object]) -> None:
    """Logs what a process of Ray printed, as Ray's log monitor hands it on."""
    name = data.get("actor_name") or data.get("task_name") or "ray"
    for line in without_steering(data):
        logger.info("%s %s: %s", name, data.get("pid"), line)


class _Relay(logging.Handler):
    """Hands records of Ray's loggers on to ours."""

    def emit(self, record: logging.LogRecord) -> None:
        logger.info("%s: %s", record.name, record.getMessage(), exc_info=record.exc_info)
