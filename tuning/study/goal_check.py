"""Checks what a study is to reach against its tasks, before any data are read."""

from collections.abc import Iterator

from mtl_core.printable import one_line
from mtl_core.study_file import Document
from tuning.study.config import StudyFile

_SEVERAL = "tpe, nsga2, nsga3, gp, random, qmc, grid"


def goal_errors(document: Document, study: StudyFile) -> Iterator[str]:
    """Yields a line for every name of a task that is none, and for what does not go with them."""
    tasks, parts = study.run.tasks, study.study
    counted = [name for name, task in tasks.items() if not task.auxiliary]
    found = [(("objective", *path), text) for path, text in parts.objective.problems(counted)]
    found += [(("constraints", *path), text) for path, text in parts.constraints.problems(counted)]
    if study.goal.tasks and not parts.sampler.takes_several:
        text = f"found '{parts.sampler.kind}', which takes one objective; allowed: {_SEVERAL}"
        found.append((("sampler", "kind"), text))
    for path, text in found:
        at = ("study", *path)
        yield f"{document.place(at).text}: {one_line('.'.join(at))}: {text}"
