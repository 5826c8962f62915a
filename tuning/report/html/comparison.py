"""The page that compares studies: what the text says of them, and their progress together."""

from collections.abc import Iterator, Sequence

from tuning.records import keys_of_all
from tuning.report.comparable import Compared
from tuning.report.comparison import comparison_sections, reached_on
from tuning.report.figures.comparison import scores_side_by_side, studies_so_far
from tuning.report.figures.progress import Cost, moments
from tuning.report.html.drawn import Drawn
from tuning.report.html.page import render_page

_MOST = 10
"""Scores of a split that are drawn, the objective first."""


def comparison_page(studies: Sequence[Compared]) -> str:
    """Returns the page of studies that are compared."""
    drawn = {"studies": list(_progress(studies))}
    for split in ("dev", "test"):
        drawn[split] = list(_scores(studies, split))
    return render_page("Studies compared", comparison_sections(studies), drawn)


def _progress(studies: Sequence[Compared]) -> Iterator[Drawn]:
    given = {
        one.name: moments(one.summary.records, one.order, one.summary.result.goal.aim)
        for one in studies
    }
    if not any(one.summary.result.best for one in studies):
        return
    costs: tuple[Cost, ...] = ("epochs", "time")
    for cost in costs:
        yield Drawn(
            f"Score against {cost}",
            studies_so_far(given, cost=cost),
            "The best score on dev so far of each study, against what it had spent.",
        )


def _scores(studies: Sequence[Compared], split: str) -> Iterator[Drawn]:
    found = {one.name: reached_on(one.summary.result, split) for one in studies}
    for score in keys_of_all(found.values())[:_MOST]:
        values = {
            name: (one[score].value, one[score].low, one[score].high)
            for name, one in found.items()
            if score in one
        }
        yield Drawn(
            f"{score} on {split}",
            scores_side_by_side(values, score, among=list(found)),
            "The best recipe of each study; whiskers are 95 % intervals of means over runs.",
        )
