"""What all figures share: the texts in them, the scores that they show, how they begin.

Every figure is a function of plain values that returns a `plotly.graph_objects.Figure`; plotly is
imported when one is called. Names and labels come from study files and data, and plotly reads its
texts as HTML: each goes through `label`.
"""

import html
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from mtl_core.printable import one_line, shortened
from mtl_core.scores import is_share, main_scores
from mtl_core.training.report import Report
from tuning.records import TrialRecord

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

T = TypeVar("T")

BEST, DEFAULT = "#2878b5", "#d97706"
"""The best or chosen recipe is blue and the default orange, on each figure that shows them."""
PLAIN, APART, FAINT, BAD = "#158a6e", "#a05195", "#8a8f98", "#c0392b"
"""What is neither of the two, what misses a limit, what counts less, and what failed.

All colours stand out on white and on black.
"""
COLOURS = (BEST, DEFAULT, PLAIN, APART, FAINT, BAD)
"""Of studies side by side, where no recipe is drawn: one after the other."""
PALE = "#d0d9e3"
"""In a field of a scale: nothing, or the least. In the dark a page puts its `--pale` there."""
SCALE, AROUND_ZERO = ((0.0, PALE), (1.0, BEST)), ((0.0, BAD), (0.5, PALE), (1.0, BEST))
"""Colours of fields: the bluer the more; of numbers around zero those below it are red."""
_DIGITS = ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 4, 5, 6, 8))
"""What is marked of each power of ten: as few as make the least number of marks."""
_LEAST_TICKS, _LEAST_NAMED = 4, 2
_SHORT_FROM, _SHORT_TO = 0.01, 1e5
"""Between which numbers are written without a power of ten."""
_MOST_LETTERS = 60


def label(text: str, most: int = _MOST_LETTERS) -> str:
    """Returns a text as plotly shows it literally: on one line, no tag, no link, not too long.

    Args:
        text: Comes from anywhere.
        most: Letters; "..." stands for the middle of a longer text.
    """
    # Quotes stay: plotly knows no entity for them, and they do nothing outside of a tag.
    return html.escape(one_line(shortened(text, most)), quote=False)


@dataclass(frozen=True, slots=True)
class Score:
    """A score on dev that trials are shown by.

    Attributes:
        task: The task that it is the main score of; "" = the objective.
        name: Its name, "accuracy" for instance.
    """

    task: str = ""
    name: str = "combined"

    @property
    def key(self) -> str:
        """Returns what it is known by: "combined", or the task."""
        return self.task or self.name

    @property
    def title(self) -> str:
        """Returns what stands at its axis."""
        unit = ", %" if is_share(self.name) else ""
        return f"{label(f'{self.task} {self.name}'.strip())}{unit}"

    def shown(self, value: float) -> float:
        """Returns a value as it is drawn: shares in percent, six digits of it."""
        return shorter(100 * value if is_share(self.name) else value)

    def of(self, report: Report | None) -> float:
        """Returns the score of a report as it is drawn; NaN where it has none."""
        if report is None:
            return math.nan
        if not self.task:
            return self.shown(report.combined)
        found = main_scores(report.dev).get(self.task)
        return math.nan if found is None else self.shown(found[1])


OBJECTIVE = Score()
"""The objective of a study, `combined`."""


def scores_of(records: Iterable[TrialRecord]) -> list[Score]:
    """Returns what trials are shown by: the objective, and the main score of each task.

    A single task is the objective itself.
    """
    found = {
        task: name
        for record in records
        for report in record.reports
        for task, (name, _) in main_scores(report.dev).items()
    }
    tasks = [Score(task, name) for task, name in found.items()]
    return [OBJECTIVE, *tasks] if len(tasks) > 1 else [OBJECTIVE]


def begun(*traces: object, x: str = "", y: str = "", height: int = 360) -> "Figure":
    """Returns a figure with titles at its axes, which `label` has spelt where they hold names.

    Args:
        traces: What is drawn.
        x: Title of the horizontal axis.
        y: Title of the vertical axis.
        height: In pixels.
    """
    import plotly.graph_objects as go

    figure = go.Figure(data=list(traces))
    figure.update_layout(
        height=height,
        margin={"l": 60, "r": 20, "t": 30, "b": 50},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="closest",
    )
    # "1e-4" and not "100\u03bc", which stands for a millionth nowhere else here.
    # A title stands behind the labels, however long these are, and not across them.
    shared = {"automargin": True, "exponentformat": "e", "title_standoff": 8}
    figure.update_xaxes(title_text=x, **shared)
    figure.update_yaxes(title_text=y, **shared)
    return figure


def log_ticks(low: float, high: float) -> dict[str, object]:
    """Returns what is marked on a log axis, each number with its power of ten.

    Plotly writes "2" and "5" beside "1e-4", which says nothing where no such mark is in view.

    Args:
        low: Where the axis begins, above 0.
        high: Where it ends.
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks: list[tuple[int, int]] = []
    for digits in _DIGITS:
        marks = [(one, ten) for ten in decades for one in digits
                 if low <= float(f"{one}e{ten}") <= high]  # fmt: skip
        if len(marks) >= _LEAST_TICKS:
            break
    found = [(float(f"{one}e{ten}"), one, ten) for one, ten in marks]
    if len(found) < _LEAST_NAMED:
        # Over so little plotly writes numbers in full.
        return {}
    is_short = low >= _SHORT_FROM and high < _SHORT_TO
    texts = [f"{value:g}" if is_short else f"{one}e{ten}" for value, one, ten in found]
    return {"tickvals": [value for value, _, _ in found], "ticktext": texts}


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """Returns what stands side by side -> its colour; of many some have the same."""
    return {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(names)}


def mixed(first: str, second: str, share: float) -> str:
    """Returns the colour that lies between two others, with that share of the second."""
    parts = (
        round(int(one, 16) + share * (int(other, 16) - int(one, 16)))
        for one, other in zip(
            *(re.findall("[0-9a-f]{2}", each) for each in (first, second)), strict=True
        )
    )
    return "#" + "".join(f"{part:02x}" for part in parts)


def shorter(value: float) -> float:
    """Returns a number with six digits, which nobody sees the end of; a page has many of them."""
    return float(f"{value:.6g}")


def of_trial(record: TrialRecord) -> str:
    """Returns what a trial is called when a pointer rests on it."""
    return f"trial {label(record.id)}, {record.status}"


def evenly(found: Sequence[T], most: int) -> list[T]:
    """Returns at most so many of what was found, the first and evenly spread ones of the others."""
    if len(found) <= most:
        return list(found)
    step = len(found) / most
    return [found[int(number * step)] for number in range(most)]
