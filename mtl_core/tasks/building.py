"""Tasks made of their sections, with what a kind from outside the package may lack told."""

from collections.abc import Iterator
from contextlib import contextmanager

from mtl_core.data.columns.label_names import Labels
from mtl_core.errors import ConfigError
from mtl_core.tasks.base import Task, TaskSection


@contextmanager
def telling_what_lacks(kind: str, name: str) -> Iterator[None]:
    """Tells in one line what a part of a task's kind lacks: those from outside the package may.

    Raises:
        ConfigError: A class without all methods of the contract was to be made.
    """
    try:
        yield
    except TypeError as error:
        if "abstract" not in str(error):
            raise
        raise ConfigError(
            f"run.tasks.{name}.kind: '{kind}' is not whole: {error}; see docs/own_task.md"
        ) from error


def build_task(name: str, section: TaskSection, labels: Labels) -> Task:
    """Builds a task for its labels."""
    with telling_what_lacks(section.kind, name):
        task = section.build(name, labels)
    if lacking := [part for part in ("name", "labels", "main_score") if not hasattr(task, part)]:
        raise ConfigError(
            f"run.tasks.{name}.kind: the task of '{section.kind}' lacks {', '.join(lacking)}; see "
            "docs/own_task.md"
        )
    # Here and not in `build`, which every kind writes anew and could forget.
    task.is_auxiliary, task.writes = section.auxiliary, section.writes
    return task
