"""The section of a report on what a study knew before its first trial: knowledge, no results."""

from collections.abc import Sequence
from dataclasses import dataclass

import optuna

from mtl_core.markdown import code, plain
from tuning.report.markdown import percent, table
from tuning.search.knowledge.similar import similarities_in
from tuning.study.folder import StudyFolder
from tuning.study.known import NOTHING, KnownFacts, read_known


@dataclass(frozen=True, slots=True)
class Beforehand:
    """What a study knew before its first trial, and what became of it.

    Attributes:
        known: What was known.
        similar: How similar each earlier study is to this one, in [0, 1].
    """

    known: KnownFacts = NOTHING
    similar: Sequence[float] = ()


FROM_NOTHING = Beforehand()
"""Of a study that began from nothing, as most do."""


def read_beforehand(folder: StudyFolder, optuna_study: optuna.Study) -> Beforehand:
    """Returns what the study in a folder knew, compared with its journal as it stands."""
    known = read_known(folder) or NOTHING
    earlier = known.known.earlier
    return Beforehand(known, similarities_in(optuna_study, earlier) if earlier else ())


def known_section(beforehand: Beforehand) -> list[str]:
    """Returns the parts of the section with its heading; [] where nothing was known."""
    known, similar = beforehand.known, beforehand.similar
    parts = []
    if known.studies:
        rows = [
            [
                code(study.folder),
                f"{len(study.points)} of {study.trials}",
                ", ".join(map(code, study.earlier.varied)),
                percent(share),
            ]
            for study, share in zip(known.studies, similar, strict=True)
        ]
        parts.append(table(["earlier study", "trials read", "tell of", "similar, %"], rows))
        parts.append(
            "Their trials told where to search first, and are among no results. Similar are "
            "studies whose good trials lie in the same places: 100 = all of them."
        )
    if known.priors:
        rows = [[code(prior.name), plain(prior.text)] for prior in known.priors]
        parts.append(table(["parameter", "shipped prior"], rows))
    return ["## What was known beforehand", *parts] if parts else []
