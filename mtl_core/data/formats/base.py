"""The contract of formats, and what all share: where splits come from, row filters, limits."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mtl_core.data.columns.kinds import COLUMNS
from mtl_core.data.cutting import found_cut
from mtl_core.data.example import ColumnKind, Example
from mtl_core.data.formats.data_files import files_of
from mtl_core.data.formats.label_rules import LabelRules
from mtl_core.data.formats.rows import OnEmpty, join_notes
from mtl_core.data.formats.text_columns import TextColumns
from mtl_core.data.notes import SplitNotes
from mtl_core.data.words import Cut, Words
from mtl_core.errors import DataError
from mtl_core.files import hash_files
from mtl_core.section import DataFiles, Section

SplitName = Literal["train", "dev", "test"]
Columns = Mapping[str, ColumnKind]
"""Column name -> what the tasks take it for."""
# Strict: a text is a name or a path, even where it reads as a number.
Fraction = Annotated[float, Field(gt=0, lt=1, strict=True)]
"""A share of the rows of train, cut off by `split_seed`."""


class _Sources(Section):
    # Each subclass says of which type; here they only have to be there.
    train: Any
    dev: Any
    test: Any = None

    @model_validator(mode="after")
    def _check_fractions(self) -> "_Sources":
        cut = sum(share for share in self.fractions().values())
        if cut >= 1:
            raise ValueError(f"dev and test cut {cut:g} off train; less than 1 has to be left")
        return self

    def given(self) -> dict[str, Any]:
        """Returns split -> what stands for it, of the splits that are not cut off train."""
        every = {"train": self.train, "dev": self.dev, "test": self.test}
        return {
            split: source
            for split, source in every.items()
            if source is not None and not isinstance(source, float)
        }

    def fractions(self) -> dict[str, float]:
        """Returns split -> share of train, of the splits that are cut off it."""
        every = {"dev": self.dev, "test": self.test}
        return {split: share for split, share in every.items() if isinstance(share, float)}


class SplitNames(_Sources):
    """The names that a data set gives to its splits, or the shares to cut off train."""

    train: str = "train"
    """Sentences to train on."""
    dev: str | Fraction = "dev"
    """Sentences that choose epoch and recipe."""
    test: str | Fraction | None = "test"
    """Sentences for the final scores, opened once; null when there are none."""

    def named(self) -> dict[str, str]:
        """Returns split -> its name, of the splits that are not cut off train."""
        return self.given()


class SplitFiles(_Sources):
    """The files of each split, or the shares to cut off train.

    Files are a path, a folder (all files in it), a glob such as `data/*.csv`, an address
    (`https://...`, fetched once into the cache), or a list of these.
    """

    train: DataFiles
    """Sentences to train on."""
    dev: Fraction | DataFiles
    """Sentences that choose epoch and recipe."""
    test: Fraction | DataFiles | None = None
    """Sentences for the final scores, opened once; null when there are none."""

    def files(self, split: str) -> list[Path]:
        """Returns the files of a split that is not cut off train.

        Raises:
            DataError: A file is missing, or cannot be fetched.
        """
        places = self.given()[split]
        return files_of((places,) if isinstance(places, str) else places)


class Limits(Section):
    """Most rows of each split; null = all."""

    train: int | None = Field(default=None, ge=1)
    """Most rows to train on."""
    dev: int | None = Field(default=None, ge=1)
    """Most rows that choose epoch and recipe."""
    test: int | None = Field(default=None, ge=1)
    """Most rows for the final scores."""


_PLACES = frozenset({"path", "name", "goals", "acts", "databases"})
"""Keys of a data set that say where it lies, or what belongs to it."""


def without_places(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the plain settings of a data set without where it lies; which splits it has stays."""
    kept = {key: value for key, value in settings.items() if key not in _PLACES}
    splits = {
        split: source if source is None or isinstance(source, float) else "given"
        for split, source in settings.get("splits", {}).items()
    }
    return kept | {"splits": splits}


