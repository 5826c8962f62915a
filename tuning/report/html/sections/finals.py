"""Figures of the section on the final stage."""

from collections.abc import Iterator

from tuning.report.figures.finals import differences, final_means
from tuning.report.html.drawable import Drawable
from tuning.report.html.drawn import Drawn

_MOST = 8
"""Scores that are drawn, the objective first."""


def finals(study: Drawable) -> Iterator[Drawn]:
    """Yields the means of each score over the seeds, and the differences that were judged."""
    found = study.summary.result.finals
    if found is None:
        return
    if found.differences:
        yield Drawn(
            "Differences",
            differences(found.differences),
            "Mean difference with its 95 % interval; grey where it holds zero, and nothing can be "
            "told.",
            min_width=480,
            is_wide=True,
        )
    for split, means in (("test", found.best.test), ("dev", found.best.dev)):
        for score in list(means or ())[:_MOST]:
            yield Drawn(
                f"{score} on {split}",
                final_means(found, score, split="test" if split == "test" else "dev"),
                "Diamonds are means over seeds with 95 % intervals, circles single runs; orange is "
                "the chosen recipe.",
            )
