"""The format of ATIS and SNIPS: words, tags and labels in one file each, line by line."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from mtl_core.data.example import Example, LabelValue
from mtl_core.data.formats.base import (
    Columns,
    DatasetBase,
    SplitName,
    SplitNames,
    TextRowsSection,
    check_columns,
)
from mtl_core.data.formats.rows import OnEmpty, read_rows
from mtl_core.data.formats.tag_schemes import Schemes, with_iob2
from mtl_core.data.formats.text_files import EmptyTextError, read_lines, words_with_tags
from mtl_core.data.notes import SplitNotes
from mtl_core.data.schemes import Scheme
from mtl_core.errors import DataError
from mtl_core.files import hash_files
from mtl_core.section import DataPath

_SEQ_FILES = ("seq.in", "seq.out", "label")


class SeqInOut(TextRowsSection, DatasetBase):
    """A folder per split with `seq.in` (words), `seq.out` (BIO tags) and `label`, line by line.

    The columns are `intent` (from `label`; an empty line = no label) and `slots` (from `seq.out`).
    """

    kind: Literal["seq_in_out"] = "seq_in_out"
    path: DataPath
    """The folder that holds the folders of the splits."""
    splits: SplitNames = SplitNames()
    """Names of the folders; dev and test may be a share of train, such as 0.1."""
    schemes: dict[str, Scheme] = Field(default_factory=dict)
    """Scheme of the tags, `{slots: iobes}`, where not IOB2: `iob1`, `iobes` (BILOU, BMES), `io`."""

    def read_split(self, split: str, columns: Columns, notes: SplitNotes) -> list[Example]:
        """Reads one folder; see `DatasetBase.read_split`."""
        check_columns(str(self.path), columns, {"intent": "label", "slots": "tags"})
        folder = self.path / self.splits.named()[split]
        return seq_in_out_examples(folder, columns, self.schemes, notes, on_empty=self.on_empty)

    def on_file(self, path: Path, split: SplitName) -> DatasetBase:
        """Returns a section in which a split is another folder."""
        folder = path.resolve()
        splits = self.splits.model_copy(update={split: folder.name})
        return self.model_copy(update={"path": folder.parent, "splits": splits})

    def fingerprint(self) -> str:
        """Returns a hash of the content of all files."""
        folders = [self.path / folder for folder in self.splits.named().values()]
        return hash_files(folder / name for folder in folders for name in _SEQ_FILES)


def seq_in_out_examples(
    folder: Path, columns: Columns, schemes: Schemes, notes: SplitNotes, *, on_empty: OnEmpty
) -> list[Example]:
    """Reads a folder.

    Args:
        folder: The folder of a split.
        columns: The columns to read, `intent` and `slots`.
        schemes: How the tags are written, where not as IOB2.
        notes: Hears how many rows were left out.
        on_empty: What becomes of rows with an empty text.

    Raises:
        DataError: A file cannot be read, the files do not fit together, or rows are bad.
    """
    files = {name: folder / name for name in _SEQ_FILES}
    lines = {name: read_lines(path) for name, path in files.items()}
    counts = {name: len(content) for name, content in lines.items()}
    # A line that is lost in one file would shift all labels behind it.
    if len(set(counts.values())) > 1:
        shortest = min(counts, key=lambda name: counts[name])
        found = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise DataError(
            f"{files[shortest]}:{counts[shortest]}: the files of a split need the same number of "
            f"lines, found {found}; this file ends first"
        )
    rows = [
        (f"{files['seq.out']}:{number}", (number, *row))
        for number, row in enumerate(zip(*lines.values(), strict=True), start=1)
    ]
    examples = read_rows(
        rows,
        lambda row, where: _example(row, where, folder, columns),
        on_empty=on_empty,
        notes=notes,
    )
    # Of the rows that are left: those of empty texts are not among the examples.
    places = [where for where, (_, text, *_) in rows if words_with_tags(text)]
    return with_iob2(list(zip(places, examples, strict=True)), schemes, columns, str(folder))


def _example(row: tuple[int, str, str, str], where: str, folder: Path, columns: Columns) -> Example:
    number, text, tag_text, label = row
    words, tags = words_with_tags(text), words_with_tags(tag_text)
    if not words:
        raise EmptyTextError(f"{folder / 'seq.in'}:{number}: empty sentence")
    labels: dict[str, LabelValue] = {}
    # An empty line of tags or label = the row lacks it, and still trains the other task.
    if "slots" in columns and tags:
        if len(tags) != len(words):
            raise DataError(
                f"{where}: expected {len(words)} tags, one per word of seq.in, found {len(tags)}"
            )
        labels["slots"] = tags
    if "intent" in columns and label.strip():
        labels["intent"] = label.strip()
    return Example(words, labels)
