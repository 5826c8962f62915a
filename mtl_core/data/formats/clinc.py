"""The format of CLINC150: lists of [text, label] by split in one JSON file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from mtl_core.data.example import Example
from mtl_core.data.formats.base import (
    Columns,
    DatasetBase,
    Fraction,
    SplitName,
    SplitNames,
    TextRowsSection,
    check_columns,
)
from mtl_core.data.formats.json_files import get_key, short
from mtl_core.data.formats.rows import OnEmpty, read_rows
from mtl_core.data.formats.text_files import cut_words, read_json
from mtl_core.data.notes import SplitNotes
from mtl_core.errors import DataError
from mtl_core.files import hash_files
from mtl_core.section import DataPath


class ClincSplits(SplitNames):
    """`SplitNames` as CLINC150 has them."""

    dev: str | Fraction = "val"
    """Sentences that choose epoch and recipe."""


class Clinc(TextRowsSection, DatasetBase):
    """A JSON file with lists of [text, label] by split, as CLINC150; the column is `intent`."""

    kind: Literal["clinc"] = "clinc"
    path: DataPath
    """The file."""
    splits: ClincSplits = ClincSplits()
    """Keys of the splits; dev and test may be a share of train, such as 0.1."""
    out_of_scope: bool = False
    """Whether the rows of `oos_<split>` come with each split."""

    def read_split(self, split: str, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one split; see `DatasetBase.read_split`."""
        check_columns(str(self.path), columns, {"intent": "label"})
        source = self.splits.named()[split]
        keys = (source, f"oos_{source}") if self.out_of_scope else (source,)
        return clinc_examples(self.path, keys, notes, on_empty=self.on_empty)

    def on_file(self, path: Path, split: SplitName) -> DatasetBase:
        """Returns a section of another file, with the same keys."""
        # A split that was a share of train has no key of its own; there it gets its name.
        keys: dict[str, str] = {split: self.splits.named().get(split, split)}
        return self.model_copy(update={"path": path, "splits": self.splits.model_copy(update=keys)})

    def fingerprint(self) -> str:
        """Returns a hash of the file."""
        return hash_files([self.path])


def clinc_examples(
    path: Path, keys: Sequence[str], notes: SplitNotes, *, on_empty: OnEmpty
) -> list[Example]:
    """Reads a split of a file {split: [[text, label], ...]}.

    Args:
        path: The file.
        keys: The keys of the split, whose rows stand one after the other.
        notes: Hears how many rows were left out.
        on_empty: What becomes of rows with an empty text.

    Raises:
        DataError: The file cannot be read, lacks a key, or a row is no [text, label].
    """
    content = read_json(path)
    rows = [
        (f"{path}: {key}[{number}]", row)
        for key in keys
        for number, row in enumerate(get_key(content, key, list, str(path)))
    ]
    return read_rows(rows, _example, on_empty=on_empty, notes=notes)


def _example(row: Any, where: str) -> Example:
    if not isinstance(row, list) or [type(cell) for cell in row] != [str, str]:
        way = "; `kind: jsonl` reads objects" if isinstance(row, dict) else ""
        raise DataError(f"{where}: expected [text, label], found {short(row)}{way}")
    return Example(cut_words(row[0], where), {"intent": row[1]}, text=row[0])
