"""The section of a report on what a study knew before its first trial: knowledge, no results."""

from collections.abc import Sequence

from mtl_core.markdown import code, plain
from tuning.report.markdown import percent, table
from tuning.study.known import KnownFacts


def known_section(known: KnownFacts, similar: Sequence[float]) -> list[str]:
    """Returns the parts of the section; [] where nothing was known.

    Args:
        known: What was known.
        similar: How similar each earlier study is to this one, in [0, 1].
    """
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
    return parts
