"""Checks what a study is to reach against its tasks, before any data are read."""

from collections.abc import Iterator

from mtl_core.printable import one_line
from mtl_core.study_file import Document
from tuning.study.config import StudyFile

_SEVERAL = "tpe, nsga2, nsga3, gp, random, qmc, grid"


def goal_errors(document: Document, study: StudyFile) -> Iterator[str]:
    """Yields a line for every name of a task that is none, and for what does not go with them."""
    parts, counted = study.study, study.counted_tasks
    found = [(("objective", *path), text) for path, text in parts.objective.problems(counted)]
    found += [(("constraints", *path), text) for path, text in parts.constraints.problems(counted)]
    if study.goal.tasks and not parts.sampler.takes_several:
        text = f"found '{parts.sampler.kind}', which takes one objective; allowed: {_SEVERAL}"
        found.append((("sampler", "kind"), text))
    found += _baseline_errors(study)
    for path, text in found:
        at = ("study", *path)
        yield f"{document.place(at).text}: {one_line('.'.join(at))}: {text}"


def _baseline_errors(study: StudyFile) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yields why tasks alone cannot be compared with, or have to be: a key, and a sentence."""
    objective, baselines = study.study.objective, study.study.baselines
    unmeasured = objective.unmeasured(study.counted_tasks)
    if unmeasured and not baselines.are_run:
        yield (
            ("objective",),
            f"{objective.kind} needs the score of {', '.join(unmeasured)} alone; let the study "
            "measure it (study.baselines: default, or tuned), or give it by hand "
            "(study.objective.baselines)",
        )
    if baselines.are_run and len(study.run.tasks) == 1:
        yield (
            ("baselines",),
            f"found '{baselines.kind}', but the study has one task alone already; leave it out",
        )