class DatasetBase(Section, ABC):
    """What all data sets have."""

    kind: Any
    splits: SplitNames | SplitFiles
    split_seed: int = Field(default=0, ge=0)
    """Seed of the choice of rows, where a split is a share of train or has a limit."""
    group: str | None = None
    """Column of what rows are pieces of, such as a document: a share of train has whole ones."""
    where: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    """Keeps the rows whose column, read as text, is the value or one of the values."""
    labels: LabelRules = LabelRules()
    """How labels are written alike: `strip`, `lower`, `map`; `where` sees them as they stand."""
    limit: Annotated[int, Field(ge=1)] | Limits | None = None
    """Most rows, of every split or as `{train: 1000}`; a sample, drawn by `split_seed`."""

    @model_validator(mode="after")
    def _check_group(self) -> "DatasetBase":
        is_given = self.group != type(self).model_fields["group"].default
        if is_given and not self.splits.fractions():
            raise ValueError("group: no split is a share of train, so that none is cut")
        return self

    @abstractmethod
    def read_split(self, split: str, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one split; called for every split that is not cut off train.

        Args:
            split: `train`, `dev` or `test`; where it comes from stands in `splits`.
            columns: The columns to read; an example may lack some of them.
            notes: Gets what a user should know of what was read: what was left out, for instance.

        Raises:
            DataError: A file is missing or unreadable, or lacks a column.
        """

    def check_files(self, where: str) -> None:
        """Refuses files that are not there, before anything is read.

        Args:
            where: The key of the data set, which the error begins with.

        Raises:
            DataError: Files are missing, or cannot be fetched; a line for each split.
        """

    def text_columns(self) -> TextColumns:
        """Returns how a table looks that holds texts like those of this data set."""
        return TextColumns()

    def on_file(self, path: Path, split: SplitName) -> "DatasetBase":
        """Returns a section with the same settings, in which a split comes from another file.

        Args:
            path: The file; for formats of folders a folder.
            split: The split.

        Raises:
            DataError: The format is not one of files.
        """
        raise DataError(f"{path}: a data set of the kind '{self.kind}' does not read files")

    def word_cut(self, train: Sequence[Example]) -> Cut:
        """Returns how texts are cut into words, of this data set and of those to predict.

        Args:
            train: The rows of train; nothing else may decide it.
        """
        return found_cut(train)

    @abstractmethod
    def fingerprint(self) -> str:
        """Returns a hash of the content of all that is read; moved files keep theirs."""

    def public_name(self) -> str | None:
        """Returns the id of the data set on the hub; None where it has none that is known."""
        return None

    def cache_key(self) -> dict[str, Any]:
        """Returns the settings that shape what is read, as plain values.

        Without where the data lies: `fingerprint` stands for its content, so that copies of a data
        set share their encoded form.
        """
        settings = self.model_dump(mode="json", exclude={*_PLACES, "splits"})
        # Of files it counts which splits have one: their content is in `fingerprint`. Names choose
        # within one source, so they count as they are.
        is_by_name = isinstance(self.splits, SplitNames)
        sources = self.splits.given() if is_by_name else list(self.splits.given())
        return settings | {"sources": sources, "fractions": self.splits.fractions()}


class TextRowsSection(Section):
    """What data sets have whose rows may have an empty text."""

    on_empty: OnEmpty = "error"
    """What becomes of a row with an empty text: an error, or `skip` leaves it out."""


class FilesBase(DatasetBase):
    """What data sets of files have; the files of a split hold its rows one after the other."""

    splits: SplitFiles
    """The files of each split; dev and test may be a share of train, such as 0.1."""

    def read_split(self, split: str, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads the files of a split; see `DatasetBase.read_split`."""
        files = self.splits.files(split)
        rows = [row for path in files for row in self.read_file(path, columns, notes)]
        join_notes(notes, len(rows))
        return rows

    def check_files(self, where: str) -> None:
        """Refuses files that are not there; see `DatasetBase.check_files`."""
        lines: list[str] = []
        for split in self.splits.given():
            try:
                self.splits.files(split)
            except DataError as error:
                lines += [f"{where}.splits.{split}: {line}" for line in error.lines]
        if lines:
            raise DataError(*lines)

    @abstractmethod
    def read_file(self, path: Path, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one file of a split; see `DatasetBase.read_split`."""

    def on_file(self, path: Path, split: SplitName) -> DatasetBase:
        """Returns a section in which a split is another file."""
        return self.model_copy(update={"splits": self.splits.model_copy(update={split: str(path)})})

    def fingerprint(self) -> str:
        """Returns a hash of the content of all files."""
        # By split: a file that moves from train to dev makes another data set.
        hashes = {split: hash_files(self.splits.files(split)) for split in self.splits.given()}
        return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()


class SpanFilesBase(FilesBase):
    """What data sets have whose labels are spans of characters, which become tags of words."""

    words: Words | None = None
    """Where words end: `whitespace`, `punctuation` or `characters`; null = as most spans fit."""
    trim: bool = False
    """Takes white space off both ends of spans, for training and for scores; else such spans count
    as missed, since no word has any."""

    def word_cut(self, train: Sequence[Example]) -> Cut:
        """Returns how texts are cut into words; see `DatasetBase.word_cut`."""
        return super().word_cut(train) if self.words is None else Cut(self.words)


def check_columns(where: str, columns: Columns, offered: Columns) -> None:
    """Refuses columns that a format does not have, or that hold something else.

    Args:
        where: What the error begins with.
        columns: The columns that tasks ask for.
        offered: The columns that the format has.

    Raises:
        DataError: A column is not offered, or is of another kind.
    """
    for column, kind in columns.items():
        if column not in offered:
            names = f"columns of this format: {', '.join(offered)}" if offered else "it has none"
            raise DataError(f"{where}: there is no column '{column}'; {names}")
        if offered[column] != kind:
            raise DataError(
                f"{where}: column '{column}' holds {COLUMNS[offered[column]].holds}, and the "
                f"task's kind needs {COLUMNS[kind].holds}"
            )
