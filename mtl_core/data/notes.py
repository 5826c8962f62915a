"""Notes on data: what a user should know of a split; found once, kept, told at every run.

Whoever reads, collects or encodes a split says what it notices; `store` keeps it with the encoded
data. Names that come from data are quoted when a note is made, so that its text is one line.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Level = Literal["serious", "warning", "hint"]
"""How much hangs on it, the most first.

serious: Scores do not mean what they seem to, or nothing can be learnt.
warning: Rows, words or labels are lost, or count as wrong.
hint: Worth a look; nothing is lost.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataNote:
    """One thing that a user should know of a data set.

    Attributes:
        split: The split that it is about.
        kind: What it is, a word for programs: "known", "cut", ...
        text: What it is, for people, on one line; data set and split are put in front of it.
        level: How much hangs on it.
        task: The task that it is about; empty when it is about all of them.
        count: How many rows, words or labels it is about; 0 when nothing is counted.
        of: Of how many.
    """

    split: str
    kind: str
    text: str
    level: Level = "warning"
    task: str = ""
    count: int = 0
    of: int = 0

    @property
    def share(self) -> float:
        """The part that it is about, in [0, 1]; 0 when nothing is counted."""
        return self.count / self.of if self.of else 0.0

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> "DataNote":
        """Reads what `to_json` returned.

        Raises:
            TypeError: It is something else.
        """
        return cls(**plain)


class SplitNotes:
    """Collects the notes on one split; whoever reads the split adds to it."""

    def __init__(self, split: str) -> None:
        """Begins without notes on the split `split`."""
        self.split = split
        self.found: list[DataNote] = []

    def add(
        self,
        kind: str,
        text: str,
        *,
        level: Level = "warning",
        task: str = "",
        count: int = 0,
        of: int = 0,
    ) -> None:
        """Adds a note; see `DataNote`. Names from data stand in `text` as `quoted` writes them."""
        self.found.append(
            DataNote(
                split=self.split, kind=kind, text=text, level=level, task=task, count=count, of=of
            )
        )


def by_importance(notes: Iterable[DataNote]) -> tuple[DataNote, ...]:
    """Returns the notes with the most important first; equal ones stay in their order."""
    return tuple(sorted(notes, key=lambda note: get_args(Level).index(note.level)))


def line_of(dataset: str, note: DataNote) -> str:
    """Returns a note as a line: "<data set> [<split>]: <text>"."""
    return f"{dataset} [{note.split}]: {note.text}"
