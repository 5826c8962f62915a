"""Whether a study can be searched as its file says, and what of that would have no effect."""

import logging
from collections.abc import Iterator

from mtl_core.errors import ConfigError
from mtl_core.study_file import Document
from mtl_core.training.donors import MAY_DIFFER, may_differ
from tuning.search.schedulers.base import Extent
from tuning.study.config import StudyFile

logger = logging.getLogger(__name__)


def search_errors(document: Document, study: StudyFile) -> Iterator[str]:
    """Yields what keeps sampler or scheduler from working in the space, with its place."""
    yield from _sampler_errors(document, study)
    yield from _scheduler_errors(document, study)
    yield from _decoding_errors(document, study)
    yield from _finals_errors(document, study)


def _sampler_errors(document: Document, study: StudyFile) -> Iterator[str]:
    """Yields what keeps the sampler from sampling the space, with its place in the study file."""
    yield from _unused_knowledge(document, study)
    if not study.space:
        return
    sampler = study.study.sampler
    try:
        sampler.check(study.space)
    except ConfigError as error:
        key = str(error).partition(":")[0]
        path = ("study", "sampler", *([key] if key in type(sampler).model_fields else []))
        yield f"{document.place(path).text}: study.sampler.{error}"


def _scheduler_errors(document: Document, study: StudyFile) -> Iterator[str]:
    """Yields why the scheduler has nothing to do in this space, with its place."""
    scheduler = study.study.scheduler
    if study.space and scheduler.changes_recipes and not study.space.changeable(may_differ):
        yield (
            f"{document.place(('study', 'scheduler')).text}: study.scheduler: '{scheduler.kind}' "
            "changes rates and weights of tasks while trials train, and none of them is searched; "
            f"search one of {', '.join(MAY_DIFFER)}, or set another study.scheduler"
        )


def _decoding_errors(document: Document, study: StudyFile) -> Iterator[str]:
    """Yields why settings of decoding cannot be searched, or would not count, with their place."""
    for key in study.decoding_space.targets:
        task = key.split(".")[1]
        if study.run.tasks[task].auxiliary:
            where = document.place(("search", key)).text
            yield (
                f"{where}: search.{key}: the task '{task}' is auxiliary, so how it is decoded does "
                "not count in the objective; leave it out"
            )


def _finals_errors(document: Document, study: StudyFile) -> Iterator[str]:
    """Yields why a final stage cannot be, with its place."""
    if study.study.finals is not None and "seed" in study.space.targets:
        where = document.place(("search", "seed")).text
        yield (
            f"{where}: search.seed: the final stage (study.finals) trains recipes with seeds of "
            "its own, so this one would be no part of a recipe; leave it out"
        )


def _unused_knowledge(document: Document, study: StudyFile) -> Iterator[str]:
    """Yields a line for what is known beforehand where the sampler makes no use of it."""
    section, sampler = study.study, study.study.sampler
    for path, is_set, is_used in (
        (("study", "prior"), section.prior != "none", sampler.uses_priors),
        (("search", "try"), study.search.tries_likely, sampler.uses_priors),
        (("study", "warm_start"), bool(section.warm_start), sampler.uses_earlier),
    ):
        where = f"{document.place(path).text}: {'.'.join(path)}"
        if is_set and not study.space:
            yield f"{where}: with nothing to search it has no effect; leave it out"
        elif is_set and not is_used:
            yield (
                f"{where}: the sampler '{sampler.kind}' makes no use of it; leave it out, or set "
                "another study.sampler"
            )


def tell_doubts(study: StudyFile) -> None:
    """Logs what sampler and scheduler could not do in this study; once per command."""
    if not study.space:
        return
    if study.trials < study.study.trials:
        message = "study.trials is %d; after %d there is nothing left to try, and the study ends"
        logger.warning(message, study.study.trials, study.trials)
    extent = Extent(
        study.trials,
        study.max_epochs,
        1 / study.run.training.reports_per_epoch,
        objectives=max(1, len(study.goal.tasks)),
    )
    sampler, scheduler = study.study.sampler, study.study.scheduler
    for line in (*scheduler.doubts(extent), *sampler.doubts(study.space, study.trials)):
        logger.warning("%s", line)
