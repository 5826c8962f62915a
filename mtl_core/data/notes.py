"""Notes on data: what a user should know of a split; found once, kept, told at every run.

Whoever reads, collects or encodes a split says what it notices; `store` keeps it with the encoded
data. Names that come from data are quoted when a note is made, so that its text is one line.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from mtl_core.number_types import KEPT, Count
from mtl_core.printable import quoted

Level = Literal["serious", "warning", "hint"]
"""How much hangs on it, the most first.

serious: Scores do not mean what they seem to, or nothing can be learnt.
warning: Rows, words or labels are lost, or count as wrong.
hint: Worth a look; nothing is lost.
"""

_LONGEST_NAME = 40
"""Characters of a label that are shown where many may stand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataNote:
    """One thing that a user should know of a data set.

    Attributes:
        split: The split that it is about; empty when it is about all of them.
        topic: What it is, a word for programs: "known", "cut", ...
        text: What it is, for people, on one line, without data set and split.
        level: How much hangs on it.
        task: The task that it is about; empty when it is about all of them.
        count: How many rows, words or labels it is about; 0 when nothing is counted.
        of: Of how many.
        dataset: The data set's key in the study file; empty as long as it is not known.
    """

    __pydantic_config__ = KEPT

    split: str
    topic: str
    text: str
    level: Level = "warning"
    task: str = ""
    count: Count = 0
    of: Count = 0
    dataset: str = ""

    @property
    def share(self) -> float:
        """The part that it is about, in [0, 1]; 0 when nothing is counted."""
        return self.count / self.of if self.of else 0.0

    @property
    def line(self) -> str:
        """The note as a line: "<data set> [<split>]: <text>"."""
        split = f" [{self.split}]" if self.split else ""
        return f"{self.dataset}{split}: {self.text}"

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


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long the rows of a split are, in sub-words, special tokens included, before any is cut.

    Attributes:
        examples: Texts as read; rows are their pieces where they are questions or running text.
        rows: Rows.
        median: The median length.
        high: The length that 95 % of the rows do not exceed.
        longest: The longest.
        cut: Rows that are longer than the encoder takes, and lose what stands behind.
    """

    __pydantic_config__ = KEPT

    examples: Count
    rows: Count
    median: Count
    high: Count
    longest: Count
    cut: Count


class SplitNotes:
    """Collects the notes on one split; whoever reads the split adds to it."""

    def __init__(self, split: str) -> None:
        """Begins without notes on the split `split`."""
        self.split = split
        self.found: list[DataNote] = []

    def add(
        self,
        topic: str,
        text: str,
        *,
        level: Level = "warning",
        task: str = "",
        count: int = 0,
        of: int = 0,
    ) -> None:
        """Adds a note; see `DataNote`. Names from data stand in `text` as `listed` writes them."""
        self.found.append(
            DataNote(
                split=self.split, topic=topic, text=text, level=level, task=task, count=count, of=of
            )
        )


def by_importance(notes: Iterable[DataNote]) -> tuple[DataNote, ...]:
    """Returns the notes with the most important first; equal ones stay in their order."""
    return tuple(sorted(notes, key=lambda note: get_args(Level).index(note.level)))


def leaks(notes: Iterable[DataNote], split: str) -> list[DataNote]:
    """Returns the notes that rows of a split stand in train, too: its scores say little."""
    return [note for note in notes if note.topic == "known" and note.split == split]


def listed(names: Iterable[str], most: int = 3) -> str:
    """Returns the first names, quoted, and how many there are besides: "'a', 'b' and 7 more"."""
    every = list(names)
    shown = ", ".join(quoted(shortened(name)) for name in every[:most])
    return shown if len(every) <= most else f"{shown} and {len(every) - most:,} more"


def percent(count: int, of: int) -> str:
    """Returns a share for people: "60 %", below 10 % with a decimal."""
    share = 100 * count / of
    return f"{share:.0f} %" if share >= 10 else f"{share:.1f} %"


def shortened(name: str) -> str:
    """Returns a label, cut where it is long: a cell or a line has room for more than one."""
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."
