"""Figures of the section on the final stage."""

from collections.abc import Iterator

from tuning.report.figures.finals import Split, differences, final_means
from tuning.report.finals import scores_that_count
from tuning.report.html.drawable import Drawable
from tuning.report.html.drawn import Drawn


def finals(study: Drawable) -> Iterator[Drawn]:
    """Yields the differences that were judged, and the means over the seeds.

    The other scores stand in the tables: there may be hundreds.
    """
    found = study.summary.result.finals
    if found is None:
        return
    counted = scores_that_count(found)
    if judged := [one for one in found.differences if one.score in counted]:
        yield Drawn(
            "Differences",
            differences(judged),
            "Mean difference with its 95 % interval; grey where it holds zero, and nothing can be "
            "told.",
            is_wide=True,
        )
    # Test as soon as it was opened: dev chose, and flatters what it chose.
    split: Split = "test" if found.best.test else "dev"
    means = found.best.test or found.best.dev
    for score in counted:
        if score in means:
            yield Drawn(
                f"{score} on {split}",
                final_means(found, score, split=split),
                "Diamonds are means over seeds with 95 % intervals, circles single runs; blue is "
                "the chosen recipe, orange the default if it is another.",
            )
