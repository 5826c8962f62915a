"""What `mtl init` makes of files: data sets and tasks, with the words that say what was seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mtl_core.printable import one_line


@dataclass(frozen=True, slots=True)
class TaskGuess:
    """A task that a data set offers.

    Attributes:
        name: What it may be called.
        settings: Its keys in the study file, without `dataset`; `kind` comes first.
        seen: What was seen in its column, and what else it may be.
        is_auxiliary: Whether it is there to help other tasks.
        is_alone: Whether no other task can stand on its data set.
    """

    name: str
    settings: Mapping[str, object]
    seen: str
    is_auxiliary: bool = False
    is_alone: bool = False

    @property
    def kind(self) -> str:
        """The kind of task."""
        return str(self.settings["kind"])

    def with_settings(self, more: Mapping[str, object]) -> "TaskGuess":
        """Returns the task with more settings."""
        return replace(self, settings={**self.settings, **more})


@dataclass(frozen=True, slots=True)
class DatasetGuess:
    """A data set, as it was read.

    Attributes:
        settings: Its keys in the study file, without `splits`; `kind` comes first.
        tasks: The tasks on it.
        rows: Split -> number of its rows, of the splits that have files.
        lengths: Words of each text.
        letters: Share of letters that are Latin, in [0, 1].
        notes: What else was seen: columns that were left out and why, texts that are empty.
        splits_by_name: Split -> its name, where the format finds the splits itself.
        takes_encoding: Whether the format has a setting for the encoding.
    """

    settings: Mapping[str, object]
    tasks: Sequence[TaskGuess]
    rows: Mapping[str, int]
    lengths: Sequence[int]
    letters: float
    notes: Sequence[str] = ()
    splits_by_name: Mapping[str, str] = field(default_factory=dict)
    takes_encoding: bool = False


def shown(value: object, most: int = 30) -> str:
    """Returns a value of a file for a comment: on one line, and not too long."""
    text = one_line(str(value))
    return text if len(text) <= most else f"{text[: most - 3]}..."


def rows_of(count: int) -> str:
    """Returns a number of rows in words."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def labels_of(counts: Mapping[str, int]) -> str:
    """Returns how many labels there are, and the most frequent ones."""
    return f"{len(counts):,} label{'' if len(counts) == 1 else 's'}: {counted(counts)}"


def types_of(counts: Mapping[str, int]) -> str:
    """Returns how many types of spans there are, and the most frequent ones."""
    return f"{len(counts):,} type{'' if len(counts) == 1 else 's'}: {counted(counts)}"


def counted(counts: Mapping[str, int], most: int = 6) -> str:
    """Returns labels with their counts, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    parts = [f"{shown(label)} {count:,}" for label, count in ordered[:most]]
    return ", ".join(parts) + (", ..." if len(ordered) > most else "")


def latin_share(texts: Sequence[str]) -> float:
    """Returns the share of letters that are Latin in the first texts, 1 without letters."""
    letters = [sign for text in texts[:200] for sign in text[:500] if sign.isalpha()]
    return sum(sign < "\u0250" for sign in letters) / len(letters) if letters else 1.0
