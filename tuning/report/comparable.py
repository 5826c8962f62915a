"""What of studies can be compared: the same data, as far as their folders tell, and its tasks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mtl_core.markdown import code
from tuning.records import keys_of_all
from tuning.report.claims import over_of
from tuning.report.figures.progress import Order
from tuning.report.summary import StudySummary
from tuning.statistics.estimates import Difference, Where
from tuning.statistics.seeds import differences
from tuning.study.compared import Side

_DATA = "data set '"


@dataclass(frozen=True, slots=True)
class Compared:
    """A study among others.

    Attributes:
        name: What it is called: its own name, or its folder where two have the same.
        summary: What its report shows.
        state: Where it stands, "complete" for instance.
        inputs: What its results hang on -> a hash of it.
        order: The order in which reports were made.
        best: The runs of its best recipe; None where it has no score, and before it is finished.
    """

    name: str
    summary: StudySummary
    state: str
    inputs: Mapping[str, str]
    order: Order = ()
    best: Side | None = None

    @property
    def tasks(self) -> list[str]:
        """Its tasks."""
        return keys_of_all(report.dev for one in self.summary.records for report in one.reports)

    def labelled(self, dataset: str) -> dict[tuple[str, str], int]:
        """Returns split and task -> rows of a data set with its labels; {} = nobody knows."""
        splits = self.summary.data.splits if self.summary.data is not None else ()
        return {
            (one.split, task): count
            for one in splits
            if one.dataset == dataset
            for task, count in one.labelled.items()
        }

    def rows_of_test(self, task: str) -> dict[str, int]:
        """Returns data set -> rows of test with labels of a task."""
        splits = self.summary.data.splits if self.summary.data is not None else ()
        return {
            one.dataset: one.labelled[task]
            for one in splits
            if one.split == "test" and task in one.labelled
        }


def content_notes(studies: Sequence[Compared]) -> Iterator[str]:
    """Yields what is to be said of inputs whose hashes differ: they do, or nobody knows.

    The hash of a data set is of its rows as they are encoded, with the labels of the tasks that
    read it: where other tasks do, it says nothing of the rest.
    """
    shared = [
        name
        for name in keys_of_all(one.inputs for one in studies)
        if len({one.inputs[name] for one in studies if name in one.inputs}) > 1
    ]
    different = [name for name in shared if any(_differs(name, *pair) for pair in _pairs(studies))]
    if different:
        named = ", ".join(map(code, different))
        yield (
            f"Caution: these have not the same content in each: {named}; of data the rows, the "
            "labels, or how the encoder cuts them."
        )
    if unknown := [name for name in shared if name not in different]:
        yield (
            "Other tasks read these in each, so that nobody knows whether their content is the "
            f"same: {', '.join(map(code, unknown))}. Of tasks that two have, they hold as many "
            "labels."
        )


def judged(first: Compared, other: Compared) -> list[Difference]:
    """Returns the best recipe of a study minus that of another, by scores on the same rows of test.

    Of the main scores of tasks that both have, and of the objective where it is the same number.
    What has no interval is left out.
    """
    if first.best is None or other.best is None:
        return []
    both = [task for task in first.tasks if task in other.tasks]
    same = [task for task in both if _same_test(first, other, task)]
    names = [first.best.main_score(task) for task in same]
    goals = [one.summary.result.goal for one in (first, other)]
    is_same = goals[0].objective == goals[1].objective and not goals[0].aim.is_gain
    if is_same and set(first.tasks) == set(other.tasks) == set(same):
        names.insert(0, "combined")
    places: tuple[Where, ...] = ("unseen", "test")
    for where in places:
        ours, theirs = first.best.runs(where), other.best.runs(where)
        if ours and theirs:
            found = differences(first.name, other.name, ours, theirs)
            known = {one.score: one for one in found if over_of(one.estimate) is not None}
            return [known[name] for name in names if name in known]
    return []


def _same_test(first: Compared, other: Compared, task: str) -> bool:
    """Returns whether a task is scored on the same rows of test, as far as is known."""
    rows = first.rows_of_test(task)
    inputs = [f"{_DATA}{name}'" for name in rows]
    return (
        bool(rows)
        and rows == other.rows_of_test(task)
        and not any(_differs(name, first, other) for name in (*inputs, f"code of task '{task}'"))
    )


def _pairs(studies: Sequence[Compared]) -> Iterator[tuple[Compared, Compared]]:
    for at, first in enumerate(studies):
        for other in studies[at + 1 :]:
            yield first, other


def _differs(name: str, first: Compared, other: Compared) -> bool:
    """Returns whether an input is certainly not the same in two studies that both have it."""
    hashes = [one.inputs.get(name) for one in (first, other)]
    if None in hashes or hashes[0] == hashes[1]:
        return False
    dataset = name.removeprefix(_DATA).removesuffix("'")
    ours, theirs = (one.labelled(dataset) for one in (first, other))
    tasks, others = ({task for _, task in one} for one in (ours, theirs))
    # Or it is no data set, or no study knows its rows.
    if tasks == others:
        return True
    both = tasks & others
    return any(ours.get(key) != theirs.get(key) for key in ours | theirs if key[1] in both)
