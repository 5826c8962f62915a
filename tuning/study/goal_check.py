"""Checks what a study is to reach against its tasks, before any data are read."""

from collections.abc import Iterator

from mtl_core.printable import one_line
from mtl_core.study_file import Document
from tuning.study.config import StudyFile


def goal_errors(document: Document, study: StudyFile) -> Iterator[str]:
    """Yields a line for every name of a task that is none, and for what does not go with them."""
    counted = [name for name, task in study.run.tasks.items() if not task.auxiliary]
    for path, text in study.study.objective.problems(counted):
        at = ("study", "objective", *path)
        yield f"{document.place(at).text}: {one_line('.'.join(at))}: {text}"
